"""The catalogue: names, families, published figures, messages."""

import subprocess
import sys

import pytest

import zoo
from zoo.errors import UsageError
from zoo.experiments.engine.published import published

# Riemens (2015), table 2, in the repository's copy of what was published.
TABLE_2 = published("riemens_table2")["cells"]


@pytest.mark.parametrize("name", TABLE_2)
def test_published_accuracy(name):
    card = zoo.describe(name)
    assert card.published["accuracy_39_uniform"] == TABLE_2[name]["accuracy"]["test"]


@pytest.mark.parametrize("name", zoo.list_models())
def test_every_card_is_filled_in(name):
    card = zoo.describe(name)
    assert card.name == name
    for field in ("summary", "source", "chosen", "labels", "family", "builder"):
        assert getattr(card, field), field
    assert card.summary.endswith(".")


def test_the_names_that_the_design_promises():
    promised = {*TABLE_2, "freq_overlap_pad", "conv2d", "freq_best", "freq_fullpad_ae"}
    promised |= {"freq_overlap_pad_ae", "conv2d_ae", "denoiser", "digits_residual", "crnn"}
    assert promised <= set(zoo.list_models())


def test_listing_by_family_and_pattern():
    assert zoo.list_models("freq_full*") == ["freq_fullpad", "freq_fullpad_ae"]
    assert zoo.list_models(family="autoencoder") == [
        "conv2d_ae",
        "crnn_frames_ae",
        "freq_fullpad_ae",
        "freq_overlap_pad_ae",
        "tdnn_ae",
    ]
    assert zoo.list_models(family="recognizer") == ["crnn_frames", "tdnn"]
    with pytest.raises(UsageError, match=r"no family 'classifer'. Did you mean 'classifier'\?"):
        zoo.list_models(family="classifer")


def test_unknown_names_and_options_name_the_nearest():
    with pytest.raises(UsageError, match=r"no model 'freq_fulpad'.*Did you mean 'freq_fullpad'"):
        zoo.build("freq_fulpad")
    with pytest.raises(UsageError, match=r"freq_fullpad_ae has no option 'unpoling'.*'unpooling'"):
        zoo.build("freq_fullpad_ae", unpoling="switch")
    with pytest.raises(UsageError, match="filters must be a sequence of one or more whole numbers"):
        zoo.build("digits_residual", filters=())


def test_models_are_channels_last_whatever_keras_is_set_to():
    formats = (
        "{name: [getattr(layer, 'data_format', None) for layer in zoo.build(name).layers] "
        "for name in zoo.list_models()}\n"
    )
    code = (
        "import zoo.startup; zoo.startup.start_backend()\n"
        "import keras, zoo\n"
        f"usual = {formats}"
        "keras.config.set_image_data_format('channels_first')\n"
        f"assert {formats.strip()} == usual\n"
        "for name in zoo.list_models():\n"
        "    assert zoo.build(name).count_params() == zoo.describe(name).parameters, name\n"
        "assert keras.config.image_data_format() == 'channels_first'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_listing_imports_no_keras():
    code = "import sys, zoo; zoo.list_models(); assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_command_line_lists_and_shows(capsys):
    from zoo.cli import main

    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in zoo.list_models())
    assert "61.8%" in listed
    assert main(["show", "digits_residual"]) == 0
    shown = capsys.readouterr().out
    assert "(40, any, 1): frequency, time, channels, centred" in shown
    assert "?" in shown
    assert main(["show", "waveform"]) == 0
    assert "(267, 16, 1): samples, frames, channels\n" in capsys.readouterr().out
