"""`zoo data`: pages that show what a prepared set holds, and the check that it is whole."""

import base64
import io
import re

import numpy as np
import pytest
import soundfile

from tests.helpers.trees import make_tree, sounds, write_utterance
from zoo.cli import main
from zoo.data import prepare, prepare_pairs

# What trees.LABELS become; q belongs to no class.
FOLDED = ("sil", "iy", "s", "aa", "cl", "t", "n", "uw", "sil")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), sentences=("SX1", "SI1"))


@pytest.fixture(scope="module")
def phones(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("phones") / "set"
    return prepare(tree, out, representation="log_mel", length=2400)


def table(printed):
    """Rows by split, of cells that two or more blanks part."""
    head, *rows = (re.split(r"\s{2,}", line) for line in printed.splitlines()[:-2])
    return {row[0]: dict(zip(head, row, strict=True)) for row in rows}


def embedded(page):
    """Alternative text -> the pixels of every picture of a page."""
    import matplotlib.image

    found = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    return {alt: matplotlib.image.imread(io.BytesIO(base64.b64decode(data))) for data, alt in found}


def test_the_printed_counts_are_those_of_the_label_files(tree, phones, capsys):
    assert main(["data", "show", str(phones.path)]) == 0
    rows = table(capsys.readouterr().out)
    for split, speakers in (("train", 3), ("test", 2)):
        segments = [
            (int(end) - int(start))
            for path in (tree / split.upper()).rglob("*.PHN")
            for start, end, label in (line.split() for line in path.read_text().splitlines())
            if label != "q"
        ]
        assert rows[split] == {
            "split": split,
            "examples": str(2 * speakers * len(FOLDED)),
            "minutes": f"{sum(segments) / 16000 / 60:.1f}",
            "speakers": str(speakers),
            "utterances": str(2 * speakers),
            "classes": str(len(set(FOLDED))),
            "smallest class": rows[split]["smallest class"],
            "largest class": f"sil ({4 * speakers})",
            "too long": "0",
        }
        assert rows[split]["smallest class"].endswith(f" ({2 * speakers})")


def test_a_page_needs_nothing_beside_it(phones, tmp_path):
    page = tmp_path / "one.html"
    assert main(["data", "show", str(phones.path), "--out", str(page)]) == 0
    assert [f.name for f in tmp_path.iterdir()] == ["one.html"]
    text = page.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert phones.manifest["content"] in text
    pictures = embedded(text)
    assert [next(iter(alt.split())) for alt in pictures] == [
        "Bars",
        "Bars",
        "Histogram",
        "Examples",
    ]
    assert all(np.ptp(pixels[..., :3]) > 0.5 for pixels in pictures.values())


def test_a_folder_gets_every_picture_as_a_file(phones, tmp_path):
    assert main(["data", "show", str(phones.path), "--out", str(tmp_path / "all")]) == 0
    assert {f.name for f in (tmp_path / "all").iterdir()} == {
        "overview.html",
        "examples-per-class.png",
        "class-balance.png",
        "durations.png",
        "examples.png",
    }


def test_pairs_show_ratios_and_waveforms(tree, tmp_path, capsys):
    pairs = prepare_pairs(
        tree, tmp_path / "set", snr=(-3, 7), pairs={"train": 4, "test": 2}, length=900
    )
    assert main(["data", "show", str(pairs.path)]) == 0
    rows = table(capsys.readouterr().out)
    assert {split: row["examples"] for split, row in rows.items()} == {"train": "4", "test": "2"}
    page = (pairs.path / "overview.html").read_text(encoding="utf-8")
    assert [alt.split(",")[0] for alt in embedded(page)] == [
        "Histogram of ratios from -3 to 7 dB.",
        "Waveforms and spectrograms",
    ]
    # The page lies in the set, and is no part of what the set is checked for.
    assert main(["data", "check", str(pairs.path)]) == 0


@pytest.mark.parametrize("representation", ["log_mel", "waveform"])
def test_examples_of_any_length_are_shown(tmp_path, representation):
    rng = np.random.default_rng(0)
    folder = tmp_path / "digits"
    folder.mkdir()
    for name in ("0_anna_0", "1_anna_0", "0_ben_0", "1_ben_0"):
        wave = 0.1 * rng.normal(size=int(rng.integers(400, 3000)))
        soundfile.write(folder / f"{name}.wav", wave, 8000)
    digits = prepare(folder, tmp_path / "set", representation=representation)
    assert main(["data", "show", str(digits.path)]) == 0
    assert len(embedded((digits.path / "overview.html").read_text(encoding="utf-8"))) == 4


def test_a_part_of_which_nothing_was_kept_is_shown_as_empty(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for split, speaker, samples in (("TRAIN", "MAAA0", 800), ("TEST", "MBBB0", 3000)):
        wave = (32767 * sounds("iy", samples, rng).clip(-1, 1)).astype("<i2")
        folder = tmp_path / "corpus" / split / "DR1" / speaker
        write_utterance(folder, "SX1", wave, [(0, samples, "iy")])
    short = prepare(tmp_path / "corpus", tmp_path / "set", representation="log_mel", length=1000)
    assert main(["data", "show", str(short.path)]) == 0
    row = table(capsys.readouterr().out)["test"]
    assert (row["examples"], row["smallest class"], row["too long"]) == ("0", "–", "1")


def test_check_names_what_is_not_as_it_was_written(tree, tmp_path, capsys):
    path = tmp_path / "set"
    prepare(tree, path, representation="log_mel")
    assert main(["data", "check", str(path)]) == 0
    assert "files unchanged" in capsys.readouterr().out
    labels = path / "test" / "labels.npy"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\7")
    assert main(["data", "check", str(path)]) == 1
    assert capsys.readouterr().out == f"{labels} has changed since it was written.\n"


def test_what_is_no_set_is_one_clear_sentence(tmp_path, capsys):
    for action in ("show", "check"):
        assert main(["data", action, str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert "is not a finished prepared set" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snr", "5"], "--snr is for pairs alone and requires --noise"),
        (["--noise", "pink", "--mean", "bin"], "--mean cannot be combined with --noise"),
        (["--noise", "pink", "--length", "any"], "--length must be a whole number, 1 or more"),
    ],
)
def test_options_of_one_kind_of_set_are_refused_for_the_other(
    tree, tmp_path, capsys, options, message
):
    assert main(["prepare", str(tree), str(tmp_path / "set"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--snr", "low"], "--snr: takes DB or DB:DB, as in 0:10; received 'low'"),
        (["--pairs", "3"], "--pairs: takes TRAIN,TEST or TRAIN,TEST,DEV, as in 250,50"),
        (["--pairs", "3,x"], "received '3,x'"),
    ],
)
def test_ratios_and_counts_of_pairs_say_how_they_are_written(capsys, options, message):
    with pytest.raises(SystemExit) as end:
        main(["prepare", "corpus", "set", "--noise", "pink", *options])
    assert end.value.code == 2
    assert message in capsys.readouterr().err
