"""Segments of a recording of any length: the answers are those of the recording read whole."""

import json
import tracemalloc

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.lengths import with_length
from tests.helpers.runs import recording, speech
from tests.helpers.served import Server
from zoo.cli import main
from zoo.data.corpora.audio import LONGEST_SECONDS, AudioFile, read_audio
from zoo.data.features.analysis import representation_settings
from zoo.data.features.frontend import Frontend
from zoo.data.features.streaming import segments_of
from zoo.errors import UsageError
from zoo.excerpts import Resampled, classify_file
from zoo.inference import Classifier, load_classifier
from zoo.ops.resampling import resample

FORMATS = {
    # Suffix -> container and kind of samples.
    "wav": ("WAV", "PCM_16"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "gsm.wav": ("WAV", "GSM610"),
    "flac": ("FLAC", "PCM_24"),
    "sph": ("NIST", "ULAW"),
    "aiff": ("AIFF", "PCM_16"),
    "mp3": ("MP3", None),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
FRAMING = {"hop_length": 20, "frame_length": 50, "fft_length": 64, "filters": 12, "high": 1000.0}
PLACES = [(0.0, 0.1), (0.5, 2.75), (1.3, 1.42), (2.9, 3.0)]


@pytest.fixture(scope="module", params=["set", "recording", "surrounded"])
def classifier(request, run, by_recording, surrounded):
    runs = {"set": run, "recording": by_recording[0], "surrounded": surrounded[0]}
    return load_classifier(runs[request.param])


def written(folder, suffix, rate=16000, channels=1, seconds=3.0):
    container, subtype = FORMATS[suffix]
    samples = np.stack([speech(seconds, rate, seed=s) for s in range(channels)], axis=1)
    path = folder / f"a.{suffix}"
    soundfile.write(path, samples.squeeze(), rate, format=container, subtype=subtype)
    return path


def check(classifier, path):
    audio, rate = read_audio(path)
    pairs = [(round(a * rate), round(b * rate)) for a, b in PLACES]
    expected = zoo.classify(classifier, audio, rate, pairs)
    together = classify_file(classifier, AudioFile(path), pairs)
    alone = [classify_file(classifier, AudioFile(path), [pair])[0] for pair in pairs]
    for one, *others in zip(expected, together, alone, strict=True):
        for found in others:
            assert (found.start, found.end, found.phones) == (one.start, one.end, one.phones)
            np.testing.assert_allclose(found.scores, one.scores, atol=1e-5)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_answer_is_that_of_the_whole(classifier, tmp_path, suffix):
    check(classifier, written(tmp_path, suffix))


@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (44100, 1), (48000, 2)])
@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_other_rates_and_channels_make_no_difference(classifier, tmp_path, suffix, rate, channels):
    check(classifier, written(tmp_path, suffix, rate, channels))


@pytest.mark.parametrize(
    ("suffix", "container"), [("wav", "WAV"), ("flac", "FLAC"), ("sph", "NIST")]
)
def test_files_of_unknown_length_are_no_others(classifier, tmp_path, suffix, container):
    path = written(tmp_path, suffix)
    path.write_bytes(with_length(path.read_bytes(), container, 0))
    check(classifier, path)


def test_no_more_than_the_segment_is_read(run, tmp_path, monkeypatch):
    path = written(tmp_path, "flac")
    expected = zoo.classify(run, *read_audio(path), [(16000, 17600)])[0]
    read = soundfile.SoundFile.read
    frames = []

    def counted(self, count, **options):
        frames.append(count)
        return read(self, count, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", counted)
    (found,) = classify_file(load_classifier(run), AudioFile(path), [(16000, 17600)])
    assert found.phones == expected.phones
    assert frames == [1600]


def test_samples_that_are_no_audio_are_refused(classifier, tmp_path):
    loud = speech(1.0).astype("float64")
    loud[8000] = 1e20
    soundfile.write(tmp_path / "a.wav", loud, 16000, subtype="DOUBLE")
    with pytest.raises(UsageError, match="samples beyond"):
        classify_file(classifier, AudioFile(tmp_path / "a.wav"), [(7000, 9000)])


@pytest.mark.parametrize("rate", [500, 1000, 2750])
def test_what_is_cut_out_of_a_file_is_cut_out_of_the_resampled_whole(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", speech(70, rate), rate)
    whole = resample(read_audio(tmp_path / "a.wav")[0], rate, 1000)
    spans = [(-30, 50), (10, 1000), (30_000, 62_500), (43_750, 43_800), (69_900, 80_000)]
    source = Resampled(AudioFile(tmp_path / "a.wav"), 1000)
    for (start, end), found in zip(spans, source.cuts(spans), strict=True):
        np.testing.assert_allclose(found, whole[max(start, 0) : end], atol=1e-5)


def front_end(kind):
    """At 2 kHz, so that an hour is quickly made."""
    settings = representation_settings("log_mel", sample_rate=2000, **FRAMING)
    of_recording = {"level": "file-rms", "normalize": "recording"}
    changes = of_recording if kind == "recording" else {"level": "none", "context": 400}
    return Frontend(2000, 1000, representation=settings, mean=np.zeros((), "float32"), **changes)


@pytest.mark.parametrize("kind", ["set", "surroundings", "recording"])
def test_less_memory_is_taken_than_the_recording_alone_has(tmp_path, kind):
    def of_recording(source, segments):
        batches = segments_of(frontend, source, segments)
        return np.concatenate([x.mean((1, 3))[:, :2] for x in batches])

    frontend = None if kind == "set" else front_end(kind)
    classifier = Classifier(
        2000, 1000, ("a", "b"), lambda x: x[:, :2], of_recording if frontend else None
    )

    with soundfile.SoundFile(tmp_path / "a.wav", "w", 2000, 1, "PCM_16") as written:
        for minute in range(100):
            written.write(recording(120_000, seed=minute))
    file = AudioFile(tmp_path / "a.wav", LONGEST_SECONDS)
    places = [(start, start + 200) for start in range(0, file.frames, 60_000)]
    tracemalloc.start()
    answers = classify_file(classifier, file, places)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(answers) == len(places)
    assert most < file.frames * 4


@pytest.fixture(scope="module")
def hours(tmp_path_factory):
    """A recording of 61 minutes, in whose last ones something is said."""
    path = tmp_path_factory.mktemp("hours") / "a.flac"
    with soundfile.SoundFile(path, "w", 2000, 1, "PCM_16") as file:
        for minute in range(61):
            samples = speech(60, 2000, seed=minute) if minute > 58 else np.zeros(120_000)
            file.write(samples)
    return path


def all_said(capsys, *words):
    assert main(["predict", *map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["segments"]


def said(capsys, *words):
    (segment,) = all_said(capsys, *words)
    return segment


@pytest.fixture
def labelled(tmp_path):
    """Labels in the first and the last minute of `hours`."""
    rows = [(0.5, 0.1), (3599.5, 0.1), (3600.5, 0.1), (3659.875, 0.125)]
    lines = [f"a 1 {start} {duration} iy\n" for start, duration in rows]
    (tmp_path / "a.ctm").write_text("".join(lines))
    return tmp_path / "a.ctm"


def test_labels_of_hours_are_compared(run, hours, labelled, capsys):
    found = all_said(capsys, hours, "--labels", labelled, "--model", run)
    expected = said(capsys, hours, "--start", 3600.5, "--end", 3600.6, "--model", run)
    assert [s["start"] for s in found] == [1000, 7_199_000, 7_201_000, 7_319_750]
    assert found[2]["phones"] == expected["phones"]
    np.testing.assert_allclose(found[2]["scores"], expected["scores"], atol=1e-5)


def test_labelled_segments_of_over_an_hour_are_refused(run, hours, labelled, capsys):
    labelled.write_text("a 1 10 3640 iy\n")
    words = ["predict", str(hours), "--labels", str(labelled), "--model", str(run)]
    assert main(words) == 2
    assert "the segment 'iy' lasts 3640 s; the limit is 3600 s" in capsys.readouterr().err


def test_hours_are_no_obstacle(run, hours, capsys):
    last = speech(60, 2000, seed=60)
    expected = zoo.classify(run, last, 2000, [(1000, 1200)])[0]
    found = said(capsys, hours, "--start", 3600.5, "--end", 3600.6, "--model", run)
    assert (found["start"], found["end"]) == (7_201_000, 7_201_200)
    assert tuple(found["phones"]) == expected.phones
    np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-3)
    # One end may be left out.
    found = said(capsys, hours, "--start", 3659.5, "--model", run)
    assert (found["start"], found["end"]) == (7_319_000, 7_320_000)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--start", "3600"], "longer than one segment of up to 1 s: give --end as well"),
        (["--start", "1", "--end", "3661"], "which lasts 3660.000 s"),
        (["--start", "10", "--end", "3650"], "lasts 3640 s; the limit is 3600 s"),
        (["--start", "-1", "--end", "2"], "lies outside"),
        ([], "longer than one segment of up to 1 s: give --labels FILE"),
    ],
)
def test_impossible_segments_are_refused_in_one_sentence(run, hours, capsys, words, message):
    assert main(["predict", str(hours), *words, "--model", str(run)]) == 2
    error = capsys.readouterr().err
    assert (message in error, error.count("\n")) == (True, 1)


def test_a_server_is_sent_the_segment_of_a_recording_that_is_too_long(
    run, exported, by_recording, hours, labelled, capsys
):
    flags = ["--model", f"set={exported}", "--model", f"recording={by_recording[1]}", "--port", 0]
    words = [hours, "--start", 3600.5, "--end", 3600.6]
    with Server("zoo", "serve", *flags, models=2) as server:
        url = f"{server.url}/v1/models"
        found = said(capsys, *words, "--url", f"{url}/set")
        expected = said(capsys, *words, "--model", run)
        assert found["phones"] == expected["phones"]
        np.testing.assert_allclose(found["scores"], expected["scores"], atol=1e-3)
        assert len(all_said(capsys, hours, "--labels", labelled, "--url", f"{url}/set")) == 4
        # By the segment alone this one would say something else.
        assert main(["predict", *map(str, words), "--url", f"{url}/recording"]) == 2
        error = capsys.readouterr().err
        assert "uses all of a segment's recording, of which a server takes 600 s" in error
        assert error.count("\n") == 1


def test_servers_take_recordings_as_long_as_exports_do():
    from export.wav import MAX_TRANSCRIBE_SECONDS
    from serving.phones import RECORDING_SECONDS

    assert RECORDING_SECONDS == MAX_TRANSCRIBE_SECONDS
