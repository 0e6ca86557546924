"""Writing NIST SPHERE files, the format of TIMIT's .WAV files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.errors import UsageError

HEADER_BYTES = 1024


def sphere_bytes(
    samples: np.ndarray, rate: int, *, database: str = "zoo", utterance: str = "unknown"
) -> bytes:
    """One channel of 16-bit samples as the bytes of a SPHERE file with a 1024-byte header.

    Args:
        samples: int16, one dimension.
        rate: samples a second.
        database: the header's `database_id`.
        utterance: the header's `utterance_id`.

    Raises:
        UsageError: the samples are not one channel of int16.
    """
    samples = np.asarray(samples)
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise UsageError(
            "a SPHERE file is written from one channel of int16 samples; "
            f"received {samples.dtype} of shape {samples.shape}"
        )
    low, high = (int(samples.min()), int(samples.max())) if samples.size else (0, 0)
    fields = [
        f"database_id -s{len(database)} {database}",
        "database_version -s3 1.0",
        f"utterance_id -s{len(utterance)} {utterance}",
        "channel_count -i 1",
        f"sample_count -i {samples.size}",
        f"sample_rate -i {rate}",
        f"sample_min -i {low}",
        f"sample_max -i {high}",
        "sample_n_bytes -i 2",
        "sample_byte_format -s2 01",
        "sample_sig_bits -i 16",
        "end_head",
    ]
    text = f"NIST_1A\n{HEADER_BYTES:7d}\n" + "".join(field + "\n" for field in fields)
    return text.encode("ascii").ljust(HEADER_BYTES) + samples.astype("<i2").tobytes()


def write_sphere(
    path: str | Path,
    samples: np.ndarray,
    rate: int,
    *,
    database: str = "zoo",
    utterance: str = "unknown",
) -> None:
    """Write `sphere_bytes` of the same arguments to `path`.

    Example:
        >>> write_sphere("SX10.WAV", np.zeros(16000, "int16"), 16000, utterance="fabc0_sx10")
    """
    Path(path).write_bytes(sphere_bytes(samples, rate, database=database, utterance=utterance))
