"""`zoo align`: its summary, exit codes, interruptions and kills."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers.alignments import make_spoken
from tests.helpers.kills import killed_at_random
from zoo.cli import main

pytest.importorskip("espeakng_loader")

ZOO = [sys.executable, "-m", "zoo", "align"]


@pytest.fixture(scope="module")
def spoken(once):
    return once("spoken", make_spoken)


@pytest.fixture
def speech(spoken, tmp_path):
    return shutil.copytree(spoken / "speech", tmp_path / "speech")


def grids(out):
    """The alignments that are whole."""
    found = (f for f in out.rglob("*.TextGrid") if not f.name.startswith("."))
    return {f.relative_to(out).as_posix(): f.read_bytes() for f in found}


def outputs(out):
    """All that a command leaves; the lines of its journal have no order."""
    found = {f.relative_to(out).as_posix(): f for f in out.rglob("*") if f.is_file()}
    journal = sorted(found.pop("alignment.jsonl").read_bytes().splitlines())
    return {name: file.read_bytes() for name, file in found.items()}, journal


def test_the_summary_says_what_became_of_every_recording(speech, spoken, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["align", str(speech), "--model", str(spoken / "run"), "--out", str(out)]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "suspicious, the lowest score first:"
    assert said[1].split()[1] in {f.removesuffix(".TextGrid") for f in grids(out)}
    assert said[2:] == [f"report: {out / 'report.html'}", f"{out}: 12 written"]
    first = sorted(speech.rglob("*.lab"))[0]
    first.write_text("xyzzy 太郎", encoding="utf-8")
    sorted(speech.rglob("*.lab"))[1].unlink()
    (speech / "notes.txt").write_text("of nothing")
    assert main(words) == 1
    captured = capsys.readouterr()
    said = captured.out.splitlines()
    assert f"{out}: 0 written, 10 kept (--overwrite aligns them again), 1 problem" == said[-1]
    without = sorted(speech.rglob("*.wav"))[1].relative_to(speech)
    assert f"1 without transcript: {without}" in said
    assert "1 of transcripts without recording: notes.txt" in said
    (problem,) = [x for x in captured.err.splitlines() if "zoo align: " in x]
    assert str(first) in problem
    assert "太郎" in problem


def test_those_below_the_least_score_are_listed(speech, spoken, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["align", str(speech), "--model", str(spoken / "run"), "--out", str(out)]
    assert main([*words, "--min-score", "0.99", "--format", "json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "suspicious, below 0.99 and without a file, the lowest score first:"
    assert said[-1] == f"{out}: 0 written, 12 below --min-score"
    assert said[-3] == "  and 2 more, which alignment.csv lists"
    assert not list(out.rglob("*.json"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--out", "OUT"], "nowhere is not a folder; a folder of recordings and"),
        (["SPEECH", "--out", "OUT", "--min-score", "2"], "--min-score must be 0 to 1; received 2"),
        (["SPEECH", "--out", "OUT", "--jobs", "0"], "--jobs must be 1 or more; received 0."),
        (["SPEECH", "--out", "OUT", "--format", "wav"], "argument --format: invalid choice"),
        (["SPEECH"], "the following arguments are required: --out"),
        (["SPEECH", "--out", "FILE"], "is a file; a folder for the output was expected."),
        (["SPEECH", "--out", "OUT", "--dictionary", "no"], "no"),
        (["EMPTY", "--out", "OUT"], "holds no recording with a transcript"),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(
    speech, spoken, tmp_path, capsys, words, message
):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    places = {"SPEECH": speech, "OUT": tmp_path / "out", "FILE": tmp_path / "file"}
    places["EMPTY"] = tmp_path / "empty"
    given = [str(places.get(word, word)) for word in words]
    try:
        code = main(["align", *given, "--model", str(spoken / "run")])
    except SystemExit as error:
        code = error.code
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1


def test_a_malformed_dictionary_is_wrong_use_in_any_process(speech, spoken, tmp_path, capsys):
    (tmp_path / "bad.dict").write_bytes(b"\xff\xfe\x00 bad")
    words = ["align", str(speech), "--model", str(spoken / "run"), "--out", str(tmp_path / "out")]
    for jobs in "12":
        found = main([*words, "--dictionary", str(tmp_path / "bad.dict"), "--jobs", jobs])
        assert found == 2
        said = [x for x in capsys.readouterr().err.splitlines() if "zoo align: " in x]
        assert len(said) == 1
        assert "bad.dict" in said[0]


def test_ctrl_c_ends_it_and_the_same_command_resumes(speech, spoken, tmp_path):
    out = tmp_path / "out"
    # Enough to be at work for some seconds.
    more_of(speech, 20)
    total = len(list(speech.rglob("*.lab")))
    command = [*ZOO, str(speech), "--model", str(spoken / "run"), "--out", str(out), "--jobs", "2"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    end = time.monotonic() + 60
    while not grids(out) and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "zoo align: interrupted; the same command resumes" in error
    assert "Traceback" not in error
    before = grids(out)
    assert 0 < len(before) < total
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert len(grids(out)) == total
    assert {name: grids(out)[name] for name in before} == before


def more_of(speech, times):
    """The same recordings again and again, under other names."""
    for number in range(times):
        for file in sorted(speech.rglob("*.lab")):
            if "-" not in file.stem:
                for path in (file, file.with_suffix(".wav")):
                    os.link(path, path.with_name(f"{path.stem}-{number}{path.suffix}"))


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_with_the_same_files(speech, spoken, tmp_path):
    more_of(speech, 6)
    command = [*ZOO, str(speech), "--model", str(spoken / "run"), "--jobs", "2", "--out"]
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    subprocess.run([*command, str(straight)], capture_output=True, check=True)
    killed_at_random([*command, str(killed)], 5, lambda: len(grids(killed)))
    subprocess.run([*command, str(killed)], capture_output=True, check=True)
    assert outputs(killed) == outputs(straight)
