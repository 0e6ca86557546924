"""Accuracy of two classical classifiers of segments, to compare networks of the zoo with.

    python benchmarks/segments.py CORPUS

CORPUS has TIMIT's layout. Every labelled segment becomes 13 MFCC with their slopes, averaged over
its thirds, and its log duration, each file at peak 1; features are brought to mean 0 and
deviation 1.
Logistic regression and a support-vector machine with radial basis functions, of scikit-learn, are
fitted to the training part with classes weighted alike, and judged on the test part: shares of
segments whose group, of 39, is right, over all segments and averaged over classes.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np

COST = 1.0
"""Of the support-vector machine's errors: as scikit-learn has it."""


def main() -> int:
    """Print the accuracies of both classifiers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    options = parser.parse_args()
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC
    except ImportError:
        print("the comparison needs scikit-learn: pip install scikit-learn", file=sys.stderr)
        return 1
    from zoo.data import open_corpus

    corpus = open_corpus(options.corpus)
    train, test = (examples(corpus, split) for split in ("train", "test"))
    print(f"{len(train[1])} segments to learn from, {len(test[1])} to judge by")
    contenders = {
        "logistic regression": LogisticRegression(class_weight="balanced", max_iter=2000),
        "RBF support-vector machine": SVC(C=COST, class_weight="balanced"),
    }
    for name, estimator in contenders.items():
        began = time.perf_counter()
        found = make_pipeline(StandardScaler(), estimator).fit(*train).predict(test[0])
        right = found == test[1]
        alike = np.mean([right[test[1] == c].mean() for c in np.unique(test[1])])
        print(
            f"{name}: accuracy {right.mean():.1%}, class-balanced {alike:.1%} "
            f"({time.perf_counter() - began:.0f} s)"
        )
    return 0


def examples(corpus: Any, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 79) and scored groups (N,) of every segment that has a class."""
    from zoo.data.features.analysis import representation_settings, representation_steps
    from zoo.data.features.frontend import level_file
    from zoo.experiments.comparisons.baselines import segment_statistics

    mfcc, deltas = representation_steps(representation_settings("mfcc", deltas=1))
    labelling = corpus.labelling
    features, groups = [], []
    for utterance in corpus.utterances(split):
        samples, segments = utterance.read()
        samples = level_file(samples, "file")
        for start, end, label in segments:
            name = labelling.mapping[label]
            if name is None:
                continue
            short = max(0, mfcc.frame_length - (end - start))
            waveform = np.pad(samples[start:end], (short // 2, short - short // 2))
            x = deltas.analyse(mfcc.analyse(waveform[None]))[0]  # (13, T, 2)
            features.append(segment_statistics(x, end - start))
            groups.append(labelling.groups[name])
    return np.array(features), np.array(groups)


if __name__ == "__main__":
    sys.exit(main())
