"""Exports for LiteRT and ONNX Runtime, each compared with Keras in its own runtime before it stays.

What such a file takes is a representation with the mean not yet subtracted, or, where that
converts, a waveform of the front end's length.
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
from zoo.inference import fixed_length
from zoo.startup import quiet

if TYPE_CHECKING:
    from zoo.data.sets.prepared import Prepared
    from zoo.runs import Run


MAX_DIFFERENCE = 1e-4
"""Most that a float32 export may differ from Keras; see `Measured.difference`."""

MIN_AGREEMENT = {"float16": 0.99, "dynamic": 0.95, "int8": 0.85}
"""Least that an export in fewer bits must agree with Keras; see `Measured.agreement`."""

MAX_LOSS = 0.03
"""Most accuracy that an export may lose, where examples have labels."""

KINDS = ("float32", *MIN_AGREEMENT)

EXAMPLES = 256
"""Most examples of a prepared set to compare on, and to calibrate with."""

NOISE_EXAMPLES = 32
SEED = 0
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
        """What is out of tolerance; None if nothing is."""
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


@dataclasses.dataclass(frozen=True)
class _Examples:
    """Inputs, what they are in words, and their labels if there are any."""

    inputs: np.ndarray
    text: str
    labels: np.ndarray | None = None


def export_portable(
    run: str | Path,
    out: str | Path,
    format: str,
    kinds: Sequence[str] = ("float32",),
    data: str | Path | None = None,
) -> list[Measured]:
    """Export a run for LiteRT or ONNX Runtime and compare it with Keras.

    Writes `spectrogram_<kind>.tflite`, or `spectrogram.onnx`, into `out`; `waveform_...` where that
    converts (in `float32` and `float16`); and `card.json`, `card.md`, `labels.json`.

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
        UsageError: `run` is no classifier's or autoencoder's run, `data` has another front end, the
            format's extra is not installed, or int8 has no data.
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

    if "int8" in kinds and data is None:
        raise UsageError("int8 is calibrated on examples: name a prepared set with --data.")
    loaded = exportable(run)
    prepared = None if data is None else _prepared(data, loaded)
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
    prepared: Prepared | None,
) -> list[Measured]:
    from . import litert, onnx
    from .exportable import module_of

    module = module_of(run)
    functions = module.numeric_functions()
    waveforms = _noise(run)
    examples = {
        "waveform": waveforms,
        "spectrogram": _of_data(prepared) if prepared else _of_noise(run, waveforms),
    }
    report = []
    for kind in kinds:
        for name in ("spectrogram", "waveform"):
            if name == "waveform" and kind not in _WAVEFORM_KINDS:
                continue
            if format == "litert":
                calibration = _calibration(prepared) if prepared and kind == "int8" else None
                content = litert.convert(module, functions[name], kind, calibration)
                runtime: Runtime = litert.LiteRT(content, name)
                file = f"{name}_{kind}.tflite"
            else:
                content = onnx.convert(functions[name])
                runtime, file = onnx.ONNX(content, name), f"{name}.onnx"
            (folder / file).write_bytes(content)
            report.append(_measure(run, name, file, kind, content, runtime, examples[name]))
    return report


def _measure(
    run: Run,
    name: str,
    file: str,
    kind: str,
    content: bytes,
    runtime: Runtime,
    examples: _Examples,
) -> Measured:
    expected = _keras(run, name, examples.inputs)
    output = "reconstruction" if run.is_autoencoder else "probabilities"
    found = runtime(examples.inputs)[output]
    difference = np.abs(found - expected).max()
    change = None
    if not run.is_autoencoder:
        agreement = np.mean(found.argmax(1) == expected.argmax(1))
        if examples.labels is not None:
            change = _accuracy(run, found, examples) - _accuracy(run, expected, examples)
    else:
        difference /= np.abs(expected).max()
        agreement = 1 - np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2))
    return Measured(
        file=file,
        size=len(content),
        kind=kind,
        examples=examples.text,
        difference=float(difference),
        agreement=float(agreement),
        accuracy_difference=change,
        latency=_latency(runtime, examples.inputs[:1]),
    )


def _keras(run: Run, name: str, inputs: np.ndarray) -> np.ndarray:
    from zoo.inference import waveform_model

    if name == "waveform":
        answer = waveform_model(run.model, run.frontend).predict(inputs, verbose=0)
    else:
        answer = run.model.predict(inputs - run.frontend.mean, verbose=0)
    return answer + run.frontend.mean if run.is_autoencoder else answer


def _accuracy(run: Run, probabilities: np.ndarray, examples: _Examples) -> float:
    from zoo.data.corpora.phones import group_index

    group = np.asarray(group_index(run.classes, run.groups))
    return float(np.mean(group[probabilities.argmax(1)] == group[examples.labels]))


def _latency(runtime: Runtime, example: np.ndarray) -> float:
    times = []
    for _ in range(LATENCY_RUNS):
        start = time.perf_counter()
        runtime(example)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def _prepared(path: str | Path, run: Run) -> Prepared:
    from zoo.data.sets.prepared import Prepared

    prepared = Prepared(path)
    if prepared.frontend.fingerprint != run.frontend.fingerprint:
        raise UsageError(
            f"{path} was prepared with another front end than {run.path} was trained with; name "
            "the prepared set of that training."
        )
    return prepared


def _of_data(prepared: Prepared) -> _Examples:
    split = "test" if "test" in prepared.splits else prepared.splits[-1]
    inputs, chosen = _drawn(prepared, split)
    return _Examples(inputs, f"{len(inputs)} of {split}", prepared.labels(split)[chosen])


def _calibration(prepared: Prepared) -> np.ndarray:
    split = "train" if "train" in prepared.splits else prepared.splits[0]
    return _drawn(prepared, split)[0]


def _drawn(prepared: Prepared, split: str) -> tuple[np.ndarray, np.ndarray]:
    features = prepared.features(split)
    generator = np.random.default_rng(SEED)
    count = min(EXAMPLES, len(features))
    chosen = np.sort(generator.choice(len(features), count, replace=False))
    return np.asarray(features[chosen]) + prepared.mean, chosen


def _noise(run: Run) -> _Examples:
    generator = np.random.default_rng(SEED)
    shape = (NOISE_EXAMPLES, fixed_length(run.frontend))
    # Of many levels and lengths, as segments are.
    waveforms = generator.normal(size=shape) * generator.uniform(0.001, 0.3, (shape[0], 1))
    margin = generator.integers(0, shape[1] // 3, shape[0])
    index = np.arange(shape[1])[None]
    inside = (index >= margin[:, None]) & (index < shape[1] - margin[:, None])
    waveforms = (waveforms * inside).clip(-1, 1).astype("float32")
    return _Examples(waveforms, f"{NOISE_EXAMPLES} of noise")


def _of_noise(run: Run, noise: _Examples) -> _Examples:
    from zoo.layers import level_layer, representation_layers

    x = level_layer(run.frontend)(noise.inputs)
    for layer in representation_layers(run.frontend.representation):
        x = layer(x)
    return _Examples(np.asarray(x), noise.text)
