"""The front page: short, true, and every line of it works."""

import os
import re
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import soundfile

import zoo
from zoo.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON = "".join(text for language, text in BLOCKS if language == "python")
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for language, text in BLOCKS
    for line in text.splitlines()
    if not language and line.startswith("zoo ")
]
(SERVE,) = (words for words in COMMANDS if words[0] == "serve")

SHORTER = {
    "corpus": ["--speakers", "15", "--sentences", "4"],
    "train": ["--epochs", "1"],
    "reconstruct": ["--steps", "3"],
}
"""Options that make the page's commands quick enough for a test."""


def test_it_is_one_page():
    assert len(README.splitlines()) <= 130
    picture = ROOT / "docs" / "sentence.png"
    assert "docs/sentence.png" in README
    assert picture.stat().st_size < 150_000


def test_every_model_is_named_under_its_family():
    for family in {zoo.describe(name).family for name in zoo.list_models()}:
        row = re.search(rf"^\| {family} \| (.*) \|$", README, re.MULTILINE)
        message = "run python scripts/model_pages.py"
        assert row[1].split(", ") == [f"`{n}`" for n in zoo.list_models(family=family)], message


def test_what_it_links_exists():
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (ROOT / target.partition("#")[0]).is_file(), target


def test_the_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    named = re.findall(r"\bmake ([a-z-]+)", README)
    assert {"quickstart", "test", "docs"} <= set(named) <= set(targets)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's commands have run, but for the server's."""
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("front")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        # What it shows first takes recordings, which the synthetic corpus has.
        for words in sorted(COMMANDS, key=lambda words: words[0] != "corpus"):
            if words is SERVE:
                continue
            assert main([*words, *SHORTER.get(words[0], [])]) == 0, words
            if words[0] == "corpus":
                take_a_sentence(folder)
    return folder


def take_a_sentence(folder):
    """What the page has besides: a sentence, its text, folders of recordings and of their texts."""
    spoken = min((folder / "speech" / "TEST").rglob("SX*.WAV"))
    audio, rate = soundfile.read(spoken)
    text = spoken.with_suffix(".TXT").read_text().split(maxsplit=2)[2]
    for name in ("recordings", "recordings_and_texts"):
        (folder / name).mkdir()
    for name in ("sentence", "recordings/one", "recordings_and_texts/one"):
        soundfile.write(folder / f"{name}.wav", audio, rate)
    for name in ("sentence.txt", "recordings_and_texts/one.lab"):
        (folder / name).write_text(text)


@pytest.mark.tensorflow
def test_the_commands_lead_from_nothing_to_an_export(folder):
    assert (folder / "runs" / "tdnn" / "report.html").is_file()
    for name in ("one", "sentence"):
        assert (folder / "transcripts" / f"{name}.TextGrid").is_file()
    assert (folder / "aligned" / "one.TextGrid").is_file()
    assert (folder / "heard" / "index.html").is_file()
    for version in "12":
        assert (folder / "exported" / version / "saved_model.pb").is_file()


@pytest.mark.tensorflow
def test_what_was_exported_is_served(folder):
    words = SERVE
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    assert words[:3] == ["serve", "--model", "speech=exported"]
    place = words.index("--port") + 1
    words = [*words[:place], port, *words[place + 1 :]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    server = subprocess.Popen(
        [sys.executable, "-m", "zoo", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert "speech" in answer(f"http://127.0.0.1:{port}/v1/models/speech/metadata", server)
    finally:
        server.terminate()
        server.wait(60)


def answer(url, server):
    """What a server says once it has started."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(url) as response:
                return response.read().decode()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no answer from {url}")


@pytest.mark.tensorflow
def test_the_python_lines_run(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    exec(compile(PYTHON, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert re.search(r"\(\d+, 40, 1\)|\(40, \d+, 1\)", printed)
    assert "Interval(" in printed
    assert (folder / "sentence.TextGrid").is_file()
