"""From a corpus to a prepared set."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tests.helpers import count_timit
from tests.helpers.trees import make_tree
from zoo.data import Prepared, prepare
from zoo.data.corpora.phones import CLASSES, LABEL_TO_CLASS
from zoo.data.features.frontend import Frontend, place
from zoo.data.sets import shards
from zoo.errors import UsageError
from zoo.files import sha256


def numpy_stft(wave):
    """Literally the formula: (201, frames) complex."""
    starts = range(0, len(wave) - 267 + 1, 147)
    return np.stack([np.fft.rfft(wave[s : s + 267] * np.hamming(267), 400) for s in starts], axis=1)


def by_hand(root, split, length, level):
    """Padded waveforms and labels, read without the zoo."""
    waves, labels = [], []
    # The core test's speaker comes first.
    for phn in sorted((root / split).rglob("*.PHN"), key=lambda p: (p.parent.name != "MDAB0", p)):
        if phn.stem.startswith("SA"):
            continue
        samples, _ = soundfile.read(phn.with_suffix(".WAV"), dtype="float64")
        if level == "file":
            samples = samples / np.abs(samples).max()
        for line in phn.read_text().splitlines():
            start, end, label = line.split()
            segment = samples[int(start) : int(end)]
            if label == "q" or len(segment) > length:
                continue
            if level == "segment":
                segment = segment / np.abs(segment).max()
            left = (length - len(segment)) // 2
            waves.append(np.pad(segment, (left, length - len(segment) - left)))
            labels.append(CLASSES.index(LABEL_TO_CLASS[label]))
    return np.stack(waves), np.array(labels)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"))


def durations(root, split):
    found = []
    for phn in (root / split).rglob("*.PHN"):
        rows = [line.split() for line in phn.read_text().splitlines()]
        if not phn.stem.startswith("SA"):
            found += [int(e) - int(s) for s, e, label in rows if label != "q"]
    return np.array(found)


@pytest.mark.parametrize("representation", ["real", "magnitude", "log_magnitude"])
@pytest.mark.parametrize("level", ["none", "segment", "file"])
def test_features_are_the_formula_of_numpy(tree, tmp_path, representation, level):
    prepared = prepare(tree, tmp_path / "set", representation=representation, level=level)
    frames = durations(tree, "TRAIN")
    length = frames[frames <= np.percentile(frames, 95)].max()
    assert prepared.manifest["length"] == length
    parts = {}
    for split in ("TRAIN", "TEST"):
        waves, labels = by_hand(tree, split, length, level)
        spectra = np.stack([numpy_stft(w) for w in waves])
        parts[split] = (
            {
                "real": spectra.real,
                "magnitude": np.abs(spectra),
                "log_magnitude": np.log(np.abs(spectra) + 0.01),
            }[representation][..., None],
            labels,
        )
    mean = parts["TRAIN"][0].mean(axis=0)
    np.testing.assert_allclose(prepared.mean, mean, atol=2e-4)
    for split, (features, labels) in parts.items():
        np.testing.assert_allclose(prepared.features(split.lower()), features - mean, atol=4e-4)
        np.testing.assert_array_equal(prepared.labels(split.lower()), labels)
    assert prepared.features("test").dtype == np.float32
    assert prepared.features("test").shape == features.shape


def test_segments_name_what_each_row_was_cut_from(tree, tmp_path):
    prepared = prepare(tree, tmp_path / "set", level="none")
    features = prepared.features("test")
    for number in (0, 7, len(features) - 1):
        row = prepared.segments("test")[number]
        samples, _ = soundfile.read(tree / f"{row.utterance}.WAV")
        wave = place(samples[row.start : row.end], prepared.manifest["length"])
        expected = numpy_stft(wave).real[..., None] - prepared.mean
        np.testing.assert_allclose(features[number], expected, atol=1e-4)
        assert prepared.classes[prepared.labels("test")[number]] == LABEL_TO_CLASS[row.label]
        assert row.speaker in row.utterance.lower()


def test_core_and_dev_are_disjoint_parts_of_test(tree, tmp_path):
    prepared = prepare(tree, tmp_path / "set")
    assert prepared.splits == ["train", "test", "core", "dev"]
    assert set(prepared.segments("core").speaker) == {"mdab0"}
    assert set(prepared.segments("dev").speaker) == {"faks0"}
    assert len(prepared.labels("core")) + len(prepared.labels("dev")) == len(
        prepared.labels("test")
    )


def test_dev_speakers_leave_the_training_part(tmp_path):
    tree = make_tree(tmp_path / "corpus", train=4, test=1)
    prepared = prepare(tree, tmp_path / "set", dev_speakers=2)
    assert set(prepared.segments("dev").speaker) == {"mtrn0", "mtrn2"}
    assert set(prepared.segments("train").speaker) == {"mtrn1", "mtrn3"}
    with pytest.raises(UsageError, match="dev_speakers must be between 1 and 3"):
        prepare(tree, tmp_path / "other", dev_speakers=4)


def test_counts_are_those_of_an_independent_count(tree, tmp_path):
    counted = count_timit.count(tree)
    prepared = prepare(tree, tmp_path / "set")
    assert prepared.manifest["length"] == counted["length"]
    for split in ("train", "test"):
        record = prepared.manifest["splits"][split]
        assert {c: n for c, n in record["per_class"].items() if n} == counted["kept"][split]
        assert record["excluded_too_long"] == counted["too_long"][split]
        assert record["dropped_q"] == record["utterances"]  # each has one
        assert sum(record["per_class"].values()) == record["segments"]
        names = np.array(prepared.classes)[prepared.labels(split)]
        assert (
            dict(zip(*np.unique(names, return_counts=True), strict=True)) == counted["kept"][split]
        )


def test_cropping_keeps_the_middle_of_long_segments(tree, tmp_path):
    prepared = prepare(tree, tmp_path / "set", length=1000, too_long="crop", level="none")
    assert prepared.excluded("train") == 0
    assert len(prepared.labels("train")) == len(durations(tree, "TRAIN"))
    np.testing.assert_array_equal(place(np.arange(7.0), 4), [1, 2, 3, 4])
    np.testing.assert_array_equal(place(np.arange(1.0, 4.0), 6), [0, 1, 2, 3, 0, 0])


def test_like_takes_everything_from_another_set(tree, tmp_path):
    one = prepare(tree, tmp_path / "one", representation="magnitude", level="file")
    other = make_tree(tmp_path / "other", seed=5)
    two = prepare(other, tmp_path / "two", like=tmp_path / "one")
    np.testing.assert_array_equal(two.mean, one.mean)
    assert two.frontend.fingerprint == one.frontend.fingerprint
    assert two.shape == one.shape


def test_a_finished_set_is_reused_and_other_settings_are_refused(tree, tmp_path):
    prepare(tree, tmp_path / "set")
    before = (tmp_path / "set" / "train" / "features-00000.npy").stat().st_mtime_ns
    prepare(tree, tmp_path / "set")
    assert (tmp_path / "set" / "train" / "features-00000.npy").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="representation 'real', now 'magnitude'"):
        prepare(tree, tmp_path / "set", representation="magnitude")
    with pytest.raises(UsageError, match="another corpus or other labels"):
        prepare(make_tree(tmp_path / "other", seed=9), tmp_path / "set")


def test_a_damaged_mean_is_noticed(tree, tmp_path):
    prepare(tree, tmp_path / "set")
    np.save(tmp_path / "set" / "mean.npy", np.zeros((201, 16, 1), "float32"))
    with pytest.raises(UsageError, match="is not the mean"):
        Frontend.load(tmp_path / "set")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": "p96"}, "length must be 'p95', 'any' or a number"),
        ({"dtype": "float64"}, "unknown dtype 'float64'"),
        ({"sample_rate": 10}, "sample_rate must be 1000 to 192000 Hz; received 10"),
        ({"representation": "waveform", "deltas": 1}, "waveforms have no deltas"),
        ({"representation": "waveform", "mean": "bin"}, "no mean is subtracted from waveforms"),
        ({"length": "any", "mean": "element"}, "requires examples of one length"),
        ({"length": 100}, "shorter than one frame"),
        ({"level": "loud"}, "unknown level 'loud'"),
        ({"representation": "magnitud"}, "Did you mean 'magnitude'"),
        ({"too_long": "keep"}, "unknown too_long 'keep'"),
        ({"dev_speakers": 1}, "TIMIT's own development speakers"),
        ({"like": "nowhere"}, "nowhere does not exist; a prepared set or a run"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(tree, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        prepare(tree, tmp_path / "set", **options)
    assert not (tmp_path / "set" / "manifest.json").exists()


def test_a_foreign_folder_is_left_alone(tree, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no prepared set"):
        prepare(tree, tmp_path / "set")
    with pytest.raises(UsageError, match="not a finished prepared set"):
        Prepared(tmp_path / "set")


def test_a_file_in_the_way_is_one_clear_sentence(tree, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file; a folder for the output was expected"):
        prepare(tree, tmp_path / "file" / "set")


def digest(folder):
    return {
        f.relative_to(folder).as_posix(): sha256(f)
        for f in sorted(folder.rglob("*"))
        if f.is_file()
    }


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    return make_tree(
        tmp_path_factory.mktemp("larger"),
        train=30,
        test=4,
        sentences=[f"SX{i}" for i in range(10)],
    )


def test_preparing_needs_no_keras(tree, tmp_path):
    code = (
        "import sys, zoo.cli; zoo.cli.main(sys.argv[1:]); "
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    command = [sys.executable, "-c", code, "prepare", str(tree), str(tmp_path / "set")]
    command += ["--representation", "mfcc", "--deltas", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_shards_that_were_divided_in_another_way_are_not_gone_on_with(tree, tmp_path):
    def interrupted(work, todo, out, *others):
        shards.write_shard(work, todo[0], out)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tree, tmp_path / "set", write=interrupted)
    with pytest.raises(UsageError, match="begun by an earlier version; remove it"):
        prepare(tree, tmp_path / "set", portions=shards.Portions(100_000, 4))


def test_what_failed_before_anything_was_done_may_be_done_otherwise(tmp_path):
    tree = make_tree(tmp_path / "corpus", train=2, test=1, sentences=("SX1",))
    for wav in tree.rglob("*.WAV"):
        soundfile.write(wav, np.ones(40_000, "int16"), 8000, format="WAV")
    out = tmp_path / "set"
    with pytest.raises(UsageError, match="is sampled at 8000 Hz, not 16000 Hz; --resample"):
        prepare(tree, out)
    assert not out.exists()
    # A kill leaves its plan, but that may be another one as well.
    (out / "work").mkdir(parents=True)
    (out / "work" / "plan.json").write_text(json.dumps({"plan": "another", "settings": {}}))
    prepared = prepare(tree, out, resample=True)
    assert prepared.verify() == []
    assert len(prepared.labels("train")) > 0


def test_labels_that_reach_past_the_recording_are_an_error_even_where_they_are_left_out(tmp_path):
    root = make_tree(tmp_path / "corpus", train=2, test=1)
    phn = next((root / "TRAIN").rglob("SX*.PHN"))
    text = phn.read_text()
    end = int(text.split()[-2])
    phn.write_text(f"{text.rstrip()}\n{end} {end + 10**6} q\n")
    line = len(text.splitlines()) + 1
    with pytest.raises(UsageError, match=rf"{phn.name}, line {line}: .*recording has"):
        prepare(root, tmp_path / "set")


def command(tree, out):
    """Preparation in shards of 2 MB, some twenty of them."""
    code = (
        "import sys; from zoo.data import prepare; from zoo.data.sets.shards import Portions; "
        "prepare(*sys.argv[1:], portions=Portions(shard_bytes=2 * 2**20))"
    )
    return [sys.executable, "-c", code, str(tree), str(out)]


def test_killed_at_random_moments_it_ends_with_the_same_bytes(larger, tmp_path):
    subprocess.run(command(larger, tmp_path / "whole"), check=True, capture_output=True)
    rng = random.Random(0)
    kills = 0
    for _ in range(3):
        finished = len(list((tmp_path / "killed").glob("work/*.npz")))
        process = subprocess.Popen(
            command(larger, tmp_path / "killed"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Importing takes most of the time; further shards appear only after it.
        while process.poll() is None:
            if len(list((tmp_path / "killed").glob("work/*.npz"))) > finished:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.1))
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    assert kills
    subprocess.run(command(larger, tmp_path / "killed"), check=True, capture_output=True)
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


def test_a_full_disk_is_one_clear_line_and_the_next_run_goes_on(larger, tmp_path):
    out = tmp_path / "set"

    def small_files():
        # No file may grow past this: what a quota does in the middle of the work.
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))

    prepares = [sys.executable, "-m", "zoo", "prepare", str(larger), str(out)]
    failed = subprocess.run(prepares, capture_output=True, text=True, preexec_fn=small_files)
    last = failed.stderr.strip().splitlines()[-1]
    assert failed.returncode == 1
    assert last.startswith("zoo prepare: cannot write")
    assert "Traceback" not in failed.stderr
    assert not (out / "manifest.json").exists()
    subprocess.run(prepares, check=True, capture_output=True)
    assert Prepared(out).splits == ["train", "test", "core", "dev"]
