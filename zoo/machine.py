"""What a process runs on: cores, memory, and the versions that a result depends on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from pathlib import Path
from typing import Any

VERSION = "0.2.0"
"""Version of the zoo."""

MALLOC_SETTINGS = {-1: 64 * 2**20, -3: 4 * 2**20}
"""Parameters of glibc's `mallopt`: how much freed memory stays with the process (M_TRIM_THRESHOLD),
and up to which size blocks are taken from it (M_MMAP_THRESHOLD)."""


def keep_freed_memory() -> None:
    """Let this process reuse freed memory.

    Otherwise a process that creates and frees arrays, as for each request, fetches their memory
    from the system again, page by page.
    """
    # Other C libraries than glibc have no such settings, or take no notice of them.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOC_SETTINGS.items():
            mallopt(parameter, value)


def cores() -> int:
    """Number of cores that this process may run on; all, if the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """Number of threads that this process may compute with: `OMP_NUM_THREADS`, or one for each
    core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores(), int(told) if told.isdecimal() else cores()))


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on, and the kind of machine."""
    import importlib.metadata

    import keras

    found = {"zoo": VERSION, "python": platform.python_version(), "keras": keras.__version__}
    backend = keras.backend.backend()
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found[backend] = importlib.metadata.version(backend)
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        found["numpy"] = importlib.metadata.version("numpy")
    return {**found, "backend": backend, "machine": f"{platform.system()} {platform.machine()}"}


def hardware() -> dict[str, Any]:
    """Hardware that durations depend on: processor, cores, memory in GiB, accelerators."""
    found: dict[str, Any] = {"processor": platform.processor() or platform.machine()}
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                found["processor"] = line.partition(":")[2].strip()
                break
    found["cores"] = os.cpu_count()
    with contextlib.suppress(OSError, ValueError):
        pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        found["memory_gib"] = round(pages / 2**30)
    found["accelerators"] = _gpus()
    return found


def _gpus() -> list[str]:
    """Names of the GPUs that the backend uses, where it can tell."""
    import keras

    if keras.backend.backend() not in ("tensorflow", "jax"):
        return []
    try:
        return keras.distribution.list_devices("gpu")
    except RuntimeError:
        # What JAX says where there is none.
        return []
