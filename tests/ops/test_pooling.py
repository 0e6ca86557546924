"""Pooling with switches and the ways back, against literal loops and hand-computed planes."""

from itertools import product

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tests.helpers import reference
from tests.helpers.gradients import gradient
from zoo.ops import blind_upsample, switch_pool, switch_unpool
from zoo.ops.compilation import fusing

WINDOWS = [
    ((2, 2), (2, 2)),
    ((5, 2), (2, 2)),
    ((5, 1), (2, 1)),
    ((3, 3), (1, 1)),
    ((3, 2), (2, 3)),
    ((1, 4), (1, 2)),
    ((2, 3), (3, 1)),
    ((4, 4), (3, 2)),
]
GRID = list(product([(5, 4), (7, 9), (12, 6)], WINDOWS, ["valid", "same"]))


@pytest.fixture
def double_precision():
    """As differences need it; JAX has to be asked for it."""
    if keras.backend.backend() != "jax":
        yield
        return
    import jax

    with jax.enable_x64(True):
        yield


def plane(size, seed=0, kind="normal"):
    rng = np.random.default_rng(seed)
    shape = (2, *size, 3)
    if kind == "ties":
        return rng.integers(-2, 2, shape).astype("float32")
    x = rng.standard_normal(shape).astype("float32")
    return -np.abs(x) - 1 if kind == "negative" else x


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("kind", ["normal", "ties", "negative"])
@pytest.mark.parametrize(("size", "window", "padding"), GRID)
def test_pooling_equals_the_loop(size, window, padding, kind):
    x = plane(size, kind=kind)
    pooled, switches = switch_pool(x, *window, padding)
    expected, where = reference.switch_pool(x, *window, padding)
    np.testing.assert_array_equal(numpy(pooled), expected)
    np.testing.assert_array_equal(numpy(switches), where)
    assert numpy(switches).dtype == np.int32


@pytest.mark.parametrize("overlap", ["last", "mean", "sum"])
@pytest.mark.parametrize(("size", "window", "padding"), GRID)
def test_unpooling_of_other_values_equals_the_loop(size, window, padding, overlap):
    x = plane(size, kind="ties")
    _, switches = reference.switch_pool(x, *window, padding)
    values = np.random.default_rng(1).standard_normal(switches.shape).astype("float32")
    result = unpool(values, switches, size, window, padding, overlap)
    expected = reference.switch_unpool(values, switches, *window, padding, size, overlap)
    np.testing.assert_allclose(numpy(result), expected, atol=1e-6)
    if overlap == "last":
        np.testing.assert_array_equal(numpy(result), expected)


@pytest.mark.parametrize("pool", [(2, 2), (3, 2), (1, 2), (3, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_unpooling_of_many_channels_equals_the_loop(pool, padding):
    size, window = (7, 9), (pool, pool)
    x = np.random.default_rng(0).integers(-2, 2, (2, *size, 16)).astype("float32")
    _, switches = reference.switch_pool(x, *window, padding)
    values, upstream = (
        np.random.default_rng(seed).standard_normal(shape).astype("float32")
        for seed, shape in ((1, switches.shape), (2, x.shape))
    )
    values[0, 0, 0, 0] = np.nan
    result = unpool(values, switches, size, window, padding)
    expected = reference.switch_unpool(values, switches, *window, padding, size)
    np.testing.assert_array_equal(numpy(result), expected)

    def loss(values):
        return ops.sum(ops.multiply(unpool(values, switches, size, window, padding), upstream))

    # Every value has the slope of the place that it is put at, where no other one is.
    slopes = numpy(gradient(loss, values))
    taken = reference.switch_unpool(np.ones_like(values), switches, *window, padding, size)
    placed = reference.switch_unpool(slopes, switches, *window, padding, size)
    np.testing.assert_array_equal(placed, upstream * taken)


def test_switches_outside_of_their_region_are_dropped_of_many_channels():
    values = np.arange(1, 17, dtype="float32").reshape(1, 1, 1, 16)
    switches = np.array([-2, -1, 0, 1, 2, 3, 4, 9] * 2, "int32").reshape(1, 1, 1, 16)
    result = numpy(unpool(values, switches, (2, 2), ((2, 2), (2, 2)))).reshape(4, 16)
    expected = np.zeros((4, 16), "float32")
    for channel, switch in enumerate(switches.ravel()):
        if 0 <= switch < 4:
            expected[switch, channel] = channel + 1
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("size", "window", "padding"), GRID)
def test_upsampling_equals_the_loop(size, window, padding):
    shape = (2, *reference.grid(size, *window, padding), 3)
    values = np.random.default_rng(1).standard_normal(shape).astype("float32")
    result = upsample(values, size, window, padding)
    expected = reference.blind_upsample(values, *window, padding, size)
    np.testing.assert_allclose(numpy(result), expected, atol=1e-6)


def unpool(values, switches, size, window, padding="valid", overlap="last"):
    return switch_unpool(
        values,
        switches,
        pool_size=window[0],
        strides=window[1],
        padding=padding,
        output_size=size,
        overlap=overlap,
    )


def upsample(values, size, window, padding="valid"):
    return blind_upsample(
        values, pool_size=window[0], strides=window[1], padding=padding, output_size=size
    )


def test_a_plane_worked_by_hand():
    """Regions of 3x2 every 2x2: rows 0-2 and rows 2-4 share row 2, where two maxima meet."""
    x = np.array(
        [
            [1, 0, 7, 7],
            [0, 2, 0, 0],
            [9, 3, 0, 1],
            [4, 0, 0, 6],
            [0, 0, 5, 0],
            [8, 8, 8, 8],  # fills no region of three rows
        ],
        "float32",
    )
    pooled, switches = switch_pool(x[None, :, :, None], (3, 2), (2, 2))
    np.testing.assert_array_equal(numpy(pooled)[0, :, :, 0], [[9, 7], [9, 6]])
    np.testing.assert_array_equal(numpy(switches)[0, :, :, 0], [[4, 0], [0, 3]])

    decoded = np.array([[10, 20], [30, 40]], "float32")[None, :, :, None]
    planes = {
        overlap: numpy(unpool(decoded, switches, (6, 4), ((3, 2), (2, 2)), overlap=overlap))
        for overlap in ("last", "mean", "sum")
    }
    for overlap, shared in {"last": 30, "mean": 20, "sum": 40}.items():
        np.testing.assert_array_equal(
            planes[overlap][0, :, :, 0],
            [
                [0, 0, 20, 0],
                [0, 0, 0, 0],
                [shared, 0, 0, 0],
                [0, 0, 0, 40],
                [0, 0, 0, 0],
                [0, 0, 0, 0],
            ],
        )
    np.testing.assert_array_equal(
        numpy(upsample(decoded, (6, 4), ((3, 2), (2, 2))))[0, :, :, 0],
        [
            [10, 10, 20, 20],
            [10, 10, 20, 20],
            [20, 20, 30, 30],
            [30, 30, 40, 40],
            [30, 30, 40, 40],
            [0, 0, 0, 0],
        ],
    )


def test_same_padding_counts_offsets_from_the_padding():
    x = np.arange(9, dtype="float32").reshape(1, 3, 3, 1)
    pooled, switches = switch_pool(x, 3, 2, "same")
    np.testing.assert_array_equal(numpy(pooled)[0, :, :, 0], [[4, 5], [7, 8]])
    np.testing.assert_array_equal(numpy(switches)[0, :, :, 0], [[8, 7], [5, 4]])


def test_padding_never_beats_a_negative_maximum():
    x = np.full((1, 3, 3, 1), -5, "float32")
    pooled, switches = switch_pool(x, 2, 2, "same")
    assert (numpy(pooled) == -5).all()
    assert (numpy(switches) == 0).all()


def test_the_first_nan_of_a_region_is_its_maximum():
    x = np.array([[1, np.nan, 3, 4], [np.inf, np.nan, 2, 0]], "float32").reshape(1, 2, 4, 1)
    pooled, switches = switch_pool(x, 2)
    np.testing.assert_array_equal(numpy(pooled).ravel(), [np.nan, 4])
    np.testing.assert_array_equal(numpy(switches).ravel(), [1, 1])


@pytest.mark.tensorflow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_nan_and_infinity_stay_where_they_are_when_compiled(jit_compile):
    """XLA may drop the NaNs of a maximum, and a mask by multiplication would spread them."""
    import tensorflow as tf

    size, window = (9, 8), ((5, 2), (2, 2))
    x = plane(size)
    x[0, 1, 2, 0], x[0, 6, 5, 1], x[1, 3, 3, 2] = np.nan, np.inf, -np.inf
    upstream = plane(size, seed=1)
    upstream[1, 4, 4, 0] = np.inf

    @tf.function(jit_compile=jit_compile)
    def round_trip(x, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            pooled, switches = switch_pool(x, *window)
            back = unpool(pooled, switches, size, window)
        return pooled, switches, back, tape.gradient(back, x, output_gradients=upstream)

    pooled, switches, back, slope = (numpy(t) for t in round_trip(x, tf.constant(upstream)))
    # A NaN is its region's maximum, which the literal loop knows of large numbers only.
    large = 1e30
    expected, where = reference.switch_pool(np.where(np.isnan(x), large, x), *window, "valid")
    landed = reference.switch_unpool(expected, where, *window, "valid", size, "last")
    np.testing.assert_array_equal(pooled, np.where(expected == large, np.nan, expected))
    np.testing.assert_array_equal(switches, where)
    np.testing.assert_array_equal(back, np.where(landed == large, np.nan, landed))
    assert np.isfinite(np.delete(slope.ravel(), np.ravel_multi_index((1, 4, 4, 0), x.shape))).all()


@pytest.mark.tensorflow
@pytest.mark.parametrize("overlap", ["last", "mean"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_pooling_and_unpooling_are_the_same_as_one_operation_each(jit_compile, overlap):
    import tensorflow as tf

    size, window = (9, 8), ((5, 2), (2, 2))
    x, upstream = plane(size), plane(size, seed=1)

    def graph(jit_compile):
        @tf.function(jit_compile=jit_compile, input_signature=[tf.TensorSpec((None, *size, 3))] * 2)
        def round_trip(x, upstream):
            with tf.GradientTape() as tape:
                tape.watch(x)
                pooled, switches = switch_pool(x, *window)
                back = unpool(pooled * pooled, switches, size, window, overlap=overlap)
            return back, tape.gradient(back, x, output_gradients=upstream)

        return round_trip.get_concrete_function()

    plain = graph(False)
    with fusing():
        one = graph(jit_compile)
    assert not functions_of_xla(plain)
    assert functions_of_xla(one)
    for batch in (2, 1):
        given = tf.constant(x[:batch]), tf.constant(upstream[:batch])
        for expected, found in zip(plain(*given), one(*given), strict=True):
            np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-6)


def functions_of_xla(concrete):
    library = concrete.graph.as_graph_def().library.function
    return [f.signature.name for f in library if f.attr["_XlaMustCompile"].b]


def test_values_that_lose_an_element_leave_no_trace():
    """A NaN that is overwritten must be gone, as it is after an assignment."""
    switches = np.array([2, 0], "int32").reshape(1, 2, 1)
    values = np.array([np.nan, 3], "float32").reshape(1, 2, 1)
    out = switch_unpool(values, switches, pool_size=3, strides=2, output_size=5)
    np.testing.assert_array_equal(numpy(out).ravel(), [0, 0, 3, 0, 0])


def test_a_sequence_is_a_plane_of_width_one():
    x = plane((11, 1))
    pooled, switches = switch_pool(x[:, :, 0], 3, 2)
    wide, wide_switches = switch_pool(x, (3, 1), (2, 1))
    np.testing.assert_array_equal(numpy(pooled), numpy(wide)[:, :, 0])
    np.testing.assert_array_equal(numpy(switches), numpy(wide_switches)[:, :, 0])
    back = switch_unpool(pooled, switches, pool_size=3, strides=2, output_size=11)
    np.testing.assert_array_equal(
        numpy(back), numpy(unpool(wide, wide_switches, (11, 1), ((3, 1), (2, 1))))[:, :, 0]
    )
    spread = blind_upsample(pooled, pool_size=3, strides=2, output_size=11)
    np.testing.assert_array_equal(
        numpy(spread), numpy(upsample(wide, (11, 1), ((3, 1), (2, 1))))[:, :, 0]
    )


def test_an_empty_batch_stays_empty():
    pooled, switches = switch_pool(np.zeros((0, 6, 4, 3), "float32"), 2)
    assert tuple(pooled.shape) == tuple(switches.shape) == (0, 3, 2, 3)
    assert tuple(unpool(pooled, switches, (6, 4), ((2, 2), (2, 2))).shape) == (0, 6, 4, 3)


def test_integers_are_pooled_as_floats():
    pooled, _ = switch_pool(np.arange(16).reshape(1, 4, 4, 1), 2)
    np.testing.assert_array_equal(numpy(pooled).ravel(), [5, 7, 13, 15])


def test_repeated_runs_agree_bit_for_bit():
    x = plane((31, 16))
    _, switches = switch_pool(x, (5, 2), (2, 1))
    values = np.random.default_rng(3).standard_normal(switches.shape).astype("float32")
    for overlap in ("last", "mean", "sum"):
        runs = {
            numpy(unpool(values, switches, (31, 16), ((5, 2), (2, 1)), overlap=overlap)).tobytes()
            for _ in range(5)
        }
        assert len(runs) == 1


@pytest.mark.parametrize(("window", "padding"), list(product(WINDOWS, ["valid", "same"])))
def test_the_pooled_gradient_reaches_the_switch_alone(window, padding):
    """Even between ties, where a maximum of tensors would share it out."""
    size = (7, 6)
    x = plane(size, kind="ties")
    _, switches = reference.switch_pool(x, *window, padding)
    upstream = np.random.default_rng(2).standard_normal(switches.shape).astype("float32")

    def loss(x):
        return ops.sum(ops.multiply(switch_pool(x, *window, padding)[0], upstream))

    result = gradient(loss, x)
    expected = reference.switch_unpool(upstream, switches, *window, padding, size, "sum")
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("overlap", ["last", "mean", "sum"])
@pytest.mark.parametrize(("window", "padding"), list(product(WINDOWS, ["valid", "same"])))
def test_the_unpooled_gradient_follows_the_overlap_rule(window, padding, overlap):
    """Unpooling is linear, so that its differences are exact up to rounding."""
    size = (7, 6)
    x = plane(size)[:1, :, :, :1].astype("float64")
    _, switches = reference.switch_pool(x, *window, padding)
    values = np.random.default_rng(1).standard_normal(switches.shape)
    weights = np.random.default_rng(2).standard_normal((1, *size, 1))

    def loss(values):
        return ops.sum(
            ops.multiply(unpool(values, switches, size, window, padding, overlap), weights)
        )

    np.testing.assert_allclose(gradient(loss, values), finite_differences(loss, values), atol=1e-6)


@pytest.mark.usefixtures("double_precision")
def test_the_pooled_gradient_agrees_with_finite_differences():
    x = plane((7, 6))[:1, :, :, :1].astype("float64")
    weights = np.random.default_rng(2).standard_normal((1, 2, 3, 1))

    def loss(x):
        return ops.sum(ops.multiply(switch_pool(x, (5, 2), (2, 2))[0] ** 2, weights))

    np.testing.assert_allclose(gradient(loss, x), finite_differences(loss, x), atol=1e-6)


@pytest.mark.usefixtures("double_precision")
def test_the_upsampled_gradient_agrees_with_finite_differences():
    values = np.random.default_rng(1).standard_normal((1, 2, 3, 1))
    weights = np.random.default_rng(2).standard_normal((1, 8, 6, 1))

    def loss(values):
        return ops.sum(ops.multiply(upsample(values, (8, 6), ((5, 2), (2, 2))), weights))

    np.testing.assert_allclose(gradient(loss, values), finite_differences(loss, values), atol=1e-6)


def finite_differences(loss, x, step=1e-5):
    result = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        result[at] = (float(loss(up)) - float(loss(down))) / (2 * step)
    return result


windows = st.tuples(
    st.tuples(st.integers(1, 4), st.integers(1, 4)), st.tuples(st.integers(1, 4), st.integers(1, 4))
)
sizes = st.tuples(st.integers(4, 9), st.integers(4, 9))
paddings = st.sampled_from(["valid", "same"])


@given(sizes, windows, paddings, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_pooling_an_unpooled_plane_returns_its_values(size, window, padding, seed):
    """For maxima that are not negative: zeros elsewhere are then never greater.

    Under "last" this holds even for overlapping regions, because values of two regions that meet
    are the same element's and every other maximum a region sees is no greater than its own.
    """
    x = np.abs(plane(size, seed))
    pooled, switches = switch_pool(x, *window, padding)
    again, _ = switch_pool(unpool(pooled, switches, size, window, padding), *window, padding)
    np.testing.assert_array_equal(numpy(again), numpy(pooled))


@given(sizes, windows, paddings)
@settings(max_examples=40, deadline=None)
def test_upsampling_a_constant_gives_it_wherever_a_region_reaches(size, window, padding):
    values = np.full((1, *reference.grid(size, *window, padding), 2), 3.5, "float32")
    covered = np.zeros((1, *size, 1), bool)
    for _, _, elements in reference.regions(size, *window, padding):
        for element in filter(None, elements):
            covered[:, element[1], element[2]] = True
    expected = np.where(covered, 3.5, 0.0) * np.ones((1, 1, 1, 2))
    np.testing.assert_allclose(numpy(upsample(values, size, window, padding)), expected, rtol=1e-6)


@given(sizes, windows, paddings, st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_each_value_has_one_place_where_no_regions_overlap(size, window, padding, seed):
    pool, strides = window
    strides = tuple(max(k, s) for k, s in zip(pool, strides, strict=True))
    pooled, switches = switch_pool(plane(size, seed), pool, strides, padding)
    planes = [
        numpy(unpool(pooled, switches, size, (pool, strides), padding, overlap))
        for overlap in ("last", "mean", "sum")
    ]
    np.testing.assert_array_equal(planes[0], planes[1])
    np.testing.assert_array_equal(planes[0], planes[2])
    np.testing.assert_allclose(planes[0].sum(), numpy(pooled).sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pool_size": 0}, "pool_size must be a positive integer or 2 of them; received 0"),
        ({"pool_size": (2, 2, 2)}, r"pool_size must be .* received \(2, 2, 2\)"),
        ({"pool_size": 1.5}, "pool_size must be .* received 1.5"),
        ({"pool_size": 2, "strides": (1, -1)}, r"strides must be .* received \(1, -1\)"),
        ({"pool_size": 2, "padding": "full"}, '"valid" or "same"; received padding=\'full\''),
        ({"pool_size": 6}, r"received an input of size \(5, 4\) and pool_size=\(6, 6\)"),
    ],
)
def test_a_wrong_window_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        switch_pool(plane((5, 4)), **arguments)


def test_a_wrong_rank_is_refused():
    with pytest.raises(ValueError, match=r"\(N, H, W, C\) or \(N, L, C\); received \(2, 3\)"):
        switch_pool(np.zeros((2, 3), "float32"), 2)


def test_an_unknown_overlap_is_refused():
    with pytest.raises(ValueError, match='"last", "mean" or "sum"; received overlap=\'max\''):
        unpool(
            np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), (4, 4), ((2, 2), (2, 2)), overlap="max"
        )


def test_a_size_that_was_not_pooled_is_refused():
    with pytest.raises(ValueError, match=r"\(6, 4\) has \(3, 2\) regions .* for \(2, 2\) regions"):
        unpool(np.zeros((1, 2, 2, 1)), np.zeros((1, 2, 2, 1)), (6, 4), ((2, 2), (2, 2)))


def test_switches_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="values and switches must have one shape"):
        unpool(np.zeros((1, 2, 2, 3)), np.zeros((1, 2, 2, 1)), (4, 4), ((2, 2), (2, 2)))
