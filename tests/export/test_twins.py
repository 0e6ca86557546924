"""Making twins: ONNX files with a network's own weights, compared with it before they are kept."""

from __future__ import annotations

import numpy as np
import pytest

import zoo
from tests.helpers.runs import make_recognizer
from zoo.errors import RunError
from zoo.files import sha256, write_json
from zoo.runs import CARD, NETWORK, TWIN, Run
from zoo.twins import Twin

pytestmark = pytest.mark.tensorflow
pytest.importorskip("tf2onnx")
pytest.importorskip("onnxruntime")

SMALL = {"filters": (4, 8), "block_filters": 16, "dilations": (2, 3)}
NETWORKS = {
    "tdnn": (SMALL, (40, None, 1)),
    "crnn_frames": ({"filters": (4, 8), "recurrent_units": 8}, (40, None, 1)),
    "tdnn_segments": ({**SMALL, "mark": True}, (40, 30, 2)),
    "spectrogram_any": ({}, (40, None, 1)),
    "freq_fullpad": ({}, (201, 16, 1)),
}


def halved(model):
    """The model, whose weights were rounded to half precision."""
    model.set_weights([w.astype("float16").astype("float32") for w in model.get_weights()])
    return model


@pytest.mark.parametrize("name", NETWORKS)
def test_a_twin_answers_as_its_network(name):
    from export.twins import twin_of

    options, shape = NETWORKS[name]
    model = zoo.build(name, input_shape=shape, **options)
    rng = np.random.default_rng(0)
    # Statistics that no network has before it is trained.
    model.set_weights([w + rng.uniform(0.1, 0.5, w.shape) for w in model.get_weights()])
    twin = Twin(twin_of(model), None)
    assert twin.input_shape[1:] == model.input_shape[1:]
    assert twin.output_shape[-1] == 48
    for frames in (7, 40) if shape[1] is None else shape[1:2]:
        x = rng.normal(size=(3, shape[0], frames, shape[2])).astype("float32")
        if shape[2] == 2:
            x[..., 1] = np.clip(np.arange(frames) - 5, 0, 1) * (np.arange(frames) < 17)
        expected = model.predict_on_batch(x)
        np.testing.assert_allclose(twin.predict_on_batch(x), expected, atol=1e-5)


def test_weights_of_half_precision_take_half_the_space_and_lose_nothing():
    from export.twins import twin_of

    model = zoo.build("tdnn", input_shape=(40, None, 1), filters=(4, 8), block_filters=64)
    whole = twin_of(model)
    half = twin_of(halved(model))
    assert len(half) < 0.7 * len(whole)
    x = np.random.default_rng(0).normal(size=(1, 40, 25, 1)).astype("float32")
    np.testing.assert_allclose(
        Twin(half, None).predict_on_batch(x), model.predict_on_batch(x), atol=1e-6
    )


def test_a_card_tells_of_the_twin(tmp_path):
    from export.twins import add_twin

    folder = make_recognizer(tmp_path / "run")
    write_json(folder / CARD, {"name": "run", "sha256": sha256(folder / NETWORK)})
    difference = add_twin(Run(folder))
    card = Run(folder).twin is not None, Run(folder).twin.context
    assert card == (True, 20)
    assert difference < 1e-5


def test_a_twin_that_answers_otherwise_is_not_written(tmp_path, monkeypatch):
    from export import twins

    folder = make_recognizer(tmp_path / "run")
    write_json(folder / CARD, {"sha256": sha256(folder / NETWORK)})
    other = zoo.build("tdnn", input_shape=(40, None, 1), **SMALL)
    content = twins.twin_of(other)
    monkeypatch.setattr(twins, "twin_of", lambda model: content)
    with pytest.raises(RunError, match="probabilities that differ by"):
        twins.add_twin(Run(folder))
    assert not (folder / TWIN).exists()
