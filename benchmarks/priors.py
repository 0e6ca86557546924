"""Priors of the search for inputs: the default beside total variation and an autoencoder.

    python benchmarks/priors.py --data PREPARED --autoencoder RUN [--segments N] [--training N]
                                [--layers NAME ...]

Segments of the split `dev` are reconstructed from layers of `freq_fullpad-synthetic`, by

- the default: L-BFGS from a ridge regression of training inputs, along its errors' covariance;
- the same with total variation added, and L-BFGS from noise with total variation alone, each with
  three weights, of which the best one of each layer counts;
- L-BFGS over the code of an autoencoder that was trained blind, from the code of what the
  regression tells: only what it decodes can be found. What it makes of the inputs themselves is
  given as well: its search could hardly be better.

Printed is the mean correlation with the input, by layer. PREPARED is made with `--like
freq_fullpad-synthetic --dev-speakers N`, RUN trained on it with `--unpooling blind`.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

NETWORK = "freq_fullpad-synthetic"
LAYERS = ("pool1", "conv2", "pool3", "fc1")
WEIGHTS = (0.001, 0.01, 0.1)
STEPS = 100
"""Of searches from noise."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--autoencoder", required=True)
    parser.add_argument("--segments", type=int, default=24)
    parser.add_argument("--training", type=int, default=800)
    parser.add_argument("--layers", nargs="+", default=LAYERS)
    options = parser.parse_args()
    import keras
    import numpy as np

    import zoo
    from zoo.data.sets.prepared import Prepared
    from zoo.evaluation.measures import normalised_cross_correlation
    from zoo.evaluation.runs import predict
    from zoo.inversion.activity import activity_model
    from zoo.inversion.backend import outputs
    from zoo.inversion.descent import descend
    from zoo.inversion.settings import GradientSettings

    prepared, model = Prepared(options.data), zoo.load(NETWORK)
    rng = np.random.default_rng(0)
    parts = {}
    for split, count in (("dev", options.segments), ("train", options.training)):
        features = prepared.features(split)
        parts[split] = np.asarray(features[np.sort(rng.permutation(len(features))[:count])])
    inputs, training = parts["dev"], parts["train"]
    autoencoder = zoo.load(options.autoencoder)
    code = autoencoder.get_layer("code").output
    encoder, decoder = keras.Model(autoencoder.input, code), keras.Model(code, autoencoder.output)

    def correlation(found: np.ndarray) -> float:
        return float(normalised_cross_correlation(inputs, found).mean())

    rows: dict[str, list[float]] = {}
    for layer in options.layers:

        def searched(layer: str = layer, **more: object) -> object:
            return zoo.inversion.reconstruct(model, layer, inputs, **more)

        default = searched(training=training)
        network = activity_model(model, layer)
        decoded = keras.Model(decoder.input, network(decoder.output))
        start = predict(encoder, default.start)
        settings = GradientSettings(prior="none", l2=0.0, steps=40)
        found = descend(decoded, outputs(network, inputs), start, settings)
        noise = {"prior": "none", "steps": STEPS}
        results = {
            "regression alone": [default.start],
            "the default": [default.reconstruction],
            "the default and total variation": [
                searched(training=training, total_variation=w).reconstruction for w in WEIGHTS
            ],
            "total variation alone": [
                searched(total_variation=w, **noise).reconstruction for w in WEIGHTS
            ],
            "autoencoder": [predict(decoder, found.inputs)],
            "autoencoder on the inputs": [predict(autoencoder, inputs)],
        }
        for name, tried in results.items():
            values = [correlation(x) for x in tried]
            rows.setdefault(name, []).append(max(values))
            print(layer, name, " ".join(f"{value:.3f}" for value in values), flush=True)
    print("\n| | " + " | ".join(options.layers) + " |")
    print("|---|" + "---|" * len(options.layers))
    for name, values in rows.items():
        print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |")


if __name__ == "__main__":
    main()
