import sys

import numpy as np
import pytest
import soundfile
import soxr
import tensorflow as tf

from tests.helpers.doctests import run_examples
from zoo.data.corpora import tfio
from zoo.errors import UsageError

FILES = {
    "wav8": ("wav", "WAV", "PCM_U8"),
    "wav16": ("wav", "WAV", "PCM_16"),
    "wav24": ("wav", "WAV", "PCM_24"),
    "wav32": ("wav", "WAV", "PCM_32"),
    "wavfloat": ("wav", "WAV", "FLOAT"),
    "wavex16": ("wav", "WAVEX", "PCM_16"),
    "wavex24": ("wav", "WAVEX", "PCM_24"),
    "wavex32": ("wav", "WAVEX", "PCM_32"),
    "wavexfloat": ("wav", "WAVEX", "FLOAT"),
    "flac8": ("flac", "FLAC", "PCM_S8"),
    "flac16": ("flac", "FLAC", "PCM_16"),
    "flac24": ("flac", "FLAC", "PCM_24"),
    "ogg": ("ogg", "OGG", "VORBIS"),
    "mp3": ("mp3", "MP3", "MPEG_LAYER_III"),
}


def tone(rate, seconds=1.0, channels=1):
    rng = np.random.default_rng(0)
    t = np.arange(int(rate * seconds)) / rate
    one = 0.4 * np.sin(2 * np.pi * 440 * t) * np.exp(-t) + 0.02 * rng.standard_normal(t.size)
    return np.stack([one, 0.5 * one[::-1]], axis=1)[:, :channels].astype("float32")


def write(folder, kind, rate=16000, channels=1):
    suffix, form, subtype = FILES[kind]
    path = folder / f"{kind}-{rate}-{channels}.{suffix}"
    soundfile.write(path, tone(rate, channels=channels), rate, format=form, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    return path, expected.mean(axis=1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", FILES)
def test_same_samples_as_soundfile_in_a_graph(tmp_path, kind, channels):
    path, expected = write(tmp_path, kind, channels=channels)
    seen = []

    def decode(name):
        seen.append(tf.executing_eagerly())
        return tfio.decode_audio(name, 16000)

    (samples,) = tf.data.Dataset.from_tensors(str(path)).map(decode)
    assert seen == [False]
    assert samples.dtype == tf.float32
    np.testing.assert_allclose(samples.numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("kind", ["wav16", "flac16", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_other_rates_are_resampled_without_delay(tmp_path, kind, rate):
    path, decoded = write(tmp_path, kind, rate=rate)
    got = tfio.decode_audio(str(path), 16000).numpy()
    expected = soxr.resample(decoded, rate, 16000)
    assert abs(got.size - expected.size) <= 1
    size = min(got.size, expected.size)
    # The two differ where their filters end, near half the lower rate: there lies noise alone.
    assert np.corrcoef(got[:size], expected[:size])[0, 1] > 0.998
    lags = np.correlate(got[:4000], expected[:4000], "full")
    assert lags.argmax() == 3999


def test_resampled_tone_is_exact_up_to_the_last_sample():
    t = np.arange(44100) / 44100
    fade = np.hanning(t.size)
    given = (fade * np.sin(2 * np.pi * 3000 * t)).astype("float32")
    got = tfio._resample(
        tf, tf.constant(given), tf.constant(44100, tf.int64), tf.constant(16000, tf.int64)
    )
    t = np.arange(16000) / 16000
    fade = np.interp(t, np.arange(44100) / 44100, fade)
    np.testing.assert_allclose(got, fade * np.sin(2 * np.pi * 3000 * t), atol=1e-4)


@pytest.mark.parametrize("kind", ["wav16", "flac16", "ogg", "mp3"])
def test_bytes_as_well_as_paths(tmp_path, kind):
    path, expected = write(tmp_path, kind)
    decode = tf.function(tfio.decode_audio, input_signature=[tf.TensorSpec([], tf.string)])
    np.testing.assert_allclose(decode(path.read_bytes()).numpy(), expected, atol=2e-6)
    np.testing.assert_allclose(decode(str(path)).numpy(), expected, atol=2e-6)


def test_dataset_keeps_order_and_mixes_formats(tmp_path):
    written = dict(write(tmp_path, kind) for kind in ["wav16", "flac24", "ogg", "mp3"])
    dataset = tfio.audio_dataset(str(tmp_path / "*"), 16000)
    assert dataset.element_spec == (tf.TensorSpec([], tf.string), tf.TensorSpec([None], tf.float32))
    found = [(path.numpy().decode(), samples.numpy()) for path, samples in dataset]
    assert [path for path, _ in found] == sorted(map(str, written))
    for path, samples in found:
        np.testing.assert_allclose(samples, written[tmp_path / path], atol=2e-6)

    backwards = sorted(written, reverse=True)
    again = [path.numpy().decode() for path, _ in tfio.audio_dataset(backwards)]
    assert again == [str(path) for path in backwards]


def test_many_files_decoded_at_once_do_not_mix(tmp_path):
    expected = []
    for index in range(40):
        samples = np.full(1000 + index, index / 64, "float32")
        soundfile.write(tmp_path / f"{index:02}.flac", samples, 16000)
        expected.append(samples)
    got = [samples.numpy() for _, samples in tfio.audio_dataset(str(tmp_path / "*.flac"))]
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_wav_with_a_chunk_before_its_format(tmp_path):
    path, expected = write(tmp_path, "wav16")
    plain = path.read_bytes()
    junk = b"JUNK" + (27).to_bytes(4, "little") + bytes(28)
    path.write_bytes(
        plain[:4] + (len(plain) - 8 + len(junk)).to_bytes(4, "little") + b"WAVE" + junk + plain[12:]
    )
    np.testing.assert_allclose(tfio.decode_audio(str(path)).numpy(), expected, atol=2e-6)


def test_mp3_behind_an_id3_tag(tmp_path):
    path, expected = write(tmp_path, "mp3")
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 2, 10]) + bytes(266)
    path.write_bytes(tag + path.read_bytes())
    np.testing.assert_allclose(tfio.decode_audio(str(path)).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("content", [b"", b"x", b"not audio at all, whatever its name says"])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "recording.wav"
    path.write_bytes(content)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"neither WAV, FLAC, Ogg Vorbis nor"):
        tfio.decode_audio(str(path))


def test_ogg_opus_is_refused(tmp_path):
    path = tmp_path / "speech.ogg"
    soundfile.write(path, tone(16000), 16000, format="OGG", subtype="OPUS")
    with pytest.raises(tf.errors.InvalidArgumentError, match="not Vorbis"):
        tfio.decode_audio(str(path))


def test_wrong_use(tmp_path):
    with pytest.raises(tf.errors.NotFoundError):
        tfio.decode_audio(str(tmp_path / "missing.wav"))
    with pytest.raises(UsageError, match="No recording matches"):
        tfio.audio_dataset(str(tmp_path / "*.flac"))
    with pytest.raises(UsageError, match="empty list"):
        tfio.audio_dataset([])
    with pytest.raises(UsageError, match="positive whole number"):
        tfio.audio_dataset(["a.wav"], sample_rate=0)
    with pytest.raises(UsageError, match=r"shape \(2,\)"):
        tfio.decode_audio(["a.wav", "b.wav"])


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_io", None)
    with pytest.raises(UsageError, match=r"not installed .*phone-zoo\[io\]"):
        tfio.decode_audio("a.wav")
    monkeypatch.setattr(tf, "__version__", "2.21.0")
    with pytest.raises(UsageError, match=r"TensorFlow 2\.16 on Python 3\.11 and 3\.12; here is"):
        tfio.audio_dataset("*.wav")


def test_the_example_of_the_documentation(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    soundfile.write("recordings/one.flac", np.zeros(8000), 8000)
    assert run_examples("zoo.data.corpora.tfio")
