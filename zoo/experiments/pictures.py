"""Figures of spectrograms for experiments whose result is to be looked at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np


def spectrogram_rows(
    path: Path,
    rows: Sequence[tuple[str, Sequence[np.ndarray]]],
    headings: Sequence[str],
    own_scales: bool = False,
) -> None:
    """Write spectrograms as a grid, SVG with the pictures inside.

    Args:
        path: the file.
        rows: label and spectrograms (F, T) of each row, low frequencies first.
        headings: of the columns.
        own_scales: every picture has its own range of values, written below it; else those of a
            row share that of the first.
    """
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1 + 1.7 * len(headings), 2.1 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), len(headings), squeeze=False)
    for number, (label, pictures) in enumerate(rows):
        largest = float(np.abs(pictures[0]).max())
        for place, picture in enumerate(pictures):
            axis = axes[number][place]
            limit = float(np.abs(picture).max()) if own_scales else largest
            limit = limit or 1.0
            axis.imshow(
                picture, origin="lower", aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit
            )
            axis.set_xticks([])
            axis.set_yticks([])
            if own_scales:
                axis.set_xlabel(f"± {limit:.3g}", fontsize=7)
            if number == 0:
                axis.set_title(headings[place], fontsize=8)
        axes[number][0].set_ylabel(label, fontsize=8)
    with matplotlib.rc_context({"svg.hashsalt": "pictures"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
