"""`zoo corpus check`: counts, and every problem with its place."""

import json

import numpy as np
import soundfile

from tests.helpers.annotations import long_textgrid, make_recordings, records_of, write_csv
from tests.helpers.trees import make_tree
from zoo.cli import main


def check(path, capsys, *options):
    code = main(["corpus", "check", str(path), "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def problems(found, root):
    return {
        (p["file"].removeprefix(f"{root}").lstrip("/"), p["line"], p["problem"].split(";")[0])
        for p in found["problems"]
    }


def test_a_clean_tree_is_counted_as_an_independent_count_counts(tmp_path, capsys):
    tree = make_tree(tmp_path / "timit")
    code, found = check(tree, capsys)
    assert code == 0
    assert found["problems"] == []
    for split, folder in (("train", "TRAIN"), ("test", "TEST")):
        files = list((tree / folder).rglob("*.PHN"))
        rows = [line.split() for f in files for line in f.read_text().splitlines()]
        record = found["splits"][split]
        assert record["utterances"] == len(files)
        assert record["sa_utterances"] == sum(f.name.startswith("SA") for f in files)
        assert record["segments"] == len(rows)
        assert abs(record["seconds"] - sum(int(e) - int(s) for s, e, _ in rows) / 16000) < 1e-6
        for label, counted in found["labels"].items():
            assert counted["segments"][split] == sum(row[2] == label for row in rows)
    assert found["labels"]["q"]["class"] is None
    assert found["classes"]["sil"]["segments"] == found["labels"]["h#"]["segments"]
    assert found["classes"]["epi"]["seconds"] == 0
    assert main(["corpus", "check", str(tree)]) == 0
    shown = capsys.readouterr().out
    assert "no problems" in shown
    assert "3 speakers" in shown


def test_every_problem_of_a_tree_is_named_with_file_and_line(tmp_path, capsys):
    tree = make_tree(tmp_path / "timit", train=6, sentences=("SX1", "SX2"))
    folder = tree / "TRAIN" / "DR1"
    (folder / "MTRN0" / "SX1.WAV").unlink()
    (folder / "MTRN0" / "SX2.PHN").unlink()
    cut = folder / "MTRN1" / "SX1.WAV"
    cut.write_bytes(cut.read_bytes()[:5000])
    (folder / "MTRN1" / "SX1.PHN").write_text("0 100 iyy\n")
    samples = np.zeros(20000)
    soundfile.write(folder / "MTRN2" / "SX1.WAV", samples, 8000, format="WAV")
    (folder / "MTRN2" / "SX1.PHN").write_text("0 20000 h#\n")
    stereo = np.zeros((20000, 2))
    soundfile.write(folder / "MTRN2" / "SX2.WAV", stereo, 16000, format="WAV")
    (folder / "MTRN2" / "SX2.PHN").write_text("0 20000 h#\n")
    phn = folder / "MTRN3" / "SX1.PHN"
    phn.write_text("0 900 h#\n800 1000 iy\n1000 900 s\nnonsense\n1000 9999999 s\n1000 1100 sx\n")
    (folder / "MTRN4" / "SX1.PHN").write_text("")
    (folder / "MTRN5").rename(tree / "TEST" / "DR1" / "MTRN4")
    code, found = check(tree, capsys)
    assert code == 1
    named = problems(found, tree / "TRAIN" / "DR1")
    assert {(file, line) for file, line, _ in named} == {
        ("MTRN0/SX1.PHN", None),
        ("MTRN0/SX2.WAV", None),
        ("MTRN1/SX1.WAV", None),
        ("MTRN1/SX1.PHN", 1),
        ("MTRN2/SX1.WAV", None),
        ("MTRN2/SX2.WAV", None),
        ("MTRN3/SX1.PHN", 2),
        ("MTRN3/SX1.PHN", 3),
        ("MTRN3/SX1.PHN", 4),
        ("MTRN3/SX1.PHN", 5),
        ("MTRN3/SX1.PHN", 6),
        ("MTRN4/SX1.PHN", None),
        (str(tree).lstrip("/"), None),
    }
    texts = " ".join(text for _, _, text in named)
    for part in (
        "has no recording beside it",
        "has no labels",
        "is truncated",
        "is sampled at 8000 Hz, the corpus at 16000 Hz",
        "has 2 channels",
        "has the speaker 'mtrn4' in train and test",
        "overlaps the one before it",
        "is not a TIMIT phone label",
        "holds no segments",
    ):
        assert part in texts
    assert main(["corpus", "check", str(tree)]) == 1
    shown = capsys.readouterr().out
    assert "MTRN3/SX1.PHN, line 3: the segment ends at 900" in shown
    assert "13 problems" in shown


def test_every_problem_of_a_table_is_named_with_its_line(tmp_path, capsys):
    rows = make_recordings(tmp_path)
    records = records_of(rows)
    good = len(records)
    bad = [
        {"audio": "anna/anna7.wav", "start": 0, "end": 1, "label": "s"},
        {"audio": "anna/anna0.wav", "start": 0.001, "end": 0.01, "label": "s"},
        {"audio": "anna/anna0.wav", "start": 2, "end": 1, "label": "s"},
        {"audio": "anna/anna0.wav", "start": 50, "end": 51, "label": "s"},
        {"audio": "anna/anna0.wav", "start": "x", "end": 51, "label": "s"},
        {"audio": "anna/anna1.wav", "start": 60, "end": 61, "label": "odd"},
    ]
    path = write_csv(tmp_path / "segments.csv", records + bad)
    mapping = tmp_path / "mapping.tsv"
    mapping.write_text("".join(f"{label}\tc\n" for label in {r["label"] for r in records}))
    code, found = check(path, capsys, "--mapping", str(mapping))
    assert code == 1
    assert sorted(p["line"] for p in found["problems"]) == [good + 2 + i for i in range(6)]
    assert found["splits"]["train"]["segments"] + found["splits"]["test"]["segments"] == good


def test_problems_are_named_where_nothing_else_is_left(tmp_path, capsys):
    path = tmp_path / "segments.csv"
    path.write_text("audio,start,end,label\nx/a.wav,0,1,a\nx/b.wav,0,1,b\n")
    code, found = check(tmp_path, capsys)
    assert code == 1
    assert [(p["line"], p["problem"].split("/")[0]) for p in found["problems"]] == [
        (2, "there is no recording "),
        (3, "there is no recording "),
        (None, "holds no labelled recording of the kind 'table'."),
    ]
    assert (found["splits"], found["labels"], found["seconds"]) == ({}, {}, 0)
    assert main(["corpus", "check", str(tmp_path)]) == 1
    assert "segments.csv, line 2: there is no recording" in capsys.readouterr().out


def test_recordings_without_textgrid_and_textgrids_without_recording(tmp_path, capsys):
    rows = make_recordings(tmp_path)
    for name, found in rows.items():
        (tmp_path / f"{name}.TextGrid").write_text(long_textgrid({"p": found}, found[-1][1]))
    assert check(tmp_path, capsys)[0] == 0
    (tmp_path / "anna" / "anna0.wav").unlink()
    (tmp_path / "ben" / "ben0.TextGrid").unlink()
    (tmp_path / "carl" / "carl0.TextGrid").write_text("nonsense")
    code, found = check(tmp_path, capsys)
    assert code == 1
    assert {p["file"].split("/")[-1] for p in found["problems"]} == {
        "anna0.TextGrid",
        "ben0.wav",
        "carl0.TextGrid",
    }


def test_nothing_to_check_is_wrong_use(tmp_path, capsys):
    assert main(["corpus", "check", str(tmp_path)]) == 2
    assert "holds no labelled recordings" in capsys.readouterr().err
