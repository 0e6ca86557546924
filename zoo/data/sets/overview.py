"""What a prepared set holds, as tables and pictures: classes, durations, balance, examples."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data.features.representations import STFT_FORMS, WAVEFORM
from zoo.data.sets.prepared import Prepared
from zoo.data.sets.samplers import TRAIN_PER_CLASS
from zoo.data.sets.tiers import draw_recording
from zoo.errors import UsageError
from zoo.files import make_folder, replacing
from zoo.pages import drawn, new_figure, numbered, png, write_page

EXAMPLES_SHOWN = 12
"""Spectrograms, each of another class."""

PAIRS_SHOWN = 3

RECORDINGS_SHOWN = 3

_HOLDS = {
    "segments": "labelled segments",
    "frames": "whole recordings with a label for every frame",
    "pairs": "pairs of noisy and clean excerpts",
}

# Of splits, in the order in which a set has them.
_COLOURS = ("#3b6ea8", "#c2571a", "#5f8f3e", "#7a5aa6")


@dataclasses.dataclass(frozen=True)
class Picture:
    """A figure with the words that belong to it.

    Attributes:
        name: name of its file, without suffix.
        heading: heading of its section.
        text: what is to be seen.
        alt: for those who do not see it.
        png: the picture.
    """

    name: str
    heading: str
    text: str
    alt: str
    png: bytes


def write_overview(prepared: Prepared, out: str | Path) -> Path:
    """Write counts and pictures of a prepared set of any kind.

    Args:
        prepared: the set.
        out: an `.html` file, which needs nothing beside it; or a folder for `overview.html` and
            every picture as a PNG file.

    Returns:
        The page.

    Raises:
        UsageError: the set holds no example.
        RunError: `out` cannot be written.

    Reference: Riemens (2015), figure 1; Churchman (2015), figures 4 and 5.
    """
    out = Path(out)
    shown = pictures(prepared)
    page = out
    if out.suffix.lower() != ".html":
        page = make_folder(out) / "overview.html"
        for picture in shown:
            with replacing(out / f"{picture.name}.png") as temporary:
                temporary.write_bytes(picture.png)
    shape = "×".join("any" if size is None else str(size) for size in prepared.shape)
    write_page(
        page,
        Path(__file__).with_name("overview.html"),
        title=f"{prepared.path.name}: {prepared.manifest['corpus']}",
        lead=f"A prepared set of {_HOLDS[prepared.kind]}, {shape} each, at "
        f"{prepared.sample_rate} Hz.",
        table=counts(prepared),
        figures=[(p.heading, p.text, p.png, p.alt) for p in shown],
        facts=_facts(prepared),
    )
    return page


def counts(prepared: Prepared) -> list[tuple[str, ...]]:
    """A table of the splits, its header first."""
    whole, pairs = prepared.kind == "frames", prepared.kind == "pairs"
    head: tuple[str, ...] = ("split", "recordings" if whole else "examples", "minutes", "speakers")
    head += ("unlabelled", "frames", "labelled") if whole else ("utterances",)
    if not pairs:
        head += ("classes", "smallest class", "largest class")
    if prepared.kind == "segments":
        head += ("too long",)
    rows = [head]
    for name in prepared.splits:
        record = prepared.manifest["splits"][name]
        seconds = durations(prepared, name).sum()
        row: tuple[str, ...] = (
            name,
            f"{len(prepared.features(name))}",
            f"{seconds / 60:.1f}",
            f"{record['speakers']}",
        )
        if whole:
            frames, labelled = record["frames"], record["labelled_frames"]
            unlabelled = sum(not found for found in prepared.phones(name))
            row += (f"{unlabelled}", f"{frames}", f"{labelled / max(frames, 1):.1%}")
        else:
            row += (f"{record['utterances']}",)
        if not pairs:
            present = {c: n for c, n in record["per_class"].items() if n}
            order = sorted(present, key=present.__getitem__)
            extremes = [f"{c} ({present[c]})" for c in (order[0], order[-1])] if order else "––"
            row += (f"{len(present)}", *extremes)
        if prepared.kind == "segments":
            row += (f"{prepared.excluded(name)}",)
        rows.append(row)
    return rows


def durations(prepared: Prepared, split: str) -> np.ndarray:
    """Seconds of every example of a split, without padding, (N,)."""
    rows = prepared.segments(split)
    return (rows.end - rows.start) / prepared.sample_rate


def pictures(prepared: Prepared) -> list[Picture]:
    """Every figure that the set's kind has.

    Raises:
        UsageError: the set holds no example.
    """
    stored = [s for s in prepared.splits if len(prepared.features(s))]
    if not stored:
        raise UsageError(f"{prepared.path} holds no examples to show.")
    if prepared.kind == "pairs":
        return [_ratios(prepared, stored), _pairs(prepared, stored)]
    examples = _recordings if prepared.kind == "frames" else _examples
    return [
        _per_class(prepared, stored),
        _balance(prepared, stored),
        _durations(prepared, stored),
        examples(prepared, stored),
    ]


def _counted(prepared: Prepared) -> str:
    """What a class has some of."""
    return "frames" if prepared.kind == "frames" else "examples"


def _whole(prepared: Prepared, splits: list[str]) -> list[str]:
    """The splits that are no part of another one."""
    return [s for s in splits if prepared.manifest["splits"][s]["stored_in"] == s]


def _count(prepared: Prepared, split: str) -> np.ndarray:
    labels = prepared.labels(split)
    return np.bincount(labels[labels >= 0], minlength=len(prepared.classes))


def _per_class(prepared: Prepared, splits: list[str]) -> Picture:
    whole = _whole(prepared, splits)
    found = {split: _count(prepared, split) for split in whole}
    order = np.argsort(-sum(found.values()), kind="stable")
    names = [prepared.classes[c] for c in order]
    figure = new_figure(9, 3.6)
    axis = figure.subplots()
    width = 0.8 / len(whole)
    for place, (split, count) in enumerate(found.items()):
        at = np.arange(len(names)) - 0.4 + width * (place + 0.5)
        axis.bar(at, count[order], width, label=split, color=_COLOURS[place])
    ticks, unknown = numbered(names)
    axis.set_xticks(range(len(names)), ticks, rotation=90 if len(names) > 20 else 0, fontsize=8)
    what = _counted(prepared)
    axis.set(ylabel=what, xlim=(-0.8, len(names) - 0.2))
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    # Above the axes, for bars may be anywhere in them.
    axis.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(whole))
    most = names[0]
    return Picture(
        f"{what}-per-class",
        f"{what.capitalize()} of each class",
        f"In order of frequency over all splits.{unknown}",
        f"Bars of the number of {what} of {len(names)} classes; the most frequent one is {most}.",
        png(figure),
    )


def _balance(prepared: Prepared, splits: list[str]) -> Picture:
    split = "train" if "train" in splits else splits[0]
    count = _count(prepared, split)
    order = [c for c in np.argsort(count, kind="stable") if count[c]]
    shown = TRAIN_PER_CLASS / count[order]
    figure = new_figure(9, 3.2)
    axis = figure.subplots()
    colours = [_COLOURS[1] if times > 1 else _COLOURS[0] for times in shown]
    axis.bar(range(len(order)), shown, color=colours, bottom=0)
    axis.axhline(1, color="#1c2530", lw=0.8)
    axis.set_yscale("log")
    axis.yaxis.set_major_formatter("{x:g}")
    names = [prepared.classes[c] for c in order]
    ticks, unknown = numbered(names)
    axis.set_xticks(range(len(names)), ticks, rotation=90 if len(names) > 20 else 0, fontsize=8)
    axis.set(ylabel="times shown an epoch", xlim=(-0.8, len(names) - 0.2))
    axis.grid(axis="y", alpha=0.3)
    axis.set_axisbelow(True)
    repeated = int((shown > 1).sum())
    what = _counted(prepared)
    return Picture(
        "class-balance",
        "Class balance",
        f"How often a balanced epoch of {TRAIN_PER_CLASS} {what} a class shows each of those of "
        f"“{split}”: above the line ({repeated} of {len(order)} classes) {what} are repeated, "
        f"below it only a part is drawn.{unknown}",
        f"Bars for {len(order)} classes; {repeated} of them have fewer than {TRAIN_PER_CLASS} "
        f"{what}.",
        png(figure),
    )


def _durations(prepared: Prepared, splits: list[str]) -> Picture:
    found = {split: 1000 * durations(prepared, split) for split in _whole(prepared, splits)}
    limit = prepared.manifest["length"]
    figure = new_figure(9, 3.2)
    axis = figure.subplots()
    # Cropped segments may be longer than what is stored of them.
    longest = max(np.percentile(x, 99.9) for x in found.values())
    bins = np.linspace(0, longest, 61)
    for place, (split, milliseconds) in enumerate(found.items()):
        weights = np.full(len(milliseconds), 1 / len(milliseconds))
        axis.hist(
            milliseconds,
            bins,
            weights=weights,
            histtype="step",
            lw=1.5,
            color=_COLOURS[place],
            label=f"{split}, median {np.median(milliseconds):.0f} ms",
        )
    if limit is not None:
        end = 1000 * limit / prepared.sample_rate
        axis.axvline(end, color="#1c2530", lw=0.8, ls="--", label=f"length, {end:.0f} ms")
    axis.yaxis.set_major_formatter("{x:.0%}")
    axis.set(xlabel="ms", ylabel="share", xlim=(0, None))
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    excluded = sum(prepared.excluded(split) for split in found)
    rest = f" {excluded} longer segments were left out." if excluded else ""
    what = "recordings" if prepared.kind == "frames" else "examples, without padding"
    text = f"Of the {what}.{rest}"
    return Picture("durations", "Durations", text, f"Histogram of durations. {text}", png(figure))


def _examples(prepared: Prepared, splits: list[str]) -> Picture:
    split = "train" if "train" in splits else splits[0]
    labels, rows = prepared.labels(split), prepared.segments(split)
    present = np.unique(labels)
    picked = present[
        np.linspace(0, len(present) - 1, min(EXAMPLES_SHOWN, len(present))).astype(int)
    ]
    # The middle example of each class: no choice by hand, and the same in every page.
    members = [np.flatnonzero(labels == c) for c in picked]
    chosen = [found[len(found) // 2] for found in members]
    figure = new_figure(9, 1 + 2.3 * -(-len(chosen) // 6))
    axes = np.ravel(figure.subplots(-(-len(chosen) // 6), 6, sharey=True, squeeze=False))
    for axis in axes[len(chosen) :]:
        axis.set_axis_off()
    features, seconds = prepared.features(split), durations(prepared, split)
    stored = prepared.manifest["length"]
    titles, unknown = numbered([prepared.classes[c] for c in picked])
    for axis, index, title in zip(axes, chosen, titles, strict=False):
        length = seconds[index] if stored is None else stored / prepared.sample_rate
        _draw(axis, prepared, features[index], 1000 * length)
        axis.set_title(f"{title}\n{drawn(rows.speaker[index])}", fontsize=9)
        # Where lengths differ, each has ticks of its own.
        axis.tick_params(labelbottom=stored is None, labelsize=8)
    if stored is not None:
        for axis in axes[max(0, len(chosen) - 6) : len(chosen)]:
            axis.tick_params(labelbottom=True)
    figure.supxlabel("ms", fontsize=9)
    figure.supylabel(_unit(prepared), fontsize=9)
    return Picture(
        "examples",
        "Examples",
        f"One of each of {len(chosen)} classes of “{split}”, the mean added back.{unknown}",
        f"Examples of {', '.join(prepared.classes[c] for c in picked)}.",
        png(figure),
    )


def _recordings(prepared: Prepared, splits: list[str]) -> Picture:
    split = "train" if "train" in splits else splits[0]
    features, rows, phones = (
        prepared.features(split),
        prepared.segments(split),
        prepared.phones(split),
    )
    # Evenly spaced among those with labels, if there are any: no choice by hand.
    known = [n for n, found in enumerate(phones) if found] or list(range(len(rows)))
    places = np.linspace(0, len(known) - 1, min(RECORDINGS_SHOWN, len(known))).astype(int)
    chosen = [known[place] for place in places]
    figure = new_figure(9, 2.6 * len(chosen))
    parts = np.atleast_1d(figure.subfigures(len(chosen), 1))
    rate = prepared.sample_rate
    for part, number in zip(parts, chosen, strict=True):
        labels = [(s.start / rate, s.end / rate, s.label) for s in phones[number]]
        raw = (features[number] + prepared.mean)[:, :, 0]
        part.suptitle(drawn(f"{rows.utterance[number]}, {rows.speaker[number]}"), fontsize=9)
        draw_recording(part, raw, prepared.hop / rate, [("labels", labels, ())])
    return Picture(
        "recordings",
        "Recordings",
        f"The beginning of {len(chosen)} recordings of “{split}” as a network sees them, the mean "
        "added back, with the labels of the corpus.",
        f"Spectrograms of {', '.join(str(rows.utterance[n]) for n in chosen)}, labels below.",
        png(figure),
    )


def _unit(prepared: Prepared) -> str:
    kind = prepared.frontend.kind
    if kind == WAVEFORM:
        return "sample"
    # Only the bins of the Fourier transform are evenly spaced in frequency.
    return "kHz" if kind in STFT_FORMS else "sample of a frame" if kind == "frames" else "band"


def _draw(axis: Any, prepared: Prepared, example: np.ndarray, milliseconds: float) -> None:
    """One centred example as a spectrogram or a curve."""
    if example.ndim == 2:
        _curve(axis, example, milliseconds)
        return
    raw = (example + prepared.mean)[:, :, 0]
    top = prepared.sample_rate / 2000 if _unit(prepared) == "kHz" else len(raw)
    axis.imshow(raw, origin="lower", aspect="auto", cmap="magma", extent=(0, milliseconds, 0, top))


def _curve(axis: Any, wave: np.ndarray, milliseconds: float) -> None:
    time = np.linspace(0, milliseconds, len(wave))
    axis.plot(time, wave[:, 0], lw=0.5, color=_COLOURS[0])
    axis.set(xlim=(0, milliseconds), ylim=(-1.05, 1.05))


def _ratios(prepared: Prepared, splits: list[str]) -> Picture:
    figure = new_figure(9, 2.8)
    axis = figure.subplots()
    low, high = prepared.manifest["settings"]["snr"]
    bins = np.linspace(low, high, 21) if high > low else np.array([low - 0.5, low + 0.5])
    for place, split in enumerate(splits):
        ratio = prepared.segments(split).snr
        axis.hist(ratio, bins, histtype="step", lw=1.5, color=_COLOURS[place], label=split)
    axis.set(xlabel="signal-to-noise ratio in dB", ylabel="pairs")
    axis.yaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False)
    names = sorted({str(name) for split in splits for name in prepared.segments(split).noise})
    some = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return Picture(
        "ratios",
        "Signal-to-noise ratios",
        f"Of each pair; noise: {some}.",
        f"Histogram of ratios from {low:g} to {high:g} dB.",
        png(figure),
    )


def _pairs(prepared: Prepared, splits: list[str]) -> Picture:
    split = splits[0]
    count = len(prepared.features(split))
    chosen = np.linspace(0, count - 1, min(PAIRS_SHOWN, count)).astype(int)
    figure = new_figure(9, 0.6 + 2 * len(chosen))
    axes = figure.subplots(len(chosen), 4, squeeze=False)
    rate = prepared.sample_rate
    length = prepared.manifest["length"]
    # Frames of 1/60 s, but of four samples at least and never more than the excerpt has.
    frame = int(np.clip(rate // 60, 4, length))
    for row, index in zip(axes, chosen, strict=True):
        record = prepared.segments(split)[index]
        for place, (what, examples) in enumerate(
            (("noisy", prepared.features(split)), ("clean", prepared.targets(split)))
        ):
            _curve(row[place], examples[index], 1000 * length / rate)
            row[place].set_title(
                f"{what}, {drawn(record.speaker)}, {record.snr:.1f} dB", fontsize=9
            )
            row[2 + place].specgram(
                examples[index][:, 0] + 1e-6,
                NFFT=frame,
                noverlap=frame // 2,
                Fs=rate / 1000,
                xextent=(0, 1000 * length / rate),
                cmap="magma",
                vmin=-100,
            )
            row[2 + place].set_title(f"{what}, kHz", fontsize=9)
    figure.supxlabel("ms", fontsize=9)
    return Picture(
        "pairs",
        "Pairs",
        f"Waveforms and spectrograms of {len(chosen)} pairs of “{split}”.",
        "Waveforms and spectrograms, noisy beside clean.",
        png(figure),
    )


def _facts(prepared: Prepared) -> list[tuple[str, str]]:
    manifest = prepared.manifest
    settings = manifest["settings"].items()
    return [
        ("Corpus", manifest["corpus"]),
        # Options that were left at "no" say nothing.
        ("Preparation", ", ".join(f"{k} {v}" for k, v in settings if v not in (None, False))),
        ("Stored as", manifest.get("dtype", "float32")),
        ("Front end", manifest["frontend"]),
        ("Content", manifest.get("content", "–")),
    ]
