#!/usr/bin/env python3
"""Makes the twins of weights that ship: ONNX files, for answers that need no Keras (`zoo.twins`).

    python scripts/twins.py [NAME ...]

Without names, of the weights that commands take by default. Each twin is compared with its network
first; weights that were made anew need a new one, which `scripts/weights.py` makes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).parents[1]))


def main(names: list[str]) -> int:
    """Make the twins of these weights, or of those that commands take by default."""
    from export.twins import add_twin
    from zoo.runs import CLASSIFIER, RECOGNIZER, TWIN, WEIGHTS, Run, weights_cards

    cards = weights_cards()
    for name in names or (RECOGNIZER, CLASSIFIER):
        if name not in cards:
            print(f"twins: there are no {name}; there are {', '.join(cards)}.", file=sys.stderr)
            return 2
        difference = add_twin(Run(WEIGHTS / name))
        size = (WEIGHTS / name / TWIN).stat().st_size / 1e6
        print(f"{name}: {size:.2f} MB, differs by {difference:.1e}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
