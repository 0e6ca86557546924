"""A picture of a network's maps, drawn from the built model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.files import replacing

if TYPE_CHECKING:
    import keras

FORMATS = (".svg", ".png", ".pdf")

_COLOURS = {"input": "#8a94a0", "conv": "#3b6ea8", "pool": "#4f9d69", "dense": "#c2571a"}
_CHANNELS_DRAWN = 6


def draw_maps(model: keras.Model, path: str | Path) -> Path:
    """Draw every map of a model: height is frequency, width time, sheets behind it channels.

    Sizes are drawn as square roots, so that small maps stay visible; the true ones are written
    beside them. Layers that leave the shape as it is (activations, dropout) are not drawn.

    Args:
        model: a built model whose maps are known in size, (N, F, T, C) or (N, units).
        path: file to write, `.svg`, `.png` or `.pdf`.

    Returns:
        `path`.

    Raises:
        UsageError: another kind of file, or a model with a map of unknown size.
        RunError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix not in FORMATS:
        raise UsageError(f"{path} must end in one of {', '.join(FORMATS)}.")
    steps = _steps(model)
    import matplotlib

    # Fixed identifiers, no date, text as text: the same model gives the same file.
    with (
        replacing(path) as temporary,
        matplotlib.rc_context({"svg.hashsalt": model.name, "svg.fonttype": "none"}),
    ):
        _canvas(steps, model.name).savefig(
            temporary, metadata={"Date": None} if path.suffix == ".svg" else None
        )
    return path


def _steps(model: keras.Model) -> list[tuple[str, str, tuple[int, ...]]]:
    """(kind, label, shape) of the input and of each layer that changes the shape."""
    steps: list[tuple[str, str, tuple[int, ...]]] = []
    for layer in model.layers:
        output = layer.output[0] if isinstance(layer.output, (list, tuple)) else layer.output
        shape = tuple(output.shape[1:])
        if None in shape:
            raise UsageError(
                f"{model.name} takes inputs of any size, so its maps have no size to draw; "
                "build it with an input_shape."
            )
        kind = _kind(layer)
        if kind is not None:
            steps.append((kind, _label(layer, kind), shape))
    return steps


def _kind(layer: Any) -> str | None:
    name = type(layer).__name__
    if name == "InputLayer":
        return "input"
    if "Conv" in name:
        return "conv"
    if "Pooling" in name or "Upsampling" in name or "Unpooling" in name:
        return "pool"
    return "dense" if name == "Dense" else None


def _label(layer: Any, kind: str) -> str:
    if kind == "input":
        return "input"
    sizes = getattr(layer, "kernel_size" if kind == "conv" else "pool_size", None)
    if not sizes:
        return layer.name
    text = f"{layer.name}\n{'×'.join(map(str, sizes))}"
    strides = getattr(layer, "strides", None)
    if kind == "pool" and strides and tuple(strides) != tuple(sizes):
        text += f"\n/{'×'.join(map(str, strides))}"
    return text


def _canvas(steps: list[tuple[str, str, tuple[int, ...]]], title: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    gap, sheet, narrowest = 2.6, 0.22, 3.2
    extents = [_extent(shape) for _, _, shape in steps]
    total = sum(max(width, narrowest) + gap for width, _ in extents) + gap
    tallest = max(height for _, height in extents)
    figure = Figure(figsize=(0.115 * total, 0.115 * (tallest + 9) + 0.4), layout="constrained")
    axis = figure.subplots()
    axis.set(xlim=(0, total), ylim=(-tallest / 2 - 6, tallest / 2 + 3), aspect="equal")
    axis.set_axis_off()
    figure.suptitle(title, x=0.02, ha="left", fontsize=10)
    left = gap
    for (kind, label, shape), (width, height) in zip(steps, extents, strict=True):
        column = max(width, narrowest)
        channels = shape[-1] if len(shape) == 3 else 1
        for number in reversed(range(min(channels, _CHANNELS_DRAWN))):
            shift = number * sheet
            axis.add_patch(
                Rectangle(
                    (left + (column - width) / 2 + shift, -height / 2 + shift),
                    width,
                    height,
                    facecolor=_COLOURS[kind],
                    edgecolor="white",
                    linewidth=0.6,
                )
            )
        middle = left + column / 2
        axis.text(middle, -tallest / 2 - 0.8, label, ha="center", va="top", fontsize=6.5)
        axis.text(
            middle,
            -tallest / 2 - 4.4,
            "×".join(map(str, shape)),
            ha="center",
            va="top",
            fontsize=6.5,
            color="#51606f",
        )
        left += column + gap
    return figure


def _extent(shape: tuple[int, ...]) -> tuple[float, float]:
    """Drawn width and height of a map (F, T, C) or of (units,)."""
    if len(shape) == 1:
        return 0.8, shape[0] ** 0.5
    return max(1.0, shape[1] ** 0.5), shape[0] ** 0.5
