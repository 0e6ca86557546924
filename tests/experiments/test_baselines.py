"""Classical methods on segments of speakers held out, at a budget of seconds."""

import json
import sys

import numpy as np
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import Prepared, open_corpus, prepare
from zoo.data.sets.samplers import label_subset
from zoo.errors import UsageError
from zoo.evaluation.statistics import mean_interval
from zoo.experiments.comparisons import baselines
from zoo.experiments.comparisons.baselines import METHODS, fold_values, segment_statistics
from zoo.experiments.comparisons.folds import folds, usual_count

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def segments(once):
    """Whole segments of six speakers as MFCC with slopes."""

    def make(folder):
        tree = make_tree(folder / "corpus", train=4, test=2, sentences=("SX1", "SI1"))
        whole = {"representation": "mfcc", "deltas": 1, "length": "any", "level": "file"}
        prepare(tree, folder / "set", **whole)

    return Prepared(once("whole", make) / "set")


def words(data, out, *more):
    return ["experiment", "baselines", "--data", str(data), "--out", str(out), *more]


def results(out):
    return json.loads((out / "results.json").read_text())


@given(
    people=st.lists(st.text(st.characters(codec="ascii"), min_size=1), min_size=2, unique=True),
    seed=st.integers(0, 2**32 - 1),
    data=st.data(),
)
def test_folds_are_disjoint_cover_everyone_and_depend_on_the_seed_alone(people, seed, data):
    # Trailing zero characters are no part of a NumPy string.
    people = np.unique(people)
    if len(people) < 2:
        return
    count = data.draw(st.integers(2, len(people)))
    found = folds(people, count, seed)
    assert len(found) == count
    assert sorted(np.concatenate(found).tolist()) == people.tolist()
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    named = data.draw(st.permutations([*people, *people[::2]]))
    for one, other in zip(found, folds(named, count, seed), strict=True):
        np.testing.assert_array_equal(one, other)


def test_seeds_draw_other_folds():
    people = [f"s{n:02}" for n in range(20)]
    assert len({str(folds(people, 5, seed)) for seed in range(4)}) == 4


@pytest.mark.parametrize("count", [1, 4])
def test_folds_that_hold_nobody_out_are_refused(count):
    with pytest.raises(UsageError, match=f"number of speakers, 3; received {count}"):
        folds(["a", "b", "c"], count)


def test_a_few_speakers_are_held_out_alone_and_many_in_groups():
    assert [usual_count([f"s{n}" for n in range(people)]) for people in (2, 8, 9, 74)] == [
        2,
        8,
        5,
        5,
    ]


def test_statistics_are_means_over_thirds_and_the_logarithm_of_the_duration():
    # Two bins, four frames, one channel: thirds end at 4/3 and 8/3 frames.
    x = np.array([[1.0, 2.0, 4.0, 8.0], [0.0, 0.0, 6.0, 3.0]])[:, :, None]
    expected = [1.5, 0.0, 3.0, 3.0, 6.0, 4.5, np.log(700)]
    np.testing.assert_allclose(segment_statistics(x, 700), expected)
    one = np.array([[5.0], [7.0]])[:, :, None]
    np.testing.assert_allclose(segment_statistics(one, 90), [5, 7, 5, 7, 5, 7, np.log(90)])


def mfcc_and_slopes(samples):
    """(13, T, 2) by the definitions, loop by loop."""
    librosa = pytest.importorskip("librosa", reason="librosa is in the bench extra")
    missing = max(0, 267 - len(samples))
    samples = np.pad(samples, (missing // 2, missing - missing // 2))
    triangles = librosa.filters.mel(
        sr=16000, n_fft=400, n_mels=40, fmin=20, fmax=8000, htk=True, norm=None
    )
    frames = []
    for first in range(0, len(samples) - 267 + 1, 147):
        power = np.abs(np.fft.rfft(samples[first : first + 267] * np.hamming(267), 400)) ** 2
        frames.append(scipy.fft.dct(np.log(triangles @ power + 1e-4), norm="ortho")[:13])

    def frame(number):
        return frames[min(max(number, 0), len(frames) - 1)]

    slopes = [
        (frame(t + 1) - frame(t - 1) + 2 * (frame(t + 2) - frame(t - 2))) / 10
        for t in range(len(frames))
    ]
    return np.stack([np.transpose(frames), np.transpose(slopes)], axis=-1)


def test_statistics_of_a_set_are_those_of_each_segment_alone(segments):
    x, y, speakers = baselines._pooled(str(segments.path), segments.manifest["plan"])
    corpus = open_corpus(segments.path.parent / "corpus")
    cut = {}
    for split in ("train", "test"):
        for utterance in corpus.utterances(split):
            samples, labelled = utterance.read()
            samples = samples / np.abs(samples).max()
            for start, end, label in labelled:
                name = corpus.labelling.mapping[label]
                if name is not None:
                    cut[utterance.speaker, name, start, end] = samples[start:end]
    rows = np.concatenate([segments.segments(split) for split in ("train", "test")])
    assert len(rows) == len(x) == len(cut)
    keys = [
        (str(speaker), segments.classes[c], int(row["start"]), int(row["end"]))
        for speaker, c, row in zip(speakers, y, rows, strict=True)
    ]
    assert set(keys) == set(cut)
    for found, key in list(zip(x, keys, strict=True))[::7]:
        samples = cut[key]
        cepstrum = mfcc_and_slopes(samples)
        count = cepstrum.shape[1]
        expected = []
        for third in range(3):
            # Frame t is in a third if any of it is.
            inside = [
                t for t in range(count) if t < count * (third + 1) / 3 and t + 1 > count * third / 3
            ]
            expected += [np.mean([cepstrum[:, t] for t in inside], axis=0).ravel()]
        expected.append([np.log(len(samples))])
        np.testing.assert_allclose(found, np.concatenate(expected), atol=2e-3)


def test_methods_are_compared_over_folds_and_labels(segments, tmp_path, capsys):
    asked = words(segments.path, tmp_path, "--labels", "4,all", "--folds", "2")
    assert main(asked) == 0
    text = capsys.readouterr().out
    found = results(tmp_path)
    assert len(found["cells"]) == len(METHODS) * 2 * 2
    speakers = np.concatenate([segments.segments(s).speaker for s in ("train", "test")])
    labels = np.concatenate([segments.labels(s) for s in ("train", "test")])
    by_place = {}
    for cell in found["cells"]:
        settings = cell["settings"]
        held_out = folds(speakers, 2, settings["seed"])[settings["fold"]]
        (place,) = cell["result"]
        one = cell["result"][place]
        assert list(one["speakers"]) == held_out.tolist()
        own = np.isin(speakers, held_out)
        others = labels[~own]
        chosen = len(others) if settings["labels"] == "all" else len(label_subset(others, 4, 0))
        assert one["segments"] == {"train": chosen, "test": own.sum()}
        # As many of each speaker, so that their mean is that of all.
        each = [s["accuracy_39"] for s in one["speakers"].values()]
        assert one["accuracy_39"] == pytest.approx(np.mean(each))
        assert len(one["dev"]) == (4 if "svm" in place else 2)
        by_place.setdefault(place, []).append(one)
    for place, ones in by_place.items():
        method, number = place.split("/")
        for key in ("accuracy_39", "balanced_accuracy_39"):
            expected = mean_interval(fold_values(ones, key))
            assert found["intervals"][method][number][key] == pytest.approx(expected)
        # Tones and noises are told apart with ease.
        assert found["intervals"][method]["all"]["balanced_accuracy_39"][0] > 0.8
    assert len(found["claims"]) == 4
    assert "| RBF support-vector machine | " in text
    assert "C 1 gamma 1 (" in text
    assert (tmp_path / "results.svg").read_text().rstrip().endswith("</svg>")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    assert main(asked) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_speaker_held_out_is_learned_from_by_nothing(segments, tmp_path, monkeypatch):
    x, y, speakers = baselines._pooled(str(segments.path), segments.manifest["plan"])
    fitted, real = [], baselines._fitted

    def watched(method, asked, features, labels):
        fitted.append((features, labels))
        return real(method, asked, features, labels)

    monkeypatch.setattr(baselines, "_fitted", watched)
    only = ["--labels", "all", "--only", "logistic/all/fold-1/seed-0"]
    assert main(words(segments.path, tmp_path, *only)) == 0
    people = np.unique(speakers)
    held_out = folds(people, 6, 0)[1]
    others = ~np.isin(speakers, held_out)
    scaled = (x - x[others].mean(axis=0)) / x[others].std(axis=0)
    dev = folds(people[~np.isin(people, held_out)], 5, 0)[0]
    assert len(fitted) == 3
    for number, (features, labels) in enumerate(fitted):
        used = others if number == 2 else others & ~np.isin(speakers, dev)
        np.testing.assert_array_equal(labels, y[used])
        np.testing.assert_allclose(features, scaled[used], atol=1e-6)


def test_the_grid_is_decided_by_the_dev_speakers(segments, tmp_path):
    only = ["--labels", "2", "--folds", "2", "--only", "*_balanced/*"]
    assert main(words(segments.path, tmp_path, *only)) == 0
    cells = [cell for cell in results(tmp_path)["cells"] if "result" in cell]
    assert len(cells) == 4
    text = (tmp_path / "results.md").read_text()
    assert "4 of 8 cells were not run" in text
    assert "Missing folds: logistic/2 2, svm/2 2." in text
    for cell in cells:
        (one,) = cell["result"].values()
        kind = cell["settings"]["method"].partition("_")[0]
        keys = list(baselines.GRIDS[kind])
        tried = [dict(zip(keys, v, strict=True)) for v in _product(baselines.GRIDS[kind])]
        assert one["chosen"] == tried[one["dev"].index(max(one["dev"]))]


def _product(grid):
    values = [[]]
    for several in grid.values():
        values = [[*before, value] for before in values for value in several]
    return values


def test_folds_of_several_seeds_that_are_the_same_count_once():
    measures = [
        {"speakers": {"a": {}, "b": {}}, "score": 0.2},
        {"speakers": {"c": {}}, "score": 0.5},
        {"speakers": {"b": {}, "a": {}}, "score": 0.4},
    ]
    assert fold_values(measures, "score") == pytest.approx([0.3, 0.5])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--labels", "10,few"], "--labels takes whole numbers, 1 or more, or all; received 'few'"),
        (["--folds", "1"], "--folds must be 2 or more"),
        (["--folds", "7"], "between 2 and the number of speakers, 6; received 7"),
        (["--only", "knn*"], "--only knn* matches no cell"),
    ],
)
def test_wrong_use_is_one_clear_line(more, message, segments, tmp_path, capsys):
    assert main(words(segments.path, tmp_path / "out", *more)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_set_of_something_else_is_refused_with_the_way_to_prepare_one(
    small_set, segments, tmp_path, capsys
):
    assert main(words(small_set.path, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "holds log_mel with deltas 0 of " in error
    assert "zoo prepare CORPUS SET --representation mfcc --deltas 1 --length any" in error
    tree = segments.path.parent / "corpus"
    frames = prepare(tree, tmp_path / "frames", examples="frames", representation="mfcc")
    assert main(words(frames.path, tmp_path / "out")) == 2
    assert "holds whole recordings; whole segments as MFCC" in capsys.readouterr().err


def test_one_speaker_is_too_few(tmp_path, capsys):
    tree = make_tree(tmp_path / "corpus", train=1, test=0, sentences=("SX1",))
    whole = {"representation": "mfcc", "deltas": 1, "length": "any"}
    assert main(words(prepare(tree, tmp_path / "set", **whole).path, tmp_path / "out")) == 2
    assert "has one speaker; each is held out once" in capsys.readouterr().err


def test_scikit_learn_is_asked_for_in_one_sentence(segments, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert main(words(segments.path, tmp_path / "out")) == 2
    assert "zoo experiment baselines requires scikit-learn" in capsys.readouterr().err
