"""A client of TensorFlow Serving's REST interface: NumPy arrays and WAV files in, arrays out."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from zoo.decoding.formats import Interval
from zoo.decoding.transcript import Transcript
from zoo.errors import RunError, UsageError

from .alignment import ALIGN, PRONOUNCE, Said
from .arrays import Signature, carried, column, json_body, received, signature_of

TIMEOUT_SECONDS = 60.0
RETRIES = 4
"""How often a request is sent again that found no server, or one that is busy (503)."""

BACKOFF_SECONDS = 0.2
"""Wait before the first repetition; each later one is twice as long, up to a random half less."""

CLASSIFY = "classify"
"""The signature whose answers name all classes."""

TRANSCRIBE = "transcribe"
"""The signature that takes whole recordings."""

_PATH = re.compile(r"/v1/models/[^/:]+(/versions/\d+|/labels/[^/:]+)?")


class ServerError(RunError):
    """A server cannot be reached, or refused a request.

    Attributes:
        status: the HTTP status; None if there was no answer.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class _Request:
    method: str
    url: str
    body: bytes | None = None


class _Model:
    """What the two clients share: the arguments, the requests, and the answers' meaning."""

    _connections: Callable[..., Any]

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
        backoff: float = BACKOFF_SECONDS,
    ) -> None:
        parsed = httpx.URL(url.rstrip("/"))
        if parsed.scheme not in ("http", "https") or not _PATH.fullmatch(parsed.path):
            raise UsageError(
                "a served model's address is http://HOST:PORT/v1/models/NAME, with "
                f"/versions/NUMBER or /labels/LABEL after it if need be; received {url!r}."
            )
        self.url = str(parsed)
        self._retries = retries
        self._backoff = backoff
        headers = {"content-type": "application/json"}
        if api_key is not None:
            headers["authorization"] = f"Bearer {api_key}"
        self._http = self._connections(timeout=timeout, headers=headers)
        self._signatures: dict[str, Signature] | None = None

    def _metadata_request(self) -> _Request:
        # A version's metadata is that version's; signatures are asked for once.
        return _Request("GET", f"{self.url}/metadata")

    def _read_metadata(self, document: Any) -> dict[str, Signature]:
        definitions = document["metadata"]["signature_def"]["signature_def"]
        self._signatures = {name: signature_of(d) for name, d in definitions.items() if carried(d)}
        return self._signatures

    def _predict_request(
        self, signatures: Mapping[str, Signature], name: str, inputs: Any
    ) -> _Request:
        expected = self._signature(signatures, name)
        if not isinstance(inputs, Mapping):
            if len(expected.inputs) != 1:
                raise UsageError(
                    f"{name} has the inputs {', '.join(expected.inputs)}; give a value for each "
                    "by its name."
                )
            inputs = {next(iter(expected.inputs)): inputs}
        if set(inputs) != set(expected.inputs):
            raise UsageError(
                f"{name} has the inputs {', '.join(expected.inputs)}; received "
                f"{', '.join(map(str, inputs)) or 'none'}."
            )
        columns = {key: column(inputs[key], dtype) for key, dtype in expected.inputs.items()}
        body = json_body({"signature_name": name, "inputs": columns})
        return _Request("POST", f"{self.url}:predict", body)

    def _classify_request(self, signatures: Mapping[str, Signature], wav: bytes) -> _Request:
        self._signature(signatures, CLASSIFY)
        example = {"wav": {"b64": base64.b64encode(wav).decode()}}
        body = json.dumps({"signature_name": CLASSIFY, "examples": [example]}).encode()
        return _Request("POST", f"{self.url}:classify", body)

    def _read_prediction(
        self, signatures: Mapping[str, Signature], name: str, document: Any
    ) -> dict[str, np.ndarray]:
        values, expected = document["outputs"], signatures[name].outputs
        if len(expected) == 1:  # a lone output stands for itself
            values = {next(iter(expected)): values}
        return {key: received(value, expected[key]) for key, value in values.items()}

    def _signature(self, signatures: Mapping[str, Signature], name: str) -> Signature:
        if name not in signatures:
            raise UsageError(
                f"{self.url} has no signature {name!r}; it has {', '.join(sorted(signatures))}."
            )
        return signatures[name]

    def _wait(self, attempt: int, problem: ServerError) -> float:
        """Seconds to wait before the next attempt; raises `problem` if there is none."""
        if problem.status not in (None, 503) or attempt >= self._retries:
            raise problem
        return self._backoff * 2**attempt * random.uniform(0.5, 1.0)

    def _unreachable(self, error: httpx.TransportError) -> ServerError:
        reason = str(error) or type(error).__name__
        return ServerError(f"{self.url} cannot be reached: {reason}.")

    def _document(self, response: httpx.Response) -> Any:
        """An answer's JSON, or a `ServerError` as what it returns."""
        try:
            document = json.loads(response.content)
        except ValueError:
            document = None
        if response.status_code == 200 and isinstance(document, dict):
            return document
        said = document.get("error") if isinstance(document, dict) else None
        message = said or "the answer is not that of a model server"
        return ServerError(
            f"{self.url} answered {response.status_code}: {message}", response.status_code
        )


class Client(_Model):
    """A served model; a context manager, or `close` it.

    Args:
        url: `http://HOST:PORT/v1/models/NAME`, with `/versions/N` or `/labels/L` if need be.
        api_key: sent with every request, where the server asks for one.
        timeout: seconds for an answer.
        retries: how often a request is sent again that found no server, or a busy one (503).
        backoff: seconds before the first repetition, doubled with each one.

    Raises:
        UsageError: `url` is no model's address.

    Example:
        >>> with Client("http://127.0.0.1:8501/v1/models/phones") as phones:
        ...     phones.predict_wav("phone.wav")["phones"].shape
        (1, 5)
    """

    _connections = httpx.Client

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def signatures(self) -> dict[str, Signature]:
        """Signature name -> what it takes and gives, of those JSON can carry; asked for once.

        Raises:
            ServerError: there is no such server or model.
        """
        if self._signatures is None:
            return self._read_metadata(self._send(self._metadata_request()))
        return self._signatures

    def predict(self, inputs: Any, signature: str = "serving_default") -> dict[str, np.ndarray]:
        """Call a signature.

        Args:
            inputs: arrays by name, or the array of a lone input; strings as str or bytes.
            signature: its name.

        Returns:
            Output name -> array; strings as an object array of str,
            or of bytes where the output's name ends in `_bytes`.

        Raises:
            UsageError: there is no such signature, or its inputs are others.
            ServerError: the server cannot be reached, or refuses the request.
        """
        signatures = self.signatures()
        answer = self._send(self._predict_request(signatures, signature, inputs))
        return self._read_prediction(signatures, signature, answer)

    def predict_wav(
        self, *files: str | Path | bytes, signature: str = "wav_bytes"
    ) -> dict[str, np.ndarray]:
        """Call a signature that takes WAV files, one segment each.

        Args:
            *files: paths, or contents.
            signature: its name.

        Returns:
            Output name -> array with one row a file.

        Raises:
            UsageError, ServerError: as in `predict`.
        """
        return self.predict(_wavs(files), signature)

    def classify(self, file: str | Path | bytes) -> list[tuple[str, float]]:
        """All classes of a classifier, with the probability of each.

        Args:
            file: path of a WAV file, or its contents: one segment.

        Returns:
            Names and probabilities, the most probable first.

        Raises:
            UsageError, ServerError: as in `predict`.
        """
        (wav,) = _wavs((file,))
        answer = self._send(self._classify_request(self.signatures(), wav))
        return [(name, score) for name, score in answer["results"][0]]

    def transcribe(self, file: str | Path | bytes) -> list[Interval]:
        """Name the phones of a recording, by a model that transcribes.

        Args:
            file: path of a WAV file, or its contents.

        Returns:
            Intervals with start, end (in seconds), label and score, one after the other from the
            recording's start to its end.

        Raises:
            UsageError, ServerError: as in `predict`.

        Example:
            >>> with Client("http://127.0.0.1:8501/v1/models/speech") as speech:
            ...     speech.transcribe("speech.wav")[0].start
            0.0
        """
        return _intervals(self.predict(_wavs((file,)), TRANSCRIBE))

    def align(
        self,
        file: str | Path | bytes,
        *,
        text: str | None = None,
        words: Sequence[str] | None = None,
        phones: str | Sequence[str] | None = None,
        dictionary: Sequence[str | Path] = (),
    ) -> Transcript:
        """Find when each word and phone of a known text is said, by a model that transcribes.

        Args:
            file: path of a WAV file, or its contents.
            text: what is said in it, in English unless the dictionaries are of another language; or
            words: the same, as words; or
            phones: as the model or a dictionary calls them.
            dictionary: files of pronunciations, which are asked before CMUdict here. Without any,
                the server looks words up where it has the signature `pronounce`.

        Returns:
            What `zoo.align` gives, but that only the first pronunciation of a word is tried, and
            that a word's score is the mean of its phones' by their durations.

        Raises:
            UsageError: as in `predict`; not one of text, words and phones, or an unknown word.
            ServerError: as in `predict`; an unknown phone, a recording that is too short for the
                phones or silent.

        Example:
            >>> with Client("http://127.0.0.1:8501/v1/models/speech") as speech:
            ...     transcript = speech.align("speech.wav", phones="hh ah l ow")
            >>> [i.label for i in transcript.intervals if i.label != "sil"]
            ['hh', 'ah', 'l', 'ow']
        """
        said = Said.of(text, words, phones, dictionary, PRONOUNCE in self.signatures())
        if said.phones is None:
            said = said.pronounced(self.predict(said.words, PRONOUNCE)["phones"].tolist())
        (wav,) = _wavs((file,))
        return said.transcript(wav, self.predict({"wav": wav, "phones": said.phones}, ALIGN))

    def _send(self, request: _Request) -> Any:
        for attempt in range(self._retries + 1):
            try:
                response = self._http.request(request.method, request.url, content=request.body)
                answer = self._document(response)
            except httpx.TransportError as error:
                answer = self._unreachable(error)
            if not isinstance(answer, ServerError):
                return answer
            time.sleep(self._wait(attempt, answer))
        raise AssertionError("_wait raises at the last attempt")


class AsyncClient(_Model):
    """`Client` for asyncio: the same arguments, and the same methods to be awaited."""

    _connections = httpx.AsyncClient

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def signatures(self) -> dict[str, Signature]:
        """See `Client.signatures`."""
        if self._signatures is None:
            return self._read_metadata(await self._send(self._metadata_request()))
        return self._signatures

    async def predict(
        self, inputs: Any, signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """See `Client.predict`."""
        signatures = await self.signatures()
        answer = await self._send(self._predict_request(signatures, signature, inputs))
        return self._read_prediction(signatures, signature, answer)

    async def predict_wav(
        self, *files: str | Path | bytes, signature: str = "wav_bytes"
    ) -> dict[str, np.ndarray]:
        """See `Client.predict_wav`."""
        return await self.predict(_wavs(files), signature)

    async def classify(self, file: str | Path | bytes) -> list[tuple[str, float]]:
        """See `Client.classify`."""
        (wav,) = _wavs((file,))
        answer = await self._send(self._classify_request(await self.signatures(), wav))
        return [(name, score) for name, score in answer["results"][0]]

    async def transcribe(self, file: str | Path | bytes) -> list[Interval]:
        """See `Client.transcribe`."""
        return _intervals(await self.predict(_wavs((file,)), TRANSCRIBE))

    async def align(
        self,
        file: str | Path | bytes,
        *,
        text: str | None = None,
        words: Sequence[str] | None = None,
        phones: str | Sequence[str] | None = None,
        dictionary: Sequence[str | Path] = (),
    ) -> Transcript:
        """See `Client.align`."""
        known = PRONOUNCE in await self.signatures()
        said = Said.of(text, words, phones, dictionary, known)
        if said.phones is None:
            said = said.pronounced((await self.predict(said.words, PRONOUNCE))["phones"].tolist())
        (wav,) = _wavs((file,))
        answer = await self.predict({"wav": wav, "phones": said.phones}, ALIGN)
        return said.transcript(wav, answer)

    async def _send(self, request: _Request) -> Any:
        for attempt in range(self._retries + 1):
            try:
                response = await self._http.request(
                    request.method, request.url, content=request.body
                )
                answer = self._document(response)
            except httpx.TransportError as error:
                answer = self._unreachable(error)
            if not isinstance(answer, ServerError):
                return answer
            await asyncio.sleep(self._wait(attempt, answer))
        raise AssertionError("_wait raises at the last attempt")


def _wavs(files: tuple[str | Path | bytes, ...]) -> np.ndarray:
    contents = np.empty(len(files), object)
    for number, file in enumerate(files):
        if isinstance(file, bytes):
            contents[number] = file
            continue
        try:
            contents[number] = Path(file).read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    return contents


def _intervals(answer: Mapping[str, np.ndarray]) -> list[Interval]:
    """Those of the only recording that was asked about."""
    count = int(answer["counts"][0])
    columns = [answer[name][0][:count] for name in ("starts", "ends", "phones", "scores")]
    return [
        Interval(float(start), float(end), str(phone), float(score))
        for start, end, phone, score in zip(*columns, strict=True)
    ]
