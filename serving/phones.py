"""A served phone classifier, asked for segments of recordings as `zoo.classify` is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from zoo.data.corpora.audio import AudioFile, neighbours, read_audio
from zoo.data.corpora.labels import groups_of
from zoo.data.corpora.phones import CLASSES, GROUPS
from zoo.errors import UsageError
from zoo.inference import Answer, top_of, wav_contents

from .client import CLASSIFY, TRANSCRIBE, Client

SEGMENTS = "segments"
"""The signature that takes segments of a recording."""

RECORDING_SECONDS = 600
"""Longest recording that it takes."""

_BESIDE_SECONDS = 10
"""Seconds of a longer recording that are sent on either side of segments: more than a model trained
with their surroundings looks at."""

_TOGETHER_SECONDS = 60
"""Seconds of a longer recording whose segments are sent together."""

_TOGETHER_BYTES = 16 * 2**20
"""Bytes of segments that are sent together."""

_CLOSE = 1e-5
"""Scores that differ by less differ by rounding."""


class ServedPhones:
    """A served classifier of `zoo export`.

    Args:
        client: client of the model.
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
            other = ""
            if TRANSCRIBE in self._signatures:
                other = (
                    " It transcribes whole recordings: use serving.client.Client, or its page in "
                    "a browser."
                )
            raise UsageError(f"{client.url} is not a phone classifier of zoo export.{other}")

    def answers(self, file: AudioFile, segments: Sequence[tuple[int, int]] | None) -> list[Answer]:
        """Name the phone in each segment of a recording; None: in all of it.

        Args:
            file: the recording, which may be longer than a server takes.
            segments: (start, end) of each in samples, in the order of their starts.

        Raises:
            UsageError: `top_k` is more than an answer names; or the model looks at all of a
                recording that is too long for it.
            ServerError: the server cannot be reached, or refuses the recording.
        """
        if segments is None:
            wav = wav_contents(*read_audio(file.path))
            return self._named([(0, file.frames)], self._client.predict_wav(wav))
        if SEGMENTS not in self._signatures:
            return list(self._alone(file, segments))
        # Whether the model looks at the rest of the recording, it knows by itself.
        if file.frames <= RECORDING_SECONDS * file.rate:
            audio, rate = read_audio(file.path)
            return self._named(segments, self._within(audio, rate, segments))
        return list(self._in_parts(file, segments))

    def groups(self, answers: Sequence[Answer], all_of_them: bool) -> Mapping[str, str]:
        """Class -> scored group.

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
                f"zoo predict: {self._client.url} does not list its classes; labels of "
                "classes that it never named are not counted: it named "
                f"{', '.join(sorted(named))}.",
                file=sys.stderr,
            )
        return groups_of(sorted(named))

    def _alone(self, file: AudioFile, segments: Sequence[tuple[int, int]]) -> Iterator[Answer]:
        wavs = (wav_contents(cut, file.rate) for cut in file.excerpts(segments))
        waiting: list[bytes] = []
        answered = 0
        for number, wav in enumerate(wavs, 1):
            waiting.append(wav)
            if sum(map(len, waiting)) >= _TOGETHER_BYTES or number == len(segments):
                answer = self._client.predict_wav(*waiting)
                yield from self._named(segments[answered:number], answer)
                waiting, answered = [], number

    def _in_parts(self, file: AudioFile, segments: Sequence[tuple[int, int]]) -> Iterator[Answer]:
        """Answers by what lies around segments, if what lies further away makes no difference.

        Whether it does is tried: with bursts of noise and silence in turn in its place, which no
        recording is like, the answers must stay.
        """
        groups = list(neighbours(segments, _TOGETHER_SECONDS * file.rate))
        beside = _BESIDE_SECONDS * file.rate
        spans = [
            (max(g[0][0] - 2 * beside, 0), min(g[-1][1] + 2 * beside, file.frames)) for g in groups
        ]
        noise = np.random.default_rng(0)
        for group, (first, _), part in zip(groups, spans, file.excerpts(spans), strict=True):
            begun = max(group[0][0] - beside, 0)
            places = [(start - first, end - first) for start, end in group]
            nearer = [(start - begun, end - begun) for start, end in group]
            near = slice(begun - first, places[-1][1] + beside)
            answer = self._within(part[near], file.rate, nearer)
            other = noise.uniform(-1, 1, part.shape).astype("float32")
            other[np.arange(len(part)) // (file.rate // 10) % 2 == 0] = 0
            other[near] = part[near]
            check = self._within(other, file.rate, places)
            if np.abs(answer["scores"] - check["scores"]).max() > _CLOSE:
                raise UsageError(
                    f"{file.path} lasts {file.frames / file.rate:.0f} s, and this model uses "
                    "all of a segment's recording, of which a server takes "
                    f"{RECORDING_SECONDS} s; cut the recording, or give the model's folder "
                    "with --model."
                )
            yield from self._named(group, answer)

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
