"""Matching recordings and annotations by names. Programs, disks and people change a name's case,
its suffix and the way in which accents are composed."""

from __future__ import annotations

import collections
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from zoo.data.corpora.containers import UNREAD, converting

AUDIO_SUFFIXES = (
    *(".wav", ".flac", ".ogg", ".mp3", ".sph", ".aiff", ".aif", ".opus"),
    *(".aifc", ".w64", ".rf64", ".caf", ".au", ".oga"),
)


def is_audio(path: Path) -> bool:
    """Whether `path` is named like a recording that is read."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def own_name(root: Path, path: Path) -> str:
    """What a corpus calls a file: its path below `root`, without the suffix."""
    return path.relative_to(root).with_suffix("").as_posix()


def name_below(root: Path, path: Path) -> str:
    """`own_name` in one form, however accented letters are composed; without `.wav.wav`."""
    return unicodedata.normalize("NFC", own_name(root, without_audio_suffix(path)))


def without_audio_suffix(path: Path) -> Path:
    """`a.WAV.wav` as `a.WAV`, and `a.wav.TextGrid` as `a.TextGrid`; other paths as they are."""
    inner = path.with_suffix("")
    return inner.with_suffix(path.suffix) if is_audio(inner) else path


def folded(name: str) -> str:
    """A name without the differences that programs, disks and people make: case and composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Names:
    """Recordings that are found by name, whatever its case.

    Args:
        recordings: by their names as in `name_below`.
    """

    def __init__(self, recordings: Mapping[str, Path]) -> None:
        self.recordings = recordings
        self._alike: dict[str, list[str]] = collections.defaultdict(list)
        for name in recordings:
            self._alike[folded(name)].append(name)

    def find(self, name: str) -> str | None:
        """The name of the matching recording, if there is exactly one."""
        if name in self.recordings:
            return name
        alike = self._alike.get(folded(name), [])
        return alike[0] if len(alike) == 1 else None


def called_like(files: Sequence[Path]) -> Callable[[str], list[Path]]:
    """A function that finds recordings among `files` by the ends of their paths, with or without
    suffix."""
    exact: dict[str, list[Path]] = collections.defaultdict(list)
    alike: dict[str, list[Path]] = collections.defaultdict(list)
    for file in filter(is_audio, files):
        exact[file.stem].append(file)
        alike[folded(without_audio_suffix(file).stem)].append(file)

    def fitting(name: str) -> list[Path]:
        parts = Path(name).parts
        if not parts:
            return []
        found = [
            f for f in exact.get(parts[-1], []) if (*f.parts[:-1], f.stem)[-len(parts) :] == parts
        ]
        if found:
            return found
        named = Path(name)
        plain = without_audio_suffix(named).with_suffix("") if is_audio(named) else named
        wanted = tuple(map(folded, plain.parts))
        found = [
            f
            for f in alike.get(wanted[-1], [])
            if tuple(map(folded, (*f.parts[:-1], without_audio_suffix(f).stem)))[-len(wanted) :]
            == wanted
        ]
        # The name may say which of two is meant by its suffix.
        same = [f for f in found if folded(f.name) == folded(named.name)]
        return same or found

    return fitting


def unread(files: Iterable[Path]) -> Callable[[str], str]:
    """What says of a name that a recording of it lies there in a form that is not read, or ``.

    Args:
        files: among which to look.
    """
    others = {folded(file.stem): file for file in files if file.suffix.lower() in UNREAD}

    def said(name: str) -> str:
        stem = Path(name).name
        file = others.get(folded(stem)) or others.get(folded(Path(stem).stem))
        if file is None:
            return ""
        return (
            f" {file.name} lies there, but {UNREAD[file.suffix.lower()]} is not supported; "
            f"convert it: {converting(file)}"
        )

    return said
