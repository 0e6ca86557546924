"""The `zoo` command as a user meets it: fast to start, clear when something is wrong."""

import json
import subprocess
import sys

import pytest

from tests.helpers.annotations import make_recordings, records_of, write_csv
from tests.helpers.trees import make_tree
from zoo.cli import COMMANDS, main


def zoo_command(*words, timeout=120):
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.mark.parametrize("statement", ["import zoo", "import zoo; zoo.describe('freq_fullpad')"])
def test_importing_the_zoo_imports_nothing_heavy(statement):
    code = (
        f"import sys; {statement}; "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'jax', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from zoo.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert not end.code\n"
        "print([m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip().endswith("[]")
    assert all(command in out.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert f"zoo {command}" in capsys.readouterr().out


def test_list_and_show_describe_the_model(capsys):
    listed = zoo_command("list")
    assert listed.returncode == 0
    assert "freq_fullpad" in listed.stdout
    assert "61.8%" in listed.stdout
    assert main(["show", "freq_fullpad"]) == 0
    shown = capsys.readouterr().out
    for size in ("201x16x8", "99x8x8", "48x4x16", "22x2x32", "1x1x64"):
        assert size in shown


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    make_tree(folder / "corpus")
    done = zoo_command(
        "prepare", folder / "corpus", folder / "set", "--representation", "magnitude"
    )
    assert done.returncode == 0, done.stderr
    assert "2 speakers" in done.stdout
    followed = f"next: zoo train freq_fullpad --data {folder / 'set'} --out runs/freq_fullpad"
    assert done.stdout.splitlines()[-1] == followed
    return folder / "set"


def test_train_evaluate_and_report_work_from_the_command_line(prepared, tmp_path, capsys):
    run = tmp_path / "run"
    done = zoo_command(
        *("train", "freq_fullpad", "--data", prepared, "--out", run, "--epochs", "1"),
        *("--per-class", "16", "--set", "dropout=0.1", "--set", "activation=tanh"),
    )
    assert done.returncode == 0, done.stderr
    assert "epoch 1/1" in done.stderr
    assert done.stdout.splitlines()[-1] == f"next: zoo evaluate {run} --data {prepared}"
    config = json.loads((run / "config.json").read_text())
    assert config["settings"]["overrides"] == {"dropout": 0.1, "activation": "tanh"}
    assert main(["evaluate", str(run), "--data", str(prepared), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert set(scores) == {
        *("model", "split", "examples", "excluded", "accuracy_39", "accuracy_48"),
        *("accuracy_39_uniform", "balanced_accuracy_39", "per_phone", "label_set"),
    }
    assert main(["report", str(run), "--data", str(prepared)]) == 0
    page = (run / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page.replace("data:image", "")


def wrong(*words):
    """The one line of a refusal, and its exit code."""
    done = zoo_command(*words)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if line.startswith("zoo")]
    assert len(lines) == 1, done.stderr
    return lines[0], done.returncode


def test_wrong_use_is_one_clear_line_and_exit_code_2(prepared, tmp_path):
    (tmp_path / "empty").mkdir()
    cases = {
        ("prepare", tmp_path / "nowhere", tmp_path / "o"): "is not a folder",
        ("prepare", tmp_path / "empty", tmp_path / "o"): "no .PHN file",
        ("show", "freq_fulpad"): "Did you mean 'freq_fullpad'",
        ("list", "--family", "clasifier"): "Did you mean 'classifier'",
        ("train", "freq_fullpad", "--data", tmp_path, "--out", tmp_path / "o"): "manifest.json",
        ("train", "nothing", "--data", prepared, "--out", tmp_path / "o"): "no model 'nothing'",
        (
            *("train", "freq_fullpad", "--data", prepared, "--out", tmp_path / "o"),
            *("--set", "dropout"),
        ): "--set takes OPTION=VALUE",
        (
            *("train", "freq_fullpad", "--data", prepared, "--out", tmp_path / "o"),
            *("--set", "name=x"),
        ): "the model's name is the first word",
        ("evaluate", "r", "--data", prepared, "--seed", "-1"): "a whole number from 0 to 42949",
        ("evaluate", prepared / "mean.npy", "--data", prepared): "is a file; a run folder is",
        (
            *("prepare", prepared.parent / "corpus", tmp_path / "o"),
            *("--length", "99999999"),
        ): "a length of 99999999 samples is 6250 s",
        ("evaluate", tmp_path / "nowhere", "--data", prepared): "does not exist",
        ("evaluate", tmp_path / "empty", "--data", prepared): "holds no model.keras",
        ("prepare", "a", "b", "--representation", "x"): "invalid choice: 'x'",
        ("frobnicate",): "invalid choice: 'frobnicate'",
    }
    for words, message in cases.items():
        line, code = wrong(*words)
        assert message in line
        assert code == 2
    assert not (tmp_path / "o").exists()


def test_speakers_on_both_sides_are_told(tmp_path):
    rows = make_recordings(tmp_path / "own", ("anna", "ben"))
    records = records_of(rows, split="train")
    for record in records:
        # Takes 0 and 1 of each speaker; of Ben's both are for training.
        record["split"] = "test" if record["audio"] == "anna/anna1.wav" else "train"
    write_csv(tmp_path / "own" / "segments.csv", records)
    done = zoo_command("prepare", tmp_path / "own", tmp_path / "set", "--length", "2000")
    assert done.returncode == 0, done.stderr
    assert "note: train and test share speakers (anna)" in done.stdout


def test_no_command_prints_help_and_fails():
    done = zoo_command()
    assert done.returncode == 2
    assert "quickstart" in done.stdout


def test_a_folder_that_cannot_be_written_is_a_run_time_failure(tmp_path):
    make_tree(tmp_path / "corpus")
    line, code = wrong("prepare", tmp_path / "corpus", "/proc/set")
    assert "cannot create the folder" in line
    assert code == 1


def test_an_output_that_is_a_file_is_wrong_use(tmp_path):
    make_tree(tmp_path / "corpus")
    (tmp_path / "file").write_text("")
    line, code = wrong("prepare", tmp_path / "corpus", tmp_path / "file" / "set")
    assert f"{tmp_path / 'file'} is a file; a folder for the output was expected." in line
    assert code == 2
