"""Representations beside NumPy, SciPy and librosa, and inside models, on every backend."""

import dataclasses

import keras
import numpy as np
import pytest
import scipy.fft
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import harness
from tests.helpers.probes import representations
from zoo import layers
from zoo.data.features import analysis, filterbanks
from zoo.data.features.frontend import LEVELS, RMS, level_file
from zoo.data.features.representations import REPRESENTATIONS, STFT_FORMS

RNG = np.random.default_rng(0)
WAVES = (0.3 * RNG.standard_normal((4, 900))).astype("float32")
WAVES[1, :500] = 0.0


def stft(waves, frame=267, hop=147, fft=400):
    """Literally the formula: (N, F, T) complex."""
    starts = range(0, waves.shape[1] - frame + 1, hop)
    window = np.hamming(frame)
    spectra = [np.fft.rfft(waves[:, s : s + frame] * window, fft) for s in starts]
    return np.stack(spectra, axis=2)


WAYS = {
    "called": lambda layer, x: keras.ops.convert_to_numpy(layer(x)),
    "analysed": lambda layer, x: layer.analyse(x),
}
either_way = pytest.mark.parametrize("way", WAYS)


def represent(name, waves=WAVES, deltas=0, way="called", **arguments):
    x = waves
    for layer in layers.representation_layers(
        layers.representation_settings(name, deltas, **arguments)
    ):
        x = WAYS[way](layer, x)
    return x


@either_way
@pytest.mark.parametrize("framing", [(267, 147, 400), (200, 80, 200), (50, 60, 75)])
@pytest.mark.parametrize("form", STFT_FORMS)
def test_forms_are_those_of_numpys_transform(form, framing, way):
    frame, hop, fft = framing
    exact = stft(WAVES.astype("float64"), *framing)
    found = represent(form, way=way, frame_length=frame, hop_length=hop, fft_length=fft)
    if form == "magnitude_phase":
        assert (found[..., 1] <= np.float32(np.pi)).all()
        assert (found[..., 1] > -np.float32(np.pi)).all()
        found = found[..., 0] * np.exp(1j * found[..., 1])
        np.testing.assert_allclose(found, exact, atol=1e-4)
        return
    expected = {
        "real": exact.real,
        "magnitude": np.abs(exact),
        "real_imaginary": np.stack([exact.real, exact.imag], axis=-1),
        "power": np.abs(exact) ** 2,
        "log_magnitude": np.log(np.abs(exact) + 0.01),
        "log_power": np.log(np.abs(exact) ** 2 + 1e-4),
    }[form]
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-3, atol=1e-3)
    assert found.dtype == np.float32


@either_way
def test_a_phase_is_never_a_matter_of_rounding(way):
    """Where the imaginary part is zero by definition, it is 0 or pi; in silence it is 0."""
    phase = represent("magnitude_phase", way=way)[..., 1]
    of_real_bins = phase[:, [0, -1]]
    assert np.isin(of_real_bins, np.float32([0, np.pi])).all()
    assert np.ptp(of_real_bins) > 3
    assert (phase[1, :, 0] == 0).all()
    assert represent("real_imaginary", way=way)[0, :, :, 1].std() > 0.1


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(REPRESENTATIONS),
    # Shorter transforms leave bands without a bin.
    frame=st.integers(8, 60),
    hop=st.integers(1, 70),
    longer=st.integers(0, 20),
    length=st.integers(1, 400),
    number=st.integers(0, 5),
    block=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_numpy_gives_what_a_model_does(name, frame, hop, longer, length, number, block, seed):
    """Whatever the framing, with silence inside and around, and blocks that end anywhere."""
    rng = np.random.default_rng(seed)
    waves = rng.standard_normal((number, length)).astype("float32")
    for wave in waves:
        first, last = sorted(rng.integers(0, length + 1, 2))
        wave[first:last] = 0.0
    framing = {"frame_length": frame, "hop_length": hop, "fft_length": frame + longer}
    if name == "frames":
        del framing["fft_length"]
    if name in ("log_mel", "mfcc", "gammatone"):
        framing |= {"filters": 2, "low": 0.0, "high": 8000.0, "log_offset": 0.1}
    if name == "mfcc":
        framing["coefficients"] = 2
    (layer,) = layers.representation_layers(layers.representation_settings(name, **framing))
    found = layer.formula.analyse(waves, block)
    assert found.shape == layer.compute_output_shape(waves.shape)
    assert found.dtype == np.float32
    if not found.size:
        return
    expected = keras.ops.convert_to_numpy(layer(waves))
    if name == "magnitude_phase":
        found, expected = (x[..., 0] * np.exp(1j * x[..., 1]) for x in (found, expected))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@either_way
def test_mel_bands_and_cepstra_by_hand(way):
    power = np.abs(stft(WAVES.astype("float64"))) ** 2
    weights = filterbanks.mel_weights(40, 400, 16000, 20.0, 8000.0, "htk")
    bands = np.log(np.einsum("fb,nft->nbt", weights, power) + 1e-4)
    np.testing.assert_allclose(represent("log_mel", way=way)[..., 0], bands, atol=1e-3)
    cepstra = scipy.fft.dct(bands, type=2, axis=1, norm="ortho")[:, :13]
    np.testing.assert_allclose(represent("mfcc", way=way)[..., 0], cepstra, atol=2e-3)
    # One triangle from 0 to 1 kHz over bins of 500 Hz; the scale is linear there.
    low = filterbanks.mel_weights(1, 16, 8000, 0.0, 1000.0, "slaney")
    np.testing.assert_allclose(low[:4, 0], [0, 1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
def test_mel_triangles_are_librosas(scale):
    librosa = pytest.importorskip("librosa", reason="librosa is in the bench extra")
    theirs = librosa.filters.mel(
        sr=16000, n_fft=400, n_mels=40, fmin=20.0, fmax=7600.0, htk=scale == "htk", norm=None
    )
    ours = filterbanks.mel_weights(40, 400, 16000, 20.0, 7600.0, scale)
    np.testing.assert_allclose(ours, theirs.T, atol=1e-6)
    spectrum = np.abs(stft(WAVES)) ** 2
    mfcc = librosa.feature.mfcc(S=np.log(theirs @ spectrum + 1e-4), n_mfcc=20)
    found = represent("mfcc", scale=scale, high=7600.0, coefficients=20)
    np.testing.assert_allclose(found[..., 0], mfcc, atol=2e-3)


def test_gammatone_responses_are_those_of_scipys_filters():
    """SciPy's order 4 filters have the negative frequencies' image, which dies out above 300 Hz."""
    centres = filterbanks.erb_centres(64, 50.0, 7500.0)
    ours = filterbanks.gammatone_weights(64, 400, 16000, 50.0, 7500.0)
    bins = np.arange(201) * 40.0
    for band in range(20, 60, 8):
        b, a = scipy.signal.gammatone(centres[band], "fir", order=4, numtaps=4096, fs=16000)
        _, response = scipy.signal.freqz(b, a, worN=bins, fs=16000)
        theirs = np.abs(response) ** 2
        _, peak = scipy.signal.freqz(b, a, worN=[centres[band]], fs=16000)
        np.testing.assert_allclose(ours[:, band], theirs / np.abs(peak) ** 2, atol=0.01)
    steps = np.diff(21.4 * np.log10(0.00437 * centres + 1))
    np.testing.assert_allclose(steps, steps[0])
    assert centres[[0, -1]] == pytest.approx([50.0, 7500.0])


@either_way
def test_gammatone_bands_by_hand(way):
    power = np.abs(stft(WAVES.astype("float64"))) ** 2
    weights = filterbanks.gammatone_weights(64, 400, 16000, 50.0, 7500.0)
    bands = np.log(np.einsum("fb,nft->nbt", weights, power) + 1e-4)
    np.testing.assert_allclose(represent("gammatone", way=way)[..., 0], bands, atol=1e-3)


@either_way
def test_frames_are_the_samples(way):
    found = represent("frames", way=way)
    for number in range(found.shape[2]):
        frame = WAVES[:, 147 * number : 147 * number + 267]
        np.testing.assert_array_equal(found[:, :, number, 0], frame)


def slopes(x, reach):
    """The regression formula along the last axis, literally."""
    out = np.zeros_like(x)
    last = x.shape[-1] - 1
    for t in range(last + 1):
        for n in range(1, reach + 1):
            out[..., t] += n * (x[..., min(t + n, last)] - x[..., max(t - n, 0)])
    return out / (2 * sum(n * n for n in range(1, reach + 1)))


@settings(max_examples=25, deadline=None)
@given(
    frames=st.integers(1, 7),
    channels=st.integers(1, 2),
    reach=st.integers(1, 4),
    seed=st.integers(0, 99),
    way=st.sampled_from(list(WAYS)),
)
def test_deltas_are_the_regression_formula(frames, channels, reach, seed, way):
    x = np.random.default_rng(seed).standard_normal((2, 3, frames, channels)).astype("float32")
    found = WAYS[way](layers.Deltas(2, 2 * reach + 1), x)
    assert found.shape == (2, 3, frames, 3 * channels)
    first = slopes(np.moveaxis(x.astype("float64"), 2, -1), reach)
    second = slopes(first, reach)
    expected = [x, np.moveaxis(first, -1, 2), np.moveaxis(second, -1, 2)]
    np.testing.assert_allclose(found, np.concatenate(expected, axis=-1), atol=1e-5)


@pytest.mark.parametrize("name", REPRESENTATIONS)
@pytest.mark.parametrize("samples", [0, 1, 266])
def test_a_waveform_shorter_than_a_frame_has_no_frames(name, samples):
    (layer,) = layers.representation_layers(layers.representation_settings(name))
    waves = np.ones((2, samples), "float32")
    expected = layer.compute_output_shape(waves.shape)
    assert expected[2] == 0
    assert layer(waves).shape == layer.analyse(waves).shape == expected
    model = keras.Sequential([keras.Input((None,)), layer])
    assert model(waves).shape == expected


def test_deltas_of_a_ramp_are_its_slope():
    ramp = 3.0 * np.arange(9, dtype="float32").reshape(1, 1, 9, 1)
    inner = keras.ops.convert_to_numpy(layers.Deltas(2)(ramp))[0, 0, 4]
    np.testing.assert_allclose(inner, [12.0, 3.0, 0.0], atol=1e-6)


def test_deltas_are_librosas():
    librosa = pytest.importorskip("librosa", reason="librosa is in the bench extra")
    x = RNG.standard_normal((5, 16)).astype("float32")
    found = keras.ops.convert_to_numpy(layers.Deltas(1, 9)(x[None, :, :, None]))[0, :, :, 1]
    np.testing.assert_allclose(found, librosa.feature.delta(x, width=9, mode="nearest"), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    samples=st.integers(1, 40),
    before=st.integers(0, 30),
    after=st.integers(0, 30),
    gain=st.floats(1e-4, 1.0),
    mode=st.sampled_from(["peak", "rms"]),
    way=st.sampled_from(list(WAYS)),
)
def test_level_does_not_depend_on_padding_or_gain(samples, before, after, gain, mode, way):
    wave = np.random.default_rng(samples).uniform(0.1, 1, (1, samples)).astype("float32")
    level = layers.Level(mode, 0.2)
    alone = WAYS[way](level, wave)
    padded = np.pad(gain * wave, ((0, 0), (before, after))).astype("float32")
    within = WAYS[way](level, padded)
    np.testing.assert_allclose(within, WAYS["called"](level, padded), rtol=1e-4)
    np.testing.assert_allclose(within[:, before : before + samples], alone, rtol=1e-4)
    size = np.abs(alone).max() if mode == "peak" else np.sqrt(np.mean(alone.astype("float64") ** 2))
    assert size == pytest.approx(1.0 if mode == "peak" else 0.2, rel=1e-5)


@either_way
def test_silence_stays_silence_and_quiet_is_not_silence(way):
    waves = np.stack([np.zeros(50), np.full(50, 1e-25)]).astype("float32")
    for mode in ("peak", "rms"):
        out = WAYS[way](layers.Level(mode), waves)
        assert (out[0] == 0).all()
        np.testing.assert_allclose(out[1], 1.0 if mode == "peak" else 0.1, rtol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
def test_a_file_is_levelled_by_the_layers_rule(level):
    scaled, mode = LEVELS[level]
    for wave in (WAVES[1], np.zeros(9, "float32")):
        expected = layers.Level(mode if scaled == "file" else "none", RMS)(wave[None])
        found = level_file(wave, level)
        np.testing.assert_allclose(found, keras.ops.convert_to_numpy(expected)[0], atol=1e-6)
        assert found.dtype == np.float32


FRAMING = {"frame_length": 60, "hop_length": 30, "fft_length": 128}
BANDS = {"filters": 9, "low": 100.0, "sample_rate": 8000, "log_offset": 1e-3, **FRAMING}
CONTRACT = {
    **{
        f"Spectrogram {form}": {"representation": form, "log_offset": 0.1, **FRAMING}
        for form in STFT_FORMS
        if form != "real"
    },
    "LogMel": {"high": 3000.0, "scale": "slaney", **BANDS},
    "MFCC": {"coefficients": 5, "high": 3000.0, "scale": "slaney", **BANDS},
    "Gammatone": {"high": 3000.0, **BANDS},
    "Frames": {"frame_length": 60, "hop_length": 30},
    "Level": {"mode": "rms", "rms": 0.3},
}
SHORT = WAVES[:, :150]


@pytest.mark.parametrize("name", CONTRACT)
def test_layer_contract(name, tmp_path):
    def make(**kwargs):
        return getattr(layers, name.split()[0])(**CONTRACT[name], **kwargs)

    def model_of(layer):
        waveform = keras.Input((150,))
        # A weight before the layer, so that the training step needs the layer's gradient.
        return keras.Model([waveform], layer(keras.layers.Dense(150)(waveform)))

    run_contract(make, model_of, SHORT, tmp_path)


def test_deltas_contract(tmp_path):
    def model_of(layer):
        x = keras.Input((4, 7, 2))
        return keras.Model([x], layer(keras.layers.Dense(2)(x)))

    x = RNG.standard_normal((4, 4, 7, 2)).astype("float32")
    run_contract(lambda **kwargs: layers.Deltas(2, 7, **kwargs), model_of, x, tmp_path)


def run_contract(make, model_of, x, tmp_path):
    layer = make()
    harness.check_config(layer)
    model = model_of(layer)
    harness.check_revived(model, model_of, layer, [x])
    harness.check_copies(model, [x], tmp_path)
    for jit_compile in (False, True):
        harness.check_training_step(model_of(make()), [x], jit_compile)
    harness.check_batches(model, [x])
    assert make(dtype="mixed_float16").compute_dtype == "float32"


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_mixed_precision_changes_nothing(name):
    plain = represent(name, deltas=1)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = represent(name, deltas=1)
        level = layers.Level("rms")(WAVES)
        centred = layers.SubtractMean(np.full(WAVES.shape[1], 0.1))(WAVES)
    finally:
        keras.config.set_dtype_policy("float32")
    np.testing.assert_array_equal(mixed, plain)
    assert keras.backend.standardize_dtype(level.dtype) == "float32"
    np.testing.assert_allclose(centred, WAVES - 0.1, atol=1e-7)


@pytest.mark.parametrize("name", ["LogMel", "MFCC", "Gammatone", "Spectrogram", "Frames", "Deltas"])
def test_defaults_are_the_same_with_and_without_keras(name):
    layer, formula = getattr(layers, name)(), getattr(analysis, name)()
    assert layer.formula == formula
    settings = dataclasses.asdict(formula)
    assert {k: getattr(layer, k) for k in settings} == settings


def test_unknown_parameters_are_refused_by_name():
    with pytest.raises(ValueError, match=r"frames takes frame_length, hop_length; .*'fft_length'"):
        layers.representation_settings("frames", fft_length=512)


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_settings_hold_every_parameter(name):
    given = layers.representation_settings(name, 2, hop_length=100)
    assert given["hop_length"] == 100
    assert given["deltas"] == {"order": 2, "width": 5}
    first, deltas = layers.representation_layers(given)
    config = {
        k: v for k, v in first.get_config().items() if k not in ("name", "dtype", "trainable")
    }
    assert config.items() <= given.items()
    assert deltas.order == 2
    shape = deltas.compute_output_shape(first.compute_output_shape((None, 900)))
    assert represent(name, deltas=2, hop_length=100).shape == (4, *shape[1:])


@pytest.fixture(scope="module")
def every_representation():
    """One model that gives all representations with deltas, its level taken by RMS."""
    waveform = keras.Input((900,), name="waveform")
    levelled = layers.Level("rms")(waveform)
    outputs = {}
    for name in REPRESENTATIONS:
        x = levelled
        for layer in layers.representation_layers(layers.representation_settings(name, 2)):
            x = layer(x)
        outputs[name] = x
    bank = layers.LearnableFilterbank(8, sample_rate=16000)
    outputs["learnable"] = bank(keras.layers.Reshape((900, 1))(levelled))
    model = keras.Model(waveform, list(outputs.values()))
    results = [keras.ops.convert_to_numpy(y) for y in model(WAVES)]
    return model, dict(zip(outputs, results, strict=True))


def same_set(found, expected):
    """Every expected array is among `found`, whatever the order: formats rename outputs."""
    assert len(found) == len(expected)
    for name, array in expected.items():
        scale = np.abs(array).max()
        alike = [f for f in found if f.shape == array.shape]
        gap = min(distance(f, array, name) for f in alike)
        assert gap < 1e-3 * scale, f"{name} differs by {gap}"


def distance(found, array, name):
    if name != "magnitude_phase":
        return np.abs(found - array).max()
    # Deltas of a phase that is pi here and -pi there differ; the coefficients do not.
    ours, theirs = (x[..., 0] * np.exp(1j * x[..., 1]) for x in (found, array))
    return np.abs(ours - theirs).max()


@pytest.mark.tensorflow
def test_savedmodel(every_representation, tmp_path):
    import tensorflow as tf

    model, expected = every_representation
    model.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")
    same_set([y.numpy() for y in loaded.serve(WAVES)], expected)


@pytest.mark.tensorflow
def test_litert_with_built_in_operations_only(every_representation, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    model, expected = every_representation
    path = tmp_path / "model.tflite"
    model.export(path, format="litert", verbose=False)
    interpreter = litert.Interpreter(model_path=str(path))
    given = interpreter.get_input_details()[0]
    interpreter.resize_tensor_input(given["index"], WAVES.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], WAVES)
    interpreter.invoke()
    found = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    same_set(found, expected)
    used = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not {name for name in used if name.startswith("Flex") or name == "CUSTOM"}


@pytest.mark.tensorflow
def test_onnx(every_representation, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    model, expected = every_representation
    path = tmp_path / "model.onnx"
    model.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    same_set(session.run(None, {session.get_inputs()[0].name: WAVES}), expected)


def test_gradients_are_finite_in_silence():
    for name, array in representations.results().items():
        assert np.isfinite(array).all(), name
        assert array.any(), name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: layers.Spectrogram("phase"), "representation must be one of real, magnitude"),
        (lambda: layers.Spectrogram(fft_length=200), "frame_length=267, fft_length=200"),
        (lambda: layers.Frames(0), "must be 1 or more; received frame_length=0"),
        (lambda: layers.LogMel(scale="bark"), "scale must be one of htk, slaney"),
        (lambda: layers.LogMel(high=9000.0), "received filters=40, low=20.0, high=9000.0"),
        (lambda: layers.LogMel(300)(WAVES), "of 300 bands hold no bin"),
        (lambda: layers.MFCC(41), "received coefficients=41, filters=40"),
        (lambda: layers.Deltas(3), "order must be 1 or 2 and width odd"),
        (lambda: layers.Deltas(1, 4), "received order=1, width=4"),
        (lambda: layers.Level("loud"), "mode must be one of none, peak, rms"),
        (lambda: layers.Level("rms", 0.0), "rms must be above 0"),
        (lambda: layers.SubtractMean(np.zeros(3))(np.zeros((1, 4))), "that of one example"),
    ],
)
def test_wrong_use_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
