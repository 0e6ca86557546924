"""Autoencoder runs: whole and stacked, corrupted and masked, interrupted and resumed."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.kills import killed_at_random
from zoo.cli import main
from zoo.data.sets.augmentation import Augmenter
from zoo.data.sets.samplers import NaturalEpochs
from zoo.errors import UsageError
from zoo.models.encoders import encoder_of
from zoo.runs import Run
from zoo.training.autoencoder import AutoencoderSettings, converged, train_autoencoder
from zoo.training.batches import PatchMask, Reconstructions
from zoo.training.classifier import Settings, train_classifier

NAME = "freq_fullpad_ae"
QUICK = {"epochs": 2, "per_class": 10, "batch_size": 32, "seed": 3}


def train(prepared, out, units=1, overrides=None, **settings):
    chosen = AutoencoderSettings(**{**QUICK, **settings})
    return train_autoencoder(
        NAME, prepared, out, chosen, overrides={"units": units, **(overrides or {})}
    )


def weights(path):
    return {v.path: np.array(v.numpy()) for v in zoo.load(path).weights}


def assert_same(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    for path in one:
        np.testing.assert_array_equal(one[path], other[path], err_msg=path)


def history(run):
    return json.loads((run / "history.json").read_text())


@pytest.fixture(scope="module")
def single(small_set, tmp_path_factory):
    return train(small_set, tmp_path_factory.mktemp("single") / "run", epochs=3)


@pytest.fixture(scope="module")
def stacked(small_set, tmp_path_factory, request):
    run = tmp_path_factory.mktemp("stacked") / "run"
    return request.param, train(small_set, run, 2, stack=request.param)


both = pytest.mark.parametrize("stacked", ["strong", "weak"], indirect=True)
strong_or_slow = pytest.mark.parametrize(
    "stacked", ["strong", pytest.param("weak", marks=pytest.mark.slow)], indirect=True
)


def test_it_learns_to_reconstruct_and_records_how(single):
    found = history(single)
    assert found["loss"][-1] < 0.9 * found["loss"][0]
    assert found["euclidean_error"][-1] < found["euclidean_error"][0]
    assert found["units"] == [1, 1, 1]
    config = json.loads((single / "config.json").read_text())
    assert config["family"] == "autoencoder"
    assert config["settings"]["objective"] == "euclidean"
    assert not zoo.load(single).compiled


@pytest.mark.parametrize("name", ["tdnn_ae", "crnn_frames_ae"])
def test_a_recognizers_autoencoder_learns_masked_patches(name, small_set, tmp_path):
    small = {"filters": (4, 8), "decoder_units": 32}
    small |= {"block_filters": 16} if name == "tdnn_ae" else {"recurrent_units": 32}
    quick = {**QUICK, "epochs": 3, "optimizer": "adam", "learning_rate": 0.01}
    settings = AutoencoderSettings(**quick, masked=0.3)
    run = train_autoencoder(name, small_set, tmp_path / "run", settings, overrides=small)
    found = history(run)
    assert found["loss"][-1] < 0.9 * found["loss"][0]
    assert zoo.load(run).input_shape == (None, *small_set.shape)
    stacked = AutoencoderSettings(**quick, stack="weak")
    with pytest.raises(UsageError, match=f"{name} has no units to stack; leave stack out"):
        train_autoencoder(name, small_set, tmp_path / "stacked", stacked)


@both
def test_stacking_trains_unit_by_unit_and_keeps_every_stage(stacked):
    kind, run = stacked
    found = history(run)
    assert found["units"] == [1, 1, 2, 2]
    assert len(found["loss"]) == len(found["seconds"]) == 4
    one, two = weights(run / "units-1.keras"), weights(run / "units-2.keras")
    assert_same(run, run / "units-2.keras")
    same = {path for path in one if (one[path] == two[path]).all()}
    assert same == (set(one) if kind == "strong" else set())
    assert len(zoo.load(run).trainable_variables) == len(two)


@strong_or_slow
def test_the_first_stage_is_the_training_of_one_unit(stacked, single, small_set, tmp_path):
    regular = train(small_set, tmp_path / "run")
    assert_same(stacked[1] / "units-1.keras", regular)


@strong_or_slow
def test_stacking_broken_off_after_every_epoch_ends_with_the_same_weights(
    stacked, small_set, tmp_path, monkeypatch
):
    kind, unbroken = stacked
    save = Run.save_epoch

    def save_and_break(run, *args):
        save(run, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "save_epoch", save_and_break)
        for _ in range(4):
            with pytest.raises(KeyboardInterrupt):
                train(small_set, tmp_path / "run", 2, stack=kind)
    run = train(small_set, tmp_path / "run", 2, stack=kind)
    assert history(run)["loss"] == history(unbroken)["loss"]
    assert_same(run, unbroken)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["strong", "weak"])
def test_killed_twenty_times_stacking_ends_with_the_same_weights(kind, small_set, tmp_path):
    settings = {"stack": kind, "epochs": 40, "patience": 40}
    unbroken = train(small_set, tmp_path / "unbroken", 2, **settings)
    run = tmp_path / "run"
    command = [
        *(sys.executable, "-m", "zoo", "train", NAME, "--data", str(small_set.path)),
        *("--out", str(run), "--epochs", "40", "--patience", "40", "--per-class", "10"),
        *("--batch-size", "32", "--seed", "3", "--units", "2", "--stack", kind),
    ]

    def epochs():
        state = run / "state.json"
        return json.loads(state.read_text())["epoch"] if state.exists() else 0

    reached = killed_at_random(command, 20, epochs, seed=kind)
    assert reached == sorted(reached)
    assert 0 < reached[-1] < 80
    subprocess.run(command, check=True, capture_output=True)
    assert history(run)["loss"] == history(unbroken)["loss"]
    assert_same(run, unbroken)


@strong_or_slow
def test_more_epochs_go_on_where_whole_training_ended_and_are_refused_when_stacked(
    single, stacked, small_set, tmp_path
):
    run = train(small_set, tmp_path / "run", epochs=1)
    assert_same(train(small_set, run, epochs=3), single)
    kind, done = stacked
    with pytest.raises(UsageError, match="epochs_a_unit 2, now 3"):
        train(small_set, done, 2, stack=kind, epochs=3)


def test_convergence_counts_epochs_without_a_worthwhile_improvement():
    assert not converged([], 1, 0.0)
    assert not converged([5, 4, 3, 2], 1, 0.1)
    assert converged([5, 4, 4], 1, 0.0)
    assert not converged([5, 4, 4, 3], 2, 0.0)
    # A percent at a time never beats a tenth, but falls behind the best by a tenth in the end.
    assert converged([100, 99, 98, 97], 3, 0.1)
    assert not converged([100, 99, 89, 97], 3, 0.1)


def test_training_ends_when_it_has_converged(small_set, tmp_path):
    run = train(small_set, tmp_path / "run", epochs=9, patience=1, min_improvement=0.9)
    losses = history(run)["loss"]
    assert len(losses) < 9
    before = (run / "model.keras").stat().st_mtime_ns
    train(small_set, run, epochs=9, patience=1, min_improvement=0.9)
    assert (run / "model.keras").stat().st_mtime_ns == before


def test_no_epochs_leave_the_network_as_it_is_initialised(small_set, tmp_path):
    run = train(small_set, tmp_path / "run", epochs=0)
    keras.utils.set_random_seed(3)
    fresh = zoo.build(NAME, units=1, input_shape=small_set.shape)
    for one, other in zip(zoo.load(run).weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert history(run) == {}


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "scale_invariant", "masked": 0.5, "patch": (8, 4), "l2": 0.001},
        {"sparse": 0.1, "contractive": 0.01, "corrupt": "mask=0.3"},
    ],
    ids=lambda s: "-".join(s),
)
def test_objectives_and_terms_train_and_resume_bit_for_bit(settings, small_set, tmp_path):
    whole = train(small_set, tmp_path / "whole", **settings)
    losses = history(whole)["loss"]
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0]
    train(small_set, tmp_path / "run", **{**settings, "epochs": 1})
    again = train(small_set, tmp_path / "run", **settings)
    assert history(again)["loss"] == losses
    assert_same(again, whole)


def test_a_denoising_batch_has_a_clean_target_and_a_masked_one_says_where(small_set):
    features, labels = small_set.features("train"), small_set.labels("train")
    order = NaturalEpochs(labels).epoch(0)[:16]
    clean = np.asarray(features[order])
    corrupt = Augmenter("mask=0.5", small_set.frontend, len(small_set.classes))
    seen, target = Reconstructions(features, labels, NaturalEpochs(labels), 16, corrupt=corrupt)[0]
    np.testing.assert_array_equal(target, clean)
    assert (seen != clean).any()
    masked = PatchMask(0.5, (8, 4))
    seen, target = Reconstructions(features, labels, NaturalEpochs(labels), 16, masked=masked)[0]
    np.testing.assert_array_equal(target[..., :1], clean)
    hidden = target[..., 1:]
    np.testing.assert_array_equal(seen, np.where(hidden == 1, 0, clean))


def test_patches_are_whole_and_as_many_as_asked_for():
    hidden = PatchMask(0.5, (8, 4), seed=1)((20, 37, 13, 1), epoch=2, batch=3)
    for example in hidden:
        blocks = [
            example[top : top + 8, left : left + 4]
            for top in range(0, 37, 8)
            for left in range(0, 13, 4)
        ]
        assert all(block.all() or not block.any() for block in blocks)
        assert sum(block.all() for block in blocks) == round(0.5 * len(blocks))
    again = PatchMask(0.5, (8, 4), seed=1)((20, 37, 13, 1), epoch=2, batch=3)
    np.testing.assert_array_equal(hidden, again)
    assert (hidden != PatchMask(0.5, (8, 4), seed=1)((20, 37, 13, 1), 2, 4)).any()


def test_filters_and_biases_are_frozen_separately(small_set, tmp_path):
    initial = weights(train(small_set, tmp_path / "start", epochs=0))
    frozen = {"train_encoder": "biases", "train_decoder": "filters"}
    trained = weights(train(small_set, tmp_path / "run", overrides=frozen))
    changed = {path for path in initial if (initial[path] != trained[path]).any()}
    assert changed == {"conv1/bias", "deconv1/kernel"}


def test_nothing_to_train_is_told(small_set, tmp_path):
    nothing = {"train_encoder": "none", "train_decoder": "none"}
    with pytest.raises(UsageError, match="no weights of freq_fullpad_ae are left to train"):
        train(small_set, tmp_path / "run", overrides=nothing)


@pytest.mark.parametrize("frozen", [True, False])
def test_an_encoder_goes_into_a_classifier_and_stays_if_frozen(frozen, single, small_set, tmp_path):
    settings = Settings(**QUICK, encoder=str(single), freeze_encoder=frozen, l2=1e-4)
    encoder = zoo.load(single).get_layer("conv1")
    options = {
        "filters": (8,),
        "kernel_sizes": (tuple(encoder.kernel.shape[:2]),),
        "pool_sizes": ((2, 1),),
        "pool_strides": ((2, 1),),
        "dense_units": (16,),
    }
    run = train_classifier("freq_fullpad", small_set, tmp_path / "run", settings, overrides=options)
    assert json.loads((run / "config.json").read_text())["settings"]["encoder_layers"] == ["conv1"]
    kernel = zoo.load(run).get_layer("conv1").kernel.numpy()
    assert np.array_equal(kernel, encoder.kernel.numpy()) == frozen
    if frozen:
        # Taken up again for one more epoch, what was frozen still is.
        more = Settings(**{**QUICK, "epochs": 3}, encoder=str(single), freeze_encoder=True, l2=1e-4)
        train_classifier("freq_fullpad", small_set, run, more, overrides=options)
        kernel = zoo.load(run).get_layer("conv1").kernel.numpy()
        assert np.array_equal(kernel, encoder.kernel.numpy())


def test_an_encoder_goes_into_an_autoencoder_and_its_transposed_decoder(
    single, small_set, tmp_path
):
    overrides = {"decoder": "transpose_init"}
    run = train(
        small_set,
        tmp_path / "run",
        overrides=overrides,
        encoder=str(single),
        freeze_encoder=True,
        epochs=0,
    )
    found, source = weights(run), weights(single)
    np.testing.assert_array_equal(found["conv1/kernel"], source["conv1/kernel"])
    np.testing.assert_array_equal(found["deconv1/kernel"], source["conv1/kernel"])
    trained = weights(
        train(
            small_set,
            tmp_path / "trained",
            overrides=overrides,
            encoder=str(single),
            freeze_encoder=True,
        )
    )
    np.testing.assert_array_equal(trained["conv1/kernel"], source["conv1/kernel"])
    assert (trained["deconv1/kernel"] != source["conv1/kernel"]).any()


def test_another_encoder_file_under_the_same_name_is_refused(single, small_set, tmp_path):
    file = tmp_path / "encoder.keras"
    zoo.load(single).save(file)
    run = train(small_set, tmp_path / "run", encoder=str(file))
    model = zoo.load(single)
    model.get_layer("conv1").bias.assign(np.ones(8))
    model.save(file)
    with pytest.raises(UsageError, match=r"other settings \(encoder '[0-9a-f]{64}', now"):
        train(small_set, run, encoder=str(file), epochs=3)


def test_an_encoder_of_another_representation_is_refused(run, small_set, tmp_path):
    with pytest.raises(UsageError, match=r"takes the representation 'real' .* holds 'log_mel'"):
        train(small_set, tmp_path / "run", encoder=str(run))


def test_the_code_of_a_run_is_what_load_encoder_gives(single, small_set):
    x = np.asarray(small_set.features("test")[:3])
    encoder = zoo.load_encoder(NAME, weights=single, trainable=False)
    codes = [model.predict(x, verbose=0) for model in (encoder, encoder_of(zoo.load(single)))]
    np.testing.assert_array_equal(*codes)
    assert not encoder.trainable_variables


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"objective": "euclid"}, "unknown objective 'euclid'. Did you mean 'euclidean'"),
        ({"epochs": -1}, "epochs must be 0 or more"),
        ({"sampling": "weighted"}, "'balanced' or 'natural', not 'weighted'"),
        ({"patience": 0}, "patience must be 1 or more"),
        ({"masked": 1.0}, "above 0 and below 1"),
        ({"sparse": -1.0}, "sparse must be 0 or more"),
        ({"corrupt": "mixup"}, "mixup mixes labels"),
        ({"stack": "medium"}, "Valid names: strong, weak"),
        ({"l2": -1.0}, "l2 must be 0 or more"),
    ],
)
def test_wrong_settings_are_refused_before_a_folder_is_made(settings, message, small_set, tmp_path):
    with pytest.raises(UsageError, match=message):
        train(small_set, tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([NAME, "--labels-per-class", "3"], "--labels-per-class is for classifiers"),
        (["freq_fullpad", "--stack", "weak"], "--stack is for autoencoders"),
        (["denoiser"], "zoo train takes classifiers, recognizers and autoencoders"),
        ([NAME, "--patch", "4"], "takes ROWSxFRAMES"),
    ],
)
def test_wrong_use_of_the_command_is_one_clear_line(words, message, small_set, tmp_path, capsys):
    words = ["train", *words, "--data", str(small_set.path), "--out", str(tmp_path / "run")]
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_the_command_trains_scores_and_probes(small_set, tmp_path, capsys):
    run = str(tmp_path / "run")
    words = ["--data", str(small_set.path)]
    options = ["--units", "1", "--epochs", "1", "--per-class", "10", "--batch-size", "32"]
    assert main(["train", NAME, *words, "--out", run, *options]) == 0
    assert "1 epochs, Euclidean error" in capsys.readouterr().out
    assert main(["evaluate", run, *words, "--json", "--probe", "3"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert {"model", "split", "euclidean_error", "null_distance", "output_variation"} <= set(scores)
    assert scores["probe"]["labels_per_class"] == 3
    assert main(["evaluate", run, *words, "--probe", "3"]) == 0
    shown = capsys.readouterr().out
    assert f"{scores['euclidean_error']:.3f}" in shown
    assert "linear probe, folded accuracy" in shown
