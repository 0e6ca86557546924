"""What the classifier of segments that heard people learns from: see scripts/people_segments.py."""

import sys
from decimal import Decimal

import numpy as np
import pytest
import soundfile

from tests.helpers import scripts
from zoo.data.corpora.annotated import Annotated
from zoo.data.corpora.intervals import Span

RATE = 16000


@pytest.fixture(scope="module")
def recipe():
    sys.path.insert(0, str(scripts.SCRIPTS))
    try:
        yield scripts.load("people_segments")
    finally:
        sys.path.remove(str(scripts.SCRIPTS))


@pytest.fixture
def utterance(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    soundfile.write(tmp_path / "noise.wav", samples, RATE, "PCM_16")
    labels = ["h#", "bcl", "b", "iy", "tcl", "tcl", "ch", "kcl", "s", "t", "gcl", "h#"]
    edges = np.linspace(1600, 4 * RATE - 1600, len(labels) + 1).round().astype(int)
    spans = tuple(
        Span(n + 1, Decimal(int(a)) / RATE, Decimal(int(b)) / RATE, label)
        for n, (a, b, label) in enumerate(zip(edges, edges[1:], labels, strict=False))
    )
    audio = tmp_path / "noise.wav"
    return Annotated("an4/one", audio, "speaker", "train", tmp_path / "noise.phn", spans)


def test_stops_are_whole_with_or_without_their_other_half(recipe, utterance):
    whole = recipe._whole(utterance).spans
    assert [s.label for s in whole] == ["h#", "b", "iy", "t", "ch", "k", "s", "t", "g", "h#"]
    assert whole[1].start == utterance.spans[1].start
    assert whole[1].end == utterance.spans[2].end


def test_excerpts_are_all_of_what_is_labelled_once(recipe, utterance, tmp_path):
    found = list(recipe._excerpts(utterance, tmp_path / "short", np.random.default_rng(0)))
    assert len(found) > 1
    assert [s.label for e in found for s in e.spans] == [s.label for s in utterance.spans]
    samples, _ = soundfile.read(utterance.audio, dtype="int16")
    first = round(utterance.spans[0].start * RATE)
    for excerpt in found:
        cut, rate = soundfile.read(excerpt.audio, dtype="int16")
        np.testing.assert_array_equal(cut, samples[first : first + len(cut)])
        assert rate == RATE
        first += len(cut)
        assert excerpt.spans[0].start == 0
        assert round(excerpt.spans[-1].end * RATE) == len(cut)
        assert excerpt.segments(len(cut))[-1].end == len(cut)
    assert first == round(utterance.spans[-1].end * RATE)
    durations = [float(e.spans[-1].end) for e in found[:-1]]
    longest = max(float(s.end - s.start) for s in utterance.spans)
    assert min(durations) >= recipe.SHORT[0]
    assert max(durations) <= recipe.SHORT[1] + longest


def test_a_telephones_band_has_nothing_above_4_khz(recipe, utterance, tmp_path):
    narrow = recipe._narrowed(utterance, tmp_path / "narrow")
    samples, rate = soundfile.read(narrow.audio)
    assert (len(samples), rate) == (4 * RATE, RATE)
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / rate)
    assert power[hertz > 4200].sum() < 1e-3 * power.sum()
    assert power[hertz < 3500].sum() > 0.8 * power.sum()
