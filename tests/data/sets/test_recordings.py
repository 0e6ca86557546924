"""Sets of whole recordings: labels of frames, statistics of recordings, unlabelled speech."""

import dataclasses

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.trees import RATE, make_tree
from zoo.cli import main
from zoo.data import Prepared, prepare
from zoo.data.corpora.corpus import open_corpus
from zoo.data.features.frontend import level_file
from zoo.data.sets.recordings import frame_labels
from zoo.data.sets.shards import Portions
from zoo.errors import UsageError


@st.composite
def segmentations(draw):
    """(start, end, class) in order with gaps, a hop, a centre and a number of frames."""
    edges = sorted(draw(st.lists(st.integers(0, 200), min_size=2, max_size=12)))
    rows = [
        (start, end, draw(st.integers(-1, 3)))
        for start, end in zip(edges[::2], edges[1::2], strict=False)
    ]
    return rows, draw(st.integers(1, 30)), draw(st.integers(0, 60)) / 2, draw(st.integers(0, 40))


@given(segmentations())
def test_a_frame_has_the_class_of_the_segment_that_its_centre_lies_in(case):
    rows, hop, centre, frames = case
    expected = [
        next((label for start, end, label in rows if start <= centre + i * hop < end), -1)
        for i in range(frames)
    ]
    np.testing.assert_array_equal(frame_labels(rows, frames, hop, centre), expected)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), sentences=("SX1", "SI1"))


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory):
    return prepare(tree, tmp_path_factory.mktemp("frames") / "set", examples="frames")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings without labels, of several formats, one shorter than a frame."""
    root = tmp_path_factory.mktemp("unlabelled")
    rng = np.random.default_rng(3)
    for name, samples in (("carl/one.wav", 7000), ("carl/two.flac", 90), ("three.ogg", 16000)):
        (root / name).parent.mkdir(exist_ok=True)
        soundfile.write(root / name, 0.1 * rng.normal(size=samples), RATE)
    (root / "notes.txt").write_text("no recording")
    return root


def utterances(tree, split):
    found = {u.name: u for u in open_corpus(tree).utterances()}
    return lambda prepared: [found[row.utterance] for row in prepared.segments(split)]


def test_every_recording_is_one_example_from_end_to_end(tree, prepared):
    assert (prepared.kind, prepared.shape, prepared.hop) == ("frames", (40, None, 1), 160)
    for split in ("train", "test", "core", "dev"):
        features, labels = prepared.features(split), prepared.frame_labels(split)
        phones, rows = prepared.phones(split), prepared.segments(split)
        known = utterances(tree, split)(prepared)
        assert len(features) == len(labels) == len(phones) == len(rows) == len(known) > 0
        np.testing.assert_array_equal(np.concatenate(labels), prepared.labels(split))
        for number, utterance in enumerate(known):
            samples, segments = utterance.read()
            frames = -(-len(samples) // 160)
            assert rows[number].end == len(samples)
            assert phones[number] == segments
            assert features[number].shape == (40, frames, 1)
            np.testing.assert_allclose(
                features[number], prepared.frontend.recording(samples), atol=1e-5
            )
            for i, label in enumerate(labels[number]):
                of = [s.label for s in segments if s.start <= 160 * i + 80 < s.end]
                name = prepared.mapping[of[0]] if of else None
                assert label == (-1 if name is None else prepared.classes.index(name))


def test_a_frame_hears_the_samples_around_its_centre(tree, tmp_path):
    prepared = prepare(
        tree, tmp_path / "set", examples="frames", representation="frames", normalize="set",
        mean="none", level="none", hop=5,
    )  # fmt: skip
    utterance = utterances(tree, "test")(prepared)[0]
    samples, _ = utterance.read()
    x = prepared.features("test")[0][..., 0]
    assert x.shape == (400, -(-len(samples) // 80))
    padded = np.pad(samples, 400)
    for i in (0, 1, 7, x.shape[1] - 1):
        centre = 400 + 80 * i + 40
        np.testing.assert_array_equal(x[:, i], padded[centre - 200 : centre + 200])


@pytest.mark.parametrize("options", [{}, {"deltas": 1}, {"normalize": "set"}])
def test_statistics_of_recordings_are_taken_off_by_default(tree, tmp_path, options):
    prepared = prepare(tree, tmp_path / "set", examples="frames", **options)
    by_recording = "normalize" not in options
    assert prepared.frontend.by_recording == by_recording
    assert prepared.frontend.mean.any() != by_recording
    features = prepared.features("train")
    means = np.array([x.mean(axis=1) for x in features])
    total = np.concatenate(list(features), axis=1).mean(axis=1)
    np.testing.assert_allclose(total, 0, atol=1e-3)
    assert (np.abs(means).max() < 1e-3) == by_recording


@pytest.mark.parametrize("length", [2000, "any", "p95"])
@pytest.mark.parametrize("deltas", [0, 1])
def test_segments_normalised_by_recording_hear_all_of_it(tree, tmp_path, length, deltas):
    prepared = prepare(
        tree, tmp_path / "set", representation="log_mel", normalize="recording", length=length,
        deltas=deltas, portions=Portions(segments=3),
    )  # fmt: skip
    assert prepared.kind == "segments"
    found = {u.name: u for u in open_corpus(tree).utterances()}
    for split in ("train", "test"):
        rows, features = prepared.segments(split), prepared.features(split)
        for name in np.unique(rows.utterance):
            index = np.flatnonzero(rows.utterance == name)
            samples, _ = found[name].read()
            cuts = list(zip(rows.start[index], rows.end[index], strict=True))
            expected = prepared.frontend.of_recording(samples, cuts)
            np.testing.assert_allclose(features[index], expected, atol=2e-4)
    # The literal rule, for one of them.
    frontend = dataclasses.replace(prepared.frontend, normalize="set")
    row = prepared.segments("test")[3]
    samples = level_file(found[row.utterance].read()[0], frontend.level)
    whole = frontend.frames_of(samples)
    placed = frontend.place(samples[row.start : row.end])
    variance = whole.var(axis=1, keepdims=True)
    pooled, frames = variance.mean(axis=0, keepdims=True), whole.shape[1]
    deviation = np.sqrt((frames * variance + 10 * pooled) / (frames + 10))
    example = (frontend.represent(placed[None])[0] - whole.mean(axis=1, keepdims=True)) / deviation
    stored = prepared.features("test")[3]
    np.testing.assert_allclose(stored, example - frontend.mean, atol=1e-3)


def test_unlabelled_recordings_join_the_training_part(tree, prepared, folder, tmp_path, capsys):
    out = tmp_path / "set"
    words = ["prepare", str(tree), str(out), "--examples", "frames", "--unlabelled", str(folder)]
    assert main(words) == 0
    both = Prepared(out)
    rows, labels = both.segments("train"), both.frame_labels("train")
    extra = [n for n, name in enumerate(rows.utterance) if name.startswith("unlabelled/")]
    assert [(rows.speaker[n], rows.end[n]) for n in extra] == [
        (folder.name, 16000), ("carl", 7000), ("carl", 90),
    ]  # fmt: skip
    for n in extra:
        assert (labels[n] == -1).all()
        assert both.phones("train")[n] == []
        assert len(labels[n]) == -(-rows.end[n] // 160) == both.features("train")[n].shape[1]
    assert np.isfinite(both.features("train")[extra]).all()
    np.testing.assert_array_equal(both.labels("test"), prepared.labels("test"))
    np.testing.assert_array_equal(both.features("test")[:], prepared.features("test")[:])
    record = both.manifest["splits"]["train"]
    plain = prepared.manifest["splits"]["train"]
    assert record["labelled_frames"] == plain["labelled_frames"]
    assert record["frames"] == plain["frames"] + 100 + 44 + 1
    assert record["per_class"] == plain["per_class"]
    printed = capsys.readouterr().out
    share = record["labelled_frames"] / record["frames"]
    assert f"9 recordings (3 unlabelled), {record['frames']} frames" in printed
    assert f"{share:.1%} labelled" in printed


def test_counts_are_those_of_the_labels(prepared):
    for split in prepared.splits:
        record, labels = prepared.manifest["splits"][split], prepared.labels(split)
        assert record["frames"] == len(labels)
        assert record["labelled_frames"] == (labels >= 0).sum()
        for number, name in enumerate(prepared.classes):
            assert record["per_class"][name] == (labels == number).sum()
    # q is left out of the labels, one in each recording.
    assert prepared.manifest["splits"]["train"]["dropped_q"] == 6
    assert (prepared.labels("train") == -1).any()


def test_half_precision_takes_half_the_room(tree, prepared, tmp_path):
    half = prepare(tree, tmp_path / "half", examples="frames", dtype="float16")
    stored = np.load(half.path / "train" / "features-00000.npy")
    assert stored.dtype == "float16"
    for split in half.splits:
        for one, other in zip(half.features(split), prepared.features(split), strict=True):
            assert one.dtype == "float32"
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_like_takes_hop_and_normalisation_too(tree, tmp_path):
    one = prepare(
        tree, tmp_path / "one", examples="frames", hop=20, normalize="set",
        representation="mfcc", level="file-rms",
    )  # fmt: skip
    two = prepare(tree, tmp_path / "two", examples="frames", like=one.path)
    assert two.frontend.fingerprint == one.frontend.fingerprint
    assert two.manifest["settings"]["hop"] == 20
    assert (two.frontend.by_recording, two.hop) == (False, 320)
    for x, y in zip(two.features("test"), one.features("test"), strict=True):
        np.testing.assert_allclose(x, y, atol=1e-4)
    with pytest.raises(UsageError, match="has whole recordings as examples; add --examples"):
        prepare(tree, tmp_path / "three", like=one.path)


@pytest.mark.parametrize("portions", [Portions(9_000, 1), Portions(40_000, 5), Portions()])
def test_the_division_of_the_work_changes_nothing_that_is_read(tree, prepared, tmp_path, portions):
    other = prepare(tree, tmp_path / "set", examples="frames", portions=portions)
    assert other.verify() == []
    for split in prepared.splits:
        np.testing.assert_array_equal(other.labels(split), prepared.labels(split))
        np.testing.assert_array_equal(other.segments(split), prepared.segments(split))
        assert other.phones(split) == prepared.phones(split)
        for x, y in zip(other.features(split), prepared.features(split), strict=True):
            np.testing.assert_array_equal(x, y)
    # Files of features differ by where one ends and the next begins, and nothing else does.
    hashes = [
        {n: h for n, h in s.manifest["sha256"].items() if "features" not in n}
        for s in (other, prepared)
    ]
    assert hashes[0] == hashes[1]
    if other.manifest["shards"] == prepared.manifest["shards"]:
        assert other.manifest["content"] == prepared.manifest["content"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop": 5, "representation": "waveform"}, "waveforms have no frames; leave --hop out"),
        ({"unlabelled": "x"}, "--unlabelled requires --examples frames"),
        ({"examples": "frames", "length": 2000}, "recordings keep their own lengths"),
        ({"examples": "frames", "representation": "waveform"}, "waveforms have no frames"),
        ({"examples": "frames", "unlabelled": "nowhere"}, "nowhere is not a folder"),
        ({"examples": "frames", "hop": 0.5}, "hop must be"),
        ({"examples": "frames", "mean": "element"}, "requires examples of one length"),
        ({"normalize": "recording", "representation": "waveform"}, "no bins to normalise"),
        ({"examples": "phones"}, "unknown examples .phones."),
    ],
)
def test_settings_that_do_not_go_together_are_refused(tree, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(tree, tmp_path / "set", **options)
    assert not (tmp_path / "set").exists()


def test_an_unusable_recording_without_labels_is_named(tree, tmp_path):
    root = tmp_path / "more"
    root.mkdir()
    with pytest.raises(UsageError, match="more holds no recordings"):
        prepare(tree, tmp_path / "set", examples="frames", unlabelled=root)
    for name, samples, message in (
        ("stereo.wav", np.zeros((500, 2)), r"stereo.wav has 2 channels; a mono recording"),
        ("empty.wav", np.zeros(0), r"empty.wav"),
    ):
        soundfile.write(root / name, samples, RATE)
        with pytest.raises(UsageError, match=message):
            prepare(tree, tmp_path / "set", examples="frames", unlabelled=root)
        (root / name).unlink()


def test_sets_of_segments_have_no_recordings(tree, tmp_path):
    segments = prepare(tree, tmp_path / "set", representation="log_mel")
    for ask in (segments.frame_labels, segments.phones, lambda split: segments.windows(split, 5)):
        with pytest.raises(UsageError, match="holds segments, not whole recordings; prepare the"):
            ask("train")


def test_the_page_of_a_set_shows_recordings_with_their_labels(tree, folder, tmp_path, capsys):
    prepared = prepare(tree, tmp_path / "set", examples="frames", unlabelled=folder)
    assert main(["data", "show", str(prepared.path), "--out", str(tmp_path / "all")]) == 0
    head, train, *_ = capsys.readouterr().out.splitlines()
    cells = dict(zip(head.split("  "), train.split("  "), strict=False))
    assert cells["split"] == "train"
    assert {f.name for f in (tmp_path / "all").iterdir()} == {
        "overview.html", "frames-per-class.png", "class-balance.png", "durations.png",
        "recordings.png",
    }  # fmt: skip
    page = (tmp_path / "all" / "overview.html").read_text(encoding="utf-8")
    assert "whole recordings with a label for every frame" in page
    assert "unlabelled/" not in page.split("Recordings</h2>")[1].split("<h2>")[0]
    assert main(["data", "check", str(prepared.path)]) == 0
