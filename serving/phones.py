"""A served phone classifier, asked for segments of recordings as `zoo.classify` is."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from zoo.data.corpora.audio import AudioFile, read_audio
from zoo.data.corpora.labels import groups_of
from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.errors import UsageError
from zoo.inference import Answer, top_of, wav_contents

from .client import CLASSIFY, Client

SEGMENTS = "segments"
"""The signature that takes segments of a recording."""

RECORDING_SECONDS = 600
"""Longest recording that it takes."""

_BESIDE_SECONDS = 5
"""Of a longer recording, what is sent on either side of a segment to see whether it matters."""

_CLOSE = 1e-3
"""Scores that differ by less are the same."""


class ServedPhones:
    """A served classifier of `zoo export`.

    Args:
        client: of the model.
        top_k: how many classes an answer names; None: 5, or all of a model of fewer.

    Raises:
        UsageError: the model is something else.
    """

    def __init__(self, client: Client, top_k: int | None = None) -> None:
        self._client = client
        self._top_k = top_k
        self._signatures = client.signatures()
        outputs = getattr(self._signatures.get("wav_bytes"), "outputs", ())
        if not {"phones", "scores"} <= set(outputs):
            raise UsageError(f"{client.url} is no phone classifier of zoo export.")

    def answers(
        self, audio: np.ndarray, rate: int, segments: Sequence[tuple[int, int]] | None
    ) -> list[Answer]:
        """Name the phone in each segment of a recording; None: in all of it.

        Raises:
            UsageError: `top_k` is more than an answer names.
            ServerError: the server cannot be reached, or refuses the recording.
        """
        if segments is None:
            return self._named([(0, len(audio))], self._alone([audio], rate))
        if SEGMENTS not in self._signatures:
            return self._named(segments, self._alone([audio[a:b] for a, b in segments], rate))
        # Whether the model looks at the rest of the recording, it knows by itself.
        return self._named(segments, self._within(audio, rate, segments))

    def excerpt(self, file: AudioFile, start: int, end: int) -> Answer:
        """Name the phone in one segment of a recording, which may be longer than is sent.

        Raises:
            UsageError: as `answers`; the model looks at all of a recording that is too long for it.
            ServerError: as `answers`.
        """
        if SEGMENTS in self._signatures and file.frames <= RECORDING_SECONDS * file.rate:
            audio, rate = read_audio(file.path)
            return self.answers(audio, rate, [(start, end)])[0]
        alone = self._alone([file.excerpt(start, end)], file.rate)
        if SEGMENTS in self._signatures:
            beside = _BESIDE_SECONDS * file.rate
            first, last = max(start - beside, 0), min(end + beside, file.frames)
            part = file.excerpt(first, last)
            within = self._within(part, file.rate, [(start - first, end - first)])
            if np.abs(within["scores"] - alone["scores"]).max() > _CLOSE:
                raise UsageError(
                    f"{file.path} lasts {file.frames / file.rate:.0f} s, and this model hears a "
                    f"segment by its whole recording, of which a server takes {RECORDING_SECONDS} "
                    "s; cut the recording, or give the model's folder with --model."
                )
        return self._named([(start, end)], alone)[0]

    def groups(self, answers: Sequence[Answer], all_of_them: bool) -> Mapping[str, str]:
        """Class -> what it is scored as.

        Args:
            answers: that name classes.
            all_of_them: also of classes that no answer names, for which the server is asked.
        """
        if all_of_them and CLASSIFY in self._signatures:
            silence = wav_contents(np.zeros(1600, "int16"), 16000)
            names = {name for name, _ in self._client.classify(silence)}
            return GROUPS if names == set(CLASSES) else groups_of(sorted(names))
        named = {phone for answer in answers for phone in answer.phones}
        if named <= set(CLASSES):
            return GROUPS
        if all_of_them:
            print(
                f"zoo predict: {self._client.url} does not say what all its classes are; labels of "
                f"those that it did not name are not counted: it named {', '.join(sorted(named))}.",
                file=sys.stderr,
            )
        return groups_of(sorted(named))

    def _alone(self, segments: Sequence[np.ndarray], rate: int) -> dict[str, np.ndarray]:
        return self._client.predict_wav(*(wav_contents(one, rate) for one in segments))

    def _within(
        self, audio: np.ndarray, rate: int, segments: Sequence[tuple[int, int]]
    ) -> dict[str, np.ndarray]:
        starts, ends = (np.array(times) / rate for times in zip(*segments, strict=True))
        inputs = {"wav": wav_contents(audio, rate), "starts": starts, "ends": ends}
        return self._client.predict(inputs, SEGMENTS)

    def _named(
        self, segments: Sequence[tuple[int, int]], answer: Mapping[str, np.ndarray]
    ) -> list[Answer]:
        count = top_of(self._top_k, answer["phones"].shape[1], "--top-k of a served model")
        return [
            Answer(start, end, tuple(phones[:count]), tuple(map(float, scores[:count])))
            for (start, end), phones, scores in zip(
                segments, answer["phones"], answer["scores"], strict=True
            )
        ]
