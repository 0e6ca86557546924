"""Settings of a decoder, readable without Keras."""

from __future__ import annotations

import dataclasses
from typing import Any

from zoo.errors import UsageError
from zoo.settings import between, check, option

LONGEST = 50
"""Most frames of a minimum duration."""


def _durations(value: Any) -> None:
    each = value if isinstance(value, tuple) else (value,)
    if not each or not all(type(n) is int and 1 <= n <= LONGEST for n in each):
        raise UsageError(
            f"min_duration must be whole numbers of frames, 1 to {LONGEST}; received {value!r}."
        )


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much the parts of a decoder count.

    Attributes:
        prior_exponent: exponent of the priors that posteriors are divided by; 0: no division.
        bigram_weight: factor of the bigram's log probabilities; 0: any phone may follow another.
        insertion_penalty: taken off for every phone after the first; above 0 for fewer phones.
        min_duration: frames that every phone lasts at least, or a number for each class.

    Raises:
        UsageError: a value outside its range.
    """

    prior_exponent: float = option(
        0.5, metavar="F", check=between(0, 2), help="Exponent of the priors to divide by"
    )
    bigram_weight: float = option(
        1.0, metavar="F", check=between(0, 20), help="Weight of the phone bigram"
    )
    insertion_penalty: float = option(
        0.0, metavar="F", check=between(-20, 20), help="Penalty on every phone"
    )
    min_duration: int | tuple[int, ...] = option(
        2, metavar="N", check=_durations, help="Minimum duration of a phone in frames"
    )

    def __post_init__(self) -> None:
        check(self)
