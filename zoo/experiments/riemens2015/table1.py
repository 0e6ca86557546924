"""Riemens' table 1: how well waveforms come back from spectrograms, with and without phase.

The window stays at 267 samples while the transform has 200, 400 or 600 points. At 200 the frame is
folded, which is its spectrum at 101 of its frequencies; the text does not say what was done, nor
how waveforms were reconstructed. So every plausible way has a row of its own.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError
from zoo.seeds import seed_option
from zoo.settings import at_least, option

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

NAME = "riemens_table1"
TRANSFORMS = {"101": 200, "201": 400, "301": 600}
"""Bins -> points of the transform."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A way from a complex spectrogram, or a part of it, back to a waveform.

    Attributes:
        phase: the published row that it belongs to, `"phase_available"` or `"phase_discarded"`.
        text: what is kept, and how it is turned back.
        invert: function of (complex spectrogram, samples, framing, arguments).
    """

    phase: str
    text: str
    invert: Callable[..., np.ndarray]


def ways() -> dict[str, Way]:
    """Every way, by the name that it has in the results."""
    import numpy as np

    from zoo.ops.inverse import griffin_lim, inverse_real, inverse_stft

    with_phase, without = "phase_available", "phase_discarded"
    return {
        "complex": Way(
            with_phase,
            "amplitude and phase, overlap-add",
            lambda s, n, f, a: inverse_stft(s, n, f),
        ),
        "complex_joint": Way(
            with_phase,
            "amplitude and phase, all frames solved together",
            lambda s, n, f, a: inverse_stft(s, n, f, joint=True),
        ),
        "magnitude_zero_phase": Way(
            without,
            "amplitude, every phase 0, overlap-add",
            lambda s, n, f, a: inverse_stft(np.abs(s) + 0j, n, f),
        ),
        "magnitude": Way(
            without,
            "amplitude, phases by Griffin and Lim",
            lambda s, n, f, a: griffin_lim(np.abs(s), n, f, a.iterations, a.seed),
        ),
        "real": Way(
            without,
            "real part, even part of each frame doubled, overlap-add",
            lambda s, n, f, a: inverse_real(s.real, n, f, joint=False),
        ),
        "real_joint": Way(
            without,
            "real part, all frames solved together",
            lambda s, n, f, a: inverse_real(s.real, n, f),
        ),
    }


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the experiment.

    Attributes:
        out: folder to write.
        corpus: a TIMIT-layout tree.
        split: split of the corpus.
        segments: how many are drawn.
        iterations: number of iterations of Griffin and Lim's algorithm.
        seed: random seed of the draw and of the first phases.
    """

    out: str = option(metavar="RUN", help="Folder to write")
    corpus: str | None = option(
        None, metavar="DIR", help="Corpus in TIMIT's layout; zoo corpus synth DIR makes one"
    )
    split: str = option("test", choices=("train", "test"), help="Part of the corpus")
    segments: int = option(200, metavar="N", check=at_least(1), help="Number of segments drawn")
    iterations: int = option(
        60, metavar="N", check=at_least(0), help="Iterations of Griffin and Lim's algorithm"
    )
    seed: int = seed_option("Seed of the draw and of the first phases")


def run(options: Options) -> int:
    """Measure, write `results.json` and `results.md`, and print the table."""
    if options.corpus is None:
        raise UsageError(
            "--corpus DIR is missing, a TIMIT-layout tree; `zoo corpus synth DIR` makes a "
            "synthetic one."
        )
    from zoo.startup import start_backend

    start_backend()
    from zoo.experiments.engine.published import published
    from zoo.files import make_folder, write_json, write_text
    from zoo.machine import versions

    waveforms, corpus = draw(options.corpus, options.split, options.segments, options.seed)
    results = {
        "experiment": NAME,
        "published": published(NAME),
        "settings": {
            "corpus": corpus,
            **{k: getattr(options, k) for k in ("split", "segments", "iterations", "seed")},
        },
        "segments": len(waveforms),
        "samples": waveforms.shape[1],
        "ours": measure(waveforms, options),
        "versions": versions(),
    }
    text = table(results)
    out = make_folder(options.out)
    write_json(out / "results.json", results)
    write_text(out / "results.md", text)
    print(text)
    print(f"written to {Path(options.out)}")
    return 0


def draw(root: str, split: str, count: int, seed: int) -> tuple[np.ndarray, str]:
    """Waveforms (N, samples) of segments drawn without replacement, zero-padded, and the corpus.

    As in a prepared set: no SA sentences, no `q`, nothing longer than the 95th percentile of the
    segments looked at, all padded to the longest that is left. Utterances are looked at in a
    random order until there are three times as many segments as are wanted.

    Raises:
        UsageError: the corpus is unusable, or has no segment in `split`.
    """
    import numpy as np

    from zoo.data.corpora.phones import DROPPED
    from zoo.data.corpora.timit import Corpus
    from zoo.data.features.frontend import place

    corpus = Corpus(root)
    rng = np.random.default_rng(seed)
    utterances = corpus.utterances(split)
    found: list[np.ndarray] = []
    for index in rng.permutation(len(utterances)):
        samples, segments = utterances[index].read(resampling=True)
        cut = (samples[s.start : s.end] for s in segments if s.label != DROPPED)
        found += [c for c in cut if c.any()]
        if len(found) >= 3 * count:
            break
    if not found:
        raise UsageError(f"{root} has no segments in its {split} part.")
    limit = np.percentile([len(c) for c in found], 95)
    kept = [c for c in found if len(c) <= limit]
    length = max(len(c) for c in kept)
    chosen = rng.permutation(len(kept))[:count]
    return np.stack([place(kept[i], length) for i in chosen]), corpus.root.name


def measure(waveforms: np.ndarray, options: Options) -> dict[str, Any]:
    """Way -> {bins: mean cross-correlation}, with the way's text and published row."""
    from zoo.evaluation.measures import normalised_cross_correlation
    from zoo.ops.inverse import Framing, stft

    samples = waveforms.shape[1]
    ours: dict[str, Any] = {}
    for name, way in ways().items():
        found = {}
        for bins, points in TRANSFORMS.items():
            framing = Framing(fft_length=points)
            back = way.invert(stft(waveforms, framing), samples, framing, options)
            # Magnitudes do not tell a waveform from its negative.
            absolute = name == "magnitude"
            likeness = normalised_cross_correlation(waveforms, back, absolute=absolute)
            found[bins] = round(float(likeness.mean()), 4)
        ours[name] = {"row": way.phase, "text": way.text, **found}
    return ours


def table(results: dict[str, Any]) -> str:
    """Published and our numbers as Markdown."""
    source = results["published"]
    lines = [
        "# Cross-correlation of waveforms and their reconstructions",
        "",
        f"{source['source']}, beside ours: {results['segments']} segments of "
        f"{results['settings']['corpus']} ({results['settings']['split']}), "
        f"{results['samples']} samples, window 267, hop 147, mean over segments of the largest "
        "normalised cross-correlation over all lags. At 101 bins the window is longer than the "
        "transform and folded.",
        "",
        "| phase | reconstructed from | " + " | ".join(f"{b} bins" for b in TRANSFORMS) + " |",
        "|---|---|" + "---|" * len(TRANSFORMS),
    ]
    for row in ("phase_available", "phase_discarded"):
        phase = row.removeprefix("phase_")
        cells = ["–" if source[row][b] is None else f"{source[row][b]:.2f}" for b in TRANSFORMS]
        lines.append(f"| {phase} | published | " + " | ".join(cells) + " |")
        for way in results["ours"].values():
            if way["row"] == row:
                cells = [f"{way[b]:.2f}" for b in TRANSFORMS]
                lines.append(f"| {phase} | ours: {way['text']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
