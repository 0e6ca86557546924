"""What `corpus check` finds nothing wrong with is prepared, and nothing else is."""

import io
import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import short_textgrid
from tests.helpers.lengths import with_length
from zoo.data import open_corpus
from zoo.data.corpora import check_corpus
from zoo.data.sets.selection import make_plan
from zoo.data.sets.settings import Preparation
from zoo.errors import UsageError

RATE = 16000
SOUND = np.random.default_rng(0).normal(0, 0.1, RATE // 2)


def coded(container, subtype=None):
    file = io.BytesIO()
    soundfile.write(file, SOUND, RATE, format=container, subtype=subtype)
    return file.getvalue()


CODED = {
    "wav": coded("WAV"),
    "flac": coded("FLAC"),
    "ogg": coded("OGG", "VORBIS"),
    "mp3": coded("MP3"),
    "sph": coded("NIST", "ULAW"),
    "aiff": coded("AIFF"),
}
CONTAINERS = {"wav": "WAV", "flac": "FLAC", "sph": "NIST", "aiff": "AIFF"}


@st.composite
def recordings(draw):
    """The suffix and bytes of a recording, which may be cut or say something of its length."""
    suffix = draw(st.sampled_from(sorted(CODED)))
    contents = CODED[suffix]
    if suffix in CONTAINERS and draw(st.integers(0, 2)) == 0:
        length = draw(st.sampled_from([0, 1, 8000, 8001, 16000, 16008, 16010, 0x7FFFF000]))
        contents = with_length(contents, CONTAINERS[suffix], length)
    if draw(st.integers(0, 5)) == 0:
        contents = contents[: draw(st.integers(0, len(contents)))]
    return suffix, contents


labels = st.sampled_from(["a", "b", "AH0", "aa", "\u200d", "\x07", "می\u200cخ", "x y"])
times = st.sampled_from([0, 0.1, 0.2, 0.3, 0.49, 0.5, 0.505, 0.52, 0.549, 0.551, 0.6, 7])
in_order = st.lists(times, min_size=2, max_size=4, unique=True).map(sorted)
rows = st.one_of(
    in_order.map(lambda bounds: [(a, b, "a") for a, b in itertools.pairwise(bounds)]),
    st.lists(st.tuples(times, times, labels), min_size=1, max_size=3),
)


def written(folder, kind, sounds, labelled):
    for speaker, (suffix, contents), found in zip(("anna", "ben"), sounds, labelled, strict=True):
        place = folder / speaker
        place.mkdir(parents=True)
        (place / f"{speaker}x.{suffix}").write_bytes(contents)
        if kind == "textgrid":
            (place / f"{speaker}X.TextGrid").write_text(short_textgrid({"phones": found}, 1))
        elif kind == "csv":
            lines = [f"{speaker}/{speaker}x.{suffix};{a};{b};{x}\n" for a, b, x in found]
            with open(folder / "a.csv", "a", encoding="utf-8") as file:
                file.write("".join(["" if file.tell() else "audio;start;end;label\n", *lines]))
        else:
            lines = [f"{speaker}X 1 {a} {b - a:.3f} {x} NA lex\n" for a, b, x in found]
            with open(folder / "a.ctm", "a", encoding="utf-8") as file:
                file.write("".join(lines))


def prepared(folder, **options):
    """The segments that are prepared, read as a worker reads them; None where that is refused."""
    try:
        plan = make_plan(open_corpus(folder, **options), Preparation(length="any"), None)
        for part in plan.stored.values():
            for utterance, found in part:
                samples = utterance.samples(False, plan.sample_rate, found[-1].end)
                assert found[-1].end <= len(samples)
    except UsageError as error:
        assert "\n" not in str(error)
        return None
    return sum(len(found) for part in plan.stored.values() for _, found in part)


@pytest.mark.filterwarnings("ignore::zoo.errors.FileWarning")
@given(
    st.sampled_from(["textgrid", "csv", "ctm"]),
    st.tuples(recordings(), recordings()),
    st.tuples(rows, rows),
    st.booleans(),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_check_and_prepare_agree(tmp_path_factory, kind, sounds, labelled, skip):
    folder = tmp_path_factory.mktemp("agree")
    written(folder, kind, sounds, labelled)
    options = {"kind": "table" if kind == "csv" else kind, "skip_unusable": skip}
    try:
        found = check_corpus(lambda report: open_corpus(folder, report=report, **options))
    except UsageError:
        assert prepared(folder, **options) is None
        return
    counted = sum(split["segments"] for split in found["splits"].values())
    answer = prepared(folder, **options)
    if found["problems"] or not counted:
        assert answer is None or not answer
    else:
        assert answer == counted
