"""Several prepared sets as one: what they hold, what is refused, and how often each is drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.trees import two_trees
from zoo.data import open_corpus, prepare
from zoo.data.corpora.labels import MERGED, TIMIT
from zoo.data.corpora.utterances import Segment
from zoo.data.sets.joined import Joined
from zoo.data.sets.samplers import SharedEpochs, Shares, apportioned, epochs_of
from zoo.data.sets.windows import Windows
from zoo.errors import UsageError

OPTIONS = {"representation": "log_mel", "normalize": "recording", "length": 2000, "mean": "none"}


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    return two_trees(tmp_path_factory.mktemp("corpora"), train=(2, 3))


@pytest.fixture(scope="module")
def sets(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return [prepare(c, folder / c.name, **OPTIONS, too_long="crop") for c in corpora]


@pytest.fixture(scope="module")
def recordings(corpora, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    return [prepare(c, folder / c.name, examples="frames") for c in corpora]


def test_examples_of_all_sets_follow_one_another(sets):
    joined = Joined(sets)
    assert (joined.classes, joined.shape, joined.kind) == (TIMIT.classes, sets[0].shape, "segments")
    for split in ("train", "test"):
        features = np.concatenate([one.features(split)[:] for one in sets])
        np.testing.assert_array_equal(joined.features(split)[:], features)
        mixed = np.random.default_rng(0).permutation(len(features))[:20]
        np.testing.assert_array_equal(joined.features(split)[mixed], features[mixed])
        np.testing.assert_array_equal(joined.features(split)[-1], features[-1])
        labels = np.concatenate([one.labels(split) for one in sets])
        np.testing.assert_array_equal(joined.labels(split), labels)
        assert len(joined.segments(split)) == len(labels)
        count = joined.manifest["splits"][split]["per_class"]
        assert list(count.values()) == np.bincount(labels, minlength=48).tolist()
    assert Joined(sets).manifest["plan"] != Joined(sets[::-1]).manifest["plan"]


def test_recordings_and_their_windows_follow_one_another(recordings):
    joined = Joined(recordings)
    first = len(recordings[0].features("train"))
    for number in (0, first - 1, first, -1):
        inside = number if 0 <= number < first else number - first * (number > 0)
        source = recordings[0 if 0 <= number < first else 1]
        np.testing.assert_array_equal(
            joined.features("train")[number], source.features("train")[inside]
        )
    assert joined.reference("train")[first] == recordings[1].reference("train")[0]
    for labelled in (True, False):
        x, labels = joined.windows("train", 9, labelled=labelled)
        alone = [one.windows("train", 9, labelled=labelled) for one in recordings]
        np.testing.assert_array_equal(x[:], np.concatenate([a[:] for a, _ in alone]))
        np.testing.assert_array_equal(labels[:], np.concatenate([b[:] for _, b in alone]))
    chosen, _ = joined.windows("train", 9, recordings=[first])
    np.testing.assert_array_equal(chosen[:], recordings[1].windows("train", 9, recordings=[0])[0])
    weighted = Windows(Joined(recordings, [1, 2]), 9)
    assert len(weighted.shares("train").origins) == len(weighted.features("train"))


def test_classes_are_those_of_the_set_that_has_all_or_timits(corpora, tmp_path):
    def own(name, mapping):
        records = "audio,start,end,label,speaker,split\n"
        for split in ("train", "test"):
            for audio in sorted((corpora[0] / split.upper()).rglob("*.WAV")):
                for n, label in enumerate(mapping):
                    records += f"{audio},{n / 10},{(n + 1) / 10},{label},{split},{split}\n"
        table = tmp_path / f"{name}.csv"
        table.write_text(records)
        return prepare(open_corpus(table), tmp_path / name, **OPTIONS)

    few, more, other = own("few", "sz"), own("more", "nsz"), own("other", ["s", "t"])
    joined = Joined([few, more])
    assert joined.classes == ("n", "s", "z")
    count = len(few.labels("train"))
    np.testing.assert_array_equal(joined.labels("train")[:count], few.labels("train") + 1)
    np.testing.assert_array_equal(joined.labels("train")[count:], more.labels("train"))
    assert Joined([few, other]).classes == TIMIT.classes
    with pytest.raises(UsageError, match=r"'Q', which .*few does not have; map the labels of both"):
        Joined([few, own("foreign", ["Q"])])


def test_sets_that_do_not_go_together_are_refused(sets, recordings, corpora, tmp_path):
    merged = prepare(open_corpus(corpora[1], mapping="merged"), tmp_path / "m", examples="frames")
    centred = prepare(corpora[1], tmp_path / "c", representation="log_mel", length=2000)
    for given_, weights, message in (
        ([sets[0], recordings[0]], None, "the same --examples"),
        ([sets[0], centred], None, f"a different level than .*--like {sets[0].path}"),
        ([sets[0], sets[0]], None, "is given twice"),
        ([recordings[0], merged], None, "--mapping merged"),
        (sets, [1], "a number for each of the 2 sets; received 1"),
        (sets, [1, 0], "must be above 0; received 0"),
    ):
        with pytest.raises(UsageError, match=message):
            Joined(given_, weights)


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=6),
    st.lists(st.floats(0.05, 20), min_size=2, max_size=4),
    st.data(),
)
def test_shares_are_in_proportion(totals, weights, data):
    rows = st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)).filter(any)
    there = np.array([data.draw(rows) for _ in totals])
    counts = apportioned(totals, there, weights)
    exact = np.where(there, weights, 0)
    exact *= (np.array(totals) / exact.sum(axis=1))[:, None]
    assert counts.sum(axis=1).tolist() == totals
    assert np.abs(counts - exact).max() < 1 + 1e-6
    assert not counts[~there].any()


@given(
    st.sampled_from(["natural", "balanced", "weighted"]),
    st.tuples(st.floats(0.1, 9), st.floats(0.1, 9)),
    st.integers(0, 99),
)
def test_epochs_are_as_long_as_before_and_every_set_has_its_share(sampling, weights, seed):
    rng = np.random.default_rng(seed)
    origins = np.repeat([0, 1], [40, 7])
    labels = rng.permutation(np.arange(47) % 3)
    shares = Shares(origins, weights)
    epochs, in_loss = epochs_of(sampling, labels, 10, seed, shares)
    plain, _ = epochs_of(sampling, labels, 10, seed)
    assert len(epochs) == len(plain)
    again, _ = epochs_of(sampling, labels, 10, seed, shares)
    for number in (3, 0):
        drawn = epochs.epoch(number)
        assert len(drawn) == len(epochs)
        np.testing.assert_array_equal(drawn, again.epoch(number))
    if sampling == "balanced":
        assert np.bincount(labels[drawn]).tolist() == [10, 10, 10]
        return
    share = np.mean(origins[drawn] == 0)
    assert abs(share - weights[0] / sum(weights)) <= 1 / len(epochs)
    shown = np.bincount(drawn, minlength=47)
    for number in (0, 1):
        assert np.ptp(shown[origins == number]) <= 1
    if sampling == "weighted" and shown.all():
        # What an epoch shows of each class weighs about the same, whatever the shares are.
        sums = np.bincount(labels, in_loss * epochs.often[origins])
        np.testing.assert_allclose(sums, sums[0], rtol=1e-5)


def test_passes_of_a_small_set_differ_from_epoch_to_epoch():
    labels = np.zeros(60, int)
    epochs, _ = epochs_of("natural", labels, seed=1, shares=Shares(np.repeat([0, 1], 30), (5, 1)))
    assert isinstance(epochs, SharedEpochs)
    small = [np.sort(e[e >= 30]).tolist() for e in map(epochs.epoch, range(5))]
    assert len({tuple(one) for one in small}) == 5


def test_a_closure_and_its_release_become_one_stop():
    labels = "tcl t aa kcl tcl ch vcl b".split()
    spoken = [Segment(10 * n, 10 * n + 10, label) for n, label in enumerate(labels)]
    spoken += [Segment(90, 100, "pcl"), Segment(110, 120, "p")]
    found = MERGED.joined(spoken)
    assert found == [
        Segment(0, 20, "t"),
        Segment(20, 30, "aa"),
        Segment(30, 40, "kcl"),
        Segment(40, 60, "ch"),
        Segment(60, 80, "b"),
        Segment(90, 100, "pcl"),
        Segment(110, 120, "p"),
    ]
    assert [MERGED.mapping[x] for x in ("kcl", "vcl", "qcl", "q")] == ["k", None, None, None]
    assert TIMIT.joined(spoken) == spoken


def test_frames_and_segments_of_merged_sets_have_stops_whole(corpora, recordings, tmp_path):
    corpus = open_corpus(corpora[0], mapping="merged")
    frames = prepare(corpus, tmp_path / "frames", examples="frames")
    assert (frames.label_set, recordings[0].label_set) == ("merged", "timit")
    assert frames.manifest["label_set"] == "merged"
    closures = [frames.classes.index(name) for name in ("cl", "vcl")]
    assert np.isin(recordings[0].labels("train"), closures).any()
    assert not np.isin(frames.labels("train"), closures).any()
    counted = prepare(corpus, tmp_path / "segments", **OPTIONS, too_long="crop")
    plain = prepare(corpora[0], tmp_path / "plain", **OPTIONS, too_long="crop")
    joined = sum(
        len(u.segments()) - len(MERGED.joined(u.segments())) for u in corpus.utterances("train")
    )
    unknown = sum(
        MERGED.mapping[s.label] is None and TIMIT.mapping[s.label] is not None
        for u in corpus.utterances("train")
        for s in MERGED.joined(u.segments())
    )
    assert joined
    missing = len(plain.labels("train")) - len(counted.labels("train"))
    assert missing == joined + unknown
