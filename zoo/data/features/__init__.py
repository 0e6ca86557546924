"""Features: what waveforms are converted to before a network sees them, computed by NumPy.

A new representation is a class in `analysis`, a name in `representations`, and its layer in
`zoo.layers`; `frontend` keeps its settings beside every prepared set and every run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.lazy import lazily

if TYPE_CHECKING:
    from zoo.data.features.analysis import representation_settings, representation_steps
    from zoo.data.features.frontend import Frontend
    from zoo.data.features.representations import REPRESENTATIONS

__all__ = ["REPRESENTATIONS", "Frontend", "representation_settings", "representation_steps"]

__getattr__ = lazily(
    __name__,
    {
        "REPRESENTATIONS": "zoo.data.features.representations",
        "Frontend": "zoo.data.features.frontend",
        "representation_settings": "zoo.data.features.analysis",
        "representation_steps": "zoo.data.features.analysis",
    },
)
