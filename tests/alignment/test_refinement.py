"""Learning how recordings sound from a network's own alignments of them."""

import numpy as np
import pytest

import zoo
from tests.helpers.alignments import words_of_corpus
from zoo.alignment.refinement import refined
from zoo.cli import main
from zoo.decoding import Transcript
from zoo.errors import UsageError

pytest.importorskip("espeakng_loader")


@pytest.fixture(scope="module")
def files(spoken):
    return sorted((spoken / "speech").rglob("*.wav"))


def late(aligner, spoken, files):
    """By how many seconds the ends of words are missed."""
    errors = []
    for file in files:
        text = file.with_suffix(".lab").read_text()
        found = aligner.align_file(file, text=text).tiers["words"]
        words = words_of_corpus(spoken, file.parent.name, file.stem)
        if len(found) == len(words):
            errors += [abs(f.end - w[1]) for f, w in zip(found, words, strict=True)]
    return np.array(errors)


def test_borders_come_nearer_to_where_they_are(aligner, spoken, files):
    better = refined(aligner, [(f, {"text": f.with_suffix(".lab").read_text()}) for f in files])
    before, after = late(aligner, spoken, files), late(better, spoken, files)
    assert len(before) == len(after) > 40
    assert np.mean(after < 0.02) > np.mean(before < 0.02)


def test_recordings_that_cannot_be_aligned_are_not_learnt_from(aligner, files):
    one = (files[0], {"text": files[0].with_suffix(".lab").read_text()})
    hopeless = (files[1], {"text": "too long to be said " * 200})
    told = []
    better = refined(aligner, [one, hopeless], told.append)
    assert told[-1] == "round 4 of 4"
    labels = [i.label for i in better.align_file(one[0], **one[1]).tiers["words"]]
    assert labels == [i.label for i in aligner.align_file(one[0], **one[1]).tiers["words"]]
    with pytest.raises(UsageError, match="s at least, but its recording lasts"):
        refined(aligner, [hopeless])


def test_zoo_align_refines_a_folder_and_keeps_what_it_learnt(spoken, files, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["align", str(spoken / "speech"), "--model", str(spoken / "run"), "--out", str(out)]
    assert main([*words, "--refine"]) == 0
    assert f"aligning with {out / 'refined'}" in capsys.readouterr().out
    # The folder stands for a model, here and in Python.
    aligner = zoo.load_aligner(out / "refined")
    text = files[0].with_suffix(".lab").read_text()
    by_model = aligner.align_file(files[0], text=text)
    written = Transcript.load(out / f"{files[0].parent.name}/{files[0].stem}.TextGrid")
    assert [w[:3] for w in by_model.tiers["words"]] == [w[:3] for w in written.tiers["words"]]
    kept = (out / "refined" / "sounds.npz").stat().st_mtime_ns
    assert main([*words, "--refine"]) == 0
    assert (out / "refined" / "sounds.npz").stat().st_mtime_ns == kept
    assert main([*words[:-1], str(tmp_path / "other"), "--refine", "--channel", "1"]) == 2
    assert "leave --channel out" in capsys.readouterr().err
    words[3] = str(out / "refined")
    assert main([*words[:-1], str(tmp_path / "other"), "--refine"]) == 2
    assert "holds no network, which --refine requires" in capsys.readouterr().err
