"""Trials for TensorBoard's HParams dashboard, written without TensorFlow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2
from tensorboard.summary.writer.record_writer import RecordWriter

from zoo.files import make_folder, replacing


def write_trial(
    folder: str | Path,
    trial_id: str,
    values: Mapping[str, Any],
    measures: Mapping[str, float],
    completed: bool,
) -> Path:
    """Write one trial's values and measures.

    Args:
        folder: for `tensorboard --logdir`; the trial gets a folder of its own in it.
        trial_id: its name there.
        values: hyperparameters.
        measures: shown beside them.
        completed: whether the trial was; if not, it failed.

    Returns:
        The event file.
    """
    now = time.time()
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.STATUS_SUCCESS if completed else api_pb2.STATUS_FAILURE, end_time_secs=now
    )
    ended = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(
            plugin_data_pb2.HParamsPluginData(session_end_info=end)
        ),
        tensor=metadata.NULL_TENSOR,
    )
    scalars = [Summary.Value(tag=n, simple_value=float(v)) for n, v in measures.items()]
    summaries = [
        summary_v2.hparams_pb(dict(values), trial_id=trial_id, start_time_secs=now),
        Summary(value=[*scalars, ended]),
    ]
    path = make_folder(Path(folder) / trial_id) / f"events.out.tfevents.{int(now)}.{trial_id}"
    with replacing(path) as temporary, open(temporary, "wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for summary in summaries:
            writer.write(Event(wall_time=now, summary=summary).SerializeToString())
    return path
