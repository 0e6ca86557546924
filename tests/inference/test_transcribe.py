"""zoo.transcribe and zoo transcribe: one answer whatever the way, a sentence for bad input."""

import itertools
import os

import numpy as np
import pytest
import soundfile
from praatio import textgrid

import zoo
from tests.helpers.runs import make_recognizer, make_run, recording, wav
from zoo.cli import main
from zoo.data.corpora.phones import CLASSES
from zoo.decoding import Transcript
from zoo.decoding.frames import merged, to_intervals
from zoo.errors import UsageError
from zoo.runs import Run
from zoo.transcription import Blocks, Rows, load_recognizer

RATE = 16000
KINDS = {
    "tdnn": ("tdnn", None),
    "crnn_frames": ("crnn_frames", None),
    "windows": ("freq_best", 25),
}
SMALL_BLOCKS = Blocks(samples=3001, frames=17, chunk=40, memory=1000)


@pytest.fixture(scope="module")
def recognizer_run(once):
    return once("recognizer", make_recognizer)


@pytest.fixture(scope="module")
def recognizer(recognizer_run):
    return load_recognizer(recognizer_run)


@pytest.fixture(scope="module", params=KINDS)
def each(request, once):
    """A recognizer of every kind."""
    name, window = KINDS[request.param]
    folder = once(f"each-{name}", lambda folder: make_recognizer(folder, name, window))
    return load_recognizer(folder)


def spoken(seconds, seed=0):
    """Noise whose colour and loudness change every tenth of a second, float32."""
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(round(10 * seconds)):
        width = rng.integers(1, 12)
        part = np.convolve(rng.normal(size=1600 + width - 1), np.ones(width) / width, "valid")
        parts.append(part * rng.uniform(0.02, 0.2))
    x = np.concatenate(parts)
    return (np.round(x * 32768).clip(-32768, 32767) / 32768).astype("float32")


def directly(recognizer, audio):
    """The transcript by the parts of the zoo, one after the other."""
    scores = recognizer.log_posteriors(audio)
    (path,) = recognizer.decoder.decode([scores])
    found = to_intervals(
        path.classes,
        recognizer.classes,
        hop=recognizer.hop,
        samples=len(audio),
        sample_rate=RATE,
        log_posteriors=scores,
    )
    return merged(found, recognizer.groups)


def assert_same(found, expected):
    assert [(i.start, i.end, i.label) for i in found] == [
        (i.start, i.end, i.label) for i in expected
    ]
    np.testing.assert_allclose(
        [i.score for i in found], [i.score for i in expected], rtol=1e-3, atol=1e-4
    )


def test_a_transcript_is_what_the_parts_give(each):
    audio = spoken(4)
    transcript = zoo.transcribe(each, audio, RATE)
    assert_same(transcript.intervals, directly(each, audio))
    assert len(transcript.intervals) > 5
    assert list(transcript.tiers) == ["phones"]
    assert (transcript.duration, transcript.sample_rate) == (4.0, RATE)
    assert {i.label for i in transcript.intervals} <= {*CLASSES, "sil"}
    times = [(i.start, i.end) for i in transcript.intervals]
    assert times[0][0] == 0
    assert times[-1][1] == 4.0
    assert all(a[1] == b[0] for a, b in itertools.pairwise(times))


@pytest.mark.parametrize("rate", [8000, RATE, 44100])
def test_a_file_in_small_blocks_is_the_file_in_one_pass(each, tmp_path, rate):
    (tmp_path / "a.wav").write_bytes(wav(spoken(5), rate))
    # A recurrent network hears 5 s on each side of a chunk, which is all of this recording.
    told = []
    found = each.transcribe_file(tmp_path / "a.wav", blocks=SMALL_BLOCKS, progress=told.append)
    whole = each.transcribe_file(tmp_path / "a.wav", blocks=Blocks(chunk=10_000, frames=10_000))
    assert_same(found.intervals, whole.intervals)
    assert found.duration == whole.duration == 80000 / rate
    assert found.name == "a"
    assert sum(told) == pytest.approx(found.duration)
    assert_same(zoo.transcribe(each, spoken(5), rate).intervals, whole.intervals)


def test_scores_in_pieces_are_those_of_one_pass(each):
    from zoo.decoding.posteriors import in_chunks

    x = each.frontend.recording(spoken(3))
    arguments = (x.shape[1], each.window, each.context)
    parts = in_chunks(each.model, lambda a, b: x[:, a:b], *arguments, chunk=37)
    whole = next(in_chunks(each.model, lambda a, b: x[:, a:b], *arguments, chunk=10_000))
    assert whole.shape == (300, 48)
    np.testing.assert_allclose(np.concatenate(list(parts)), whole, atol=1e-3)


@pytest.mark.parametrize("path", [str, lambda run: run])
def test_a_run_folder_stands_for_its_recognizer(recognizer_run, recognizer, path):
    audio = spoken(1)
    assert zoo.transcribe(path(recognizer_run), audio, RATE) == zoo.transcribe(
        recognizer, audio, RATE
    )
    assert zoo.load_recognizer(path(recognizer_run)).hop == 160


def test_sixteen_bit_samples_and_their_floats_are_the_same(recognizer):
    audio = spoken(1)
    integers = (audio * 32768).astype("int16")
    expected = zoo.transcribe(recognizer, audio, RATE)
    assert zoo.transcribe(recognizer, integers, RATE) == expected
    assert zoo.transcribe(recognizer, audio[:, None], RATE) == expected
    assert zoo.transcribe(recognizer, audio.astype("float64"), RATE) == expected


def test_channels_are_counted_from_1(recognizer):
    left, right = spoken(1), spoken(1, seed=1)
    both = np.stack([left, right], axis=1)
    for number, alone in enumerate((left, right), 1):
        found = zoo.transcribe(recognizer, both, RATE, channel=number)
        assert found == zoo.transcribe(recognizer, alone, RATE)
    with pytest.raises(UsageError, match=r"has 2 channels; choose one, 1 to 2 \(--channel"):
        zoo.transcribe(recognizer, both, RATE)
    for channel in (0, 3, -1, "1", 1.5):
        with pytest.raises(UsageError, match="has 2 channels, counted from 1; received channel"):
            zoo.transcribe(recognizer, both, RATE, channel=channel)


@pytest.mark.parametrize("rate", [RATE, 8000, 48000])
def test_silence_is_one_interval(each, rate):
    (interval,) = zoo.transcribe(each, np.zeros(rate, "float32"), rate).intervals
    assert interval[:3] == (0.0, 1.0, "sil")


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("seconds", [0, 0.001, 0.02, 0.05])
def test_very_short_recordings_have_a_transcript(each, rate, seconds):
    samples = max(1, round(seconds * rate))
    transcript = zoo.transcribe(each, recording(samples), rate)
    assert transcript.intervals[0].start == 0
    assert transcript.intervals[-1].end == transcript.duration == samples / rate


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
@pytest.mark.parametrize("suffix", [".TextGrid", ".json", ".csv", ".ctm", ".txt", ".phn"])
def test_other_rates_have_times_of_the_recording(recognizer, tmp_path, rate, suffix):
    audio = spoken(1)[: rate + 7] if rate < RATE else spoken(4)[: rate + 7]
    transcript = zoo.transcribe(recognizer, audio, rate)
    assert transcript.duration == len(audio) / rate
    assert transcript.sample_rate == rate
    read = Transcript.load(transcript.save(tmp_path / f"a{suffix}"), sample_rate=rate)
    assert [i.label for i in read.intervals] == [i.label for i in transcript.intervals]
    times = np.array([i[:2] for i in transcript.intervals])
    np.testing.assert_allclose([i[:2] for i in read.intervals], times, atol=0.51 / rate)
    assert read.intervals[-1].end == pytest.approx(transcript.duration, abs=1e-12)
    if suffix == ".TextGrid":
        grid = textgrid.openTextgrid(str(tmp_path / "a.TextGrid"), False)
        entries = grid.getTier("phones").entries
        assert [e.label for e in entries] == [i.label for i in transcript.intervals]
        np.testing.assert_allclose([e[:2] for e in entries], times)


@pytest.mark.parametrize(
    ("audio", "rate", "message"),
    [
        (np.zeros(0, "float32"), RATE, "holds no samples"),
        (np.full(100, np.nan), RATE, "NaN or infinite"),
        (np.zeros((2, 3, 4)), RATE, "must be"),
        (np.zeros((2, 3000)), RATE, "transpose it"),
        (np.zeros(100, "int32"), RATE, "must be floats"),
        (np.zeros(100), 0, "sample_rate must be"),
        (np.zeros(100), "16k", "sample_rate must be"),
    ],
)
def test_bad_audio_is_refused(recognizer, audio, rate, message):
    with pytest.raises(UsageError, match=message):
        zoo.transcribe(recognizer, audio, rate)


def test_the_limit_is_24_hours(recognizer):
    with pytest.raises(UsageError, match="lasts 86401 s; the limit is 86400 s"):
        zoo.transcribe(recognizer, np.zeros(86401, "int16"), 1)


def test_networks_that_do_not_transcribe_are_refused(run, autoencoder_run, exported, tmp_path):
    with pytest.raises(UsageError, match="classifies segments; use zoo predict"):
        load_recognizer(run)
    with pytest.raises(UsageError, match="reconstructs its input"):
        load_recognizer(autoencoder_run)
    with pytest.raises(UsageError, match="is an exported model; a run folder"):
        load_recognizer(exported)
    with pytest.raises(UsageError, match="does not exist"):
        load_recognizer(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="must be a run folder or a Recognizer; received int"):
        zoo.transcribe(3, np.zeros(100), RATE)


def test_a_run_that_transcribes_names_no_segments(recognizer_run):
    with pytest.raises(UsageError, match="transcribes recordings; use zoo transcribe"):
        zoo.classify(recognizer_run, np.zeros(100), RATE)


def test_parts_that_do_not_belong_together_are_refused(tmp_path):
    folder = make_recognizer(tmp_path / "classes", classes=["sil", "aa"], decoder=False)
    with pytest.raises(UsageError, match="do not agree"):
        load_recognizer(folder)
    window = make_run(tmp_path / "window")
    config = (window / "config.json").read_text().replace('"model"', '"window": 16, "model"')
    (window / "config.json").write_text(config)
    with pytest.raises(UsageError, match="was not trained on whole recordings"):
        load_recognizer(window)


def test_without_a_decoder_all_phones_are_as_likely(tmp_path):
    folder = make_recognizer(tmp_path / "run", decoder=False)
    assert Run.open(folder).decoder is None
    recognizer = load_recognizer(folder)
    np.testing.assert_allclose(recognizer.decoder.priors, 1 / 48)
    assert not recognizer.decoder.bigram.follows.any()
    audio = spoken(2)
    assert_same(zoo.transcribe(recognizer, audio, RATE).intervals, directly(recognizer, audio))


def test_rows_on_the_disk_are_those_in_memory():
    x = np.random.default_rng(0).normal(size=(50, 3, 2)).astype("float32")
    for memory in (10, 10**6):
        with Rows(memory) as rows:
            for start in range(0, 50, 7):
                rows.append(x[start : start + 7])
                np.testing.assert_array_equal(rows[start : start + 9], x[start : start + 7])
            assert rows.shape == x.shape
            np.testing.assert_array_equal(rows[13:49], x[13:49])


class TestCommand:
    @pytest.fixture
    def transcribe(self, recognizer_run, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.wav").write_bytes(wav(spoken(1)))

        def call(*arguments, model=recognizer_run):
            code = main(["transcribe", *map(str, arguments), "--model", str(model)])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        return call

    def test_one_recording_is_printed(self, transcribe, recognizer):
        code, out, err = transcribe("a.wav")
        expected = zoo.transcribe(recognizer, spoken(1), RATE).intervals
        rows = [line.split() for line in out.splitlines()]
        assert (code, err) == (0, "")
        assert [row[2] for row in rows] == [i.label for i in expected]
        times = [[float(x) for x in (*row[:2], row[3])] for row in rows]
        np.testing.assert_allclose(times, [(i.start, i.end, i.score) for i in expected], atol=6e-4)

    @pytest.mark.parametrize("kind", ["TextGrid", "ctm", "phn", "json", "csv", "txt"])
    def test_every_format_is_written_and_read(self, transcribe, recognizer, tmp_path, kind):
        code, out, _ = transcribe("a.wav", "--out", "new/out", "--format", kind)
        assert (code, out) == (0, "new/out: 1 written\n")
        assert os.listdir("new/out") == [f"a.{kind}"]
        read = Transcript.load(tmp_path / "new" / "out" / f"a.{kind}", sample_rate=RATE)
        expected = zoo.transcribe(recognizer, spoken(1), RATE)
        assert [i.label for i in read.intervals] == [i.label for i in expected.intervals]
        np.testing.assert_allclose(
            [i[:2] for i in read.intervals], [i[:2] for i in expected.intervals], atol=0.51 / RATE
        )

    def test_a_folder_keeps_its_shape_and_is_resumed(self, transcribe, recognizer_run, tmp_path):
        for place in ("in/x", "in/y"):
            (tmp_path / place).mkdir(parents=True)
            (tmp_path / place / "a.wav").write_bytes(wav(spoken(1)))
        soundfile.write(tmp_path / "in" / "b.flac", spoken(1), 8000)
        (tmp_path / "in" / "notes.txt").write_text("not a recording")
        code, out, err = transcribe("in", "--out", "out")
        assert (code, out) == (0, "out: 3 written\n")
        assert "1 of 3 have a lower sample rate than the model's 16000 Hz: above 4000 Hz" in err
        found = sorted(
            p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")
        )
        grids = [tmp_path / "out" / name for name in found]
        assert found == ["b.TextGrid", "x/a.TextGrid", "y/a.TextGrid"]
        written = [grid.stat().st_mtime_ns for grid in grids]
        code, out, _ = transcribe("in", "--out", "out")
        assert out == "out: 0 written, 3 kept (--overwrite replaces them)\n"
        assert [grid.stat().st_mtime_ns for grid in grids] == written
        os.utime(tmp_path / "in" / "b.flac", ns=(written[0] + 1, written[0] + 1))
        assert transcribe("in", "--out", "out")[1].startswith("out: 1 written, 2 kept")
        assert transcribe("in", "--out", "out", "--overwrite")[1] == "out: 3 written\n"
        network = Run.open(recognizer_run).network
        before = network.stat()
        later = max(grid.stat().st_mtime_ns for grid in grids) + 1
        os.utime(network, ns=(later, later))
        try:
            assert transcribe("in", "--out", "out")[1] == "out: 3 written\n"
        finally:
            os.utime(network, ns=(before.st_atime_ns, before.st_mtime_ns))

    def test_one_bad_recording_does_not_stop_the_others(self, transcribe, tmp_path):
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "a.wav").write_bytes(wav(spoken(1)))
        (tmp_path / "in" / "b.wav").write_bytes(b"")
        (tmp_path / "in" / "c.wav").write_bytes(wav(spoken(1)))
        code, out, err = transcribe("in", "missing.wav", "--out", "out")
        assert (code, out) == (1, "out: 2 written, 2 failed\n")
        assert sorted(os.listdir("out")) == ["a.TextGrid", "c.TextGrid"]
        assert "zoo transcribe: in/b.wav is empty; a recording was expected." in err
        assert "zoo transcribe: cannot read missing.wav: No such file or directory." in err

    def test_an_interruption_leaves_whole_files_only(self, transcribe, tmp_path, monkeypatch):
        from zoo.transcription import Recognizer

        (tmp_path / "b.wav").write_bytes(wav(spoken(1)))
        whole = Recognizer.transcribe_file

        def interrupted(self, path, **arguments):
            if path.name == "b.wav":
                raise KeyboardInterrupt
            return whole(self, path, **arguments)

        monkeypatch.setattr(Recognizer, "transcribe_file", interrupted)
        code, _, err = transcribe("a.wav", "b.wav", "--out", "out")
        assert code == 1
        assert "interrupted; the same command resumes" in err
        assert os.listdir("out") == ["a.TextGrid"]
        monkeypatch.undo()
        monkeypatch.chdir(tmp_path)
        assert transcribe("a.wav", "b.wav", "--out", "out")[1].startswith("out: 1 written, 1 kept")

    def test_odd_recordings_have_a_transcript(self, transcribe, tmp_path):
        odd = {
            "silence.wav": (wav(np.zeros(RATE, "float32")), "sil"),
            "20ms.wav": (wav(recording(320)), None),
            "noise.wav": (wav(recording(RATE)), None),
            "telephone.wav": (wav(spoken(1)[:8000], 8000), None),
        }
        for name, (contents, label) in odd.items():
            (tmp_path / name).write_bytes(contents)
            code, out, err = transcribe(name)
            assert code == 0, name
            assert out, name
            if label:
                assert out.split()[:3] == ["0.000", "1.000", label]
            low = "the recording has a lower sample rate than the model's 16000 Hz"
            assert (low in err) == (name == "telephone.wav")

    def test_bad_recordings_are_one_line_and_exit_code_2(self, transcribe, tmp_path):
        stereo = np.stack([spoken(1), spoken(1)], axis=1)
        nan = spoken(1)
        nan[77] = np.nan
        (tmp_path / "stereo.wav").write_bytes(wav(stereo))
        (tmp_path / "nan.wav").write_bytes(wav(nan, subtype="FLOAT"))
        (tmp_path / "loud.wav").write_bytes(wav(spoken(1) * np.float32(1e20), subtype="FLOAT"))
        (tmp_path / "empty.wav").write_bytes(b"")
        (tmp_path / "no_samples.wav").write_bytes(wav(spoken(1)[:0]))
        (tmp_path / "text.wav").write_bytes(b"this is not audio")
        (tmp_path / "cut.wav").write_bytes(wav(spoken(1))[:9000])
        (tmp_path / "folder").mkdir()
        cases = {
            ("stereo.wav",): "stereo.wav has 2 channels; choose one, 1 to 2 (--channel",
            ("stereo.wav", "--channel", "3"): "has 2 channels, counted from 1; received channel 3",
            ("a.wav", "--channel", "2"): "a.wav has 1 channel, counted from 1; received channel 2",
            ("a.wav", "--channel", "0"): "--channel must be 1 or more; received 0",
            ("nan.wav",): "nan.wav holds samples that are not finite numbers",
            ("loud.wav",): "loud.wav holds samples beyond 1e+15; full scale 1 is expected",
            ("empty.wav",): "empty.wav is empty; a recording was expected",
            ("no_samples.wav",): "no_samples.wav holds no samples",
            ("text.wav",): "text.wav is not a recording that libsndfile can read",
            ("cut.wav",): "cut.wav is truncated",
            ("missing.wav",): "cannot read missing.wav: No such file",
            ("folder", "--out", "out"): "folder holds no recordings (.wav, .flac",
            ("folder",): "several recordings require --out DIR",
            ("a.wav", "stereo.wav"): "several recordings require --out DIR",
            ("a.wav", "--format", "ctm"): "--format requires --out DIR",
            ("a.wav", "--out", "a.TextGrid"): "--out a.TextGrid must be a folder",
            ("a.wav", "--out", "a.wav"): "--out a.wav must be a folder",
            ("a.wav", "folder/../a.wav", "--out", "out"): "would both be written to out/a.TextGrid",
        }
        for words, message in cases.items():
            code, out, err = transcribe(*words)
            assert (code, out, err.count("\n")) == (2, "", 1), words
            assert err.startswith("zoo transcribe: ")
            assert message in err
        assert not (tmp_path / "out").exists()

    def test_a_model_of_segments_is_one_line_and_exit_code_2(self, transcribe, run):
        code, out, err = transcribe("a.wav", model=run)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "classifies segments; use zoo predict" in err

    def test_the_channel_is_chosen(self, transcribe, tmp_path):
        both = np.stack([spoken(1, seed=1), spoken(1)], axis=1)
        (tmp_path / "stereo.wav").write_bytes(wav(both))
        assert transcribe("stereo.wav", "--channel", "2") == transcribe("a.wav")
