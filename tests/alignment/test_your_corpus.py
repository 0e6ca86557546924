"""The page that goes from recordings and texts to a network of one's own says what works."""

import re
import shutil
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.decoding import Transcript
from zoo.runs import Run

pytest.importorskip("espeakng_loader")

PAGE = Path(__file__).parents[2] / "docs" / "your_corpus.md"

LEARNING = {"train": ["--epochs", "1"], "align": ["--epochs", "1"]}
"""What makes the page's commands short enough for a test."""


def commands():
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.split()[1:] for line in lines if line.startswith("zoo ")]


def test_the_pages_commands_lead_to_an_exported_network(spoken, tmp_path, monkeypatch, capsys):
    speech = tmp_path / "speech"
    for number, speaker in enumerate(sorted((spoken / "speech").iterdir())):
        name = "anna" if number == 0 else speaker.name
        for place, file in enumerate(sorted(speaker.glob("*.wav")), 1):
            (speech / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, speech / name / f"a{place}.wav")
            shutil.copy(file.with_suffix(".lab"), speech / name / f"a{place}.lab")
    monkeypatch.chdir(tmp_path)
    found = commands()
    names = [words[0] for words in found]
    assert names == [
        "align",
        "align",
        "prepare",
        "train",
        "evaluate",
        "transcribe",
        "export",
        "serve",
    ]
    for words in found[:-1]:
        shorter = LEARNING.get(words[0], [])
        kept = [
            w for i, w in enumerate(words) if not shorter or "--epochs" not in words[i - 1 : i + 1]
        ]
        assert main([*kept, *shorter]) == 0, words
    printed = capsys.readouterr().out
    assert "phone error rate" in printed
    assert (tmp_path / "aligned" / "report.html").is_file()
    for out in ("aligned", "adapted"):
        transcript = Transcript.load(tmp_path / out / "anna" / "a1.TextGrid")
        assert list(transcript.tiers) == ["words", "phones"]
    assert Run.open("runs/mine").classes == Run.open("tdnn-people").classes
    (option, place) = found[-1][1:3]
    assert (option, place) == ("--model", "mine=exported")
    assert (tmp_path / "exported" / "1" / "saved_model.pb").is_file()
