"""Random speakers: accent, voice, pitch, tempo, vocal tract and recording conditions."""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np

from zoo.data.corpora.synthetic.labels import ACCENTS


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MALE_VOICES = _words(
    "Alex Denis Diogo Gene Mario Mike Reed adam benjamin david edward klatt4 m1 m3 m4 m6 m7 paul "
    "pedro robert max miguel"
)
FEMALE_VOICES = _words("f1 Andrea Annie anika linda steph grandma")
TEST_MALE_VOICES = _words("Michael m8 Storm boris michel klatt6 grandpa mike2")
"""Voices that no training speaker has; half of the test speakers have one."""
TEST_FEMALE_VOICES = _words("belinda aunty shelby steph2")
"""As TEST_MALE_VOICES."""
# Not used: voices with an echo (their closures are not silent), whispered or robotic ones, and
# sandro, victor, f2 to f5, whose breath differs from run to run.

FEMALE_SHARE = 0.4

RATE = (150.0, 205.0)
"""Slowest and fastest speaker, words a minute."""

RATE_LIMITS = (80, 450)
"""Range of espeak-ng, words a minute."""


@dataclass(frozen=True)
class Speaker:
    """One speaker and the room, microphone and level of their session.

    Attributes:
        name: TIMIT's form: sex, three letters, a digit.
        split: "TRAIN" or "TEST".
        region: "DR1" to "DR8", one accent each.
        accent: espeak-ng's voice.
        variant: espeak-ng's voice variant.
        rate: words a minute before the change of tract length.
        pitch: 0 to 99, 50 being the variant's own.
        pitch_range: 0 to 99.
        tract: factor on all formants.
        snr_db: signal-to-noise ratio of the session in dB; every utterance differs from it a
            little.
        noise_slope: the noise's power falls as frequency to this power.
        level_db: peak of the session below full scale.
        low_hz: lower edge of the microphone's band.
        high_hz: upper edge.
        tilt_db: microphone's gain at 8 kHz against that at 0.
        reverberation_s: time in which the room's echo falls by 60 dB.
        direct_db: direct sound over all echoes.
    """

    name: str
    split: str
    region: str
    accent: str
    variant: str
    rate: int
    pitch: int
    pitch_range: int
    tract: float
    snr_db: float
    noise_slope: float
    level_db: float
    low_hz: float
    high_hz: float
    tilt_db: float
    reverberation_s: float
    direct_db: float


def split_speakers(speakers: int) -> tuple[int, int]:
    """Numbers of training and test speakers, in TIMIT's ratio of 462 to 168.

    The test share of 4/15 is rounded to whole speakers, from 30 speakers on to a multiple of 8,
    so that every region is tested by the same number: 56 -> 40 + 16, 630 -> 462 + 168.
    """
    step = 8 if speakers >= 30 else 1
    test = max(1, round(speakers * 4 / 15 / step) * step)
    return speakers - test, test


def _pick(rng: np.random.Generator, choices: tuple[str, ...]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _voice(rng: np.random.Generator, female: bool, test: bool) -> str:
    known = FEMALE_VOICES if female else MALE_VOICES
    held_out = TEST_FEMALE_VOICES if female else TEST_MALE_VOICES
    return _pick(rng, held_out if test and rng.random() < 0.5 else known)


def draw(train: int, test: int, seed: int, rate: tuple[float, float] = RATE) -> list[Speaker]:
    """All speakers of a corpus, training speakers first; names are unique.

    Args:
        train: how many for training.
        test: how many for test.
        seed: random seed of all draws.
        rate: speaking rates of the slowest and the fastest of them, words a minute.
    """
    speakers: list[Speaker] = []
    names: set[str] = set()
    for index in range(train + test):
        rng = np.random.default_rng([seed, 2, index])
        testing = index >= train
        place = index - train if testing else index
        female = bool(rng.random() < FEMALE_SHARE)
        # Whatever the seed, a name already taken by an earlier speaker is drawn again.
        while True:
            letters = "".join(string.ascii_uppercase[i] for i in rng.integers(26, size=3))
            name = f"{'F' if female else 'M'}{letters}{int(rng.integers(2))}"
            if name not in names:
                break
        names.add(name)
        region = place % len(ACCENTS)
        # The variants of women already have higher formants, so that the spread is round 1.
        tract = float(np.clip(rng.normal(1.0, 0.07), 0.85, 1.18))
        speakers.append(
            Speaker(
                name=name,
                split="TEST" if testing else "TRAIN",
                region=f"DR{region + 1}",
                accent=ACCENTS[region],
                variant=_voice(rng, female, testing),
                rate=round(float(np.clip(rng.uniform(*rate) / tract, *RATE_LIMITS))),
                # A resampled voice gets higher with its formants: undo most of that.
                pitch=round(float(np.clip(rng.normal(50, 12) - 120 * (tract - 1), 10, 90))),
                pitch_range=round(float(rng.uniform(30, 75))),
                tract=tract,
                snr_db=float(rng.uniform(17, 34)),
                noise_slope=float(rng.uniform(0, 1.8)),
                level_db=float(rng.uniform(-22, -3)),
                low_hz=float(rng.uniform(40, 180)),
                high_hz=float(rng.uniform(6000, 9500)),
                tilt_db=float(rng.normal(0, 3)),
                reverberation_s=float(rng.uniform(0.05, 0.3)),
                direct_db=float(rng.uniform(8, 22)),
            )
        )
    return speakers
