"""Models that align: networks, flat starts, and networks refined on the recordings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo.alignment import flat, refinement
from zoo.alignment.aligner import Aligner
from zoo.alignment.flat import FlatStart
from zoo.alignment.pronunciations import Dictionary, lexicon_of
from zoo.alignment.refinement import Refinement
from zoo.data.features.frontend import Frontend
from zoo.decoding.transcript import Transcript
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.runs import DECODER, RECOGNIZER, Run
from zoo.transcription import load_recognizer


def load_aligner(
    model: str | Path = RECOGNIZER,
    dictionary: str | Path | Sequence[str | Path] = (),
    letters: bool = True,
) -> Aligner:
    """Load a network and pronunciations once, to align many recordings with them.

    Args:
        model: a run folder of a network that transcribes, the name of a preset or of weights
            that ship, or a folder of a flat start or a refinement.
        dictionary: files of pronunciations (CMUdict's format, or Montreal Forced Aligner's), which
            are searched before CMUdict.
        letters: derive the pronunciation of unknown English words from their spelling.

    Raises:
        UsageError: there is no such model, it does not transcribe, or a dictionary is invalid.
    """
    files = [dictionary] if isinstance(dictionary, str | os.PathLike) else dictionary
    dictionaries = [Dictionary.read(file) for file in files]
    if FlatStart.is_in(model):
        start = FlatStart.load(model)
        recognizer = start.gaussians.recognizer(start.frontend)
        lexicon = lexicon_of(dictionaries, letters=letters)
        return Aligner(recognizer, lexicon, start.gaussians.said, np.zeros(len(recognizer.classes)))
    if Refinement.is_in(model):
        found = Refinement.load(model)
        network = Aligner.of(load_recognizer(found.network), dictionaries, letters)
        return refinement.joined(network, found.gaussians)
    return Aligner.of(load_recognizer(model), dictionaries, letters)


def frontend_of(model: str | Path) -> Frontend:
    """The front end that turns recordings into a model's input."""
    if FlatStart.is_in(model):
        return FlatStart.load(model).frontend
    return Run.open(Refinement.load(model).network if Refinement.is_in(model) else model).frontend


def has_classes(model: str | Path) -> bool:
    """Whether a model is a network, whose classes can be learnt from."""
    return not (FlatStart.is_in(model) or Refinement.is_in(model))


def identity(model: str | Path) -> list[str]:
    """What changes with whatever a model says of a recording: hashes of its files.

    Raises:
        UsageError: there is no such model.
    """
    if FlatStart.is_in(model):
        return [sha256(Path(model) / flat.FILE)]
    if Refinement.is_in(model):
        own = sha256(Path(model) / refinement.FILE)
        return [own, *identity(Refinement.load(model).network)]
    run = Run.open(model)
    decoder = run.path / DECODER
    return [sha256(path) for path in (run.network, decoder) if path.is_file()]


def align(
    model_or_path: Any,
    audio: np.ndarray,
    sample_rate: int,
    *,
    text: str | None = None,
    words: Sequence[str] | None = None,
    phones: Sequence[str] | None = None,
    dictionary: str | Path | Sequence[str | Path] = (),
    channel: int | None = None,
) -> Transcript:
    """Find when each word and phone of a known text is said in a recording.

    Of several pronunciations of a word, the one that fits the recording best is used. Silence is
    allowed between any two words.

    Args:
        model_or_path: a run folder, the name of a preset or of weights that ship, or what
            `load_aligner` returned.
        audio: (samples,) or (samples, channels); floats with full scale 1, or int16.
        sample_rate: of `audio`, in Hz.
        text: what is said, in English unless `dictionary` has its words; or
        words: the same, as words; or
        phones: the same, as phones named as in the dictionary or the model.
        dictionary: files of pronunciations, for a model that is not loaded yet.
        channel: which one of several to take, from 1 on.

    Returns:
        A tier "words", unless phones were given, and a tier "phones" with silences as `sil`.
        An interval's score is the mean probability of its phones' classes; the transcript's score
        says how well text and recording agree. Both are from 0 to 1.

    Raises:
        UsageError (a ValueError): the audio is empty, not finite, silent throughout or too short
            for the text; a word is in no dictionary, or a phone unknown to the model; not exactly
            one of text, words and phones is given.

    Example:
        >>> audio = np.random.default_rng(0).normal(0, 0.1, 16000)
        >>> transcript = zoo.align("runs/tdnn", audio, 16000, phones=["hh", "ah", "l", "ow"])
        >>> [interval.label for interval in transcript.tiers["phones"] if interval.label != "sil"]
        ['hh', 'ah', 'l', 'ow']
    """
    if isinstance(model_or_path, str | os.PathLike):
        model_or_path = load_aligner(Path(model_or_path), dictionary)
    if not isinstance(model_or_path, Aligner):
        raise UsageError(
            "model_or_path must be a run folder or an Aligner; received "
            f"{type(model_or_path).__name__}."
        )
    return model_or_path.align(
        audio, sample_rate, text=text, words=words, phones=phones, channel=channel
    )
