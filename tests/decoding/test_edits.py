"""Errors of recognised phones, by kind."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from zoo.data.corpora.phones import GROUPS
from zoo.decoding.edits import Edits, aligned, edits, folded, phone_errors
from zoo.errors import UsageError

sequences = st.lists(st.sampled_from(["sil", "aa", "iy", "s"]), max_size=12)


@given(sequences, sequences)
def test_the_distance_is_rapidfuzzs(reference, hypothesis):
    found = edits(reference, hypothesis)
    assert found.errors == Levenshtein.distance(reference, hypothesis)
    assert found.length == len(reference)
    assert found.insertions - found.deletions == len(hypothesis) - len(reference)
    assert min(found) >= 0
    # Of all alignments with as few errors it is one with the most substitutions.
    theirs = [e.tag for e in Levenshtein.editops(reference, hypothesis)]
    assert found.substitutions >= theirs.count("replace")


def kinds_by_trying(reference, hypothesis):
    """(errors, deletions, insertions) of every alignment, the least first."""
    if not reference or not hypothesis:
        return {(len(reference) + len(hypothesis), len(reference), len(hypothesis))}
    wrong = reference[0] != hypothesis[0]
    return {
        *((e + wrong, d, i) for e, d, i in kinds_by_trying(reference[1:], hypothesis[1:])),
        *((e + 1, d + 1, i) for e, d, i in kinds_by_trying(reference[1:], hypothesis)),
        *((e + 1, d, i + 1) for e, d, i in kinds_by_trying(reference, hypothesis[1:])),
    }


@given(st.lists(st.integers(0, 2), max_size=5), st.lists(st.integers(0, 2), max_size=5))
@settings(deadline=None)
def test_the_kinds_are_those_of_the_least_alignment(reference, hypothesis):
    errors, deletions, insertions = min(kinds_by_trying(reference, hypothesis))
    expected = (errors - deletions - insertions, deletions, insertions, len(reference))
    assert edits(reference, hypothesis) == expected


@given(sequences, sequences)
def test_an_alignment_has_the_errors_that_are_counted(reference, hypothesis):
    pairs = aligned(reference, hypothesis)
    assert [i for i, _ in pairs if i is not None] == list(range(len(reference)))
    assert [j for _, j in pairs if j is not None] == list(range(len(hypothesis)))
    counted = Edits(
        sum(None not in pair and reference[pair[0]] != hypothesis[pair[1]] for pair in pairs),
        sum(j is None for _, j in pairs),
        sum(i is None for i, _ in pairs),
        len(reference),
    )
    assert counted == edits(reference, hypothesis)


def test_an_alignment_by_hand():
    assert aligned("kitten", "sitting") == [*((n, n) for n in range(6)), (None, 6)]
    assert aligned("abc", "bc") == [(0, None), (1, 0), (2, 1)]
    assert aligned("", "a") == [(None, 0)]
    assert aligned("a", "") == [(0, None)]


def test_long_sequences_keep_their_kinds_apart():
    reference = [str(n % 7) for n in range(3000)]
    hypothesis = reference[100:] + ["x"] * 30
    assert edits(reference, hypothesis).errors == Levenshtein.distance(reference, hypothesis)
    assert edits(reference, []) == (0, 3000, 0, 3000)
    assert edits([], reference) == (0, 0, 3000, 0)
    assert edits([], reference).rate is None


def test_folding_merges_silences_that_touch_and_nothing_else():
    labels = "sil pcl p n en s vcl epi sil aa aa".split()
    groups = {**GROUPS, "pcl": "sil"}
    assert folded(labels, groups) == "sil p n n s sil aa aa".split()
    assert folded(labels, groups, None) == "sil sil p n n s sil sil sil aa aa".split()
    with pytest.raises(UsageError, match="'q' has no scored group"):
        folded(["q"], groups)


def test_phone_errors_by_hand():
    references = [["sil", "cl", "t", "ih", "sil"], ["s"]]
    hypotheses = [["sil", "ix", "cl", "t"], ["z", "sil"]]
    without, with_silence = phone_errors(references, hypotheses, GROUPS)
    # t ix against ix t: two substitutions; s against z: one more.
    assert without == Edits(3, 0, 0, 3)
    assert without.rate == 1
    # sil t ix sil against sil ix sil t: insert ix, sil; delete ix, sil or substitute three.
    assert (with_silence.errors, with_silence.length) == (4, 5)
    with pytest.raises(UsageError, match="one hypothesis for each reference"):
        phone_errors([["s"]], [], GROUPS)


@given(st.lists(st.lists(st.sampled_from(sorted(GROUPS)), max_size=8), min_size=1, max_size=4))
def test_a_transcript_has_no_errors_against_itself(recordings):
    both = phone_errors(recordings, recordings, GROUPS)
    assert [found.errors for found in both] == [0, 0]
    spoken = [[GROUPS[c] for c in r if GROUPS[c] != "sil"] for r in recordings]
    assert both[0].length == len(list(itertools.chain(*spoken)))
