"""Exports for LiteRT and ONNX Runtime, each compared with Keras in its own runtime before it is
kept.

Such a file takes a representation before the mean is subtracted (but normalised, if the front end
normalises by recording), or, if that can be converted, a waveform of the front end's length. For a
recogniser it holds the network alone, for representations of any length, with the decoder in a file
beside it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from zoo.errors import RunError, UsageError
from zoo.extras import require
from zoo.files import emptied, make_folder, os_failure, temporary_beside
from zoo.startup import quiet

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared
    from zoo.data.sets.windows import Windows
    from zoo.runs import Run

    from .inputs import Inputs

MAX_DIFFERENCE = 1e-4
"""Most that a float32 export may differ from Keras; see `Measured.difference`."""

MIN_AGREEMENT = {"float16": 0.99, "dynamic": 0.95, "int8": 0.85}
"""Least agreement with Keras of an export in fewer bits; see `Measured.agreement`."""

MAX_LOSS = 0.03
"""Most accuracy that an export may lose, where examples have labels."""

KINDS = ("float32", *MIN_AGREEMENT)

LATENCY_RUNS = 30

# Eight bits distort the Fourier transform's filters, on which everything after it depends.
_WAVEFORM_KINDS = ("float32", "float16")


class Runtime(Protocol):
    """A converted network, loaded into the runtime it was converted for."""

    def __call__(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """(N, ...) float32 -> output name -> float32 array."""


@dataclasses.dataclass(frozen=True)
class Measured:
    """One exported file beside Keras.

    Attributes:
        file: its name.
        size: in bytes.
        kind: number format.
        examples: what the two were compared on, in words.
        difference: largest difference of any output value, a probability or, for an autoencoder,
            in parts of the largest magnitude that Keras gives.
        agreement: share of examples whose most probable class is the same; for an autoencoder,
            1 minus the root mean square of the difference in parts of that of Keras' output.
        accuracy_difference: accuracy over the scored groups minus that of Keras; None without
            labels.
        latency: median milliseconds for one example on one thread.
    """

    file: str
    size: int
    kind: str
    examples: str
    difference: float
    agreement: float
    accuracy_difference: float | None
    latency: float

    @property
    def failure(self) -> str | None:
        """The measure that is out of tolerance; None if all are within it."""
        # Written so that NaN fails.
        if self.kind == "float32" and not self.difference <= MAX_DIFFERENCE:
            return (
                f"{self.file} differs from Keras by {self.difference:.2g}, "
                f"at most {MAX_DIFFERENCE:g} is allowed"
            )
        least = MIN_AGREEMENT.get(self.kind, 0.0)
        if not self.agreement >= least:
            return (
                f"{self.file} agrees with Keras to {self.agreement:.1%}, "
                f"at least {least:.0%} is asked for"
            )
        if self.accuracy_difference is not None and self.accuracy_difference < -MAX_LOSS:
            return (
                f"{self.file} loses {-self.accuracy_difference:.1%} of accuracy, "
                f"at most {MAX_LOSS:.0%} is allowed"
            )
        return None


def export_portable(
    run: str | Path,
    out: str | Path,
    format: str,
    kinds: Sequence[str] = ("float32",),
    data: str | Path | None = None,
) -> list[Measured]:
    """Export a run for LiteRT or ONNX Runtime and compare it with Keras.

    Writes `spectrogram_<kind>.tflite`, or `spectrogram.onnx`, into `out`; `waveform_...` where that
    converts (in `float32` and `float16`); and `card.json`, `card.md`, `labels.json`. Of runs that
    transcribe the representation alone, and `viterbi.json`; a recogniser's LiteRT file takes one
    recording at a time.

    Args:
        run: a run folder, trained on any backend.
        out: folder, made if needed; files of the same names are replaced once all are verified.
        format: `"litert"` or `"onnx"`.
        kinds: number formats, of `KINDS`; ONNX has float32 alone.
        data: a prepared set of the same front end, whose `test` part (or its last one) the
            representation's exports are compared on and whose `train` part calibrates int8; None
            for seeded noise.

    Returns:
        One entry a file.

    Raises:
        UsageError: `run` cannot be exported, `data` has another front end, the format's extra is
            not installed, or int8 has no data.
        RunError: an export differs by more than the tolerance, or cannot be made; nothing is left.
    """
    from .process import in_tensorflow, is_tensorflow

    require(format, f"an export for {format}")
    if not is_tensorflow():
        return in_tensorflow(
            "export.portable:export_portable",
            run=run,
            out=out,
            format=format,
            kinds=kinds,
            data=data,
        )
    from .card import write_card
    from .exportable import exportable
    from .inputs import open_data

    if "int8" in kinds and data is None:
        raise UsageError("int8 is calibrated on examples: name a prepared set with --data.")
    loaded = exportable(run)
    prepared = None if data is None else open_data(data, loaded)
    made_out = not Path(out).exists()
    out = make_folder(out)
    try:
        with emptied(temporary_beside(out / format)) as temporary:
            with quiet():
                report = _write(temporary, loaded, format, kinds, prepared)
            failures = [m.failure for m in report if m.failure]
            if failures:
                raise RunError(f"{'; '.join(failures)}; nothing was written.\n{table(report)}")
            write_card(temporary, loaded, signatures=False)
            for file in sorted(temporary.iterdir()):
                os.replace(file, out / file.name)
        made_out = False
        return report
    except OSError as error:
        raise os_failure(error, f"cannot write into {out}") from error
    finally:
        if made_out:
            with contextlib.suppress(OSError):
                out.rmdir()


def table(report: Sequence[Measured]) -> str:
    """A report as text, one line a file."""
    rows = [("file", "KiB", "max diff", "agreement", "accuracy", "ms", "compared on")]
    for m in report:
        accuracy = "-" if m.accuracy_difference is None else f"{m.accuracy_difference:+.1%}"
        rows.append(
            (
                m.file,
                f"{m.size / 1024:.0f}",
                f"{m.difference:.2g}",
                f"{m.agreement:.2%}",
                accuracy,
                f"{m.latency:.2f}",
                m.examples,
            )
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i in (0, 6) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _write(
    folder: Path,
    run: Run,
    format: str,
    kinds: Sequence[str],
    prepared: Prepared | Windows | None,
) -> list[Measured]:
    from . import litert, onnx
    from .exportable import module_of
    from .inputs import for_calibration, noise_representations, noise_waveforms, of_data

    module = module_of(run)
    # LiteRT keeps lists, as recurrent layers have them, of a known number of rows only.
    rows = 1 if format == "litert" and run.family == "recognizer" else None
    functions = module.numeric_functions(rows)
    inputs = {"spectrogram": of_data(prepared) if prepared else noise_representations(run)}
    if "waveform" in functions:
        inputs["waveform"] = noise_waveforms(run)
    report = []
    for kind in kinds:
        for name, function in functions.items():
            if name == "waveform" and kind not in _WAVEFORM_KINDS:
                continue
            if format == "litert":
                calibration = for_calibration(prepared) if prepared and kind == "int8" else None
                content = litert.convert(module, function, kind, calibration)
                runtime: Runtime = litert.LiteRT(content, name)
                file = f"{name}_{kind}.tflite"
            else:
                content = onnx.convert(function)
                runtime, file = onnx.ONNX(content, name), f"{name}.onnx"
            (folder / file).write_bytes(content)
            report.append(_measure(run, name, file, kind, content, runtime, inputs[name]))
    return report


def _measure(
    run: Run,
    name: str,
    file: str,
    kind: str,
    content: bytes,
    runtime: Runtime,
    inputs: Inputs,
) -> Measured:
    output = "reconstruction" if run.is_autoencoder else "probabilities"
    expected = _joined(run, [_keras(run, name, batch) for batch in inputs.batches])
    found = _joined(run, [runtime(batch)[output] for batch in inputs.batches])
    difference = np.abs(found - expected).max()
    change = None
    if not run.is_autoencoder:
        agreement = np.mean(found.argmax(1) == expected.argmax(1))
        if inputs.labels is not None and (inputs.labels >= 0).any():
            change = _accuracy(run, found, inputs.labels) - _accuracy(run, expected, inputs.labels)
    else:
        difference /= np.abs(expected).max()
        agreement = 1 - np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    return Measured(
        file=file,
        size=len(content),
        kind=kind,
        examples=inputs.text,
        difference=float(difference),
        agreement=float(agreement),
        accuracy_difference=change,
        latency=_latency(runtime, inputs.batches[-1][:1]),
    )


def _joined(run: Run, outputs: list[np.ndarray]) -> np.ndarray:
    """All outputs in a row; of networks that name classes (outputs, classes)."""
    if run.is_autoencoder:
        return np.concatenate(outputs)
    return np.concatenate([y.reshape(-1, y.shape[-1]) for y in outputs])


def _keras(run: Run, name: str, inputs: np.ndarray) -> np.ndarray:
    from zoo.inference import waveform_model

    if name == "waveform":
        answer = waveform_model(run.model, run.frontend).predict(inputs, verbose=0)
    else:
        answer = run.model.predict(inputs - run.frontend.mean, verbose=0)
    return answer + run.frontend.mean if run.is_autoencoder else answer


def _accuracy(run: Run, probabilities: np.ndarray, labels: np.ndarray) -> float:
    from zoo.data.corpora.phones import group_index

    group = np.asarray(group_index(run.classes, run.groups))
    known = labels >= 0
    return float(np.mean(group[probabilities[known].argmax(1)] == group[labels[known]]))


def _latency(runtime: Runtime, example: np.ndarray) -> float:
    times = []
    for _ in range(LATENCY_RUNS):
        start = time.perf_counter()
        runtime(example)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
