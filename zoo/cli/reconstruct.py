"""`zoo reconstruct`: what a layer of a network keeps of sounds, to look at and to listen to."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.seeds import seed_argument

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo.data.features.frontend import Frontend
    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import Reconstruction
    from zoo.inversion.sounds import Recording, Sounds

METHODS = ("gradient", "annealing", "decoder", "decoder+gradient")
SEARCHES = ("steps", "optimizer", "l2", "total_variation")
"""Options that are handed to `zoo.inversion.reconstruct` as they are, where they are given."""

SHOWN = 100
"""Sounds on the page, at most."""

PICTURED = 8
"""Sounds in the picture, at most."""


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Describe the command's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="run folder, .keras file, or a name of zoo list (untrained)"
    )
    parser.add_argument(
        "--layer", required=True, metavar="NAME", help="layer, or Churchman's number such as L6"
    )
    parser.add_argument(
        "--method", choices=METHODS, default="gradient", help="default: %(default)s"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    what = parser.add_argument_group("sounds, at least one kind")
    what.add_argument(
        "--data",
        metavar="PREPARED",
        help="phones of every class of a prepared set; a name or a file as MODEL needs it in any "
        "case, and decoders are trained on its train split",
    )
    what.add_argument("--split", default="test", help="of --data (default: %(default)s)")
    what.add_argument(
        "--per-class",
        type=int,
        default=5,
        metavar="N",
        help="phones of each class, 0 for none (default: %(default)s)",
    )
    what.add_argument(
        "--wav", action="append", default=[], metavar="FILE", help="a recording, piece by piece"
    )
    what.add_argument("--chirps", action="store_true", help="20 chirps, up and down, in five bands")
    how = parser.add_argument_group("method")
    how.add_argument("--seed", type=seed_argument, default=0, help="decides all chance (default 0)")
    how.add_argument("--steps", type=int, metavar="N", help="of gradient descent or annealing")
    how.add_argument("--optimizer", choices=("bold", "adam", "lbfgs"), help="of gradient descent")
    how.add_argument("--l2", type=float, metavar="F", help="penalty on the input's squared length")
    how.add_argument(
        "--total-variation", type=float, metavar="F", help="penalty on the input's roughness"
    )
    how.add_argument(
        "--averaged", type=int, default=1, metavar="N", help="mean of so many reconstructions"
    )
    how.add_argument(
        "--noise", type=float, default=0.0, metavar="F", help="added to the input of each of them"
    )
    how.add_argument(
        "--decoder", metavar="DIR", help="where the decoder is, or is to be kept (OUT/decoder)"
    )
    how.add_argument(
        "--decoder-network",
        metavar="RUN",
        help="decode the activity of this network (Churchman's is a padded twin of MODEL)",
    )
    how.add_argument(
        "--decoder-epochs", type=int, default=5, metavar="N", help="of each stage (default 5)"
    )
    how.add_argument(
        "--decoder-examples",
        type=int,
        default=100,
        metavar="N",
        help="that it is trained on, of each class (default 100)",
    )


def run(args: argparse.Namespace) -> None:
    """Reconstruct, write, and print the measures."""
    from zoo.startup import start_backend

    if not (args.data and args.per_class) and not args.wav and not args.chirps:
        raise UsageError("nothing to reconstruct: give --data PREPARED, --wav FILE or --chirps.")
    for option in ("per_class", "decoder_epochs", "decoder_examples"):
        least = 0 if option == "per_class" else 1
        if getattr(args, option) < least:
            flag = f"--{option.replace('_', '-')}"
            raise UsageError(f"{flag} must be {least} or more; received {getattr(args, option)}.")
    start_backend()
    from zoo.data.sets.prepared import Prepared
    from zoo.inversion import find_layer, reconstruct

    prepared = Prepared(args.data) if args.data else None
    model, frontend = _network(args.model, prepared)
    find_layer(model, args.layer)
    sounds, recordings = _sounds(args, prepared, frontend)
    options: dict[str, Any] = {k: getattr(args, k) for k in SEARCHES}
    options = {k: v for k, v in options.items() if v is not None}
    if args.method.startswith("decoder"):
        options["decoder"] = _decoder(args, model, prepared)
    result = reconstruct(
        model,
        args.layer,
        sounds.inputs,
        args.method,
        args.seed,
        deltas=frontend.representation.get("deltas", 0),
        averaged=args.averaged,
        noise=args.noise,
        progress=True,
        **options,
    )
    _write(args, frontend, sounds, recordings, result)


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
            f"{path} does not say how sounds become its inputs: add --data PREPARED, whose "
            "representation it takes (with --per-class 0 for none of its phones)."
        )
    return model, prepared.frontend


def _sounds(
    args: argparse.Namespace, prepared: Prepared | None, frontend: Frontend
) -> tuple[Sounds, list[tuple[int, Recording]]]:
    """All sounds; and where among them each recording's pieces begin."""
    from zoo.data.features.frontend import Frontend
    from zoo.evaluation.runs import inputs_for
    from zoo.inversion.sounds import chirps, joined, phones, recording
    from zoo.runs import find

    parts: list[Sounds] = []
    recordings = []
    if prepared is not None and args.per_class:
        folder = find(args.model)
        has_own = folder is not None and Frontend.is_in(folder)
        features = inputs_for(args.model, prepared, args.split) if has_own else None
        parts.append(phones(prepared, args.per_class, args.seed, args.split, features))
    for path in args.wav:
        found = recording(path, frontend)
        recordings.append((sum(map(len, parts)), found))
        parts.append(found.sounds)
    if args.chirps:
        parts.append(chirps(frontend))
    return joined(*parts), recordings


def _decoder(args: argparse.Namespace, model: keras.Model, prepared: Prepared | None) -> Any:
    """The decoder of `--decoder` if it is finished, or else a new one."""
    import numpy as np

    from zoo.data.sets.samplers import BalancedEpochs
    from zoo.inversion import Decoder, train_decoder
    from zoo.inversion.decoders import RECORD_NAME, DecoderSettings
    from zoo.runs import load

    folder = Path(args.decoder or Path(args.out) / "decoder")
    if prepared is None:
        if (folder / RECORD_NAME).is_file():
            return Decoder.load(folder)
        raise UsageError("a decoder is trained first: add --data PREPARED, or --decoder DIR.")
    drawn = BalancedEpochs(prepared.labels("train"), args.decoder_examples, args.seed).epoch(0)
    return train_decoder(
        load(args.decoder_network) if args.decoder_network else model,
        args.layer,
        np.asarray(prepared.features("train")[np.unique(drawn)]),
        DecoderSettings(epochs=args.decoder_epochs),
        args.seed,
        folder,
        progress=True,
    )


def _write(
    args: argparse.Namespace,
    frontend: Frontend,
    sounds: Sounds,
    recordings: Sequence[tuple[int, Recording]],
    result: Reconstruction,
) -> None:
    """Arrays, measures, waveforms, the picture and the page; then print."""
    from zoo.data.features.representations import STFT_FORMS
    from zoo.evaluation.reconstruction import likeness, waveforms
    from zoo.files import make_folder, replacing, write_array, write_json

    out = make_folder(args.out)
    pairs = (sounds.inputs, result.reconstruction)
    is_map = sounds.inputs.ndim == 4
    measures = likeness(*pairs, frontend) if is_map else {"euclidean_error": result.distance}
    record = _record(args, frontend, sounds, measures, result)
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
        _write_page(out, record, sounds, result, waves, frontend.sample_rate)
    means = ", ".join(f"{k.replace('_', ' ')} {v:.3g}" for k, v in record["means"].items())
    print(f"{len(sounds)} reconstructions from {result.layer}: {means}")
    print(f"written to {out}" + (f"; open {out / 'index.html'}" if is_map else ""))


def _record(
    args: argparse.Namespace,
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
        "model": args.model,
        "layer": result.layer,
        "method": result.method,
        "seed": args.seed,
        "frontend": frontend.settings,
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
    ]
    lead = (
        "Centred spectrograms, low frequencies below, red above 0 and blue below; each on a scale "
        "of its own (±), coloured by the square root of the magnitude. Sounds are scaled to one "
        "peak, to be heard."
    )
    write_page(
        out / "index.html",
        f"{record['model']}: what {result.layer} keeps ({result.method})",
        lead,
        sections,
    )
