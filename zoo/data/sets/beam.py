"""Preparation on many machines, as an Apache Beam pipeline."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo.data.sets.shards import Shard, WriteShards, unfinished, write_shard
from zoo.errors import RunError, UsageError
from zoo.extras import require


def on_beam(arguments: Sequence[str] = ()) -> WriteShards:
    """What `zoo.data.prepare` and `prepare_pairs` take as `write` to run on Apache Beam.

    The set is planned and finished where this runs, its shards are computed by the pipeline's
    workers: by the same function as on one machine, so the content hash is the same. Corpus and
    output must lie where every worker sees them under the same path, such as a network file
    system.

    Args:
        arguments: arguments of the pipeline, such as `--runner=FlinkRunner`; empty: Beam's local
            runner.

    Raises:
        UsageError: Apache Beam is not installed; and, where it is used, invalid arguments.
        RunError: where it is used, the pipeline failed.

    Example:
        >>> write = zoo.data.sets.beam.on_beam(["--runner=FlinkRunner", "--flink_master=host:8081"])
        >>> zoo.data.prepare("/net/corpus", "/net/prepared", write=write)  # doctest: +SKIP
    """
    require("beam", "preparation on Apache Beam")
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    def write(work: Any, shards: Sequence[Shard], out: Path, unit: str, progress: bool) -> None:
        compute = functools.partial(write_shard, work, out=out.resolve())
        try:
            with beam.Pipeline(options=PipelineOptions(list(arguments))) as pipeline:
                # Without the reshuffle a runner may fuse the steps and take one worker for all.
                shards = pipeline | "Shards" >> beam.Create(unfinished(shards, out))
                _ = shards | "Spread" >> beam.Reshuffle() | "Write" >> beam.Map(compute)
        except (UsageError, RunError):
            raise
        except Exception as error:
            # Runners wrap what went wrong in a worker into errors of their own.
            reason = (
                str(error).strip().splitlines()[-1][:500] if str(error).strip() else repr(error)
            )
            raise RunError(f"the Beam pipeline failed: {reason}") from error

    return write
