"""Learning how recordings sound from a network's own alignments of them."""

import numpy as np
import pytest

import zoo
from tests.helpers.alignments import make_spoken, words_of_corpus
from zoo.alignment.refinement import refined
from zoo.errors import UsageError

pytest.importorskip("espeakng_loader")


@pytest.fixture(scope="module")
def spoken(once):
    return once("spoken", make_spoken)


@pytest.fixture(scope="module")
def aligner(spoken):
    return zoo.load_aligner(spoken / "run")


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
    with pytest.raises(UsageError, match="at the least"):
        refined(aligner, [hopeless])
