"""The number that all chance of a command follows from."""

from __future__ import annotations

import argparse

MAX_SEED = 2**32 - 1
"""Largest one that Keras takes."""


def seed_argument(text: str) -> int:
    """The seed that a command line gives, as `type` of argparse's arguments."""
    if not text.isdecimal() or int(text) > MAX_SEED:
        raise argparse.ArgumentTypeError(
            f"a whole number from 0 to {MAX_SEED} is expected, received {text!r}"
        )
    return int(text)
