"""How fast a corpus of TIMIT's size is prepared, and what training waits for its data.

    python benchmarks/preparation.py [--source CORPUS] [--set FOLDER] [--only PART]

Sentences of a TIMIT-layout corpus (without `--source` a small synthetic one is spoken first) are
given to 462 + 168 speakers, 10 each, as hard links. Then, one after the other:

- `prepare`: `zoo prepare` of it all: seconds, and the memory of its largest process;
- `pipeline`: the same work per segment, reading to storing, against a loop as one writes it with
  librosa and with `torch.stft`, on 2000 utterances;
- `layers`: the representation alone, batches of waveforms in memory, by the layers' `analyse` on
  all cores, as preparation has it, and as the convolution of models, against the same loops;
- `waiting`: how long a loop that trains `freq_fullpad` takes to get each batch from the prepared
  set, and how long where every batch is ready, which is TensorFlow's own share; and epochs fed
  from the set, against the same steps on one batch that lies in memory: what they take longer is
  the waiting, and what gathering takes of the processors.

The loops' spectrograms are compared with ours, and a difference fails. A ratio above 1 means that
ours is faster; of each contender's runs, the best counts.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import functools
import itertools
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from zoo.machine import cores

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

PARTS = ("prepare", "pipeline", "layers", "waiting")
SPEAKERS = {"TRAIN": 462, "TEST": 168}
SENTENCES = 10
LENGTH, FRAME, HOP, BINS = 2554, 267, 147, 400
BATCH = 256
ROUNDS = 3
MEL = {"n_mels": 40, "fmin": 20.0, "htk": True, "norm": None}
WINDOW = np.pad(np.hamming(FRAME), (0, BINS - FRAME)).astype("float32")
OURS = ("prepare", "--representation", "log_magnitude", "--length", str(LENGTH))


def main() -> int:
    """Print the figures of every part; 1 if spectrograms differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, help="TIMIT-layout corpus to take sentences from")
    parser.add_argument("--set", type=Path, help="folder to prepare in, kept (default: removed)")
    parser.add_argument("--only", choices=PARTS)
    options = parser.parse_args()
    parts = (options.only,) if options.only else PARTS
    print(f"{cores()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(dir=options.set and options.set.parent) as folder:
        scratch = Path(folder)
        source = options.source or small_corpus(scratch / "small")
        prepared = options.set or scratch / "set"
        if {"prepare", "waiting"} & set(parts) and not (prepared / "manifest.json").exists():
            corpus = timit_sized(source, scratch / "corpus")
            time_prepare(corpus, prepared)
        if "pipeline" in parts:
            compare_pipelines(source, scratch / "loops")
        if "layers" in parts:
            compare_layers(source)
        if "waiting" in parts:
            time_waiting(prepared)
    return 0


def small_corpus(out: Path) -> Path:
    """Some hundred sentences, spoken by espeak-ng."""
    from zoo.data.corpora.synthetic import synthesise

    synthesise(out, speakers=28, sentences=SENTENCES, progress=False)
    return out


def timit_sized(source: Path, out: Path) -> Path:
    """A tree of TIMIT's size whose speakers share the sentences of `source`."""
    start = time.perf_counter()
    for split, speakers in SPEAKERS.items():
        found = sorted((source / split).rglob("*.WAV"))
        sa = itertools.cycle([f for f in found if f.name.startswith("SA")])
        others = itertools.cycle([f for f in found if not f.name.startswith("SA")])
        for speaker in range(speakers):
            folder = out / split / f"DR{1 + speaker % 8}" / f"M{split[1]}{speaker:03d}"
            folder.mkdir(parents=True)
            for number in range(SENTENCES):
                wav = next(sa if number < 2 else others)
                name = f"SA{number + 1}" if number < 2 else f"SX{number}"
                for suffix in (".WAV", ".PHN"):
                    link(wav.with_suffix(suffix), folder / f"{name}{suffix}")
    print(f"made a corpus of {sum(SPEAKERS.values())} speakers", end="")
    print(f" in {time.perf_counter() - start:.0f} s", flush=True)
    return out


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def time_prepare(corpus: Path, out: Path) -> None:
    """Prepare in a new process, from the command line's start to its end."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "zoo", *OURS, str(corpus), str(out)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    from zoo.data import Prepared

    count = sum(len(Prepared(out).labels(split)) for split in ("train", "test"))
    print(
        f"zoo prepare: {seconds:.1f} s for {count} segments ({count / seconds:.0f} a second), "
        f"{used.ru_utime + used.ru_stime:.1f} s of CPU, {used.ru_maxrss / 2**20:.2f} GiB in the "
        f"largest process, load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def segments_of(phn: Path):
    """(start, end) of each segment that is not too long, as a script reads them."""
    for line in phn.read_text().splitlines():
        start, end, label = line.split()
        if label != "q" and int(end) - int(start) <= LENGTH:
            yield int(start), int(end)


def waveforms(wav: Path):
    """The placed segments of a recording, scaled to peak 1, one by one."""
    import soundfile

    samples, _ = soundfile.read(wav, dtype="float32")
    for start, end in segments_of(wav.with_suffix(".PHN")):
        segment = samples[start:end]
        left = (LENGTH - len(segment)) // 2
        segment = segment / max(np.abs(segment).max(), 1e-9)
        yield np.pad(segment, (left, LENGTH - len(segment) - left))


def librosa_magnitude(wave: np.ndarray) -> np.ndarray:
    """Log magnitude (201, 16) of one waveform."""
    import librosa

    padded = np.pad(wave, (0, BINS - FRAME))
    spectrum = librosa.stft(
        padded, n_fft=BINS, hop_length=HOP, win_length=BINS, window=WINDOW, center=False
    )
    return np.log(np.abs(spectrum) + 0.01)


def librosa_mel(wave: np.ndarray) -> np.ndarray:
    """Log energies of 40 mel bands (40, 16) of one waveform."""
    import librosa

    padded = np.pad(wave, (0, BINS - FRAME))
    energies = librosa.feature.melspectrogram(
        y=padded,
        sr=16000,
        n_fft=BINS,
        hop_length=HOP,
        win_length=BINS,
        window=WINDOW,
        center=False,
        **MEL,
    )
    return np.log(energies + 1e-4)


def torch_spectrum(wave: np.ndarray):
    """Complex (201, 16) of one waveform, as torchaudio computes it."""
    import torch

    padded = torch.nn.functional.pad(torch.from_numpy(wave), (0, BINS - FRAME))
    window = torch.from_numpy(WINDOW)
    return torch.stft(padded, BINS, HOP, BINS, window, center=False, return_complex=True)


def torch_magnitude(wave: np.ndarray) -> np.ndarray:
    """`librosa_magnitude` as torchaudio computes it."""
    import torch

    return torch.log(torch_spectrum(wave).abs() + 0.01).numpy()


def torch_mel(wave: np.ndarray) -> np.ndarray:
    """`librosa_mel` as torchaudio computes it, whose bands are made once."""
    import torch

    return torch.log(torch_bands() @ torch_spectrum(wave).abs().square() + 1e-4).numpy()


@functools.cache
def torch_bands():
    """Weights (40, 201) of the mel bands."""
    import librosa
    import torch

    return torch.from_numpy(librosa.filters.mel(sr=16000, n_fft=BINS, **MEL))


LOOPS = {
    "log_magnitude": {"librosa": librosa_magnitude, "torch.stft": torch_magnitude},
    "log_mel": {"librosa": librosa_mel, "torch.stft": torch_mel},
}


def compare_pipelines(source: Path, out: Path, utterances: int = 2000) -> None:
    """Reading, cutting, transforming, centring and storing, segments a second."""
    for representation, loops in LOOPS.items():
        compare_pipeline(source, out / representation, utterances, representation, loops)


def compare_pipeline(source: Path, out: Path, utterances: int, representation: str, loops) -> None:
    """The same for one representation."""
    from zoo.data import prepare

    wavs = [w for w in sorted((source / "TRAIN").rglob("*.WAV")) if not w.name.startswith("SA")]
    some = out / "corpus" / "TRAIN" / "DR1"
    for number, wav in enumerate(itertools.islice(itertools.cycle(wavs), utterances)):
        folder = some / f"M{number:04d}"
        folder.mkdir(parents=True)
        for suffix in (".WAV", ".PHN"):
            link(wav.with_suffix(suffix), folder / f"SX1{suffix}")
    files = sorted(some.rglob("*.WAV"))
    rates: dict[str, float] = {}

    def loop(transform, file):
        features = np.stack([transform(wave) for wav in files for wave in waveforms(wav)])
        mean = features.mean(axis=0)
        np.save(file, features - mean)
        return features

    def ours(folder):
        return prepare(
            out / "corpus", folder, representation=representation, length=LENGTH
        ).features("train")

    contenders = {
        name: functools.partial(loop, t, out / f"{name}.npy") for name, t in loops.items()
    }
    contenders["ours"] = functools.partial(ours, out / "ours")
    for name, run in contenders.items():
        for _ in range(ROUNDS):
            # Giving back the last round's memory is no part of this one.
            features = None
            shutil.rmtree(out / "ours", ignore_errors=True)
            start = time.perf_counter()
            features = run()
            seconds = time.perf_counter() - start
            rates[name] = max(rates.get(name, 0), len(features) / seconds)
        if name != "ours":
            expected = features
    found, expected = (x - x.mean(axis=0, dtype="float64") for x in (features[..., 0], expected))
    difference = np.abs(found - expected).max()
    assert difference < 2e-3, difference
    show(f"pipeline, {representation}, {len(features)} segments", rates)


def compare_layers(source: Path, utterances: int = 100) -> None:
    """The representation alone, segments a second."""
    import keras

    from zoo.data.sets.shards import PORTIONS
    from zoo.layers import representation_layers, representation_settings

    wavs = sorted((source / "TRAIN").rglob("*.WAV"))[:utterances]
    waves = np.stack([wave for wav in wavs for wave in waveforms(wav)])
    waves = waves[: len(waves) // BATCH * BATCH]
    pool = concurrent.futures.ThreadPoolExecutor(cores())
    for representation, loops in LOOPS.items():
        (layer,) = representation_layers(representation_settings(representation))
        model = keras.Sequential([keras.Input((LENGTH,)), layer])

        def analysed(layer=layer):
            return pool.map(layer.analyse, np.split(waves, len(waves) // PORTIONS.segments))

        def convolved(model=model):
            return map(model.predict_on_batch, np.split(waves, len(waves) // BATCH))

        contenders = {
            **{name: functools.partial(map, t, waves) for name, t in loops.items()},
            "a model": convolved,
            "ours": analysed,
        }
        results = {name: joined(compute()) for name, compute in contenders.items()}
        for name, result in results.items():
            difference = np.abs(result - results["ours"]).max()
            assert difference < 5e-3, (name, difference)
        rates = dict.fromkeys(contenders, 0.0)
        # A turn is several passes: the first ones fetch caches and memory back.
        for name, compute in [*contenders.items()] * ROUNDS:
            for _ in range(ROUNDS):
                start = time.perf_counter()
                collections.deque(compute(), maxlen=0)
                rates[name] = max(rates[name], len(waves) / (time.perf_counter() - start))
        show(f"layers, {representation}, {len(waves)} segments", rates)


def joined(results) -> np.ndarray:
    """(N, F, T) of single examples or batches of them."""
    return np.concatenate([r[None] if r.ndim == 2 else r[..., 0] for r in results])


def show(what: str, rates: dict[str, float]) -> None:
    """One line: segments a second of each, and how many times faster ours is."""
    ours = rates["ours"]
    others = "; ".join(
        f"{n} {rates[n]:.0f} (ours {ours / rates[n]:.1f}x)" for n in rates if n != "ours"
    )
    load = os.getloadavg()[0]
    print(f"{what}: ours {ours:.0f} a second; {others}; load {load:.1f}", flush=True)


def time_waiting(prepared: Path, steps: int = 40, repeats: int = 15) -> None:
    """Share of training time that goes into waiting for data: median of neighbouring epochs'."""
    import keras
    import tensorflow as tf

    import zoo
    from zoo.data.sets.samplers import BalancedEpochs
    from zoo.training.batches import Batches, fed

    data = zoo.data.Prepared(prepared)
    features, labels = data.features("train"), data.labels("train")

    class Some(Batches):
        """The first batches of every epoch."""

        def __len__(self):
            return steps

    class Same(Some):
        """One batch in memory."""

        def __getitem__(self, number):
            if not hasattr(self, "kept"):
                self.kept = super().__getitem__(0)
            return self.kept

    class Clock(keras.callbacks.Callback):
        """Seconds of every epoch."""

        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            seconds.append(time.perf_counter() - self.start)

    model = zoo.build("freq_fullpad", input_shape=data.shape, classes=len(data.classes))
    model.compile(keras.optimizers.Adagrad(0.01), "sparse_categorical_crossentropy")
    times: dict[str, list[float]] = {"fed": [], "same": []}
    for repeat in range(repeats + 1):
        for name, kind in (("fed", Some), ("same", Same)):
            seconds: list[float] = []
            batches, _ = fed(kind(features, labels, BalancedEpochs(labels)))
            model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[Clock()])
            if repeat:
                times[name] += seconds
    start = time.perf_counter()
    batches = Some(features, labels, BalancedEpochs(labels))
    for number in range(steps):
        batches[number]
    gather = (time.perf_counter() - start) / steps
    handed: dict[str, list[float]] = {"fed": [], "ready": []}
    ready = tf.data.Dataset.from_tensors(tuple(map(tf.constant, batches[0]))).repeat()
    for _ in range(ROUNDS):
        feed, _ = fed(Batches(features, labels, BalancedEpochs(labels)))
        handed["fed"].append(share_of_taking(model, iter(feed), 3 * steps))
        handed["ready"].append(share_of_taking(model, iter(ready), 3 * steps))
    taken, least = (statistics.median(handed[name]) for name in handed)
    shown, kept = (1e3 * statistics.median(times[name]) / steps for name in times)
    pairs = zip(times["fed"], times["same"], strict=True)
    waited = statistics.median(1 - b / a for a, b in pairs)
    print(
        f"waiting: taking batches from the set is {taken:.2%} of a loop's time, taking one that is "
        f"ready every time {least:.2%}: {taken - least:.2%} are spent waiting for data; a step of "
        f"`fit` takes {shown:.1f} ms fed from the set, {kept:.1f} ms on one batch in memory, "
        f"{waited:.1%} less; gathering a batch takes {1e3 * gather:.1f} ms of another thread, load "
        f"{os.getloadavg()[0]:.1f}",
        flush=True,
    )


def share_of_taking(model, batches, steps: int) -> float:
    """Share of a training loop's time that goes by until it has its batches."""
    taking, begin = 0.0, time.perf_counter()
    for _ in range(steps):
        start = time.perf_counter()
        batch = next(batches)
        taking += time.perf_counter() - start
        model.train_on_batch(*batch)
    return taking / (time.perf_counter() - begin)


if __name__ == "__main__":
    sys.exit(main())
