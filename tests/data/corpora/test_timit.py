"""Reading TIMIT-layout trees and phone labels."""

import itertools
import shutil

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.trees import make_tree, utterance, write_utterance
from zoo.data.corpora.audio import read_audio
from zoo.data.corpora.phones import CLASSES, GROUP_NAMES, GROUPS, LABEL_TO_CLASS, TIMIT_LABELS
from zoo.data.corpora.timit import CORE_TEST, DEVELOPMENT, Corpus, read_phn
from zoo.errors import UsageError


def test_label_sets_have_the_sizes_of_lee_and_hon():
    assert len(TIMIT_LABELS) == 61
    assert len(CLASSES) == 48
    assert len(GROUP_NAMES) == 39
    assert {LABEL_TO_CLASS[x] for x in TIMIT_LABELS if x != "q"} == set(CLASSES)
    assert (LABEL_TO_CLASS["ux"], LABEL_TO_CLASS["tcl"], LABEL_TO_CLASS["gcl"]) == (
        "uw",
        "cl",
        "vcl",
    )
    assert (GROUPS["zh"], GROUPS["ix"], GROUPS["epi"], GROUPS["ao"]) == ("sh", "ih", "sil", "aa")
    assert len(CORE_TEST) == 24
    assert len(DEVELOPMENT) == 50
    assert not CORE_TEST & DEVELOPMENT


def test_splits_leave_sa_sentences_out_and_know_the_core_test(tmp_path):
    corpus = Corpus(make_tree(tmp_path / "TIMIT"))
    assert {u.sentence for u in corpus.utterances()} == {"sx1", "si1"}
    assert len(corpus.utterances("train")) == 6
    assert len(corpus.utterances(sa=True)) == 15
    assert {u.speaker: u.partition for u in corpus.utterances("test")} == {
        "mdab0": "core",
        "faks0": "dev",
    }


def test_samples_and_labels_come_back_as_written(tmp_path):
    samples, rows = utterance(np.random.default_rng(3))
    write_utterance(tmp_path / "TRAIN/DR2/FXYZ0", "SX9", samples, rows)
    (found,) = Corpus(tmp_path).utterances("train")
    read, segments = found.read()
    np.testing.assert_array_equal(read, samples / np.float32(32768))
    assert [tuple(s) for s in segments] == rows
    assert (found.name, found.speaker) == ("TRAIN/DR2/FXYZ0/SX9", "fxyz0")


@pytest.mark.parametrize("levels", [(), ("TIMIT",), ("timit", "TIMIT")])
def test_the_root_may_be_up_to_two_levels_above(tmp_path, levels):
    make_tree(tmp_path.joinpath(*levels))
    assert len(Corpus(tmp_path).utterances()) == 10


def test_a_lower_case_tree_of_riff_files_reads_alike(tmp_path):
    upper = Corpus(make_tree(tmp_path / "upper"))
    for file in sorted((tmp_path / "upper").rglob("*.*")):
        target = tmp_path / "lower" / file.relative_to(tmp_path / "upper").as_posix().lower()
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".WAV":
            samples, rate = soundfile.read(file, dtype="int16")
            soundfile.write(target, samples, rate, subtype="PCM_16", format="WAV")
        else:
            shutil.copy(file, target)
    lower = Corpus(tmp_path / "lower")
    for one, other in zip(upper.utterances(), lower.utterances(), strict=True):
        assert one.name.lower() == other.name
        np.testing.assert_array_equal(one.read()[0], other.read()[0])
        assert one.read()[1] == other.read()[1]


def test_the_sample_in_circulation_takes_its_splits_from_spkrinfo(tmp_path):
    rng = np.random.default_rng(0)
    for speaker in ("fvmh0", "mjdm0", "mdab0"):
        write_utterance(tmp_path / f"dr1-{speaker}", "sx1", *utterance(rng))
    assert {u.speaker: u.split for u in Corpus(tmp_path).utterances()} == {
        "fvmh0": "train",
        "mjdm0": "train",
        "mdab0": "test",
    }
    (tmp_path / "spkrinfo.txt").write_text(
        ";ID Sex DR Use\nVMH0 F 1 TST 01/08/86\nJDM0 M 1 TRN 01/08/86\n"
    )
    found = {u.speaker: u.split for u in Corpus(tmp_path).utterances()}
    assert (found["fvmh0"], found["mjdm0"]) == ("test", "train")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 100 h#\nx 200 iy\n", "line 2: expected `start end label`"),
        ("0 100\n", "line 1: expected `start end label`"),
        ("0 1e3 iy\n", "line 1: expected `start end label`"),
        ("-5 100 iy\n", "line 1: expected `start end label`"),
        ("0 100 h#\n\n100 100 iy\n", "line 3: the segment ends at 100, not after its start 100"),
        ("0 100 h#\n90 200 iy\n", "line 2: the segment starts at 90 and overlaps"),
        ("0 100 h#\n100 2000 iy\n", "line 2: the segment ends at sample 2000, but"),
        ("0 100 aaa\n", "line 1: 'aaa' is not a TIMIT phone label. Did you mean 'aa'"),
        ("", "holds no segments"),
    ],
)
def test_bad_phone_labels_are_refused_with_file_and_line(tmp_path, text, message):
    path = tmp_path / "SX1.PHN"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_phn(path, samples=1000)
    assert message in str(refused.value)
    assert str(path) in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_as_labels_are_read_or_refused(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("phn") / "x.PHN"
    path.write_bytes(contents)
    try:
        segments = read_phn(path, samples=10**6)
    except UsageError as refusal:
        segments, message = [], str(refusal)
        assert message.startswith((str(path), f"{path}, line"))
    assert all(s.start < s.end for s in segments)
    assert all(a.end <= b.start for a, b in itertools.pairwise(segments))


def test_a_folder_without_labels_or_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="is not a folder"):
        Corpus(tmp_path / "nowhere")
    (tmp_path / "TRAIN" / "DR1" / "MABC0").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"no \.PHN file"):
        Corpus(tmp_path)
    (tmp_path / "TRAIN" / "DR1" / "MABC0" / "SX1.PHN").write_text("0 1 h#\n")
    with pytest.raises(UsageError, match="no recording beside it"):
        Corpus(tmp_path)


class TestRecordings:
    @pytest.fixture
    def written(self, tmp_path):
        samples, rows = utterance(np.random.default_rng(0))
        write_utterance(tmp_path / "TRAIN/DR1/MABC0", "SX1", samples, rows)
        return tmp_path

    def only(self, root):
        return Corpus(root).utterances()[0]

    @pytest.mark.parametrize("kind", ["sphere", "riff"])
    def test_a_truncated_one_is_refused(self, written, kind):
        path = self.only(written).audio
        if kind == "riff":
            samples, rate = soundfile.read(path, dtype="int16")
            soundfile.write(path, samples, rate, format="WAV", subtype="PCM_16")
        contents = path.read_bytes()
        path.write_bytes(contents[: len(contents) // 2])
        with pytest.raises(UsageError, match="is truncated: its header promises"):
            self.only(written).read()

    def test_an_empty_one_is_refused(self, written):
        self.only(written).audio.write_bytes(b"")
        with pytest.raises(UsageError, match="is empty"):
            self.only(written).read()

    def test_a_stereo_one_is_refused(self, written):
        path = self.only(written).audio
        soundfile.write(path, np.zeros((9000, 2)), 16000, format="WAV", subtype="PCM_16")
        with pytest.raises(UsageError, match="has 2 channels; a mono recording was expected"):
            self.only(written).read()

    def test_something_else_is_refused(self, written):
        self.only(written).audio.write_bytes(b"a poem rather than a recording\n" * 50)
        with pytest.raises(UsageError, match="is not a recording that libsndfile can read"):
            self.only(written).read()

    def test_a_compressed_one_is_refused(self, written):
        path = self.only(written).audio
        contents = path.read_bytes()
        header = contents[:1024].replace(
            b"end_head", b"sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head"
        )[:1024]
        path.write_bytes(header + contents[1024:])
        with pytest.raises(UsageError, match="is compressed"):
            self.only(written).read()

    def test_another_rate_is_refused_unless_resampling(self, written):
        path = self.only(written).audio
        whole, rate = read_audio(path)
        soundfile.write(path, whole[::2], rate // 2, format="WAV", subtype="PCM_16")
        path.with_suffix(".PHN").write_text("0 800 h#\n800 1600 iy\n")
        with pytest.raises(UsageError, match="8000 Hz, not 16000 Hz; --resample"):
            self.only(written).read()
        samples, segments = self.only(written).read(resampling=True)
        assert len(samples) == 2 * len(whole[::2])
        assert [tuple(s) for s in segments] == [(0, 1600, "h#"), (1600, 3200, "iy")]
