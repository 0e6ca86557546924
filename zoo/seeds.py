"""The random seed of a command."""

from __future__ import annotations

import argparse
import numbers
from typing import Any

from zoo.errors import UsageError
from zoo.settings import Rule, option

MAX_SEED = 2**32 - 1
"""Largest seed that Keras accepts."""


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(
            f"a whole number from 0 to {MAX_SEED} is expected, received {text!r}"
        )
    return int(text)


def seed_option(help: str = "Random seed", **more: Any) -> int:
    """The seed among a command's options; `more` is for `option`."""
    return option(
        0,
        help=help,
        parse=_seed,
        check=Rule(f"0 to {MAX_SEED}", lambda seed: 0 <= seed <= MAX_SEED),
        **more,
    )


def check_seed(seed: Any) -> None:
    """Refuse an invalid seed.

    Raises:
        UsageError: it is not a whole number from 0 to `MAX_SEED`.
    """
    if not isinstance(seed, numbers.Integral) or not 0 <= int(seed) <= MAX_SEED:
        raise UsageError(f"seed must be 0 to {MAX_SEED}; received {seed!r}.")
