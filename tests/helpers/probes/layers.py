"""Outputs and gradients of pooling, unpooling, upsampling and tied convolutions."""

import numpy as np
from keras import ops

from tests.helpers.gradients import gradient, in_one
from zoo import layers
from zoo.ops import switches_to_argmax


def results():
    """Name -> array."""
    rng = np.random.default_rng(0)
    found = {}
    for label, size, window in [
        ("apart", (8, 6), {"pool_size": 2, "strides": 2, "padding": "valid"}),
        ("overlapping", (9, 7), {"pool_size": (5, 2), "strides": (2, 1), "padding": "valid"}),
        ("padded", (9, 7), {"pool_size": (3, 4), "strides": 2, "padding": "same"}),
    ]:
        x = rng.integers(-3, 3, (2, *size, 2)).astype("float32")
        weights = rng.standard_normal(x.shape).astype("float32")
        pool = layers.SwitchPooling2D(**window)
        backs = {
            overlap: layers.SwitchUnpooling2D(**window, output_size=size, overlap=overlap)
            for overlap in ("last", "mean", "sum")
        }
        blind = layers.BlindUpsampling2D(**window, output_size=size)
        values, switches = in_one(pool)(x)
        other = rng.standard_normal(values.shape).astype("float32")
        where = ops.convert_to_numpy(switches)
        argmax = switches_to_argmax(where, input_size=size, **window)
        found |= {
            f"{label} values": values,
            f"{label} switches": where,
            f"{label} argmax": argmax,
            f"{label} pooling gradient": gradient(
                lambda x, pool=pool, other=other: ops.sum(ops.multiply(pool(x)[0], other)), x
            ),
        }
        for name, way in {**backs, "blind": blind}.items():

            def rise(v, way=way, where=where):
                return way(v) if isinstance(way, layers.BlindUpsampling2D) else way([v, where])

            found[f"{label} {name}"] = in_one(rise)(other)
            found[f"{label} {name} gradient"] = gradient(
                lambda v, rise=rise, weights=weights: ops.sum(ops.multiply(rise(v), weights)), other
            )

    x = rng.standard_normal((2, 9, 7, 3)).astype("float32")
    for padding in ("valid", "same"):
        conv = layers.TiedConv2D(4, (4, 3), padding)
        conv.build(x.shape)
        for variable in conv.variables:
            variable.assign(rng.standard_normal(variable.shape))
        encoded = in_one(conv)(x)
        code = rng.standard_normal(encoded.shape).astype("float32")
        found |= {
            f"{padding} encoded": encoded,
            f"{padding} decoded": in_one(lambda code, conv=conv: conv(code, reverse=True))(code),
            f"{padding} gradient": gradient(
                lambda x, conv=conv: ops.sum(conv(conv(x), reverse=True) ** 2) / 1e3, x
            ),
        }
    return {name: ops.convert_to_numpy(array) for name, array in found.items()}
