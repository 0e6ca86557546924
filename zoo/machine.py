"""What a process runs on: cores, memory, and the versions that a result depends on."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from pathlib import Path
from typing import Any

VERSION = "0.2.0"
"""Of the zoo."""

MALLOC_SETTINGS = {-1: 64 * 2**20, -3: 4 * 2**20}
"""Of glibc's `mallopt`: up to so much freed memory (M_TRIM_THRESHOLD) stays with the process, and
blocks of up to so much (M_MMAP_THRESHOLD) are taken from it."""


def keep_freed_memory() -> None:
    """Let this process use freed memory again.

    Otherwise a process that makes arrays and lets them go, as for each request or for each few
    utterances, fetches their memory from the system anew, page by page.
    """
    # Other C libraries than glibc have no such settings, or take no notice of them.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in MALLOC_SETTINGS.items():
            mallopt(parameter, value)


def cores() -> int:
    """Those that this process may run on; where the system does not say, all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads() -> int:
    """How many this process may compute with: as many as `OMP_NUM_THREADS` says, or one a core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores(), int(told) if told.isdecimal() else cores()))


def versions() -> dict[str, str]:
    """Versions of what a result depends on, and the machine's kind."""
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
    """What a duration depends on: processor, cores, memory in GiB, accelerators."""
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
