"""Loops over frames that have a visible bound in TensorFlow's saved graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]], start: Any, count: Any, reverse: bool = False
) -> tuple[Any, Any]:
    """What `keras.ops.scan` gives over the numbers 0 to `count` - 1.

    TensorFlow's own loop has no such bound, by which a server recognises loops that end, and it
    keeps intermediate values in lists.

    Args:
        step: from what was handed on and a number, int32, to what is handed on and what is kept;
            both are tensors of the shapes and types of `start`.
        start: what the first step is handed: a tensor, or a tuple of them.
        count: number of steps, an int or a tensor.
        reverse: from the last number to the first.

    Returns:
        What the last step handed on, and what all of them kept, one after another by number.
    """
    if keras.backend.backend() != "tensorflow":
        return ops.scan(step, start, ops.arange(count, dtype="int32"), reverse=reverse)
    import tensorflow as tf

    flat = tf.nest.flatten(start)
    kept = [tf.TensorArray(x.dtype, count, element_shape=x.shape) for x in flat]

    def body(done, carry, kept):
        number = count - 1 - done if reverse else done
        carry, values = step(tf.nest.pack_sequence_as(start, carry), number)
        kept = [a.write(number, v) for a, v in zip(kept, tf.nest.flatten(values), strict=True)]
        return done + 1, tf.nest.flatten(carry), kept

    _, carry, kept = tf.while_loop(
        lambda done, carry, kept: done < count,
        body,
        (tf.constant(0), flat, kept),
        maximum_iterations=count,
        parallel_iterations=1,
    )
    return (
        tf.nest.pack_sequence_as(start, carry),
        tf.nest.pack_sequence_as(start, [a.stack() for a in kept]),
    )
