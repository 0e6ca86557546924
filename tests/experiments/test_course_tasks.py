"""Spoken digits and denoising, at a budget of seconds."""

import json

import keras
import numpy as np
import pytest
import scipy.signal
import soundfile

import zoo
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import prepare_pairs
from zoo.data.sets.samplers import NaturalEpochs
from zoo.decoding.isolated import uniform_states
from zoo.training.recordings import Recordings, outputs_of

RATE = 8000


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Two "digits", noise in a low and in a high band, by three speakers with other bands."""
    folder = tmp_path_factory.mktemp("digits") / "recordings"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for speaker, factor in (("ann", 1.0), ("bob", 1.1), ("cy", 0.9)):
        for digit, frequency in ((0, 400), (1, 1500)):
            for take in range(6):
                samples = rng.integers(1600, 3200)
                band = factor * frequency * np.array([0.7, 1.4])
                sos = scipy.signal.butter(2, band, "bandpass", fs=RATE, output="sos")
                wave = scipy.signal.sosfilt(sos, rng.normal(0, 0.3, samples))
                wave += rng.normal(0, 0.01, samples)
                soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", wave, RATE)
    return folder.parent


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    tree = make_tree(folder / "corpus", train=2, test=1, sentences=("SX1",))
    return prepare_pairs(tree, folder / "set", pairs={"train": 20, "test": 5}, length=800)


def results(out):
    return json.loads((out / "results.json").read_text())


@pytest.mark.slow
def test_digit_models_are_judged_on_the_speaker_left_out(digits, tmp_path, capsys):
    words = ["experiment", "digits", str(digits), "--out", str(tmp_path), "--epochs", "8"]
    words += ["--learning-rate", "0.01", "--only", "digits_[lf][tr]a*/*"]
    assert main(words) == 0
    text = capsys.readouterr().out
    found = results(tmp_path)
    assert found["speakers"] == ["ann", "bob", "cy"]
    assert set(found["rows"]) == {"digits_ltas", "digits_frames"}
    for name, row in found["rows"].items():
        assert set(row["accuracy"]) == {"ann", "bob", "cy"}
        # Two bands are easy: a model that learnt nothing would be right half the time.
        assert row["mean"] > 0.8, name
        assert f"| {row['parameters']:,} |" in text
    assert "| digits_residual: residual blocks over a mel spectrogram | – |" in text
    for cell in found["cells"]:
        if "result" in cell:
            (measures,) = cell["result"].values()
            assert measures["examples"] == 12
    assert (tmp_path / "results.svg").read_text().rstrip().endswith("</svg>")


@pytest.mark.slow
def test_the_other_digit_models_learn_as_well(digits, tmp_path):
    # As many steps as running means of the normalisation take to settle.
    words = ["experiment", "digits", str(digits), "--out", str(tmp_path), "--epochs", "60"]
    words += ["--learning-rate", "0.005", "--only", "digits_*[lk]/ann/*"]
    assert main(words) == 0
    found = results(tmp_path)["rows"]
    assert set(found) == {"digits_residual", "digits_filterbank"}
    assert all(row["mean"] > 0.8 for row in found.values()), found


def test_recordings_are_padded_and_frames_of_padding_do_not_count():
    rng = np.random.default_rng(0)
    examples = [rng.normal(size=(3, n, 1)).astype("float32") for n in (5, 2, 4, 3)]
    labels = np.array([0, 1, 1, 0])
    batches = Recordings(
        examples,
        labels,
        (3, None, 1),
        NaturalEpochs(labels),
        batch_size=4,
        targets=lambda label, n: uniform_states(label, n, 2),
    )
    seen = set()
    for number in range(len(batches)):
        x, states, weights = batches[number]
        for row, chosen, weight in zip(x, states, weights, strict=True):
            end = int(weight.sum())
            np.testing.assert_array_equal(weight, np.arange(len(weight)) < end)
            (place,) = [i for i, e in enumerate(examples) if e.shape[1] == end]
            np.testing.assert_array_equal(row[:, :end], examples[place])
            assert not row[:, end:].any()
            np.testing.assert_array_equal(chosen[:end], uniform_states(labels[place], end, 2))
            seen.add(place)
    assert seen == {0, 1, 2, 3}


def test_outputs_come_back_in_the_order_of_the_recordings_without_padding():
    rng = np.random.default_rng(0)
    examples = [rng.normal(size=(40, n, 1)).astype("float32") for n in (9, 4, 6)]
    keras.utils.set_random_seed(0)
    model = zoo.build("digits_frames")
    for example, output in zip(
        examples, outputs_of(model, examples, (40, None, 1), 2), strict=True
    ):
        alone = np.asarray(model(example[None]))[0]
        np.testing.assert_allclose(output, alone, rtol=1e-4, atol=1e-6)


def test_outputs_are_those_of_recordings_of_like_length(monkeypatch):
    rng = np.random.default_rng(0)
    lengths = [100, 300, 109, 111, 290, 305]
    examples = [rng.normal(size=(40, n, 1)).astype("float32") for n in lengths]
    model = zoo.build("digits_residual")
    shapes = []
    predict = model.predict_on_batch
    monkeypatch.setattr(
        model, "predict_on_batch", lambda x: shapes.append(x.shape[:3:2]) or predict(x)
    )
    assert len(outputs_of(model, examples, (40, None, 1))) == 6
    assert shapes == [(2, 109), (1, 111), (3, 305)]
    shapes.clear()
    outputs_of(model, examples, (40, None, 1), 2)
    assert shapes == [(2, 109), (1, 111), (2, 300), (1, 305)]


def test_denoisers_are_set_beside_the_noise_and_silence(pairs, tmp_path, capsys):
    words = ["experiment", "denoise", "--data", str(pairs.path), "--out", str(tmp_path)]
    words += ["--epochs", "3", "--batch-size", "10", "--only", "l[ao]*/*"]
    assert main(words) == 0
    text = capsys.readouterr().out
    rows = results(tmp_path)["rows"]
    assert set(rows) == {"lab", "longer", "noisy", "silent"}
    noisy, clean = pairs.features("test")[:], pairs.targets("test")[:]
    assert rows["noisy"]["test_l1"][0] == pytest.approx(np.abs(noisy - clean).mean(), rel=1e-5)
    assert rows["silent"]["test_l1"][0] == pytest.approx(np.abs(clean).mean(), rel=1e-5)
    assert rows["noisy"]["test_snr_db"][0] == pytest.approx(0, abs=1e-3)
    assert rows["silent"]["test_snr_db"][0] == pytest.approx(0, abs=1e-6)
    # Lab 2B's: 40 taps times 5 features, there and back.
    assert rows["lab"]["parameters"] == 400
    waves = np.load(tmp_path / "waveforms" / "lab-seed-0.npy")
    np.testing.assert_array_equal(waves[0], noisy[0, :, 0])
    np.testing.assert_array_equal(waves[2], clean[0, :, 0])
    assert "Not run, or diverged: wider, deeper, deeper_wider." in text
    assert (tmp_path / "results.webp").read_bytes()[8:12] == b"WEBP"

    # Other cells at another budget could not stand in the same table.
    words[words.index("--epochs") + 1], words[-1] = "4", "wider/*"
    assert main(words) == 2
    assert "holds lab/seed-0 with other settings (epochs 3, now 4)" in capsys.readouterr().err
    assert not (tmp_path / "cells" / "wider--seed-0.json").exists()


def test_wrong_use_is_one_clear_line(pairs, small_set, digits, tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert main(["experiment", "denoise", "--data", str(small_set.path), *out]) == 2
    assert "holds no pairs; zoo prepare CORPUS OUT --noise makes them" in capsys.readouterr().err
    assert main(["experiment", "denoise", "--data", str(pairs.path), *out, "--epochs", "0"]) == 2
    assert "--epochs must be 1 or more; received 0." in capsys.readouterr().err
    assert main(["experiment", "digits", str(digits), *out, "--seeds", "0"]) == 2
    assert "--seeds must be 1 or more; received 0." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
