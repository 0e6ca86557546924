"""Training on people's own classes, with other samplings, few labels and augmented batches."""

import json

import numpy as np
import pytest

import zoo
from tests.helpers.annotations import make_recordings, records_of, write_csv
from zoo.cli import main
from zoo.data import open_corpus, prepare
from zoo.data.corpora.phones import PHONE_ACCURACIES
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.samplers import epochs_of
from zoo.errors import UsageError
from zoo.evaluation.report import write_report
from zoo.evaluation.runs import evaluate
from zoo.evaluation.scores import classification_scores, confusion
from zoo.training import classifier
from zoo.training.batches import Batches
from zoo.training.classifier import Settings, train_classifier
from zoo.training.metrics import FoldedAccuracy

QUICK = {"epochs": 4, "per_class": 20, "batch_size": 32}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    rows = make_recordings(folder / "speech", takes=3)
    path = write_csv(folder / "speech" / "segments.csv", records_of(rows))
    return prepare(open_corpus(path), folder / "set", representation="log_magnitude")


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """Four epochs of everything that is drawn."""
    settings = Settings(**QUICK, sampling="natural", augment="pitch,shift,gain,noise,mask,mixup")
    run = tmp_path_factory.mktemp("w") / "run"
    return train_classifier("freq_fullpad", prepared, run, settings), settings


def history(run):
    return json.loads((run / "history.json").read_text())


def losses(run):
    return history(run)["loss"]


@pytest.mark.parametrize("sampling", ["balanced", "weighted"])
def test_networks_have_the_sets_classes_and_learn_them(prepared, tmp_path, sampling):
    settings = Settings(**{**QUICK, "epochs": 12}, sampling=sampling, validation="test")
    run = train_classifier("freq_fullpad", prepared, tmp_path / "run", settings)
    assert zoo.load(run).output_shape == (None, 9)
    config = json.loads((run / "config.json").read_text())
    assert config["classes"] == list(prepared.classes)
    assert config["groups"] == prepared.groups
    assert losses(run)[-1] < 0.7 * losses(run)[0]
    scores = evaluate(run, prepared).scores
    assert scores["accuracy"] > 0.3
    assert not [key for key in (*scores, *history(run)) if "39" in key or "48" in key]
    assert history(run)["val_accuracy"][-1] == pytest.approx(scores["accuracy"], abs=1e-6)
    assert set(scores["per_phone"]) == set(prepared.classes)


def test_epochs_added_later_equal_an_unbroken_run(prepared, whole, tmp_path):
    unbroken, settings = whole
    for epochs in (1, 3, 4):
        shorter = Settings(
            **{**QUICK, "epochs": epochs}, sampling="natural", augment=settings.augment
        )
        run = train_classifier("freq_fullpad", prepared, tmp_path / "run", shorter)
    assert losses(run) == losses(unbroken)
    for one, other in zip(
        zoo.load(unbroken).get_weights(), zoo.load(run).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_run_whose_accuracy_is_called_after_phones_resumes(prepared, tmp_path, monkeypatch):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        # As every run was named before.
        patch.setattr(classifier, "accuracy_names", lambda *_: PHONE_ACCURACIES)
        train_classifier("freq_fullpad", prepared, run, Settings(**{**QUICK, "epochs": 1}))
    train_classifier(
        "freq_fullpad", prepared, run, Settings(**{**QUICK, "epochs": 2}), progress=True
    )
    assert len(history(run)["accuracy_39"]) == len(losses(run)) == 2
    assert "accuracy" not in history(run)
    evaluation = evaluate(run, prepared)
    page = write_report(run, prepared, evaluation, tmp_path / "report.html").read_text()
    assert f"{evaluation.scores['accuracy']:.1%}" in page
    assert f"{history(run)['accuracy_39'][-1]:.1%} in training" in page


def test_a_run_is_scored_on_its_own_classes_only(prepared, whole, tmp_path):
    rows = make_recordings(tmp_path / "speech", seed=3)
    few = {name: [row for row in found if row[2] in "sn"] for name, found in rows.items()}
    path = write_csv(tmp_path / "speech" / "segments.csv", records_of(few))
    corpus = open_corpus(path)
    length = prepared.manifest["length"]
    other = prepare(corpus, tmp_path / "s", representation="log_magnitude", length=length)
    with pytest.raises(UsageError, match=r"has 2 classes \(n, s\), but .* trained on 9 .* --like"):
        evaluate(whole[0], other)
    like = prepare(corpus, tmp_path / "like", like=whole[0])
    assert like.classes == prepared.classes
    assert set(evaluate(whole[0], like).scores["per_phone"]) == {"n", "s"}


def test_batches_carry_weights_and_what_the_augmenter_makes(prepared):
    features, labels = prepared.features("train"), prepared.labels("train")
    epochs, weights = epochs_of("weighted", labels, seed=1)
    augment = Augmenter("noise", prepared.frontend, len(prepared.classes), seed=1)
    batches = Batches(features, labels, epochs, 32, epoch=2, weights=weights, augment=augment)
    batches.on_epoch_end()
    chosen = epochs.epoch(3)[32:64]
    x, y, w = batches[1]
    np.testing.assert_array_equal(x, augment(features[chosen], labels[chosen], 3, 1)[0])
    np.testing.assert_array_equal(y, labels[chosen])
    np.testing.assert_array_equal(w, weights[chosen])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "wieghted"}, "unknown sampling 'wieghted'. Did you mean 'weighted'"),
        ({"augment": "nois"}, "unknown augmentation 'nois'. Did you mean 'noise'"),
        (
            {"label_fraction": 2.0},
            "the fraction of the labels must be above 0, up to 1; received 2.0",
        ),
        ({"label_fraction": 0.5, "labels_per_class": 3}, "exclude each other"),
        ({"augment": "mixup", "sampling": "weighted"}, "mixup and --sampling weighted exclude"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(prepared, tmp_path, options, message):
    with pytest.raises(UsageError) as refused:
        train_classifier("freq_fullpad", prepared, tmp_path / "run", Settings(**QUICK, **options))
    assert message in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_the_metric_takes_other_groups_and_shares_of_classes():
    groups = {"a": "vowel", "i": "vowel", "s": "hiss"}
    labels, shares = np.array([0, 1, 2, 2]), np.eye(3)[[1, 1, 2, 0]]
    scores = classification_scores(labels, shares, 0, tuple(groups), groups)
    assert (scores["folded_accuracy"], scores["accuracy"]) == (0.75, 0.5)
    np.testing.assert_array_equal(
        confusion(labels, shares.argmax(1), tuple(groups), groups), [[2, 0], [1, 1]]
    )
    metric = FoldedAccuracy([0, 0, 1])
    metric.update_state(np.eye(3)[labels], shares)
    metric.update_state(labels, shares)
    assert float(metric.result()) == 0.75
    assert FoldedAccuracy.from_config(metric.get_config()).groups == [0, 0, 1]


def test_the_whole_way_from_the_command_line(tmp_path, capsys):
    rows = make_recordings(tmp_path / "speech", rate=8000)
    write_csv(tmp_path / "speech" / "segments.csv", records_of(rows))
    (tmp_path / "map.tsv").write_text(
        "".join(f"{x}\t{x[0]}\n" for x in {row[2] for found in rows.values() for row in found})
    )
    data, run = str(tmp_path / "set"), str(tmp_path / "run")
    prepare_options = ["--mapping", str(tmp_path / "map.tsv"), "--test-speakers", "ben,carl"]
    words = ["prepare", str(tmp_path / "speech"), data, "--resample", *prepare_options]
    assert main(words) == 0
    assert "8 classes, 4 utterances, 2 speakers" in capsys.readouterr().out
    options = ["--epochs", "1", "--sampling", "weighted", "--label-fraction", "0.5"]
    words = ["train", "freq_fullpad", "--data", data, "--out", run, "--augment", "mask,noise=20"]
    assert main([*words, *options]) == 0
    assert main(["evaluate", run, "--data", data]) == 0
    assert "  accuracy (8 classes)" in capsys.readouterr().out
    assert main(["report", run, "--data", data]) == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Confusion between the 8 classes" in page
    assert "weighted epochs, augmented by mask,noise=20" in page
