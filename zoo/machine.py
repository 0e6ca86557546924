"""The machine that a process runs on: its cores, and the C library's memory."""

from __future__ import annotations

import ctypes
import os

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
