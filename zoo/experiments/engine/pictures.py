"""Figures of spectrograms for experiments with visual results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

WEBP_QUALITY = 50


def spectrogram_rows(
    path: Path,
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    headings: Sequence[str],
    compressed: bool = False,
) -> None:
    """Write spectrograms as a grid, each with its own range of values, written below it.

    Args:
        path: the file, of the kind that its suffix says.
        rows: label and spectrograms (F, T) of each row, low frequencies first.
        headings: headings of the columns.
        compressed: colours go by the square root of the magnitude, so that faint parts show.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 1.7 * len(headings), 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(headings), squeeze=False)
    for number, (label, pictures) in enumerate(rows):
        for place, picture in enumerate(pictures):
            axis = axes[number][place]
            limit = float(np.abs(picture).max()) or 1.0
            shown, end = (picture, limit)
            if compressed:
                shown, end = np.sign(picture) * np.sqrt(np.abs(picture)), limit**0.5
            axis.imshow(shown, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-end, vmax=end)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.set_xlabel(f"± {limit:.3g}", fontsize=7)
            if number == 0:
                axis.set_title(headings[place], fontsize=8)
        axes[number][0].set_ylabel(label, fontsize=8)
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure of matplotlib, SVG, PNG or WebP by the path's suffix, the same every time."""
    import matplotlib

    # Text stays text: drawn as outlines, it is most of a small SVG.
    with matplotlib.rc_context({"svg.hashsalt": "pictures", "svg.fonttype": "none"}):
        if path.suffix == ".svg":
            figure.savefig(path, format="svg", metadata={"Date": None})
        elif path.suffix == ".png":
            figure.savefig(path, format="png", dpi=100)
        else:
            options = {"quality": WEBP_QUALITY, "method": 6}
            figure.savefig(path, format="webp", dpi=80, pil_kwargs=options)
