"""Parts in which a recording is scored."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from zoo.decoding.posteriors import SIZES, _evenly, in_chunks


@given(st.integers(1, 20_000), st.integers(0, 70), st.sampled_from([3000, 500, 40]))
def test_even_parts_have_few_sizes_and_all_that_they_depend_on(frames, context, chunk):
    parts = list(_evenly(frames, context, chunk))
    assert [part[:2] for part in parts] == list(
        itertools.pairwise([0, *(end for _, end, _, _ in parts)])
    )
    assert parts[-1][1] == frames
    sizes = {last - first for _, _, first, last in parts}
    assert len(sizes) == 1
    assert sizes <= {*SIZES, frames}
    for start, end, first, last in parts:
        assert 0 <= first <= max(start - context, 0)
        assert min(end + context, frames) <= last <= frames


class Means:
    """A network whose outputs are means over frames, fewer of them at the recording's edges."""

    def __init__(self, reach):
        self.reach, self.sizes = reach, set()

    def predict_on_batch(self, x):
        values = x[0, 0, :, 0]
        self.sizes.add(len(values))
        sums = np.convolve(values, np.ones(2 * self.reach + 1), "same")
        # "same" is as long as the longer of the two.
        start = max(len(sums) - len(values), 0) // 2
        return sums[start : start + len(values)][None, :, None]


def test_networks_on_jax_see_recordings_of_few_sizes(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    network, reach = Means(3), 3
    for frames in (150, 299, 301, 777, 1500, 2999, 3001, 7000):
        x = np.random.default_rng(frames).uniform(1, 2, (1, frames, 1))
        parts = in_chunks(network, lambda a, b, x=x: x[:, a:b], frames, None, reach)
        wanted = np.log(np.convolve(x[0, :, 0], np.ones(2 * reach + 1), "same"))
        np.testing.assert_allclose(np.concatenate(list(parts))[:, 0], wanted, atol=1e-6)
    assert network.sizes <= set(SIZES)
