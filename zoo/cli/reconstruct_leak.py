"""The leak test on the pages of `zoo reconstruct`: what an autoencoder shows without its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from zoo.inversion.leakage import CODE, PARTS

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.features.frontend import Frontend
    from zoo.inversion import Leak
    from zoo.inversion.page import Tile

ZEROED = {"code": "code zeroed", "decoder": "first decoding convolution zeroed"}


def leaks(model: keras.Model, inputs: np.ndarray) -> dict[str, Leak]:
    """Part that is zeroed -> what survives of inputs (N, ...); empty where there is no test.

    It takes an autoencoder of the zoo and two inputs.
    """
    from zoo.inversion import leak

    # Classifiers have a layer of this name, too.
    decodes = model.output_shape == model.input_shape
    if not decodes or CODE not in [layer.name for layer in model.layers] or len(inputs) < 2:
        return {}
    return {part: leak(model, inputs, part) for part in PARTS}


def leak_record(found: Mapping[str, Leak]) -> dict[str, Any]:
    """What `result.json` holds of them, `leak`, if there are any."""
    measures = {
        part: {
            "correlation": float(one.correlation.mean()),
            "mangled_correlation": float(one.mangled_correlation.mean()),
            "share": one.share,
        }
        for part, one in found.items()
    }
    return {"leak": measures} if measures else {}


def leak_rows(
    found: Mapping[str, Leak], inputs: np.ndarray, names: Sequence[str], frontend: Frontend
) -> list[tuple[str, list[Tile]]]:
    """Rows of `leak_section` of the first inputs (N, F, T, C)."""
    import numpy as np

    from zoo.data.features.representations import STFT_FORMS
    from zoo.evaluation.reconstruction import waveforms
    from zoo.inversion.page import tiles

    whole = next(iter(found.values())).outputs
    rows = []
    for number, (name, own) in enumerate(zip(names, inputs, strict=False)):
        pictures = np.stack([own, whole[number], *(one.mangled[number] for one in found.values())])
        heard = waveforms(pictures, frontend) if frontend.kind in STFT_FORMS else None
        captions = ["input", "output", *(ZEROED[part] for part in found)]
        rows.append((name, tiles(pictures, heard, frontend.sample_rate, captions)))
    return rows


def leak_section(
    found: Mapping[str, Leak], rows: Sequence[tuple[str, Sequence[Tile]]], *, wide: bool = False
) -> Any:
    """A table of what survives, and tiles: input, output, and output without each part.

    Args:
        found: what `leaks` has found.
        rows: label and tiles of each.
        wide: whether the tiles show whole sentences.
    """
    from zoo.inversion.page import Section

    keys = ("zeroed", "correlation of outputs", "without it", "survives")
    table = [
        (
            ZEROED[part].removesuffix(" zeroed"),
            f"{one.correlation.mean():.2f}",
            f"{one.mangled_correlation.mean():.2f}",
            f"{one.share:.0%}",
        )
        for part, one in found.items()
    ]
    return Section(
        "Leak test",
        "What the autoencoder still shows of its inputs when a part of it gives zeros has passed "
        "by its code, through the switches of its poolings: it says nothing of what the code "
        "keeps. What all outputs have in common is taken off before they are correlated.",
        table=(keys, table),
        columns=("input", "output", *(ZEROED[part] for part in found)),
        rows=rows,
        wide=wide,
    )


def leak_text(found: Mapping[str, Leak]) -> str:
    """One line for the terminal."""
    shares = ", ".join(f"{ZEROED[part]} {one.share:.0%}" for part, one in found.items())
    return f"leak test, correlation that survives: {shares}"
