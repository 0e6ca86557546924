"""`zoo reconstruct`: what a layer of a network keeps of sounds, to look at and to listen to."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.reconstruct_leak import leak_record, leak_rows, leak_section, leak_text, leaks
from zoo.cli.reconstruct_options import (
    CONSTANT_OUTPUT,
    DECODER,
    SEARCH,
    SOUNDS,
    Options,
    SearchOptions,
    decoder_of,
    features_of,
    training_inputs,
)
from zoo.errors import UsageError, nearest
from zoo.extras import require
from zoo.inversion.settings import METHODS
from zoo.settings import add_options, from_arguments

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import Leak, Reconstruction
    from zoo.inversion.page import Section
    from zoo.inversion.sounds import Recording, Sounds

SHOWN = 100
"""Sounds on the page, at most."""

PICTURED = 8
"""Sounds in the picture, at most."""


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    groups = {title: parser.add_argument_group(title) for title in (SOUNDS, SEARCH, DECODER)}
    add_options(parser, Options, groups=groups)
    add_options(parser, SearchOptions, groups=groups)


def run(args: argparse.Namespace) -> None:
    """Reconstruct, write, and print the measures."""
    from zoo.startup import start_backend

    options, search = from_arguments(Options, args), from_arguments(SearchOptions, args)
    if not (options.data and options.per_class) and not options.wav and not options.chirps:
        raise UsageError("nothing to reconstruct: give --data PREPARED, --wav FILE or --chirps.")
    several = any("," in text for text in (options.layer, options.method))
    plain = not (options.chirps or options.averaged > 1 or options.noise)
    for method in options.method.split(","):
        if method not in METHODS:
            raise UsageError(
                f"--method must be one of {', '.join(METHODS)}; received {method!r}. "
                + nearest(method, METHODS, "method")
            )
    if several and (not options.wav or not plain):
        raise UsageError(
            "several layers or methods are compared on whole recordings: give --wav FILE, and no "
            "--chirps, --averaged or --noise."
        )
    require("reports")
    start_backend()
    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import find_layer, reconstruct
    from zoo.inversion.recordings import takes_recordings

    prepared = Prepared(options.data) if options.data else None
    model, frontend = _network(options.model, prepared)
    whole = takes_recordings(model, frontend)
    if whole:
        _check_whole(options, search, plain)
    if several or whole:
        from zoo.cli.reconstruct_sentences import compare

        compare(options, search, model, frontend, prepared)
        return
    find_layer(model, options.layer)
    sounds, recordings = _sounds(options, prepared, frontend)
    chosen = {k: v for k, v in vars(search).items() if v is not None}
    if options.method.startswith("decoder"):
        folder = Path(options.decoder or Path(options.out) / "decoder")
        chosen["decoder"] = decoder_of(options, options.layer, folder, model, prepared)
    if options.method.endswith("gradient") and prepared is not None:
        chosen["training"] = training_inputs(options.model, prepared, options.seed)
    result = reconstruct(
        model,
        options.layer,
        sounds.inputs,
        options.method,
        options.seed,
        deltas=frontend.representation.get("deltas", 0),
        averaged=options.averaged,
        noise=options.noise,
        progress=True,
        **chosen,
    )
    _write(options, frontend, sounds, recordings, result, leaks(model, sounds.inputs))


def _check_whole(options: Options, search: SearchOptions, plain: bool) -> None:
    """Refuse what does not go with a network that takes recordings whole."""
    if not options.wav or not plain:
        raise UsageError(
            f"{options.model} takes whole recordings: give --wav FILE, and no --chirps, "
            "--averaged or --noise."
        )
    if "decoder" in options.method:
        raise UsageError(
            f"decoders are trained for networks of segments, and {options.model} takes whole "
            "recordings: use the method gradient or annealing."
        )
    if options.speech or search.prior == "training":
        raise UsageError(
            f"{options.model} takes whole recordings, of which each is searched for by itself: "
            "omit --speech and --prior training."
        )


def _network(path: str, prepared: Prepared | None) -> tuple[keras.Model, Frontend]:
    """The model, and what turns samples into its inputs."""
    from zoo import registry
    from zoo.data.features.frontend import Frontend
    from zoo.runs import find, load

    found = find(path)
    if found is not None:
        model = load(found)
        if Frontend.is_in(found):
            return model, Frontend.load(found)
    else:
        card = registry.describe(path)
        shape = card.input_shape if prepared is None else prepared.shape
        overrides: dict[str, Any] = {} if shape == card.input_shape else {"input_shape": shape}
        model = registry.build(path, **overrides)
    if prepared is None:
        raise UsageError(
            f"{path} does not record how its inputs are computed: add --data "
            "PREPARED, a set with its representation (with --per-class 0 to "
            "reconstruct none of its phones)."
        )
    return model, prepared.frontend


def _sounds(
    options: Options, prepared: Prepared | None, frontend: Frontend
) -> tuple[Sounds, list[tuple[int, Recording]]]:
    """All sounds; and where among them each recording's pieces begin."""
    from zoo.inversion.sounds import chirps, joined, phones, recording

    parts: list[Sounds] = []
    recordings = []
    if prepared is not None and options.per_class:
        features = features_of(options.model, prepared, options.split)
        parts.append(phones(prepared, options.per_class, options.seed, options.split, features))
    for path in options.wav:
        found = recording(path, frontend)
        recordings.append((sum(map(len, parts)), found))
        parts.append(found.sounds)
    if options.chirps:
        parts.append(chirps(frontend))
    return joined(*parts), recordings


def _write(
    options: Options,
    frontend: Frontend,
    sounds: Sounds,
    recordings: Sequence[tuple[int, Recording]],
    result: Reconstruction,
    leaking: Mapping[str, Leak],
) -> None:
    """Arrays, measures, waveforms, the picture and the page; then print."""
    from zoo.data.features.representations import STFT_FORMS
    from zoo.evaluation.reconstruction import likeness, waveforms
    from zoo.files import make_folder, replacing, write_array, write_json

    out = make_folder(options.out)
    pairs = (sounds.inputs, result.reconstruction)
    is_map = sounds.inputs.ndim == 4
    measures = likeness(*pairs, frontend) if is_map else {"euclidean_error": result.distance}
    record = _record(options, frontend, sounds, measures, result) | leak_record(leaking)
    waves = None
    if frontend.kind in STFT_FORMS:
        waves = [waveforms(x, frontend) for x in pairs]
        _write_waves(out, waves, sounds, recordings, frontend.sample_rate)
    write_array(out / "inputs.npy", pairs[0])
    write_array(out / "reconstructions.npy", pairs[1])
    write_json(out / "result.json", record)
    if is_map:
        from zoo.experiments.engine.pictures import spectrogram_rows

        rows = [
            (sounds.names[n], [x[n, :, :, 0] for x in pairs])
            for n in range(min(PICTURED, len(sounds)))
        ]
        with replacing(out / "spectrograms.png") as temporary:
            headings = ("input", f"from {result.layer}")
            spectrogram_rows(temporary, rows, headings, compressed=True)
        leaked = []
        if leaking:
            shown = leak_rows(leaking, sounds.inputs[:PICTURED], sounds.names, frontend)
            leaked = [leak_section(leaking, shown)]
        _write_page(out, record, sounds, result, waves, frontend.sample_rate, leaked)
    means = ", ".join(f"{k.replace('_', ' ')} {v:.3g}" for k, v in record["means"].items())
    print(f"{len(sounds)} reconstructions from {result.layer}: {means}")
    if result.constant_output:
        print(CONSTANT_OUTPUT)
    if leaking:
        print(leak_text(leaking))
    print(f"written to {out}" + (f"; open {out / 'index.html'}" if is_map else ""))


def _record(
    options: Options,
    frontend: Frontend,
    sounds: Sounds,
    measures: dict[str, np.ndarray],
    result: Reconstruction,
) -> dict[str, Any]:
    from zoo.machine import hardware, versions

    measures = {
        "error_at_start": result.history[0],
        "error": result.error,
        **measures,
    }
    return {
        "model": options.model,
        "layer": result.layer,
        "method": result.method,
        "seed": options.seed,
        "frontend": frontend.settings,
        **(
            {}
            if result.output_variation is None
            else {
                "output_variation": result.output_variation,
                "constant_output": result.constant_output,
            }
        ),
        "means": {k: float(v.mean()) for k, v in measures.items()},
        "sounds": [
            {"name": name, "label": label, **{k: float(v[n]) for k, v in measures.items()}}
            for n, (name, label) in enumerate(zip(sounds.names, sounds.labels, strict=True))
        ],
        "command": shlex.join(["zoo", *sys.argv[1:]]),
        "versions": versions(),
        "hardware": hardware(),
    }


def _write_waves(
    out: Path,
    waves: Sequence[np.ndarray],
    sounds: Sounds,
    recordings: Sequence[tuple[int, Recording]],
    rate: int,
) -> None:
    """`sounds/NUMBER-input.wav` and so on, and each recording as a whole."""
    from zoo.files import make_folder
    from zoo.inversion.page import heard, write_wav

    folder = make_folder(out / "sounds")
    kinds = ("input", "reconstruction")
    names: list[str] = []
    labels = [found.sounds.labels[0] for _, found in recordings]
    for place, label in enumerate(labels):
        # Recordings of several folders may have one name.
        same = labels[:place].count(label)
        names.append(f"{label}-{same + 1}" if same else label)
    for kind, of_kind in zip(kinds, waves, strict=True):
        for number, (label, wave) in enumerate(zip(sounds.labels, of_kind, strict=True)):
            write_wav(folder / f"{number:03}-{label}-{kind}.wav", heard(wave), rate)
        for name, (first, found) in zip(names, recordings, strict=True):
            whole = found.join(of_kind[first : first + len(found.sounds)])
            write_wav(out / f"{name}-{kind}.wav", heard(whole), rate)


def _write_page(
    out: Path,
    record: dict[str, Any],
    sounds: Sounds,
    result: Reconstruction,
    waves: Sequence[np.ndarray] | None,
    rate: int,
    more_sections: Sequence[Section],
) -> None:
    import numpy as np

    from zoo.inversion.page import Section, tiles, write_page

    rows = []
    for n in range(min(SHOWN, len(sounds))):
        pictures = np.stack([sounds.inputs[n], result.reconstruction[n]])
        heard = None if waves is None else np.stack([kind[n] for kind in waves])
        found = record["sounds"][n]
        caption = f"distance {found['euclidean_error']:.3g}"
        if "cross_correlation" in found:
            caption += f", correlation {found['cross_correlation']:.2f}"
        rows.append((sounds.names[n], tiles(pictures, heard, rate, ("input", caption))))
    table = [(name.replace("_", " "), f"{value:.4g}") for name, value in record["means"].items()]
    more = len(sounds) - len(rows)
    sections = [
        Section("Means over all sounds", table=(("measure", "mean"), table)),
        Section(
            "Sounds",
            f"The first {len(rows)} of {len(sounds)}." if more else "",
            columns=("input", f"from {result.layer}"),
            rows=rows,
        ),
        *more_sections,
    ]
    lead = (
        "Centred spectrograms, low frequencies below, red above 0 and blue below; each on a scale "
        "of its own (±), coloured by the square root of the magnitude. Sounds are scaled to one "
        "peak, to be heard."
    )
    if result.constant_output:
        lead = f"{CONSTANT_OUTPUT}\n{lead}"
    write_page(
        out / "index.html",
        f"{record['model']}: what {result.layer} keeps ({result.method})",
        lead,
        sections,
    )
