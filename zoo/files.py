"""Writing files so that nothing half-written is ever seen under its final name."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import StorageError, UsageError

if TYPE_CHECKING:
    import numpy as np

CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
"""NumPy's message, which has no error number, for a write to a full disk."""


def os_failure(error: OSError, doing: str) -> StorageError:
    """An operating system's error as one clear sentence."""
    reasons = {
        errno.ENOSPC: "the disk is full; free some space and run the same command again",
        errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
        errno.EACCES: "permission denied; choose a folder that you may write to",
        errno.EPERM: "permission denied; choose a folder that you may write to",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.EFBIG: "the file would exceed the size limit",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "a file of this name is in the way",
    }
    number = error.errno
    if number is None and CUT_SHORT.search(str(error)):
        number = errno.ENOSPC
    reason = reasons.get(number or 0, error.strerror or str(error))
    return StorageError(f"{doing}: {reason}.")


TEMPORARY = ".tmp."


def temporary_beside(path: str | Path) -> Path:
    """The name under which this process writes what will replace `path`."""
    path = Path(path)
    # The suffix stays last: several libraries choose the format by it.
    return path.with_name(f".{os.getpid()}{TEMPORARY}{path.name}")


def is_temporary(name: str) -> bool:
    """Whether `temporary_beside` gave a file or folder this name, before a kill."""
    pid, found, _ = name.removeprefix(".").partition(TEMPORARY)
    return name.startswith(".") and bool(found) and pid.isdecimal()


def remove_temporary(folder: str | Path, pid: int) -> None:
    """Remove half-written files of a killed process in `folder` and below."""
    for left in list(Path(folder).rglob(f".{pid}{TEMPORARY}*")):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def remove_leftovers(folder: str | Path) -> None:
    """Remove half-written files of killed commands in a folder that no other command writes to."""
    for left in list(Path(folder).rglob(f".*{TEMPORARY}*")):
        if left.is_file() and is_temporary(left.name):
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def beside(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` for `put_in_place`; removed if the block fails.

    Raises:
        RunError: the file cannot be written (full disk, no permission, ...).
    """
    temporary = temporary_beside(path)
    try:
        yield temporary
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
            raise os_failure(error, f"cannot write {path}") from error
        raise


def put_in_place(temporary: Path, path: str | Path) -> None:
    """Let a temporary file take the place of `path`, once it lies on the disk.

    Raises:
        RunError: it cannot be written (full disk, no permission, ...).
    """
    try:
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise os_failure(error, f"cannot write {path}") from error


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it if the block succeeds.

    Raises:
        RunError: the file cannot be written (full disk, no permission, ...).
    """
    with beside(path) as temporary:
        yield temporary
        put_in_place(temporary, path)


@contextlib.contextmanager
def emptied(temporary: Path) -> Iterator[Path]:
    """`temporary` as an empty folder, to be moved away once it is complete; removed after the
    block."""
    # In a container a process that was killed had the number that this one has in its name.
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put_folder_in_place(temporary: Path, path: Path) -> None:
    """Let a temporary folder take the place of `path`, an older folder included.

    Raises:
        OSError: it cannot; the older one stays.
    """
    if not path.exists():
        os.replace(temporary, path)
        return
    with emptied(temporary.with_name(f"{temporary.name}.old")) as old:
        os.replace(path, old)
        try:
            os.replace(temporary, path)
        except BaseException:
            os.replace(old, path)
            raise


@contextlib.contextmanager
def replacing_folder(path: str | Path) -> Iterator[Path]:
    """An empty folder beside `path` that replaces it if the block succeeds.

    Raises:
        RunError: the folder cannot be written (full disk, no permission, ...).
    """
    path = Path(path)
    try:
        with emptied(temporary_beside(path)) as temporary:
            yield temporary
            put_folder_in_place(temporary, path)
    except OSError as error:
        raise os_failure(error, f"cannot write {path}") from error


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) in one step."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON in one step."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write `array` as .npy in one step."""
    # Not at the top: `import zoo` costs no NumPy.
    import numpy as np

    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.save(file, array)


def walk(root: str | Path) -> Iterator[tuple[Path, list[str]]]:
    """`root` and the folders below it, by name, each with the sorted names of its files.

    Linked folders are followed; each folder comes once, by whichever way leads to it first.
    """
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        yield Path(folder), sorted(names)


def visible_files(root: str | Path) -> list[Path]:
    """Every file below `root`, by name, without hidden ones (macOS leaves `._SA1.WAV` behind)."""
    found = [
        os.path.join(folder, name)
        for folder, names in walk(root)
        for name in names
        if not name.startswith(".")
    ]
    return [Path(f) for f in sorted(found, key=lambda f: f.split(os.sep)) if os.path.isfile(f)]


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Raises:
        UsageError: the file is missing, cannot be read, or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist.") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}).") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid JSON ({error}).") from None


def make_folder(path: str | Path) -> Path:
    """Create `path` and its parents.

    Raises:
        UsageError: it is a file, or would lie in one.
        RunError: it cannot be created.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        # Whoever named it meant another place: nothing has gone wrong while the program ran.
        found = next(p for p in (path, *path.parents) if p.exists())
        raise UsageError(f"{found} is a file; a folder for the output was expected.") from None
    except OSError as error:
        raise os_failure(error, f"cannot create the folder {path}") from error
    return path


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
