"""Computing an experiment's cells, each once despite interruptions, in one process or several.

A cell is a set of settings and the resulting numbers. Its record is one JSON file, written in one
step when the cell is done, so a kill loses at most what is being computed; and trainings inside a
cell are run folders, which resume.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.files import make_folder, read_json, write_json
from zoo.interrupts import heeded
from zoo.processes import each, thread_share
from zoo.progress import progress_bar

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared


@dataclasses.dataclass(frozen=True)
class Cell:
    """One piece of an experiment.

    Attributes:
        key: its name, unique in the experiment, such as `"freq_fullpad/seed-0"`.
        settings: all that decides its result, as plain values; no paths.
    """

    key: str
    settings: Mapping[str, Any]

    def record(self, out: Path) -> Path:
        """The file of its result."""
        return out / "cells" / f"{re.sub(r'[^A-Za-z0-9_.-]+', '--', self.key)}.json"


LATER_OPTIONS = ("window", "deterministic", "mixed_precision", "acoustic_units", "probe_first")
"""Options that trainings from before them do not know; unset, they do not count."""


@dataclasses.dataclass(frozen=True)
class Context:
    """Folders of a cell's data and trainings.

    Attributes:
        data: the prepared set.
        work: folder of run folders, which cells and experiments may share.
        out: folder of the experiment, or of the cells that several share.
        pretraining: a prepared set to pretrain on, where the experiment does so.
        given: model's name -> a run that is used as it is instead of a training.
    """

    data: Path
    work: Path
    out: Path
    pretraining: Path | None = None
    given: Mapping[str, Path] = dataclasses.field(default_factory=dict)

    def trained(
        self,
        train: Callable[..., Path],
        name: str,
        prepared: Prepared,
        settings: Any,
        overrides: Mapping[str, Any] | None = None,
    ) -> Path:
        """The run folder of a training, which is run unless it is finished.

        Args:
            train: `train_classifier` or `train_autoencoder`.
            name: name of the model.
            prepared: what it is trained on.
            settings: those that `train` takes.
            overrides: overrides of the arguments of the model's builder.
        """
        asked = dataclasses.asdict(settings)
        if asked["encoder"] is not None:
            # What an encoder is called after is all that decided it.
            asked["encoder"] = Path(asked["encoder"]).name
        for option in LATER_OPTIONS:
            if not asked.get(option, True):
                del asked[option]
        decides = [name, asked, dict(overrides or {}), prepared.manifest["plan"]]
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        run = make_folder(self.work) / f"{name}-{digest[:16]}"
        with locked(self.work / f".{run.name}.lock"):
            return train(name, prepared, run, settings, overrides=overrides)


def run_cells(
    cells: Sequence[Cell],
    compute: str,
    context: Context,
    *,
    jobs: int = 1,
    command: str = "",
) -> dict[str, dict[str, Any]]:
    """Compute those of `cells` that have no record yet.

    Args:
        cells: what to compute.
        compute: `"module:function"`; the function takes a cell's settings and the context and
            gives plain values. If a training diverges, that is the cell's result.
        context: context of the computation.
        jobs: processes; each has its share of the cores.
        command: what was typed, for the record.

    Returns:
        Key -> record, with `settings`, `result` (or `diverged`), `seconds`, `versions`,
        `hardware` and `command`.

    Raises:
        UsageError: a record of other settings is in the way, or `jobs` is less than 1.
        RunError: a process was killed.
    """
    if jobs < 1:
        raise UsageError(f"--jobs must be 1 or more; received {jobs}.")
    make_folder(context.out / "cells")
    done = found_records(cells, context.out)
    todo = [cell for cell in cells if cell.key not in done]
    bar = progress_bar(len(cells), "cell", "cells")
    bar.update(len(cells) - len(todo))
    with heeded(), contextlib.closing(bar):
        if jobs == 1:
            for cell in todo:
                bar.set_postfix_str(cell.key)
                _compute(cell, compute, context, command)
                bar.update()
        else:
            for _ in _in_processes(todo, compute, context, jobs, command):
                bar.update()
    return {cell.key: read_json(cell.record(context.out)) for cell in cells}


def found_records(cells: Sequence[Cell], out: Path) -> dict[str, dict[str, Any]]:
    """Key -> record of those cells that have one.

    Raises:
        UsageError: a record is of other settings.
    """
    found = {cell.key: read_json(cell.record(out)) for cell in cells if cell.record(out).exists()}
    for cell in cells:
        if cell.key in found:
            _check_record(cell, found[cell.key], out)
    return found


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock among processes; it ends with the process that holds it."""
    import fcntl

    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _check_record(cell: Cell, record: Mapping[str, Any], out: Path) -> None:
    found, asked = record["settings"], json.loads(json.dumps(dict(cell.settings)))
    if found != asked:
        differing = [
            f"{key} {found.get(key)!r}, now {asked.get(key)!r}"
            for key in sorted({*found, *asked})
            if found.get(key) != asked.get(key)
        ]
        raise UsageError(
            f"{out} holds {cell.key} with other settings ({'; '.join(differing)}); choose another "
            "--out or remove it."
        )


def _in_processes(
    cells: Sequence[Cell], compute: str, context: Context, jobs: int, command: str
) -> Iterator[None]:
    done = each(
        functools.partial(_compute, compute=compute, context=context, command=command),
        cells,
        jobs,
        "a process of the experiment",
        folders=[context.out, context.work],
        environment=thread_share(jobs),
        advice="run the same command again to resume, or with fewer --jobs",
    )
    for _ in done:
        yield


def _compute(cell: Cell, compute: str, context: Context, command: str) -> None:
    """Compute one cell and write its record, unless another process has done so meanwhile."""
    from zoo.startup import clear_session, compute_repeatably, start_backend

    if cell.settings.get("deterministic"):
        compute_repeatably()
    start_backend()
    from zoo.machine import hardware, versions
    from zoo.training.fitting import Diverged

    module, _, function = compute.partition(":")
    record = cell.record(context.out)
    with locked(record.with_name(f".{record.name}.lock")):
        if record.exists():
            return
        start = time.perf_counter()
        try:
            outcome = {
                "result": getattr(importlib.import_module(module), function)(
                    dict(cell.settings), context
                )
            }
        except Diverged as error:
            outcome = {"diverged": str(error)}
        write_json(
            record,
            {
                "key": cell.key,
                "settings": dict(cell.settings),
                **outcome,
                # Of this process: what an earlier one had done before it was interrupted, and
                # trainings that another cell had done, are not in it.
                "seconds": round(time.perf_counter() - start, 1),
                "versions": versions(),
                "hardware": hardware(),
                "command": command,
            },
        )
    clear_session()
