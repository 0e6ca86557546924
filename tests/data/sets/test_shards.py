"""Shards: how examples lie in files, how they are read back, and what tells that they are whole."""

import functools
import json
import shutil

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.trees import make_tree
from zoo.data import Prepared, prepare, prepare_pairs
from zoo.data.sets import shards
from zoo.data.sets.shards import Portions, write_shards
from zoo.errors import RunError, UsageError
from zoo.files import sha256
from zoo.processes import Child


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=4, test=2)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("digits")
    for digit in range(3):
        for speaker in ("anna", "ben", "carl"):
            for take in range(2):
                noise = 0.1 * rng.normal(size=int(rng.integers(100, 4000)))
                soundfile.write(root / f"{digit}_{speaker}_{take}.wav", noise, 8000)
    return root


PAIRS = {"noise": "pink", "snr": (0, 10), "pairs": {"train": 9, "test": 4}, "length": 6000}
KINDS = {
    "phones": (prepare, {"representation": "log_magnitude"}, 100_000),
    "utterances": (prepare, {"representation": "log_mel"}, 9_000),
    "recordings": (prepare, {"examples": "frames", "dtype": "float16"}, 12_000),
    "pairs": (prepare_pairs, PAIRS, 60_000),
}


def digest(folder):
    return {f.relative_to(folder).as_posix(): sha256(f) for f in folder.rglob("*") if f.is_file()}


@pytest.fixture(params=KINDS)
def make(request, tree, digits):
    """Prepares a set of each kind, in several shards of each split."""
    prepares, options, size = KINDS[request.param]
    corpus = digits if request.param == "utterances" else tree
    return functools.partial(prepares, corpus, portions=Portions(size, 4), **options)


def test_broken_off_and_gone_on_with_it_has_the_same_content(make, tmp_path, monkeypatch):
    whole = make(tmp_path / "whole")
    assert min(map(len, whole.manifest["shards"].values())) > 1
    alone = functools.partial(write_shards, workers=1)
    write = shards.write_shard
    for moment in range(3):
        left = [moment]

        def failing(work, shard, out, left=left):
            if not left[0]:
                # What a kill leaves behind: a file without its record, and half of one.
                write(work, shard, out)
                (out / "work" / f"{shard.name}.npz").unlink(missing_ok=True)
                (out / shard.split / ".1.tmp.features-00009.npy").write_bytes(b"half")
                raise RunError("the disk is full.")
            left[0] -= 1
            write(work, shard, out)

        monkeypatch.setattr(shards, "write_shard", failing)
        with pytest.raises(RunError):
            make(tmp_path / "broken", write=alone)
        # Where no shard was finished nothing is left.
        left_behind = "not a finished prepared set" if moment else "is not a folder"
        with pytest.raises(UsageError, match=left_behind):
            Prepared(tmp_path / "broken")
    monkeypatch.setattr(shards, "write_shard", write)
    again = make(tmp_path / "broken")
    assert again.manifest["content"] == whole.manifest["content"]
    assert digest(tmp_path / "broken") == digest(tmp_path / "whole")


def test_the_content_does_not_depend_on_the_number_of_processes(make, tmp_path, monkeypatch):
    one = make(tmp_path / "one", write=functools.partial(write_shards, workers=1))
    monkeypatch.setattr(shards.os, "sched_getaffinity", lambda pid: set(range(8)))
    processes = []
    start = Child.__init__

    def counted(self, *given, **options):
        processes.append(self)
        start(self, *given, **options)

    monkeypatch.setattr(Child, "__init__", counted)
    three = make(tmp_path / "three", write=functools.partial(write_shards, workers=3, few=2))
    assert len(processes) == 3
    assert three.manifest["content"] == one.manifest["content"]


def test_a_changed_or_missing_file_is_found(make, tmp_path):
    prepared = make(tmp_path / "set")
    assert prepared.verify() == []
    changed = tmp_path / "set" / "train" / "features-00001.npy"
    contents = bytearray(changed.read_bytes())
    contents[-3] ^= 1
    changed.write_bytes(contents)
    (tmp_path / "set" / "test" / "segments.npy").unlink()
    assert sorted(prepared.verify()) == [
        f"{tmp_path / 'set' / 'test' / 'segments.npy'} is missing.",
        f"{changed} has changed since it was written.",
    ]
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    manifest["splits"]["train"]["examples"] -= 1
    (tmp_path / "set" / "manifest.json").write_text(json.dumps(manifest))
    assert "another content hash" in Prepared(tmp_path / "set").verify()[-1]


def test_files_are_no_larger_than_a_shard(tree, tmp_path):
    prepared = prepare(tree, tmp_path / "set", portions=Portions(200_000, 4))
    files = list((tmp_path / "set").rglob("features-*.npy"))
    # A single utterance may be larger; here it has nine segments of 201 x 16 float32.
    assert max(f.stat().st_size for f in files) <= 200_000 + 128
    assert len(files) >= 6
    counts = prepared.manifest["shards"]["train"]
    assert sum(examples for examples, _ in counts) == len(prepared.labels("train"))


@pytest.mark.parametrize("expected", [0, 6, 10**9])
def test_a_file_holds_what_was_computed_whatever_was_expected(tmp_path, expected):
    """As a recording cut short by a sample or two after resampling has a segment less."""

    class Counting:
        dtype, row_type = "float32", np.dtype("i8")

        def pieces(self, items):
            for item in items:
                rows = np.arange(item, dtype="float32")[:, None] + np.array([100.0, 200.0])
                one = np.ones(item, int)
                yield shards.Piece({"features": rows}, one, one, one, rows.sum(axis=0))

    (tmp_path / "work").mkdir()
    shard = shards.Shard("train", 0, (2, 1, 3), expected, 3)
    shards.write_shard(Counting(), shard, tmp_path)
    path = tmp_path / "train" / "features-00000.npy"
    counted = np.array([0.0, 1, 0, 0, 1, 2], "float32")[:, None]
    np.testing.assert_array_equal(np.load(path), counted + np.array([100, 200], "float32"))
    record = shards.records(Counting(), [shard], tmp_path, "train")
    assert record.hashes == {"train/features-00000.npy": sha256(path)}
    assert record.shards == [[6, 6]]
    np.testing.assert_array_equal(record.total, [604.0, 1204.0])


@pytest.fixture(scope="module")
def sharded(tree, tmp_path_factory):
    out = tmp_path_factory.mktemp("sharded") / "set"
    return prepare(tree, out, level="file", portions=Portions(shard_bytes=200_000))


@pytest.fixture(scope="module")
def literal(sharded):
    """The test part as one array, put together from the files by hand."""
    folder = sharded.path / "test"
    raw = np.concatenate([np.load(f) for f in sorted(folder.glob("features-*.npy"))])
    return raw - np.load(sharded.path / "mean.npy")


@given(st.data())
@settings(max_examples=60)
def test_examples_are_indexed_like_an_array(sharded, literal, data):
    features, count = sharded.features("test"), len(literal)
    numbers = st.integers(-count, count - 1)
    key = data.draw(
        st.one_of(
            numbers,
            st.slices(count),
            st.lists(numbers, max_size=30).map(lambda found: np.array(found, int)),
            st.lists(st.booleans(), min_size=count, max_size=count).map(np.array),
            st.tuples(numbers, st.integers(0, 200)),
            st.tuples(st.slices(count), st.slices(201), st.integers(-3, 3)),
            st.tuples(st.just(...), st.integers(-1, 0)),
            st.just(...),
        )
    )
    np.testing.assert_array_equal(features[key], literal[key])


def test_examples_are_an_array_to_numpy_and_keras(sharded, literal):
    import keras

    features = sharded.features("test")
    assert (features.shape, features.ndim, features.dtype) == (literal.shape, 4, np.float32)
    np.testing.assert_array_equal(np.asarray(features), literal)
    np.testing.assert_array_equal(features + sharded.mean, literal + sharded.mean)
    np.testing.assert_array_equal(2 - features, 2 - literal)
    np.testing.assert_array_equal(np.stack(list(features)), literal)
    np.testing.assert_array_equal(features.mean(axis=0), literal.mean(axis=0))
    assert not hasattr(features, "iloc")
    with pytest.raises(IndexError):
        features[len(literal)]
    with pytest.raises(IndexError, match="a number, a slice or a list"):
        features[np.zeros((2, 2), int)]
    model = keras.Sequential([keras.Input(literal.shape[1:]), keras.layers.Flatten()])
    np.testing.assert_array_equal(
        model.predict(features, verbose=0), literal.reshape(len(literal), -1)
    )


def test_parts_of_a_split_begin_where_they_lie(sharded):
    segments = sharded.segments("test")
    for part in ("core", "dev"):
        own = segments.speaker == sharded.segments(part).speaker[0]
        np.testing.assert_array_equal(sharded.features(part), sharded.features("test")[own])


def test_half_precision_takes_half_the_room_and_is_read_as_float32(tree, tmp_path, sharded):
    half = prepare(tree, tmp_path / "half", level="file", dtype="float16")
    np.testing.assert_array_equal(half.mean, sharded.mean)
    for split in ("train", "test"):
        features, exact = half.features(split), sharded.features(split)[:]
        assert features[:3].dtype == np.float32
        np.testing.assert_allclose(features, exact, atol=np.abs(exact).max() * 2**-11 * 2)
        stored = np.load(half.path / split / "features-00000.npy")
        assert stored.dtype == np.float16
        assert stored.nbytes * 2 == exact.nbytes
    with pytest.raises(UsageError, match="dtype 'float16', now None"):
        prepare(tree, tmp_path / "half", level="file")


def test_values_beyond_half_precision_are_refused(digits, tmp_path):
    loud = tmp_path / "loud"
    loud.mkdir()
    for speaker in ("anna", "ben"):
        soundfile.write(loud / f"1_{speaker}_0.wav", np.ones(4000), 8000, subtype="FLOAT")
        data, _ = soundfile.read(loud / f"1_{speaker}_0.wav")
        soundfile.write(loud / f"1_{speaker}_0.wav", 90 * data, 8000, subtype="FLOAT")
    with pytest.raises(UsageError, match=r"1_.*\.wav gives values beyond 65504.*--dtype float32"):
        prepare(loud, tmp_path / "set", representation="power", level="none", dtype="float16")


def test_sets_of_the_first_format_are_read(sharded, literal, tmp_path):
    """One file a split, its features centred already."""
    old = tmp_path / "old"
    shutil.copytree(sharded.path, old)
    for split in ("train", "test"):
        np.save(old / split / "features.npy", sharded.features(split)[:])
        for file in (old / split).glob("features-*.npy"):
            file.unlink()
    manifest = json.loads((old / "manifest.json").read_text())
    for name in ("kind", "sample_rate", "dtype", "shards", "content"):
        del manifest[name]
    for record in manifest["splits"].values():
        del record["examples"]
    manifest["format"] = 1
    manifest["sha256"] = {
        f"{split}/{what}.npy": sha256(old / split / f"{what}.npy")
        for split in ("train", "test")
        for what in ("features", "labels", "segments")
    }
    (old / "manifest.json").write_text(json.dumps(manifest))
    prepared = Prepared(old)
    np.testing.assert_array_equal(prepared.features("test"), literal)
    core = sharded.features("core")[:]
    np.testing.assert_array_equal(prepared.features("core"), core)
    np.testing.assert_array_equal(prepared.labels("dev"), sharded.labels("dev"))
    assert (prepared.kind, prepared.sample_rate) == ("segments", 16000)
    assert prepared.verify() == []
    manifest["format"] = 3
    (old / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match="by a later version of the zoo"):
        Prepared(old)
