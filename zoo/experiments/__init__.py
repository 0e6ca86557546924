"""Tables and figures of the literature, each as one command: `zoo experiment NAME`.

An experiment is a module with a docstring whose first line is its help, `add_arguments(parser)`
and `run(args)`; importing it must be cheap, so what it computes with is imported in `run`.
"""

from __future__ import annotations

EXPERIMENTS = {
    "riemens_table1": "zoo.experiments.riemens_table1",
}
"""Name -> module."""
