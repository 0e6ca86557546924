"""`zoo reconstruct` of whole recordings: layers beside layers and methods beside methods."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.reconstruct_leak import ZEROED, leak_record, leak_section, leak_text, leaks
from zoo.cli.reconstruct_options import (
    CONSTANT_OUTPUT,
    Options,
    SearchOptions,
    decoder_of,
    training_inputs,
)

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import Leak
    from zoo.inversion.page import Section, Tile
    from zoo.inversion.recordings import WholeRecording
    from zoo.inversion.sentences import Sentence

MEASURES = {
    "correlation": "correlation",
    "log_spectral_distance": "log-spectral distance in dB",
    "own_same_answer": "same answer by the network",
    "other_same_answer": "same answer by another network",
}


def compare(
    options: Options,
    search: SearchOptions,
    model: keras.Model,
    frontend: Frontend,
    prepared: Prepared | None,
) -> None:
    """Reconstruct recordings from every layer by every method; write sounds, measures, a page.

    Raises:
        UsageError: there is no such layer, a recording is unusable, or the judge takes other
            inputs.
    """
    import numpy as np

    from zoo.files import make_folder, write_json
    from zoo.inversion import find_layer, reconstruct
    from zoo.inversion.kept import answers
    from zoo.inversion.reconstruction import TRAINING
    from zoo.inversion.recordings import STEPS, takes_recordings, whole_recording
    from zoo.inversion.sentences import sentence, windows
    from zoo.machine import hardware, versions

    layers = [find_layer(model, layer) for layer in options.layer.split(",")]
    methods = options.method.split(",")
    whole = takes_recordings(model, frontend)
    take = whole_recording if whole else sentence
    sentences = [take(path, frontend) for path in options.wav]
    networks = _networks(options, model, frontend, whole)
    out = make_folder(options.out)
    given = {k: v for k, v in vars(search).items() if v is not None}
    # Deltas do not follow from channels that were normalised, each by itself.
    deltas = 0 if frontend.by_recording else frontend.representation.get("deltas", 0)
    training = None
    if options.speech:
        training = windows(options.speech, frontend, TRAINING, options.seed)
    elif prepared is not None and not whole:
        training = training_inputs(options.model, prepared, options.seed)
    found: dict[tuple[int, str, str], Any] = {}
    for layer in layers:
        for method in methods:
            chosen = {} if method == "decoder" else dict(given)
            if method.startswith("decoder"):
                folder = Path(options.decoder or out) / f"decoder-{layer}"
                heard = training if options.speech else None
                chosen["decoder"] = decoder_of(options, layer, folder, model, prepared, heard)
            if method.endswith("gradient") and training is not None:
                chosen["training"] = training
            if whole and method == "gradient" and search.optimizer in (None, "lbfgs"):
                chosen.setdefault("steps", STEPS)
            for number, one in enumerate(sentences):
                found[number, method, layer] = reconstruct(
                    model,
                    layer,
                    one.inputs,
                    method,
                    options.seed,
                    deltas=deltas,
                    progress=True,
                    **chosen,
                )
    answered = [answers(one.inputs, networks) for one in sentences]
    measures = {
        (number, method, layer): sentences[number].kept(
            result.reconstruction, networks, answered[number]
        )
        for (number, method, layer), result in found.items()
    }
    sections = [_curve(measures, methods, layers)]
    for number, one in enumerate(sentences):
        results = {key[1:]: result for key, result in found.items() if key[0] == number}
        texts = {key[1:]: values for key, values in measures.items() if key[0] == number}
        sections.append(_section(out, options, number, one, methods, layers, results, texts))
    leaking = {} if whole else leaks(model, np.concatenate([one.inputs for one in sentences]))
    if leaking:
        sections.append(_leaked(out, options, sentences, leaking))
    write_json(
        out / "result.json",
        {
            "model": options.model,
            "judge": options.judge,
            "seed": options.seed,
            "frontend": frontend.settings,
            "cells": [
                {
                    "recording": sentences[number].name,
                    "method": method,
                    "layer": layer,
                    **values,
                    **_variation(found[number, method, layer]),
                }
                for (number, method, layer), values in measures.items()
            ],
            **leak_record(leaking),
            "command": shlex.join(["zoo", *sys.argv[1:]]),
            "versions": versions(),
            "hardware": hardware(),
        },
    )
    _write_page(out, options, sections, whole)
    for (number, method, layer), values in measures.items():
        text = ", ".join(f"{MEASURES[name]} {value:.2f}" for name, value in values.items())
        print(f"{sentences[number].name} from {layer} by {method}: {text}")
        if found[number, method, layer].constant_output:
            print(CONSTANT_OUTPUT)
    if leaking:
        print(leak_text(leaking))
    print(f"written to {out}; open {out / 'index.html'}")


def _networks(
    options: Options, model: keras.Model, frontend: Frontend, whole: bool
) -> dict[str, keras.Model]:
    """The network, if it classifies, and the one that judges."""
    from zoo.errors import UsageError
    from zoo.inversion.recordings import takes_recordings
    from zoo.runs import Run

    # An autoencoder answers nothing.
    found = {"own": model} if len(model.output_shape) == (3 if whole else 2) else {}
    if options.judge:
        judge = Run.open(options.judge)
        if judge.frontend.fingerprint != frontend.fingerprint:
            raise UsageError(
                f"{options.judge} takes other inputs than {options.model}: its representation, "
                "level or mean differ."
            )
        if whole and not takes_recordings(judge.model, judge.frontend):
            raise UsageError(
                f"{options.judge} takes windows; {options.model} takes whole recordings."
            )
        found["other"] = judge.model
    return found


def _variation(result: Any) -> dict[str, Any]:
    if result.output_variation is None:
        return {}
    return {
        "output_variation": result.output_variation,
        "constant_output": result.constant_output,
    }


def _curve(
    measures: Mapping[tuple[int, str, str], Mapping[str, float]],
    methods: Sequence[str],
    layers: Sequence[str],
) -> Any:
    """What is kept by depth, mean over the recordings."""
    import numpy as np
    from matplotlib.figure import Figure

    from zoo.inversion.page import Section

    names = [name for name in MEASURES if name in next(iter(measures.values()))]
    figure = Figure(figsize=(3.2 * len(names), 3), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for method in methods:
            values = [
                np.mean([v[name] for key, v in measures.items() if key[1:] == (method, layer)])
                for layer in layers
            ]
            axis.plot(range(len(layers)), values, marker="o", ms=4, label=method)
        axis.set_xticks(range(len(layers)), layers, rotation=45)
        axis.set_title(MEASURES[name], fontsize=9)
        axis.set_ylim(0, None if name == "log_spectral_distance" else 1.02)
        axis.grid(alpha=0.3)
    figure.axes[0].legend(frameon=False, fontsize=7)
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return Section("What is kept, by depth", picture=file.getvalue())


def _section(
    out: Path,
    options: Options,
    number: int,
    one: Sentence | WholeRecording,
    methods: Sequence[str],
    layers: Sequence[str],
    results: Mapping[tuple[str, str], Any],
    measures: Mapping[tuple[str, str], Mapping[str, float]],
) -> Any:
    import numpy as np

    from zoo.inversion.page import Section

    original = np.abs(one.original)
    loudest = float(original.max())
    label = f"{number + 1:02}-{one.name}"
    first = _tile(out, label, "input", one, one.magnitudes(one.inputs), loudest, "input", options)
    rows = []
    for method in methods:
        row = [first]
        for layer in layers:
            found, values = results[method, layer], measures[method, layer]
            caption = f"{layer}: " + ", ".join(
                f"{MEASURES[name]} {value:.2f}" for name, value in values.items()
            )
            if found.constant_output:
                caption += ". The same output whatever the input."
            magnitudes = one.magnitudes(found.reconstruction)
            kind = f"{layer}-{method.replace('+', '-')}"
            row.append(_tile(out, label, kind, one, magnitudes, loudest, caption, options))
        rows.append((method, row))
    return Section(
        one.name,
        one.about,
        columns=("input", *layers),
        rows=rows,
        wide=True,
    )


def _leaked(
    out: Path,
    options: Options,
    sentences: Sequence[Sentence | WholeRecording],
    leaking: Mapping[str, Leak],
) -> Section:
    """The leak test: every recording, as the autoencoder gives it, whole and mangled."""
    import numpy as np

    outputs = {"output": next(iter(leaking.values())).outputs}
    outputs |= {ZEROED[part]: one.mangled for part, one in leaking.items()}
    ends = np.cumsum([len(one.inputs) for one in sentences])[:-1]
    split = {name: np.split(windows, ends) for name, windows in outputs.items()}
    rows = []
    for number, one in enumerate(sentences):
        label, loudest = f"{number + 1:02}-{one.name}", float(np.abs(one.original).max())
        shown = {"input": one.inputs, **{name: parts[number] for name, parts in split.items()}}
        row = [
            _tile(
                *(out, label, name.replace(" ", "-"), one, one.magnitudes(windows)),
                *(loudest, name, options),
            )
            for name, windows in shown.items()
        ]
        rows.append((one.name, row))
    return leak_section(leaking, rows, wide=True)


def _tile(
    out: Path,
    label: str,
    kind: str,
    one: Sentence | WholeRecording,
    magnitudes: np.ndarray,
    loudest: float,
    caption: str,
    options: Options,
) -> Tile:
    """Of one cell; its sounds are written as files, too."""
    from zoo.files import make_folder
    from zoo.inversion.page import Tile, heard, sentence_png, wav_bytes, write_wav
    from zoo.inversion.sentences import SOUNDS

    rate, folder = one.frontend.sample_rate, make_folder(out / "sounds")
    sounds = []
    for name, wave in one.sounds(magnitudes, options.seed).items():
        write_wav(folder / f"{label}-{kind}-{name}.wav", heard(wave), rate)
        sounds.append((SOUNDS[name], wav_bytes(heard(wave), rate)))
    return Tile(sentence_png(magnitudes, loudest), None, caption, sounds)


def _write_page(out: Path, options: Options, sections: Sequence[Any], whole: bool) -> None:
    from zoo.inversion.page import write_page

    compared = ("whole recordings", "frame") if whole else ("windows", "window")
    lead = (
        "Magnitudes over 60 dB, low frequencies below, on one scale for each recording. Sounds are "
        f"scaled to one peak, to be heard. Correlation is the maximal one of {compared[0]}; "
        f"answers are the most probable phone of each {compared[1]}."
    )
    if options.judge:
        lead += f" The other network is {options.judge}."
    write_page(out / "index.html", f"{options.model}: what its layers keep", lead, sections)
