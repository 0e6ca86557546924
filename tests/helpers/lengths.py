"""Recordings whose headers say something else of their length than there is."""

from __future__ import annotations

import struct

PLACEHOLDERS = (
    *(0, 0x7F000000, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    *(0x7F000024, 0x7FFFF024, 0x7FFFFFDB, 0x80000024, 0xFFFFF000, 0xFFFFFFDB),
)
"""What writers to a pipe leave in place of a 32-bit length."""

_FIELDS = {
    # Container -> the bytes before the length, how far behind them it is, and its form.
    "WAV": (b"data", 0, "<I"),
    "AIFF": (b"SSND", 0, ">I"),
    "AU": (b".snd", 4, ">I"),
    "CAF": (b"data", 0, ">Q"),
    "W64": (b"data\xf3\xac\xd3\x11", 8, "<Q"),
    "RF64": (b"ds64", 12, "<Q"),
}
WIDE = ("CAF", "W64", "RF64")
"""Containers whose lengths have 64 bits."""

SUFFIXES = {name: f".{name.lower()}" for name in (*_FIELDS, "FLAC")} | {"NIST": ".sph"}


def with_length(contents: bytes, container: str, length: int) -> bytes:
    """A file that states another length of its samples: bytes, of FLAC and SPHERE samples."""
    changed = bytearray(contents)
    if container == "FLAC":
        old = int.from_bytes(contents[21:26], "big")
        changed[21:26] = ((old & 0xF << 36) | length).to_bytes(5, "big")
    elif container == "NIST":
        line = next(x for x in contents.split(b"\n") if x.startswith(b"sample_count"))
        place, header = contents.index(line), contents[:1024]
        new = header.replace(line, b"sample_count -i %d" % length).rstrip()
        changed[:1024] = new.ljust(1024)
        assert place > 0
    else:
        name, behind, form = _FIELDS[container]
        struct.pack_into(form, changed, contents.index(name) + len(name) + behind, length)
    return bytes(changed)
