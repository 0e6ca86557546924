"""What version 0.1.0 wrote is still read, resumed and served.

`fixtures/earlier/README.md` says how each file was made; `expected.json` is what the code that
made them said of them.
"""

import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.cli import main

FIXTURES = Path(__file__).parent / "fixtures" / "earlier"
EXPECTED = json.loads((FIXTURES / "expected.json").read_text(encoding="utf-8"))
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
# Steps of training add up what processors round differently.
TRAINED = {"rtol": 5e-3, "atol": 5e-3}

QUICK = ["--per-class", "2", "--batch-size", "16"]


@pytest.fixture(autouse=True)
def earlier(tmp_path, monkeypatch):
    """A copy of the files to work in."""
    folder = shutil.copytree(FIXTURES, tmp_path / "earlier")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("ZOO_PRESETS", "presets")
    return folder


def state(folder):
    """Name -> contents and time of all files but those that lock it."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        str(path): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if not path.name.endswith("lock")
    }


def record(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def scores(capsys, run, data):
    capsys.readouterr()
    assert main(["evaluate", run, "--data", data, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def assert_scores(found, expected):
    assert set(expected) <= set(found)
    for name, value in expected.items():
        assert found[name] == (value if isinstance(value, str) else pytest.approx(value, 1e-4))


def centred():
    """Examples of the test part."""
    return np.asarray(zoo.data.Prepared("segments").features("test")[:])


def assert_probabilities(model, expected, **tolerance):
    found = model.predict(centred(), verbose=0)
    np.testing.assert_allclose(found.max(axis=1), expected["best"], **(tolerance or CLOSE))
    np.testing.assert_allclose(found[0], expected["first"], **(tolerance or CLOSE))
    if not tolerance:
        assert found.argmax(axis=1).tolist() == expected["labels"]


def sweep(rate=16000):
    """A fifth of a second that rises in pitch."""
    time = np.arange(int(0.2 * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * (300 + 1500 * time) * time)).astype("float32")


def assert_answer(path, expected):
    (answer,) = zoo.classify(path, sweep(), 16000)
    assert list(answer.phones) == expected["phones"]
    np.testing.assert_allclose(answer.scores, expected["scores"], **CLOSE)


def assert_history(run, expected, before):
    """That of an uninterrupted training, whose first epochs were not done again."""
    found = record(run / "history.json")
    assert set(found) == {*expected, "seconds"}
    for name, values in before.items():
        assert found[name][: len(values)] == values
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, **TRAINED, err_msg=name)


@pytest.mark.parametrize("name", ["segments", "recordings", "pairs"])
def test_prepared_sets_hold_the_same_examples(name):
    expected, prepared = EXPECTED["sets"][name], zoo.data.Prepared(name)
    assert main(["data", "check", name]) == 0
    assert list(prepared.shape) == expected["shape"]
    assert (prepared.kind, prepared.sample_rate) == (expected["kind"], expected["rate"])
    assert len(prepared.classes) == expected["classes"]
    assert set(prepared.splits) == set(expected["splits"])
    for split, part in expected["splits"].items():
        features = prepared.features(split)
        examples = [np.asarray(features[i], "float64") for i in range(len(features))]
        assert sorted({x.shape for x in examples}) == [tuple(s) for s in part["shapes"]]
        magnitude = np.mean([np.abs(x).mean() for x in examples])
        np.testing.assert_allclose(magnitude, part["magnitude"], rtol=1e-6)
        np.testing.assert_allclose(examples[0].ravel()[:5], part["first"], rtol=1e-6)
        assert prepared.segments(split)[0].tolist() == tuple(part["row"])
        if name == "pairs":
            targets = np.abs(np.asarray(prepared.targets(split)[:], "float64")).mean()
            np.testing.assert_allclose(targets, part["targets"], rtol=1e-6)
        else:
            assert prepared.labels(split).tolist() == part["labels"]


def test_preparing_again_finds_the_set_and_refuses_other_settings(capsys):
    before = state("recordings")
    assert main(["prepare", "digits", "recordings", "--representation", "log_mel"]) == 0
    assert "log_mel, 40 bins by any number of frames, " in capsys.readouterr().out
    assert state("recordings") == before
    assert main(["prepare", "digits", "recordings", "--representation", "mfcc"]) == 2
    assert "representation 'log_mel', now 'mfcc'" in capsys.readouterr().err
    assert state("recordings") == before


def test_a_set_is_prepared_like_a_run():
    assert main(["prepare", "digits", "again", "--like", "any"]) == 0
    found, expected = zoo.data.Prepared("again"), zoo.data.Prepared("recordings")
    for one, other in zip(found.features("test"), expected.features("test"), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_classifier_answers_as_it_did(capsys):
    expected = EXPECTED["classifier"]
    model = zoo.load("classifier")
    assert_probabilities(model, expected)
    options = {"filters": (2, 3), "dense_units": (8,), "input_shape": model.input_shape[1:]}
    assert_probabilities(zoo.build("freq", weights="classifier", **options), expected)
    assert_answer("classifier", expected["answer"])
    assert_scores(scores(capsys, "classifier", "segments"), expected["scores"])


def test_a_classifier_of_any_length_scores_as_it_did(capsys):
    # Digits are not folded into groups; version 0.1.0 gave their accuracies the names of phones'.
    names = {
        "accuracy_39": "accuracy",
        "accuracy_39_uniform": "accuracy_uniform",
        "balanced_accuracy_39": "balanced_accuracy",
    }
    earlier = EXPECTED["any"]["scores"]
    expected = {names.get(k, k): value for k, value in earlier.items() if k != "accuracy_48"}
    assert_scores(scores(capsys, "any", "recordings"), expected)


TRAININGS = {
    "classifier": [
        *("train", "freq", "--data", "segments", "--per-class", "4", "--batch-size", "16"),
        *("--optimizer", "adam", "--learning-rate", "0.02", "--epochs", "40"),
        *("--set", "dropout=0.0", "--set", "filters=(2,3)", "--set", "dense_units=(8,)"),
    ],
    "interrupted": [
        *("train", "freq_fullpad", "--data", "segments", *QUICK, "--optimizer", "adam"),
        *("--learning-rate", "0.03", "--schedule", "cosine", "--epochs", "6"),
        *("--augment", "gain,mask", "--set", "filters=(2,3)", "--set", "dense_units=(8,)"),
        *("--set", "kernel_sizes=((8,3),(8,3))", "--set", "pool_sizes=((5,1),(None,None))"),
        *("--set", "pool_strides=((2,1),(None,None))"),
    ],
    "autoencoder": [
        *("train", "freq_fullpad_ae", "--data", "segments", *QUICK, "--learning-rate", "0.01"),
        *("--epochs", "2", "--stack", "strong", "--units", "2", "--decoder", "tied"),
        *("--set", "filters=(2,3,4,6)"),
    ],
}


def train(name, *words, out=None):
    """Run the command that made a run, again."""
    return main([*TRAININGS[name], "--out", out or name, *words])


@pytest.mark.parametrize("name", ["classifier", "autoencoder"])
def test_a_finished_run_is_not_trained_again(name, capsys):
    before = state(name)
    assert train(name) == 0
    assert state(name) == before
    assert train(name, "--l2", "0.1") == 2
    assert "l2 0.0, now 0.1" in capsys.readouterr().err


def test_settings_that_a_run_is_too_old_to_name_have_their_first_defaults(capsys):
    config = record("autoencoder/config.json")
    assert config["settings"].pop("optimizer") == "adagrad"
    Path("autoencoder/config.json").write_text(json.dumps(config), encoding="utf-8")
    before = state("autoencoder")
    assert train("autoencoder") == 0
    assert state("autoencoder") == before
    assert train("autoencoder", "--optimizer", "adam") == 2
    assert "optimizer 'adagrad', now 'adam'" in capsys.readouterr().err


def test_an_interrupted_classifier_ends_as_an_uninterrupted_one(earlier):
    before = record("interrupted/state.json")
    assert 0 < before["epoch"] < 6
    assert train("interrupted") == 0
    expected = EXPECTED["interrupted"]
    assert_history(earlier / "interrupted", expected["history"], before["history"])
    assert_probabilities(zoo.load("interrupted"), expected, **TRAINED)


def test_an_interrupted_stack_ends_as_an_uninterrupted_one(earlier, capsys):
    before = record("autoencoder-interrupted/state.json")
    stage = zoo.load("autoencoder-interrupted/units-1.keras").get_weights()
    assert train("autoencoder", out="autoencoder-interrupted") == 0
    expected = EXPECTED["autoencoder"]
    assert_history(earlier / "autoencoder-interrupted", expected["history"], before["history"])
    # The first unit was trained to its end before the kill.
    found = zoo.load("autoencoder-interrupted/units-1.keras").get_weights()
    for one, other in zip(found, stage, strict=True):
        np.testing.assert_array_equal(one, other)
    found = scores(capsys, "autoencoder-interrupted", "segments")
    assert found["euclidean_error"] == pytest.approx(expected["scores"]["euclidean_error"], 5e-3)


def test_an_autoencoder_its_stages_and_its_encoder_are_read(capsys):
    expected = EXPECTED["autoencoder"]
    assert_scores(scores(capsys, "autoencoder", "segments"), expected["scores"])
    x = centred()
    for stage, error in expected["stages"].items():
        outputs = zoo.load(f"autoencoder/{stage}.keras").predict(x, verbose=0)
        distances = np.linalg.norm((outputs - x).reshape(len(x), -1), axis=1)
        np.testing.assert_allclose(distances.mean(), error, **CLOSE)
    encoder = zoo.load_encoder("freq_fullpad_ae", weights="autoencoder", units=2)
    code = np.abs(encoder.predict(x, verbose=0)).mean()
    np.testing.assert_allclose(code, expected["code"], **CLOSE)


def test_a_run_of_an_inversion_network_is_an_autoencoder(capsys):
    expected = EXPECTED["inversion"]
    assert_scores(scores(capsys, expected["run"], "segments"), expected["scores"])


def test_a_decoder_is_found_and_decodes_as_it_did():
    before = state("decoder")
    words = [
        *("reconstruct", "classifier", "--layer", "conv1", "--method", "decoder"),
        *("--data", "segments", "--per-class", "1", "--decoder", "decoder", "--out", "heard"),
        *("--decoder-epochs", "1", "--decoder-examples", "2"),
    ]
    assert main(words) == 0
    assert state("decoder") == before
    assert record("heard/result.json")["means"] == pytest.approx(
        EXPECTED["reconstructed"], rel=1e-4, abs=1e-4
    )


def test_an_export_answers_and_gets_another_version_beside_it(capsys):
    expected = EXPECTED["exported"]["answer"]
    assert_answer("exported", expected)
    before = state("exported")
    assert main(["export", "classifier", "exported"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == str(Path("exported", "2"))
    assert before.items() <= state("exported").items()
    assert_answer("exported", expected)
    first, second = (record(f"exported/{n}/assets/card.json") for n in (1, 2))
    assert first["fingerprints"]["network"] == second["fingerprints"]["network"]
    assert set(first) <= set(second)


def test_exported_files_give_what_the_run_gives():
    from ai_edge_litert.interpreter import Interpreter
    from onnxruntime import InferenceSession

    prepared, x = zoo.data.Prepared("segments"), centred()[:1]
    expected = zoo.load("classifier").predict(x, verbose=0)
    x = x + prepared.mean
    lite = Interpreter("portable/spectrogram_float32.tflite").get_signature_runner()
    outputs = lite(spectrogram=x)
    np.testing.assert_allclose(outputs["probabilities"], expected, **CLOSE)
    session = InferenceSession("portable/spectrogram.onnx", providers=["CPUExecutionProvider"])
    outputs = session.run(["probabilities"], {"spectrogram": x})
    np.testing.assert_allclose(outputs[0], expected, **CLOSE)
    assert record("portable/labels.json")["classes"] == list(prepared.classes)


def test_a_preset_is_a_model_of_the_zoo(capsys):
    expected = EXPECTED["preset"]
    assert "earlier_best" in zoo.list_models(family="classifier")
    card = zoo.describe("earlier_best")
    for name, value in expected["card"].items():
        found = getattr(card, name)
        assert (list(found) if isinstance(found, tuple) else found) == value, name
    assert_probabilities(zoo.build("earlier_best", weights="earlier_best"), expected)
    assert_scores(scores(capsys, "earlier_best", "segments"), expected["scores"])


def test_a_preset_of_a_builder_that_has_moved_is_built():
    card = zoo.describe("earlier_residual")
    model = zoo.build("earlier_residual")
    assert model.count_params() == card.parameters == 139152
    assert model.input_shape[1:] == card.input_shape == (51, 7, 1)
    assert {type(layer).__name__ for layer in model.layers} >= {"SpectralConv2D", "Multiply"}


def study_of_this_environment():
    """Other versions are refused on purpose; what is asked here is whether the format is read."""
    found = record("study/study.json")
    versions = found["fingerprint"]["versions"]
    for name in versions:
        if name == "zoo":
            versions[name] = zoo.__version__
        elif name != "backend":
            versions[name] = importlib.metadata.version(name)
    Path("study/study.json").write_text(json.dumps(found), encoding="utf-8")


def test_a_study_is_resumed_and_its_trials_stay(capsys):
    study_of_this_environment()
    trials = EXPECTED["study"]["trials"]
    before = {name: state(f"study/trials/{name}") for name in trials}
    words = [
        *("tune", "freq", "--data", "segments", "--out", "study", "--max-trials", "2"),
        *("--epochs", "1", *QUICK, "--only", "dropout,activation"),
        *("--set", "first_filters=2,3", "--set", "filter_growth=1.0", "--set", "dense_units=8"),
        *("--max-params", "1500", "--keep", "3"),
    ]
    assert main(words) == 0
    assert "best of 2 trials" in capsys.readouterr().out
    assert {name: state(f"study/trials/{name}") for name in trials} == before
    assert main([*words, "--extend", "1", "--save-as", "later_best"]) == 0
    assert "best of 3 trials" in capsys.readouterr().out
    assert {name: state(f"study/trials/{name}") for name in trials} == before
    values = {row["trial"]: row["value"] for row in record("study/results.json")["trials"]}
    assert {name: values.pop(name) for name in trials} == trials
    assert len(values) == 1
    assert zoo.describe("later_best").family == "classifier"


def test_cells_of_an_experiment_are_not_computed_again():
    before = state("denoise/cells")
    words = [
        *("experiment", "denoise", "--data", "pairs", "--out", "denoise", "--epochs", "2"),
        *("--batch-size", "2", "--only", "[lw][ai]*"),
    ]
    assert main(words) == 0
    assert state("denoise/cells") == before
    results = {cell["key"]: cell.get("result") for cell in record("denoise/results.json")["cells"]}
    for name, result in EXPECTED["denoise"]["cells"].items():
        assert results[name.replace("--", "/")] == result


def test_trainings_of_an_experiment_are_not_done_again():
    (name, expected), *_ = EXPECTED["table"]["cells"].items()
    Path(f"table/cells/{name}.json").unlink()
    before = state("table/runs")
    words = [
        *("experiment", "riemens_table3", "--data", "segments", "--out", "table"),
        *("--epochs", "1", "--per-class", "2", "--only", "random_free/1_unit/*"),
    ]
    assert main(words) == 0
    assert state("table/runs") == before
    ((place, measures),) = record(f"table/cells/{name}.json")["result"].items()
    assert measures == pytest.approx(expected[place], rel=1e-4, abs=1e-4)
