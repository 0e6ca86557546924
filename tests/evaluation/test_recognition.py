"""Measures of transcripts: boundaries, alignments, frames."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.data.corpora.phones import CLASSES
from zoo.errors import UsageError
from zoo.evaluation.recognition import (
    Boundaries,
    aligned_errors,
    alignment_scores,
    boundaries,
    frame_accuracy,
    matched_boundaries,
    recognition_scores,
)


def most_pairs(reference, found, tolerance):
    """The most pairs by trying every choice."""
    if not reference or not found:
        return 0
    best = most_pairs(reference[1:], found, tolerance)
    for place, time in enumerate(found):
        if abs(time - reference[0]) <= tolerance:
            rest = found[:place] + found[place + 1 :]
            best = max(best, 1 + most_pairs(reference[1:], rest, tolerance))
    return best


times = st.lists(st.integers(0, 20), max_size=5, unique=True).map(sorted)


@given(times, times, st.integers(0, 4))
def test_no_matching_has_more_pairs(reference, found, tolerance):
    counts = matched_boundaries(
        [t / 100 for t in reference], [t / 100 for t in found], tolerance / 100
    )
    assert counts == (most_pairs(reference, found, tolerance), len(found), len(reference))


def test_boundary_measures_by_hand():
    # 1.00 and 1.01 both lie by 1.005, which belongs to one of them only.
    counts = matched_boundaries([1.005, 2.0], [1.0, 1.01, 2.02], 0.01)
    assert counts == (1, 3, 2)
    assert (counts.precision, counts.recall, counts.f_score) == (1 / 3, 1 / 2, 2 / 5)
    # Within the tolerance includes the tolerance, also where 1.32 - 1.3 > 0.02.
    assert matched_boundaries([1.3], [1.32], 0.02).hits == 1
    assert matched_boundaries([1.3], [1.3211], 0.02).hits == 0


def test_r_value():
    assert Boundaries(10, 10, 10).r_value == 1
    # Räsänen et al.: recall 1 with twice as many boundaries; r1 = 1, r2 = -1 / sqrt 2.
    assert Boundaries(10, 20, 10).r_value == pytest.approx(1 - (1 + 0.5**0.5) / 2)
    # Half of the boundaries and nothing more: r1 = sqrt(1/2), r2 = 0.
    assert Boundaries(5, 5, 10).r_value == pytest.approx(1 - 0.5**0.5 / 2)
    assert Boundaries(0, 0, 0).r_value is None
    assert Boundaries(0, 0, 0).f_score is None
    assert Boundaries(0, 0, 3).precision is None


def rows(*labelled):
    """Intervals, one after another, of (label, milliseconds)."""
    ends = list(itertools.accumulate(length for _, length in labelled))
    return [
        (end / 1000 - length / 1000, end / 1000, label)
        for (label, length), end in zip(labelled, ends, strict=True)
    ]


def test_where_boundaries_are():
    found = rows(("sil", 100), ("cl", 50), ("t", 30), ("aa", 80))
    assert boundaries(found) == pytest.approx([0.1, 0.15, 0.18])
    groups = {"sil": "sil", "cl": "sil", "t": "t", "aa": "aa"}
    assert boundaries(found, groups) == pytest.approx([0.15, 0.18])
    assert boundaries([(0, 1, "a"), (1.2, 2, "b")]) == [1, 1.2]
    assert boundaries(found[:1]) == []


def test_all_measures_of_a_transcript():
    reference = rows(("sil", 100), ("cl", 50), ("t", 30), ("ih", 80), ("n", 60), ("sil", 90))
    found = rows(("sil", 145), ("t", 50), ("ix", 65), ("en", 50), ("s", 50), ("sil", 50))
    scores = recognition_scores([reference, reference], [found, reference])
    assert scores["recordings"] == 2
    assert scores["phones"] == 6
    errors = {kind: scores[kind] for kind in ("substitutions", "deletions", "insertions")}
    assert errors == {"substitutions": 0, "deletions": 0, "insertions": 1}
    assert scores["phone_error_rate"] == 1 / 6
    assert scores["phone_error_rate_with_silence"] == 1 / 10
    # Boundaries at 150, 180, 260, 320 against 145, 195, 260, 310, 360 ms.
    assert scores["boundaries"]["10ms"]["recall"] == (3 + 4) / 8
    assert scores["boundaries"]["20ms"]["recall"] == 1
    assert scores["boundaries"]["50ms"]["precision"] == 8 / 9
    total = Boundaries(7, 9, 8)
    assert scores["boundaries"]["10ms"]["r_value"] == pytest.approx(total.r_value)
    nothing = recognition_scores([], [])
    assert nothing["phone_error_rate"] is None
    assert nothing["boundaries"]["10ms"]["recall"] is None


def test_alignments_are_compared_phone_by_phone():
    reference = rows(("sil", 100), ("t", 30), ("aa", 80))
    aligned = rows(("sil", 90), ("t", 75), ("aa", 45))
    np.testing.assert_allclose(aligned_errors(reference, aligned), [-0.01, 0.035])
    scores = alignment_scores([reference], [aligned])
    assert scores == {
        "boundaries": 2,
        "10ms": 0.5,
        "20ms": 0.5,
        "50ms": 1.0,
        "median": pytest.approx(0.0225),
    }
    assert alignment_scores([], [])["10ms"] is None
    with pytest.raises(UsageError, match="has the phones of its reference"):
        aligned_errors(reference, aligned[:2])


def test_frames_count_by_their_groups_where_they_are_labelled():
    sil, cl, ih, ix, s = (CLASSES.index(c) for c in ("sil", "cl", "ih", "ix", "s"))
    labels = [np.array([sil, sil, ih, -1]), np.array([s])]
    predictions = [np.array([cl, s, ix, s]), np.array([-1])]
    assert frame_accuracy(labels, predictions) == 2 / 4
    assert frame_accuracy([np.array([-1])], [np.array([sil])]) is None
