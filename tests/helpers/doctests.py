"""Running the examples of docstrings, where each finds `zoo`, `np` and its own module's names."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import keras
import numpy as np

import zoo

ROOT = Path(__file__).parents[2]
PACKAGES = ("zoo", "tuning", "export", "serving")
ELSEWHERE = ("serving.client", "zoo.data.corpora.tfio", "zoo.data.sets.beam")
"""Modules whose examples run in test_client.py, which has a server, test_tfio.py and test_beam.py,
which have environments of their own."""


def modules_with_examples() -> list[str]:
    """Names of all modules whose docstrings have examples."""
    found = []
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            if ">>> " in file.read_text(encoding="utf-8"):
                parts = file.relative_to(ROOT).with_suffix("").parts
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def run_examples(name: str, replaced: dict[str, str] | None = None) -> int:
    """Run the examples of a module in the working directory and see that they print what they say.

    Args:
        name: of the module.
        replaced: texts of the examples -> what stands for them here.

    Returns:
        How many examples there were.
    """
    module = importlib.import_module(name)
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    runner = doctest.DocTestRunner(optionflags=options)
    names = {"zoo": zoo, "np": np, "keras": keras}
    count, said = 0, []
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=names):
        for example in test.examples:
            for old, new in (replaced or {}).items():
                example.source = example.source.replace(old, new)
        count += len(test.examples)
        runner.run(test, out=said.append)
    assert not said, "".join(said)
    return count
