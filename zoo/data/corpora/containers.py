"""The length that a container's header states, and when it cannot be trusted.

A writer to a pipe cannot go back and fill in a length. It leaves 0, or the largest number that the
field or a program can hold. Such a placeholder means that the samples have to be decoded and
counted. With any other length, the file must hold that much.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from zoo.errors import UsageError

_NEAR = 0x10000
"""How far from a round number a placeholder lies: headers are taken off some, blocks off others."""

_FARTHEST = 1 << 40
"""Bytes into a file where no recording has a chunk any more."""

_MAX_CHUNKS = 1000
"""Of a file, looked at for the one with the samples."""

AFTER_SAMPLES = (b"LIST", b"fact", b"cue ", b"bext", b"id3 ", b"ID3 ", b"JUNK", b"junk", b"PAD ")
"""Chunks of a RIFF file that show that the data chunk before them is really empty."""

UNREAD = {
    **dict.fromkeys(
        (".m4a", ".m4b", ".mp4", ".mov", ".3gp", ".aac"), "AAC or another MPEG-4 sound"
    ),
    **dict.fromkeys((".webm", ".mkv", ".mka"), "Matroska or WebM"),
    ".wma": "Windows Media Audio",
    ".amr": "AMR",
    ".ape": "Monkey's Audio",
    ".shn": "Shorten",
}
"""Suffixes of unsupported recordings, and what they hold; ffmpeg reads them all."""


def is_placeholder(size: Any) -> Any:
    """Whether a 32-bit length is a placeholder for one that was unknown when it was written.

    0, and what lies within 64 KiB of 0x7F000000 (SoX for AIFF), 0x7FFFFFFF and 0x80000000 (SoX
    for WAV writes 0x7FFFF000), or of 0xFFFFFFFF (ffmpeg).

    Args:
        size: a number, or a tensor of them.
    """
    near_sox = (size >= 0x7F000000 - _NEAR) & (size <= 0x7F000000 + _NEAR)
    near_half = (size >= 0x7FFFFFFF - _NEAR) & (size <= 0x80000000 + _NEAR)
    return (size == 0) | near_sox | near_half | (size >= 0xFFFFFFFF - _NEAR)


def _is_placeholder_64(size: int) -> bool:
    return size >= 1 << 62 or (size < 1 << 32 and bool(is_placeholder(size)))


class Promise(NamedTuple):
    """A recording's length according to its header.

    Attributes:
        end: bytes that the file has at the least; None: unknown.
        counted: whether the number of samples is known by decoding alone.
        head: bytes to read in place of the file's first ones, which are wrong for libsndfile.
        skipped: how many of the file's first bytes these stand for.
        cut: a stream's missing end, in words; None: it has one, or its kind has none.
        stream: whether the container cannot state a length that has to be kept.
        trailing: whether libsndfile would take what follows `end` for samples.
    """

    end: int | None = None
    counted: bool = False
    head: bytes = b""
    skipped: int = 0
    cut: str | None = None
    stream: bool = False
    trailing: bool = False


class Edited(io.RawIOBase):
    """A file with other bytes at its beginning, cut where its header says that it ends."""

    def __init__(self, file: BinaryIO, promise: Promise, size: int) -> None:
        self._file, self._head = file, promise.head
        self._shift = promise.skipped - len(promise.head)
        self._size = min(size, promise.end or size) - self._shift
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; see `io.IOBase.seek`."""
        base = (0, self._position, self._size)[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Fill as much of a buffer as there are bytes."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self._size - self._position))
        head = self._head[self._position : self._position + count]
        view[: len(head)] = head
        if count > len(head):
            self._file.seek(self._position + len(head) + self._shift)
            rest = self._file.read(count - len(head))
            view[len(head) : len(head) + len(rest)] = rest
            count = len(head) + len(rest)
        self._position += count
        return count


def promised(file: BinaryIO, path: Path, size: int) -> Promise:
    """The length according to the header of an open file of `size` bytes.

    Raises:
        UsageError: the file is empty, or of a kind that is known and not read.
    """
    head = file.read(1024)
    if not head:
        raise UsageError(f"{path} is empty; a recording was expected.")
    for fits, read in _CONTAINERS:
        if fits(head):
            return read(file, head, path, size)
    return Promise()


def converting(path: Path) -> str:
    """The command that converts an unsupported recording to WAV."""
    return f"ffmpeg -i {_quoted(path.name)} {_quoted(path.with_suffix('.wav').name)}"


def _quoted(name: str) -> str:
    import shlex

    return shlex.quote(name)


def _chunks(
    file: BinaryIO, start: int, step: Callable[[bytes], tuple[int, int]], width: int
) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and stated size of every chunk; `step`: size and distance."""
    position = start
    for _ in range(_MAX_CHUNKS):
        # Sizes of 64 bits may point beyond what a file system can seek.
        if position >= _FARTHEST:
            return
        file.seek(position)
        chunk = file.read(width)
        if len(chunk) < width:
            return
        size, distance = step(chunk)
        yield chunk, position + width, size
        position += width + distance


def _even(order: str) -> Callable[[bytes], tuple[int, int]]:
    def step(chunk: bytes) -> tuple[int, int]:
        size = int.from_bytes(chunk[4:8], order)  # type: ignore[arg-type]
        return size, size + size % 2

    return step


def _replaced(file: BinaryIO, edits: dict[int, bytes], until: int) -> Promise:
    """An unknown length, in place of which the header says what the file holds."""
    file.seek(0)
    head = bytearray(file.read(until))
    for place, value in edits.items():
        head[place : place + len(value)] = value
    return Promise(None, head=bytes(head), skipped=len(head))


def _riff(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    wide = None
    for chunk, at, stated in _chunks(file, 12, _even("little"), 8):
        if chunk[:4] == b"ds64" and head[:4] == b"RF64":
            wide = at
        if chunk[:4] != b"data":
            continue
        held = size - at
        if wide is not None and stated == 0xFFFFFFFF:
            file.seek(wide + 8)
            stated = int.from_bytes(file.read(8), "little")
            if _is_placeholder_64(stated):
                counts = (size - 8).to_bytes(8, "little") + held.to_bytes(8, "little")
                return _replaced(file, {wide: counts + bytes(8)}, at)
            return Promise(at + stated, trailing=True)
        file.seek(at)
        if not is_placeholder(stated) or (stated == 0 and file.read(4) in AFTER_SAMPLES):
            return Promise(at + stated)
        if held < 1 << 32:
            return _replaced(file, {at - 4: held.to_bytes(4, "little")}, at)
        return Promise()
    return Promise()


def _w64(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    def step(chunk: bytes) -> tuple[int, int]:
        stated = int.from_bytes(chunk[16:24], "little")
        return stated - 24, max(0, (stated + 7) // 8 * 8 - 24)

    for chunk, at, stated in _chunks(file, 40, step, 24):
        if chunk[:4] == b"data":
            unknown = stated < 0 or _is_placeholder_64(stated) or _is_placeholder_64(stated + 24)
            return Promise(None if unknown else at + stated, trailing=True)
    return Promise()


def _aiff(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    for chunk, at, stated in _chunks(file, 12, _even("big"), 8):
        if chunk[:4] == b"SSND":
            return Promise(None if is_placeholder(stated) else at + stated)
    return Promise()


def _caf(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    def step(chunk: bytes) -> tuple[int, int]:
        stated = int.from_bytes(chunk[4:12], "big")
        return stated, stated

    for chunk, at, stated in _chunks(file, 8, step, 12):
        if chunk[:4] != b"data":
            continue
        if _is_placeholder_64(stated):
            return _replaced(file, {at - 8: (size - at).to_bytes(8, "big")}, at)
        return Promise(at + stated)
    return Promise()


def _au(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    at, stated = (int.from_bytes(head[place : place + 4], "big") for place in (4, 8))
    if not is_placeholder(stated):
        return Promise(at + stated)
    if at > min(size, 1 << 20):
        return Promise()
    return _replaced(file, {8: min(size - at, 0xFFFFFFFF).to_bytes(4, "big")}, max(at, 12))


def _sphere(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    fields = {}
    for line in head[16:].split(b"end_head")[0].splitlines():
        words = line.split(None, 2)
        if len(words) == 3:
            fields[words[0]] = words[2].strip()
    coding = fields.get(b"sample_coding", b"pcm")
    if coding not in (b"pcm", b"ulaw", b"mu-law", b"alaw"):
        plain = _quoted(path.with_suffix(".wav").name)
        raise UsageError(
            f"{path} is compressed ({coding.decode('ascii', 'replace')}), which is "
            f"not supported; convert it: sph2pipe -f wav {_quoted(path.name)} {plain}"
        )
    width = b"2" if coding == b"pcm" else b"1"
    try:
        samples, at = int(fields[b"sample_count"]), int(head[8:16])
        samples *= int(fields.get(b"sample_n_bytes", width))
        samples *= int(fields.get(b"channel_count", b"1"))
    except (KeyError, ValueError):
        raise UsageError(
            f"{path} has a SPHERE header without a valid sample_count; "
            "the file is damaged or was cut short."
        ) from None
    if samples < 0:
        raise UsageError(f"{path} has a SPHERE header with a negative length; it is damaged.")
    return Promise(None if is_placeholder(samples) else at + samples, trailing=True)


def _flac(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    # 36 bits of the block STREAMINFO, which comes first.
    return Promise(counted=not int.from_bytes(head[21:26], "big") & 0xFFFFFFFFF)


def _ogg(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    # A page has up to 65307 bytes.
    file.seek(max(0, size - 0x10000))
    tail = file.read()
    last = tail.rfind(b"OggS\0")
    ended = last >= 0 and len(tail) > last + 5 and tail[last + 5] & 4
    if ended and _ogg_page(tail[last:]) <= len(tail) - last:
        return Promise(stream=True)
    return Promise(counted=True, stream=True, cut="its last page is not marked as the last")


def _ogg_page(page: bytes) -> int:
    """The size of a page."""
    segments = page[26] if len(page) > 26 else 255
    return 27 + segments + sum(page[27 : 27 + segments])


def _mp3(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
    start = 0
    if head[:3] == b"ID3":
        # Four times seven bits.
        start = 10 + sum((byte & 0x7F) << 7 * (3 - place) for place, byte in enumerate(head[6:10]))
    file.seek(start)
    frame = file.read(0x4000)
    skipped = next((i for i in range(len(frame) - 4) if _is_mp3_frame(frame[i : i + 4])), None)
    if skipped is None:
        return Promise(counted=True, stream=True)
    start, frame = start + skipped, frame[skipped:]
    newest, single = frame[1] & 0x18 == 0x18, frame[3] & 0xC0 == 0xC0
    at = 4 + ((17 if single else 32) if newest else (9 if single else 17))
    name, flags = frame[at : at + 4], int.from_bytes(frame[at + 4 : at + 8], "big")
    if name in (b"Xing", b"Info") and flags & 1:
        place = at + 12
        stated = int.from_bytes(frame[place : place + 4], "big") if flags & 2 else 0
        if start + stated <= size:
            return Promise(counted=True, stream=True)
        cut = f"its header promises {start + stated} bytes, there are {size}"
        return Promise(counted=True, stream=True, cut=cut)
    if frame[36:40] == b"VBRI":
        return Promise(counted=True, stream=True)
    # Of a file that says nothing, libsndfile reads no more than it makes of the first frame's
    # rate and the size. It is told of more samples than there can be.
    mark = b"Xing" + (1).to_bytes(4, "big") + (size // 24).to_bytes(4, "big")
    bits = bytes((frame[0], frame[1] | 1, 0x90 | frame[2] & 0x0C, frame[3]))
    rate = (44100, 48000, 32000)[(frame[2] >> 2) & 3] // {3: 1, 2: 2, 0: 4}[(frame[1] >> 3) & 3]
    length = 144 * 128_000 // rate if newest else 72 * 80_000 // rate
    first = (bits + bytes(at - 4) + mark).ljust(length, b"\0")
    return Promise(counted=True, stream=True, head=first, skipped=start)


def _is_mp3_frame(header: bytes) -> bool:
    """Whether four bytes begin a frame of layer III."""
    return (
        header[0] == 0xFF
        and header[1] & 0xE6 == 0xE2
        and header[1] & 0x18 != 0x08
        and header[2] & 0xF0 not in (0, 0xF0)
        and header[2] & 0x0C != 0x0C
    )


def _not_read(what: str) -> Callable[[BinaryIO, bytes, Path, int], Promise]:
    def read(file: BinaryIO, head: bytes, path: Path, size: int) -> Promise:
        raise UsageError(
            f"{path} holds {what}, which is not supported; convert it: {converting(path)}"
        )

    return read


def _begins(*starts: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(starts)


_CONTAINERS: list[
    tuple[Callable[[bytes], bool], Callable[[BinaryIO, bytes, Path, int], Promise]]
] = [
    (_begins(b"NIST_1A\n"), _sphere),
    (lambda head: head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE", _riff),
    (_begins(b"riff\x2e\x91\xcf\x11"), _w64),
    (lambda head: head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"), _aiff),
    (_begins(b"caff"), _caf),
    (_begins(b".snd"), _au),
    (_begins(b"fLaC"), _flac),
    (_begins(b"OggS"), _ogg),
    (lambda head: head[4:8] == b"ftyp", _not_read(UNREAD[".m4a"])),
    (_begins(b"\x1a\x45\xdf\xa3"), _not_read(UNREAD[".mkv"])),
    (_begins(b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), _not_read(UNREAD[".wma"])),
    (_begins(b"#!AMR"), _not_read(UNREAD[".amr"])),
    (_begins(b"MAC "), _not_read(UNREAD[".ape"])),
    (_begins(b"ajkg"), _not_read(UNREAD[".shn"])),
    (lambda head: head[0] == 0xFF and len(head) > 1 and head[1] & 0xF6 == 0xF0, _not_read("AAC")),
    (lambda head: head[:3] == b"ID3" or _is_mp3_frame(head[:4].ljust(4, b"\0")), _mp3),
]
