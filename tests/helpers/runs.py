"""Run folders without training, recordings and WAV files to try them with."""

from __future__ import annotations

import io
import struct

import numpy as np

REPRESENTATION = {
    "representation": "real",
    "frame_length": 267,
    "hop_length": 147,
    "fft_length": 400,
    "log_offset": 0.01,
}
LENGTH = 2554


def make_run(folder, level="segment", name="freq_fullpad", frontend=None, classes=None):
    """Write a run of a network with random weights, large enough that its answers differ."""
    import keras

    import zoo
    from zoo.data.corpora.phones import CLASSES
    from zoo.data.features.frontend import Frontend
    from zoo.runs import Run
    from zoo.training.inputs import mark_argument

    folder.mkdir(parents=True)
    keras.utils.set_random_seed(7)
    if frontend is None:
        mean = np.random.default_rng(7).normal(size=(201, 16, 1)).astype("float32")
        frontend = Frontend(16000, LENGTH, level, REPRESENTATION, mean)
    run = Run(folder)
    family, count = zoo.describe(name).family, len(classes or CLASSES)
    own = {"classes": count} if classes else {}
    own |= mark_argument(zoo.describe(name), frontend.context > 0)
    model = zoo.build(name, input_shape=frontend.shape, **own)
    if family == "classifier":
        last = model.layers[-1]
        kernel = next(w for layer in model.layers for w in layer.weights if w.shape[-1] == count)
        kernel.assign(kernel * 8.0)
        assert last.output.shape == (None, count)
    about = {"model": name, "family": family, "classes": list(classes or CLASSES)}
    if classes:
        about["groups"] = {name: name for name in classes}
    run.record(about, frontend)
    run.history = {}
    run.finish(model)
    return folder


SMALL = {"filters": (4, 8), "block_filters": 16}
"""Of a `tdnn` that is quick."""


def make_recognizer(
    folder, name="tdnn", window=None, *, frontend=None, decoder=True, overrides=None, **config
):
    """Write a run that transcribes, with random weights; its answers change from frame to frame."""
    import keras

    import zoo
    from zoo.data.corpora.phones import CLASSES, GROUPS
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import Frontend
    from zoo.decoding import Decoder, Settings
    from zoo.runs import Run

    folder.mkdir(parents=True)
    keras.utils.set_random_seed(7)
    if frontend is None:
        representation = representation_settings("log_mel", hop_length=160, frame_length=400)
        mean = np.zeros((40, 1, 1), "float32")
        frontend = Frontend(
            16000, None, "file", representation, mean, normalize="recording", whole=True
        )
    rows, _, channels = frontend.shape
    overrides = SMALL if overrides is None and name == "tdnn" else overrides or {}
    model = zoo.build(name, input_shape=(rows, window, channels), **overrides)
    kernels = [w for w in model.trainable_weights if w.shape[-1] == 48 and len(w.shape) > 1]
    kernels[-1].assign(kernels[-1] * (80.0 if window else 8.0))
    family = zoo.describe(name).family
    run = Run(folder)
    about = {"model": name, "family": family, "classes": list(CLASSES), "groups": GROUPS}
    run.record({**about, "window": window, **config}, frontend)
    run.history = {}
    run.finish(model)
    if decoder:
        labels = np.repeat(np.random.default_rng(0).integers(0, 48, 2000), 8)
        settings = Settings(prior_exponent=0.0, bigram_weight=0.2)
        run.save_decoder(Decoder.count([labels], CLASSES, settings), {})
    return folder


def make_transcriber(folder, window=None, level="file", frontend=None, recurrent=False):
    """Write a run that transcribes, of random weights: a recogniser, or a classifier of windows."""
    import keras
    from keras import layers

    from zoo.data.corpora.phones import CLASSES
    from zoo.data.features.analysis import representation_settings
    from zoo.data.features.frontend import Frontend
    from zoo.decoding import Decoder
    from zoo.runs import Run

    folder.mkdir(parents=True)
    keras.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    if frontend is None:
        framing = {"frame_length": 400, "hop_length": 160, "fft_length": 400}
        frontend = Frontend(
            16000,
            None,
            level,
            representation_settings("log_mel", **framing),
            rng.normal(size=(40, 1, 1)).astype("float32") / 4,
            normalize="recording",
            whole=True,
        )
    inputs = keras.Input((40, window, 1), name="spectrogram")
    x = layers.Reshape((-1, 40))(layers.Permute((2, 1, 3))(inputs))
    x = layers.Conv1D(32, 5, padding="same", activation="tanh")(x)
    if recurrent:
        x = layers.Bidirectional(layers.GRU(8, return_sequences=True))(x)
    if window:
        x = layers.Flatten()(x)
    scale = keras.initializers.RandomNormal(stddev=0.2 if window else 1.0)
    outputs = layers.Dense(48, "softmax", kernel_initializer=scale)(x)
    labels = [np.repeat(rng.integers(0, 48, 40), rng.integers(2, 12, 40)) for _ in range(20)]
    run = Run(folder)
    config = {"model": "small", "family": "classifier" if window else "recognizer"}
    run.record({**config, "classes": list(CLASSES), "window": window}, frontend)
    run.save_decoder(Decoder.count(labels, CLASSES), {})
    run.history = {}
    run.finish(keras.Model(inputs, outputs))
    return folder


def write_dictionary(path):
    """A dictionary of a few words, in CMUdict's format, the phones of one of which nobody knows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "HELLO  HH AH0 L OW1\nHELLO(2)  HH EH0 L OW1\nworld W ER1 L D\ncat K AE1 T\n"
        "dog D AO1 G\ndog's D AO1 G Z\n'twas T W AH1 Z\ntone \u02e5 \u02e9\nécole EH K AO L\n"
    )
    return path


def speech(seconds, rate=16000, seed=0):
    """Something like it: stretches of noise, tones and silence one after the other, 16-bit."""
    rng = np.random.default_rng(seed)
    parts, left = [], round(seconds * rate)
    while left > 0:
        samples = min(left, int(rng.integers(rate // 25, rate // 4)))
        time = np.arange(samples) / rate
        kind = rng.integers(4)
        tones = sum(np.sin(2 * np.pi * f * time) for f in rng.uniform(100, 0.4 * rate, kind))
        noise = rng.normal(size=samples) * rng.choice([0.001, 0.3])
        parts.append(rng.uniform(0.02, 0.2) * (tones + noise) * (kind < 3))
        left -= samples
    whole = np.concatenate(parts)
    return (np.round(whole * 32768).clip(-32768, 32767) / 32768).astype("float32")


def recording(samples, channels=1, seed=0):
    """Noise of 16-bit values, float32, (samples,) or (samples, channels)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(samples, channels) if channels > 1 else samples) * 3000
    return (np.round(values).clip(-32768, 32767) / 32768).astype("float32")


def wav(samples, rate=16000, subtype="PCM_16", kind="WAV"):
    """Contents of a WAV file as libsndfile writes it."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, subtype=subtype, format=kind)
    return buffer.getvalue()


def riff(*chunks):
    """A RIFF/WAVE file of (name, contents) or (name, contents, announced size) chunks."""
    body = b"WAVE"
    for name, contents, *size in chunks:
        body += name + struct.pack("<I", *(size or [len(contents)])) + contents
        body += b"\0" * (len(contents) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def fmt(channels=1, rate=16000, bits=16, tag=1):
    """Contents of a plain fmt chunk."""
    block = channels * bits // 8
    return struct.pack("<HHIIHH", tag, channels, rate, rate * block, block, bits)


def bad_wavs():
    """Name -> (contents, part of the message that it must get)."""
    audio = recording(2000)
    good = wav(audio)
    return {
        "24-bit": (wav(audio, subtype="PCM_24"), "24-bit samples"),
        "8-bit": (wav(audio, subtype="PCM_U8"), "8-bit samples"),
        "floating-point": (wav(audio, subtype="FLOAT"), "floating-point samples"),
        "mu-law": (wav(audio, subtype="ULAW"), "mu-law samples"),
        "empty": (b"", "the file is empty"),
        "text": (b"this is not audio, but quite some text all the same", "RIFF and WAVE"),
        "flac": (wav(audio, kind="FLAC"), "RIFF and WAVE"),
        "cut in the samples": (good[:1000], "promises 4000 bytes of samples, there are 956"),
        "cut in the header": (good[:30], "ends within its header"),
        "cut before the samples": (good[:36], "no data chunk"),
        "only RIFF": (b"RIFF", "RIFF and WAVE"),
        "no samples": (wav(audio[:0]), "no samples"),
        "no format": (riff((b"data", bytes(100))), "no fmt chunk"),
        "too long": (wav(np.zeros(61 * 8000, "float32"), 8000), "more than 60 s"),
        "rate 0": (riff((b"fmt ", fmt(rate=0)), (b"data", bytes(100))), "0 Hz"),
        "no channels": (riff((b"fmt ", fmt(channels=0)), (b"data", bytes(100))), "0 channels"),
    }
