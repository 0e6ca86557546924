"""How a synthetic corpus is made."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from zoo.data.corpora.synthetic.speakers import RATE
from zoo.seeds import seed_option
from zoo.settings import Rule, at_least, option

BANDWIDTHS = (1000, 8000)
"""Lowest and highest bandwidth of a channel, in Hz."""

_MATCHED = "speech that resembles your own, for pretraining"


@dataclasses.dataclass(frozen=True)
class SyntheticSettings:
    """How a synthetic corpus is made.

    Attributes:
        speakers: how many in all, at least 2; the test share is TIMIT's, 4/15 (see
            `split_speakers`): 56 are 40 + 16, 630 are 462 + 168.
        sentences: how many each speaker reads, 3 to 160: of 10, 2 are SA, 3 SI and 5 SX.
        seed: decides everything that is left to chance.
        text: a file of English sentences or words, one a line, that all speakers read instead of
            those of a grammar, repeated as often as `sentences` (then 1 to 999) has room for.
        rate: speaking rates of the slowest and the fastest speaker, words a minute; espeak-ng
            speaks at 80 to 450.
        bandwidth: highest frequency of the recordings, 1000 to 8000 Hz, as of a telephone or a
            recorder of a lower rate; None: all that 16 kHz have.
        closures: whether the closures of stops are segments of their own, as in TIMIT; most
            aligners label closure and release as one.
    """

    speakers: int = option(
        56,
        metavar="N",
        check=at_least(2),
        help="Number of speakers, 4/15 of them for testing",
        shown="56, 40 train and 16 test",
    )
    sentences: int = option(10, metavar="N", help="Number of sentences per speaker")
    seed: int = seed_option(metavar="S")
    text: str | Path | None = option(
        None,
        metavar="FILE",
        parse=Path,
        help="File of sentences or words, one a line, for every speaker to read",
        shown="sentences of a grammar",
        group=_MATCHED,
    )
    rate: tuple[float, float] = option(
        RATE,
        nargs=2,
        metavar=("SLOW", "FAST"),
        help="Words per minute of the slowest and the fastest speaker",
        group=_MATCHED,
    )
    bandwidth: float | None = option(
        None,
        metavar="HZ",
        check=Rule(
            f"{BANDWIDTHS[0]} to {BANDWIDTHS[1]} Hz",
            lambda hz: BANDWIDTHS[0] <= hz <= BANDWIDTHS[1],
        ),
        help="Highest frequency of the recordings, such as 4000",
        shown=str(BANDWIDTHS[1]),
        group=_MATCHED,
    )
    closures: bool = option(
        True,
        name="--no-closures",
        help="Label the closure and release of a stop as one segment",
        group=_MATCHED,
    )
