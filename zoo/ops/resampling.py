"""Band-limited resampling with core operations only, the same in NumPy code and in a graph.

A windowed-sinc interpolator: every output sample is a weighted sum of the input samples around
its instant. No filter is designed ahead of time, so a graph can take the rate from a file's header.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from zoo.ops import numpy_ops

ZERO_CROSSINGS = 64
"""Zero crossings of the sinc on either side of its centre."""

ATTENUATION = 100.0
"""Stop-band attenuation that the Kaiser window is designed for, in dB."""

MAX_RATE = 384_000
"""Highest sample rate, in Hz; it bounds the taps, and so the memory, of one output sample."""

MAX_TARGET_RATE = 46_340
"""Highest rate to resample to, in Hz: its square must fit into 32 bits."""

_TOGETHER = 64
"""Filters that are one matrix: what it multiplies with zeros grows with them, its calls' number
shrinks."""

_ROWS = 25
"""Of a matrix product: one so small stays in one thread, which no busy core keeps waiting."""

# Of Euclid's algorithm, no more than for neighbours in the Fibonacci series below 2 ** 31.
_EUCLIDEAN_STEPS = 45
_BETA = 0.1102 * (ATTENUATION - 8.7)
# Kaiser's formula: width of the transition band, as a fraction of the lower rate's Nyquist
# frequency. The cut-off lies half of it below, so that what aliases is already attenuated.
_TRANSITION = (ATTENUATION - 7.95) / (2.285 * 2 * ZERO_CROSSINGS * math.pi)
ROLLOFF = 1 - _TRANSITION / 2
"""Cut-off frequency (-6 dB) as a fraction of the lower rate's Nyquist frequency."""


def _bessel_series(terms: int = 20) -> np.ndarray:
    """Coefficients c of I0(beta * sqrt(s)) / I0(beta) = sum(c[k] * s**k), for s in 0..1.

    All terms are positive, so the sum loses no precision in float32, and no backend needs a
    Bessel function.
    """
    k = np.arange(terms)
    factorials = np.array([math.factorial(i) for i in k], "float64")
    coefficients = (_BETA / 2) ** (2.0 * k) / factorials**2
    return coefficients / np.i0(_BETA)


_SERIES = [float(c) for c in _bessel_series()]


def _ops_for(*values: Any) -> Any:
    """NumPy for arrays and numbers, else `keras.ops`."""
    if all(isinstance(value, np.ndarray | np.number | int | float) for value in values):
        return numpy_ops
    from keras import ops

    return ops


def resampled_length(samples: Any, rate: Any, target_rate: int) -> Any:
    """Number of samples at `target_rate` that cover `samples` samples at `rate` (rounded up)."""
    return (samples * target_rate + rate - 1) // rate


def _length(x, rate, target_rate):
    """`resampled_length` of `x`: a Python integer, or an int64 tensor where a graph needs one."""
    ops = _ops_for(x, rate)
    samples = ops.shape(x)[0]
    if isinstance(samples, int) and isinstance(rate, int):
        return resampled_length(samples, rate, target_rate)
    return resampled_length(ops.cast(samples, "int64"), ops.cast(rate, "int64"), target_rate)


def interpolate(x, positions, rate, target_rate):
    """Samples number `positions` (P,) of mono `x` (S,) after resampling; zero outside."""
    ops = _ops_for(x, positions, rate)
    samples = ops.shape(x)[0]
    # Instant of each output in input samples, split into an integer and a fraction without an
    # intermediate that leaves 32 bits: p * rate / target_rate.
    seconds, rest = positions // target_rate, positions % target_rate
    product = rest * (rate % target_rate)
    base = seconds * rate + rest * (rate // target_rate) + product // target_rate
    fraction = ops.cast(product % target_rate, "float32") / target_rate  # (P,)

    cutoff, half = cutoff_and_reach(rate, target_rate)
    taps = ops.arange(1 - half, half + 1, dtype="int32")  # (K,)

    # Fractions repeat after `period` outputs (160 from 44.1 to 16 kHz), and so do the filters.
    period = target_rate // common_divisor(rate, target_rate)
    distances = ops.cast(taps, "float32")[None, :] - fraction[:period, None]
    weights = windowed_sinc(cutoff * distances) * cutoff  # (min(P, period), K)
    row = ops.arange(positions.shape[0], dtype="int32") % period

    index = base[:, None] + taps[None, :]  # (P, K)
    inside = ops.logical_and(index >= 0, index < samples)
    values = ops.take(x, ops.clip(index, 0, samples - 1), axis=0)
    return ops.sum(ops.where(inside, values * ops.take(weights, row, axis=0), 0.0), axis=1)


def cutoff_and_reach(rate, target_rate: int):
    """Cut-off in parts of the input's Nyquist frequency, and samples on either side of an instant
    that count towards it."""
    if isinstance(rate, int):
        cutoff = ROLLOFF * min(1.0, target_rate / rate)
        return cutoff, math.ceil(ZERO_CROSSINGS / cutoff)
    from keras import ops

    cutoff = ROLLOFF * ops.minimum(1.0, target_rate / ops.cast(rate, "float32"))
    return cutoff, ops.cast(ops.ceil(ZERO_CROSSINGS / cutoff), "int32")


def windowed_sinc(distance):
    """Windowed sinc at `distance` zero crossings from its centre."""
    ops = _ops_for(distance)
    angle = math.pi * distance
    centre = ops.abs(angle) < 1e-4
    sinc = ops.where(centre, 1.0, ops.sin(angle) / ops.where(centre, 1.0, angle))
    s = ops.maximum(1.0 - ops.square(distance / ZERO_CROSSINGS), 0.0)
    window = ops.full_like(s, _SERIES[-1])
    for coefficient in _SERIES[-2::-1]:
        window = window * s + coefficient
    return sinc * ops.where(s > 0, window, 0.0)


def common_divisor(rate, target_rate: int):
    """The greatest, of a rate that is a number or a tensor."""
    if isinstance(rate, int):
        return math.gcd(rate, target_rate)
    from keras import ops

    rest = ops.convert_to_tensor(target_rate, "int32")
    divisor, _ = ops.while_loop(
        lambda a, b: ops.not_equal(b, 0),
        lambda a, b: (b, a % b),
        (rate, rest),
        # A loop with a bound needs no time limit where it is served.
        maximum_iterations=_EUCLIDEAN_STEPS,
    )
    return divisor


def _filtered(x: np.ndarray, first: int, end: int, rate: int, target_rate: int) -> np.ndarray:
    """Samples `first` to `end` of mono `x` (S,) after resampling, both within its new length.

    The same products as `interpolate` adds, as products of matrices: pieces of the input that begin
    where the fractions repeat, times the filters of some of those fractions. A matrix product is of
    a whole second, whatever is wanted of it: other numbers of rows may change the last bits, and a
    second's samples must not depend on where a waveform was cut.
    """
    rows, period, hop = _periods(rate, target_rate)
    batch = max(n for n in range(1, min(rows, _ROWS) + 1) if rows % n == 0)
    half = cutoff_and_reach(rate, target_rate)[1]
    found = np.empty(end - first, "float32")
    for second in range(first // target_rate, -(-end // target_rate)):
        start = second * target_rate
        reach = rate + 2 * half + _TOGETHER * hop // period + 1
        piece = _slice(x, second * rate + 1 - half, reach)
        wanted = slice(max(first - start, 0), min(end - start, target_rate))
        result = np.zeros((rows, period), "float32")
        for phase in range(0, period, _TOGETHER):
            if rows == 1 and not wanted.start - _TOGETHER < phase < wanted.stop:
                continue
            filters = _filters(rate, target_rate, phase)
            windows = np.lib.stride_tricks.sliding_window_view(
                piece[phase * hop // period :], len(filters)
            )[: (rows - 1) * hop + 1 : hop]
            batches = np.ascontiguousarray(windows).reshape(-1, batch, len(filters))
            result[:, phase : phase + _TOGETHER] = (batches @ filters).reshape(rows, -1)
        kept = result.reshape(-1)[wanted]
        found[start + wanted.start - first :][: len(kept)] = kept
    return found


def _periods(rate: int, target_rate: int) -> tuple[int, int, int]:
    """How many times a second fractions repeat, or a few of their periods together if those are
    short, and the outputs and inputs from one time to the next."""
    repeats = math.gcd(rate, target_rate)
    period = target_rate // repeats
    together = max(n for n in range(1, max(_TOGETHER // period, 1) + 1) if repeats % n == 0)
    return repeats // together, period * together, rate // repeats * together


def _slice(x: np.ndarray, first: int, count: int) -> np.ndarray:
    """`count` samples from number `first` on, zero outside `x`."""
    inside = x[max(first, 0) : max(first + count, 0)]
    before = min(max(-first, 0), count)
    return np.pad(inside, (before, count - before - len(inside)))


@functools.lru_cache(maxsize=32)
def _filters(rate: int, target_rate: int, phase: int) -> np.ndarray:
    """(inputs, outputs): the weights of `_TOGETHER` outputs from number `phase` on, over all inputs
    that one of them depends on."""
    cutoff, half = cutoff_and_reach(rate, target_rate)
    _, period, hop = _periods(rate, target_rate)
    position = np.arange(phase, min(phase + _TOGETHER, period), dtype="int64") * hop
    base, fraction = position // period, (position % period / period).astype("float32")
    taps = np.arange(1 - half, half + 1, dtype="float32")
    weights = windowed_sinc(cutoff * (taps - fraction[:, None])) * cutoff
    place = (base - base[0])[:, None] + np.arange(2 * half)
    filters = np.zeros((place.max() + 1, len(position)), "float32")
    filters[place, np.arange(len(position))[:, None]] = weights
    return filters


def _at(x, positions, rate, target_rate):
    """As `interpolate`, but the input's own samples where the rates are equal."""
    ops = _ops_for(x, positions, rate)

    def copied():
        last = ops.shape(x)[0] - 1
        inside = ops.logical_and(positions >= 0, positions <= last)
        return ops.where(inside, ops.take(x, ops.clip(positions, 0, last), axis=0), 0.0)

    def filtered():
        total = ops.cast(_length(x, rate, target_rate), "int32")
        inside = ops.logical_and(positions >= 0, positions < total)
        return ops.where(inside, interpolate(x, positions, rate, target_rate), 0.0)

    if isinstance(rate, int):
        return copied() if rate == target_rate else filtered()
    return ops.cond(ops.equal(rate, target_rate), copied, filtered)


def resample_to_length(waveform, rate: Any, target_rate: int, length: int):
    """Resample one waveform and centre it in `length` samples: zeros on both sides, or a crop.

    The same placing as `zoo.data.features.frontend.place`.
    Only the samples that are kept are computed,
    so time and memory do not grow with the waveform.

    Args:
        waveform: (samples,) float32, at least one sample; an array or a tensor.
        rate: its rate in Hz, an integer or a scalar int32 tensor, 1 to `MAX_RATE`.
        target_rate: rate of the result in Hz, 1 to `MAX_TARGET_RATE`.
        length: samples of the result.

    Returns:
        (length,) float32, an array of an array.
    """
    ops = _ops_for(waveform, rate)
    rate = _checked_rate(rate, target_rate)
    waveform = ops.convert_to_tensor(waveform, "float32")
    total = _length(waveform, rate, target_rate)
    # Two magnitudes are halved, as place() does: a negative difference would round the other way.
    shortfall = ops.maximum(length - total, 0) // 2
    surplus = ops.maximum(total - length, 0) // 2
    if ops is numpy_ops:
        kept = _resampled(waveform, surplus, min(surplus + length, total), rate, target_rate)
        return np.pad(kept, (shortfall, length - shortfall - len(kept)))
    first = ops.cast(surplus - shortfall, "int32")
    positions = ops.arange(length, dtype="int32") + first
    return _at(waveform, positions, rate, target_rate)


def _resampled(x: np.ndarray, first: int, end: int, rate: int, target_rate: int) -> np.ndarray:
    """As `_filtered`, but the input's own samples where the rates are equal."""
    if rate == target_rate:
        return x[first:end]
    return _filtered(x, first, end, rate, target_rate)


def resample(waveform, rate: int, target_rate: int) -> np.ndarray:
    """Resample one waveform, band-limited, with an anti-aliasing filter on the way down.

    Up to 0.9 of the lower rate's Nyquist frequency the signal passes unchanged. Equal rates
    return the input's values exactly.

    Args:
        waveform: (samples,) floats.
        rate: its rate in Hz, 1 to `MAX_RATE`.
        target_rate: rate of the result in Hz, 1 to `MAX_TARGET_RATE`.

    Returns:
        (ceil(samples * target_rate / rate),) float32.

    Raises:
        ValueError: a rate is outside its range.
    """
    rate = _checked_rate(rate, target_rate)
    waveform = np.asarray(waveform, "float32")
    total = _length(waveform, rate, target_rate)
    return _resampled(waveform, 0, total, rate, target_rate)


def resample_pieces(
    pieces: Iterable[np.ndarray], rate: int, target_rate: int
) -> Iterator[np.ndarray]:
    """What `resample` gives for all of a waveform, of which pieces (n,) come one after another.

    Example:
        >>> x = np.random.default_rng(0).normal(size=9000).astype("float32")
        >>> pieces = resample_pieces([x[:2000], x[2000:]], 4000, 3000)
        >>> np.array_equal(np.concatenate(list(pieces)), resample(x, 4000, 3000))
        True

    Raises:
        ValueError: a rate is outside its range.
    """
    rate = _checked_rate(rate, target_rate)
    if rate == target_rate:
        yield from pieces
        return
    # Whole seconds begin with a sample at either rate, so that what is cut there stays the same.
    beside = surroundings(rate, target_rate)
    held, first, done = np.zeros(0, "float32"), 0, 0

    def finished(until: int | None) -> np.ndarray:
        """The samples of the seconds from `done` on, of those from `first` on that are held."""
        whole = resample(held, rate, target_rate)
        return whole[(done - first) * target_rate : until and (until - first) * target_rate]

    for piece in pieces:
        held = np.concatenate([held, piece])
        ready = first + len(held) // rate - beside
        if ready > done:
            yield finished(ready)
            done = ready
            kept = max(done - beside, 0)
            held, first = held[(kept - first) * rate :], kept
    yield finished(None)


def surroundings(rate: int, target_rate: int) -> int:
    """Whole seconds on either side of a sample on which its resampled value depends."""
    if rate == target_rate:
        return 0
    return -(-int(cutoff_and_reach(rate, target_rate)[1]) // rate)


def moved(start: Any, end: Any, rate: Any, target_rate: int) -> tuple[Any, Any]:
    """Where a segment from `start` to `end`, in samples, lies after resampling: all of it.

    Args:
        start: first sample of a segment, a number or an int64 tensor of several.
        end: the sample after its last one.
        rate: before, in Hz; a number or an int64 tensor.
        target_rate: after, in Hz.
    """
    return start * target_rate // rate, resampled_length(end, rate, target_rate)


def _checked_rate(rate: Any, target_rate: int) -> Any:
    """`rate`, as a Python integer unless it is a tensor."""
    number = isinstance(rate, int | float | np.number)
    if number and not (1 <= rate <= MAX_RATE and rate == int(rate)):
        raise ValueError(f"rate must be 1 to {MAX_RATE} Hz, a whole number; received {rate}.")
    if not 1 <= target_rate <= MAX_TARGET_RATE:
        raise ValueError(f"target_rate must be 1 to {MAX_TARGET_RATE} Hz; received {target_rate}.")
    return int(rate) if number else rate
