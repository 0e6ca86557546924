"""From synthesised speech to a recording: tract length, room, microphone, noise, level."""

from __future__ import annotations

import numpy as np
import soxr

from zoo.data.corpora.synthetic.espeak import RATE as SPOKEN_RATE
from zoo.data.corpora.synthetic.labels import Segment
from zoo.data.corpora.synthetic.speakers import Speaker

RATE = 16000
"""Samples a second of a recording."""

_EDGE_SECONDS = (0.1, 0.25)
_PAD = RATE // 2


def record(
    samples: np.ndarray,
    segments: list[Segment],
    speaker: Speaker,
    rng: np.random.Generator,
    bandwidth: float | None = None,
) -> tuple[np.ndarray, list[Segment]]:
    """One utterance as the speaker's session would have recorded it.

    Reading the samples at another rate moves all formants by the speaker's factor, as a shorter
    or longer vocal tract does; the segments move with them. Then come silence at both edges, the
    room's echo, the microphone's band, noise and level.

    Args:
        samples: int16 at espeak-ng's rate.
        segments: their transcription, h# to h#.
        speaker: whose session it is.
        rng: decides all that differs between two utterances of a session.
        bandwidth: highest frequency that the channel carries, in Hz; None: all up to RATE / 2.

    Returns:
        int16 samples at RATE, and the segments in samples of RATE.
    """
    dry, moved = _resampled(samples, segments, speaker.tract)
    dry, moved = _with_edges(dry, moved, rng)
    wet = _microphone(_room(dry, speaker, rng), speaker)
    snr = speaker.snr_db + float(rng.uniform(-2, 2))
    noisy = wet + _noise(wet, snr, speaker.noise_slope, rng)
    if bandwidth is not None:
        noisy = _narrowed(noisy, bandwidth)
    peak = 10 ** ((speaker.level_db + float(rng.uniform(-2, 2))) / 20)
    scaled = noisy * (peak / max(float(np.abs(noisy).max()), 1e-9)) * 32767
    return np.round(scaled).clip(-32768, 32767).astype(np.int16), moved


def _resampled(
    samples: np.ndarray, segments: list[Segment], tract: float
) -> tuple[np.ndarray, list[Segment]]:
    virtual_rate = SPOKEN_RATE * tract
    audio = soxr.resample(samples.astype(np.float64) / 32768, virtual_rate, RATE)
    moved = []
    for segment in segments:
        start, end = (
            min(round(x * RATE / virtual_rate), audio.size) for x in (segment.start, segment.end)
        )
        moved.append(Segment(start, end, segment.label, segment.word))
    moved[-1].end = audio.size
    return audio, moved


def _with_edges(
    audio: np.ndarray, segments: list[Segment], rng: np.random.Generator
) -> tuple[np.ndarray, list[Segment]]:
    before, after = (round(float(x) * RATE) for x in rng.uniform(*_EDGE_SECONDS, size=2))
    padded = np.concatenate([np.zeros(before), audio, np.zeros(after)])
    for segment in segments:
        segment.start += before
        segment.end += before
    segments[0].start = 0
    segments[-1].end = padded.size
    return padded, segments


def _room(audio: np.ndarray, speaker: Speaker, rng: np.random.Generator) -> np.ndarray:
    length = max(2, round(speaker.reverberation_s * RATE))
    echo = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    # The first echoes come some 2 ms after the direct sound.
    echo[: RATE // 500] = 0
    response = echo * np.sqrt(10 ** (-speaker.direct_db / 10) / max(np.sum(echo**2), 1e-12))
    response[0] = 1.0
    size = _fft_size(audio.size + length)
    wet = np.fft.irfft(np.fft.rfft(audio, size) * np.fft.rfft(response, size), size)
    return wet[: audio.size]


def _microphone(audio: np.ndarray, speaker: Speaker) -> np.ndarray:
    size = _fft_size(audio.size + _PAD)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    gain = 10 ** (speaker.tilt_db * hertz / (RATE / 2) / 20)
    gain /= np.sqrt(1 + (speaker.low_hz / np.maximum(hertz, 1.0)) ** 4)
    gain /= np.sqrt(1 + (hertz / speaker.high_hz) ** 12)
    return np.fft.irfft(np.fft.rfft(audio, size) * gain, size)[: audio.size]


def _narrowed(audio: np.ndarray, bandwidth: float) -> np.ndarray:
    """As it comes back from a recorder of a lower rate, of the same length."""
    low = soxr.resample(audio, RATE, 2 * bandwidth)
    back = soxr.resample(low, 2 * bandwidth, RATE)[: audio.size]
    return np.pad(back, (0, audio.size - back.size))


def _noise(audio: np.ndarray, snr_db: float, slope: float, rng: np.random.Generator) -> np.ndarray:
    size = _fft_size(audio.size)
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size)) / np.maximum(hertz, 50) ** (slope / 2)
    noise = np.fft.irfft(spectrum, size)[: audio.size]
    # Against the speech's power where there is speech, so that pauses do not change the meaning.
    power = np.mean(np.sort(audio**2)[audio.size // 3 :])
    return noise * np.sqrt(power / np.mean(noise**2) * 10 ** (-snr_db / 10))


def _fft_size(count: int) -> int:
    return 1 << (count - 1).bit_length()
