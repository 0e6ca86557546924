"""Resampling of whole recordings inside a graph: `zoo.ops.resampling` as products of matrices."""

from __future__ import annotations

import tensorflow as tf

from zoo.ops.resampling import (
    common_divisor,
    cutoff_and_reach,
    interpolate,
    resampled_length,
    windowed_sinc,
)

_BLOCK = 160
"""Samples of the result, at the least, that one product with a filter bank gives."""

_LARGEST_BANK = 1_000_000
"""Weights of a filter bank, about: of rates that have little in common there would be too many."""

_BLOCKS = 64
_CHUNK = 4096


def resample_whole(waveform, rate, target_rate: int):
    """All of a recording at another rate, as `zoo.ops.resampling.resample` gives it.

    Memory beside the result does not grow with the recording.

    Args:
        waveform: (samples,) float32, at least one sample.
        rate: its rate in Hz, a scalar int32 tensor.
        target_rate: rate of the result in Hz.

    Returns:
        (ceil(samples * target_rate / rate),) float32.
    """
    samples = tf.size(waveform, tf.int64)
    total = tf.cast(resampled_length(samples, tf.cast(rate, tf.int64), target_rate), tf.int32)
    divisor = common_divisor(rate, target_rate)
    period = target_rate // divisor

    def by_blocks():
        return _by_blocks(waveform, rate, target_rate, rate // divisor, period, total)

    def by_samples():
        return _by_samples(waveform, rate, target_rate, total)

    def resampled():
        small = rate // divisor * period <= _LARGEST_BANK
        return tf.cond(small, by_blocks, by_samples)

    return tf.cond(tf.equal(rate, target_rate), lambda: waveform, resampled)


def _by_blocks(x, rate, target_rate: int, step, period, total):
    """Every `period` samples of the result, taken `step` samples of `x` apart, have equal filters.

    Several periods make a block, so that there is enough to multiply.
    """
    periods = 1 + (_BLOCK - 1) // period
    step, outputs = step * periods, period * periods
    cutoff, reach = cutoff_and_reach(rate, target_rate)
    taps = tf.range(step + 2 * reach) - reach  # (L,), from a block's first instant on
    # Instants in whole samples of `x` and fractions, which float32 would not keep apart.
    instants = tf.range(outputs) * rate
    whole, rest = instants // target_rate, instants % target_rate
    distances = tf.cast(taps[:, None] - whole, tf.float32) - tf.cast(rest, tf.float32) / target_rate
    filters = windowed_sinc(cutoff * distances) * cutoff  # (L, outputs)
    blocks = -(-total // outputs)

    def part(first):
        index = (first + tf.range(_BLOCKS))[:, None] * step + taps  # (blocks, L)
        inside = (index >= 0) & (index < tf.size(x))
        values = tf.gather(x, tf.clip_by_value(index, 0, tf.size(x) - 1))
        return tf.reshape(tf.matmul(tf.where(inside, values, 0.0), filters), [-1])

    return _joined(part, tf.range(0, blocks, _BLOCKS), total)


def _by_samples(x, rate, target_rate: int, total):
    def part(first):
        positions = first + tf.range(_CHUNK)
        return interpolate(x, positions, rate, target_rate)

    return _joined(part, tf.range(0, total, _CHUNK), total)


def _joined(part, firsts, total):
    parts = tf.map_fn(
        part,
        firsts,
        fn_output_signature=tf.TensorSpec([None], tf.float32),
        parallel_iterations=1,
    )
    return tf.reshape(parts, [-1])[:total]
