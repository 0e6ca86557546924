"""The one interface: layers, inputs, options, averages."""

import numpy as np
import pytest

import zoo
from tests.helpers.networks import network, spectrograms
from zoo.errors import UsageError
from zoo.inversion import layer_numbers, reconstruct


@pytest.fixture(scope="module")
def model():
    return network()


def test_numbers_of_the_thesis_name_its_layers():
    numbers = layer_numbers(zoo.build("freq_overlap"))
    found = [numbers[n] for n in ("L1", "L3", "L6", "L9", "L12")]
    assert found == ["conv1", "pool1", "pool2", "pool3", "fc2"]
    assert layer_numbers(zoo.build("freq_fullpad")) == {}


@pytest.mark.parametrize(("layer", "name"), [("L3", "pool1"), (3, "pool1"), ("fc1", "fc1")])
def test_layers_by_name_and_by_number(model, layer, name):
    result = reconstruct(model, layer, spectrograms(2), steps=2)
    assert result.layer == name
    assert result.reconstruction.shape == (2, 24, 6, 1)
    assert result.error.shape == result.distance.shape == (2,)


def test_wrong_layer_is_answered_with_the_list(model):
    with pytest.raises(UsageError, match=r"no layer 'pool9'. Its layers: conv1, act1, pool1.*L1"):
        reconstruct(model, "pool9", spectrograms(1))
    with pytest.raises(UsageError, match="Only models of convolution, activation, pooling"):
        reconstruct(zoo.build("freq_fullpad"), "L3", spectrograms(1))


def bad_inputs():
    nan = spectrograms(2)
    nan[1, 3, 3] = np.nan
    silent = spectrograms(2)
    silent[1] = 0.25
    return [
        (spectrograms(1)[0], r"\(N, 24, 6, 1\); received \(24, 6, 1\). Give a single one as"),
        (spectrograms(2)[:, :20], r"received \(2, 20, 6, 1\)"),
        (spectrograms(2)[:0], r"received \(0, 24, 6, 1\)"),
        (nan, "input 1 holds NaN"),
        (silent, "input 1 is constant \\(silence\\)"),
        ("loud", "array of numbers"),
    ]


@pytest.mark.parametrize(("inputs", "message"), bad_inputs())
def test_inputs_that_say_nothing_are_refused(model, inputs, message):
    with pytest.raises(UsageError, match=message):
        reconstruct(model, "conv1", inputs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "gradients"}, "Did you mean 'gradient'"),
        ({"step": 3}, "has no option 'step'. Did you mean 'steps'"),
        ({"method": "annealing", "l2": 1}, "'annealing' has no option 'l2'"),
        ({"steps": 0}, "steps must be 1 or more"),
        ({"optimizer": "sgd"}, "unknown optimizer 'sgd'. Valid names: adam, bold, lbfgs"),
        ({"averaged": 2, "start": spectrograms(1)}, "all be the same: give noise"),
        ({"method": "decoder", "decoder": 3}, "decoder must be"),
        ({"deltas": 1}, "not static ones followed by 1 orders"),
        ({"deltas": {"width": 3}}, "not static ones followed by 1 orders"),
        ({"deltas": {"order": 1, "widht": 3}}, "the arguments of zoo.layers.Deltas; received"),
        ({"deltas": -1}, "deltas must be 0, 1 or 2, or the arguments"),
        ({"noise": -1}, "noise must be 0 or more"),
        ({"noise": "x"}, "noise must be 0 or more; received 'x'"),
        ({"seed": -1}, "seed must be 0 to 4294967295; received -1"),
        ({"l2": "x"}, "l2 must be a number, 0 or more; received 'x'"),
    ],
)
def test_wrong_options_say_what_would_be_right(model, arguments, message):
    with pytest.raises(UsageError, match=message):
        reconstruct(model, "conv1", spectrograms(1), **arguments)


def test_the_seed_decides_the_start(model):
    x = spectrograms(2)
    first, again, other = (reconstruct(model, "L6", x, steps=3, seed=s) for s in (4, 4, 5))
    np.testing.assert_array_equal(first.reconstruction, again.reconstruction)
    assert (first.reconstruction != other.reconstruction).any()


@pytest.mark.parametrize("method", ["gradient", "annealing"])
def test_averages_are_of_searches_from_different_starts(model, method):
    x = spectrograms(2)
    options = {"steps": 4, "seed": 1}
    average = reconstruct(model, "L3", x, method, averaged=3, **options)
    assert average.start.shape == (6, 24, 6, 1)
    assert average.history.shape[1] == 2
    starts = average.start.reshape(2, 3, 24, 6, 1)
    assert (starts[:, 0] != starts[:, 1]).all()
    if method == "gradient":
        # Its members, searched for one by one from the same starts.
        members = [
            reconstruct(model, "L3", x, start=starts[:, i], **options).reconstruction
            for i in range(3)
        ]
        np.testing.assert_allclose(average.reconstruction, np.mean(members, axis=0), atol=1e-5)


def test_error_is_half_the_squared_distance_of_activities(model):
    x = spectrograms(2)
    result = reconstruct(model, "L6", x, steps=3)
    activity = zoo.inversion.activity.activity_model(model, "pool2")
    difference = np.asarray(activity(x)) - np.asarray(activity(result.reconstruction))
    expected = 0.5 * (difference.reshape(2, -1) ** 2).sum(axis=1)
    np.testing.assert_allclose(result.error, expected, rtol=1e-4)
    lengths = np.linalg.norm((result.reconstruction - x).reshape(2, -1), axis=1)
    np.testing.assert_allclose(result.distance, lengths, rtol=1e-5)


@pytest.mark.parametrize("method", ["gradient", "annealing"])
def test_deltas_are_computed_from_the_static_channel(method):
    from zoo.layers import Deltas

    model = network(channels=3)
    x = np.asarray(Deltas(2)(spectrograms(2)))
    result = reconstruct(model, "L3", x, method, deltas=2, steps=5)
    static = result.reconstruction[..., :1]
    np.testing.assert_allclose(result.reconstruction, np.asarray(Deltas(2)(static)), atol=1e-6)
    assert (result.history[-1] <= result.history[0]).all()
