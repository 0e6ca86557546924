"""Objectives and penalties of autoencoders, beside NumPy and explicit Jacobians."""

import keras
import numpy as np
import pytest

import zoo
from zoo.models.encoders import encoder_of
from zoo.training.objectives import OBJECTIVES, EuclideanError, flat_pair
from zoo.training.penalties import PenalisedAutoencoder, squared_jacobian

RNG = np.random.default_rng(0)
SHAPE = (29, 8, 1)


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def each(name, target, output):
    return numpy(OBJECTIVES[name](reduction="none")(target, output))


def pair(examples=5):
    return RNG.normal(size=(2, examples, *SHAPE)).astype("float32")


def test_distances_by_hand():
    target = np.array([[3.0, 4.0], [1.0, 0.0]], "float32")[:, None, :, None]
    output = np.array([[6.0, 8.0], [0.0, 2.0]], "float32")[:, None, :, None]
    np.testing.assert_allclose(each("euclidean", target, output), [25, 5], rtol=1e-6)
    np.testing.assert_allclose(each("scale_invariant", target, output), [0, 1], atol=1e-5)
    np.testing.assert_allclose(each("spectral_convergence", target, output), [1, 5**0.5], rtol=1e-6)
    np.testing.assert_allclose(each("cosine", target, output), [0, 1], atol=1e-6)


def test_scale_invariant_is_the_least_squared_distance_over_gains():
    target, noise = pair()
    output = target + noise
    gains = np.linspace(0, 2, 4001)
    for x, y, found in zip(target, output, each("scale_invariant", target, output), strict=True):
        least = min(((x - g * y) ** 2).sum() for g in gains)
        assert found == pytest.approx(least, rel=1e-4)
    np.testing.assert_allclose(
        each("scale_invariant", target, 7 * output),
        each("scale_invariant", target, output),
        rtol=1e-4,
    )


def test_a_negative_copy_is_the_worst_answer_to_scale_invariance():
    target, other = pair()
    worst = each("scale_invariant", target, -target)
    np.testing.assert_allclose(worst, 2 * (target**2).sum(axis=(1, 2, 3)), rtol=1e-4)
    assert (worst > each("scale_invariant", target, other)).all()


@pytest.mark.parametrize("name", ["tdnn_ae", "crnn_frames_ae"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_recordings_of_any_length_are_scored_as_the_same_arrays(name, objective):
    model = zoo.build(name)
    model.compile("sgd", OBJECTIVES[objective](), metrics=[EuclideanError()])
    for frames in (1, 7, 12):
        x, weights = RNG.normal(size=(2, 3, 40, frames, 1)).astype("float32")
        target = np.concatenate([x, (weights > 0).astype("float32")], axis=-1)
        found = model.evaluate(x, target, verbose=0, return_dict=True)
        counted = (weights > 0) * 1.0
        output = numpy(model(x)) * counted
        expected = each(objective, x * counted, output.astype("float32")).mean()
        assert found["loss"] == pytest.approx(expected, rel=1e-4)
        distance = np.sqrt(((output - x * counted) ** 2).sum(axis=(1, 2, 3))).mean()
        assert found["euclidean_error"] == pytest.approx(distance, rel=1e-4)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_only_what_counts_is_compared(name):
    target, output = pair()
    counts = (RNG.random(target.shape) < 0.5).astype("float32")
    hidden = np.concatenate([target, counts], axis=-1)
    expected = each(name, target * counts, output * counts)
    np.testing.assert_allclose(each(name, hidden, output), expected, rtol=1e-5)
    elsewhere = output + 100 * (1 - counts)
    np.testing.assert_allclose(each(name, hidden, elsewhere), expected, rtol=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_silent_targets_and_outputs_are_finite(name):
    target, output = pair()
    assert np.isfinite(each(name, np.zeros_like(target), output)).all()
    assert np.isfinite(each(name, target, np.zeros_like(output))).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives_are_saved_by_name(name):
    loss = OBJECTIVES[name]()
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == f"zoo>{type(loss).__name__}"
    assert type(keras.losses.deserialize(config)) is type(loss)


def test_euclidean_error_is_the_mean_distance_over_batches():
    target, output = pair(7)
    metric = EuclideanError()
    metric.update_state(target[:3], output[:3])
    metric.update_state(target[3:], output[3:])
    expected = np.linalg.norm((target - output).reshape(7, -1), axis=1).mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def test_pairs_are_flat_and_alike():
    target, output = pair()
    one, other = flat_pair(target, output)
    assert one.shape == other.shape == (5, 29 * 8)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return zoo.build("freq_fullpad_ae", units=1, input_shape=SHAPE, activation="tanh")


def test_the_contractive_term_is_the_jacobian(network):
    encode = encoder_of(network)
    every = np.eye(np.prod(SHAPE), dtype="float32").reshape(-1, *SHAPE)
    for example in pair(3)[0]:
        x = np.broadcast_to(example, every.shape)
        step = 1e-2
        central = (numpy(encode(x + step * every)) - numpy(encode(x - step * every))) / (2 * step)
        norm = (central**2).sum()
        along_axes = numpy(squared_jacobian(encode, x, every))
        assert along_axes.sum() == pytest.approx(norm, rel=0.02)
        directions = RNG.normal(size=(300, *SHAPE)).astype("float32")
        drawn = numpy(squared_jacobian(encode, np.repeat(x[:1], 300, axis=0), directions))
        assert drawn.mean() == pytest.approx(norm, rel=0.1)


@pytest.mark.parametrize("term", ["sparse", "contractive"])
def test_terms_are_added_in_training_alone_and_shrink_the_code(network, term, tmp_path):
    x = pair(4)[0]
    keras.utils.set_random_seed(1)
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    model = PenalisedAutoencoder(copy, **{term: 0.5})
    model.compile(keras.optimizers.SGD(0.0), OBJECTIVES["euclidean"](), jit_compile=False)
    plain = float(numpy(OBJECTIVES["euclidean"]()(x, network(x))))
    assert model.evaluate(x, x, verbose=0) == pytest.approx(plain, rel=1e-5)
    code = numpy(keras.Model(copy.input, copy.get_layer("code").output)(x))
    trained = model.train_on_batch(x, x)
    if term == "sparse":
        magnitudes = np.abs(code).sum(axis=(1, 2, 3)).mean()
        assert trained == pytest.approx(plain + 0.5 * magnitudes, rel=1e-4)
    else:
        assert trained > plain + 0.01
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert getattr(loaded, term) == 0.5
    assert len(loaded.weights) == len(network.weights)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(network(x)), atol=1e-5)
