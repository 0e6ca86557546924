"""NumPy in, NumPy accepted: options, shapes, segments and audio of any type and byte order."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import zoo
from tests.helpers.runs import recording
from zoo.given_audio import checked_audio
from zoo.inference import load_classifier, wav_contents
from zoo.layers import BlindUpsampling2D, FixedMapPooling2D, LearnableFilterbank, TiedConv2D
from zoo.plain import plain
from zoo.settings import as_record, changed, check
from zoo.training.classifier import Settings

QUICK = settings(max_examples=50, deadline=None)

INTEGERS = st.sampled_from(["i1", "<i2", ">i4", "<i8", ">u2", "u1"])
FLOATS = st.sampled_from(["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "g"])


@pytest.fixture(scope="module")
def classifier(run):
    return load_classifier(run)


@QUICK
@given(st.lists(st.integers(1, 100), min_size=1, max_size=3), INTEGERS)
def test_numbers_and_arrays_become_pythons_own(values, dtype):
    array = np.array(values, dtype)
    found = plain({"shape": array, "nested": [array[0], (array,)], "text": "a", "none": None})
    expected = {"shape": tuple(values), "nested": [values[0], (tuple(values),)]}
    assert found == {**expected, "text": "a", "none": None}
    assert {type(entry) for entry in found["shape"]} == {int}
    json.dumps(found)


@QUICK
@given(INTEGERS, FLOATS)
def test_settings_are_checked_and_recorded_whatever_numbers_they_hold(integer, real):
    given = {
        "epochs": np.array(3, integer)[()],
        "learning_rate": np.array(0.5, real)[()],
        "batch_size": np.array(16, integer)[()],
    }
    own = {"epochs": 3, "learning_rate": 0.5, "batch_size": 16}
    for found in (changed(Settings(), given), Settings(**given)):
        check(found)
        assert json.dumps(as_record(found)) == json.dumps(as_record(Settings(**own)))
    assert changed(Settings(), {"freeze_encoder": np.bool_(True)}).freeze_encoder is True


def test_a_networks_options_may_be_numpys():
    expected = zoo.build("freq_fullpad", input_shape=(201, 25, 1), classes=7, dropout=0.25)
    found = zoo.build(
        "freq_fullpad",
        input_shape=np.array([201, 25, 1]),
        classes=np.int64(7),
        dropout=np.float32(0.25),
    )
    assert found.get_config() == expected.get_config()
    shape = (np.int32(201), np.uint8(25), 1)
    assert zoo.build("freq_fullpad", input_shape=shape).input_shape == (None, 201, 25, 1)
    ae = zoo.build("freq_fullpad_ae", units=np.int64(2))
    assert ae.get_config() == zoo.build("freq_fullpad_ae", units=2).get_config()


@pytest.mark.parametrize(
    ("layer", "own", "numpys"),
    [
        (
            BlindUpsampling2D,
            {"pool_size": (2, 3), "strides": (1, 2), "output_size": (9, 9)},
            {
                "pool_size": np.array([2, 3]),
                "strides": (np.int8(1), np.int64(2)),
                "output_size": np.array([9, 9], ">i4"),
            },
        ),
        (FixedMapPooling2D, {"output_size": 4}, {"output_size": np.int64(4)}),
        (
            LearnableFilterbank,
            {"filters": 8, "log_offset": 0.5},
            {"filters": np.int32(8), "log_offset": np.float16(0.5)},
        ),
        (
            TiedConv2D,
            {"filters": 4, "kernel_size": 3},
            {"filters": np.uint8(4), "kernel_size": np.int64(3)},
        ),
    ],
)
def test_a_layers_arguments_may_be_numpys(layer, own, numpys):
    expected, found = layer(**own, name="x").get_config(), layer(**numpys, name="x").get_config()
    assert found == expected
    assert json.dumps(found, default=repr) == json.dumps(expected, default=repr)


@QUICK
@given(arrays.arrays(np.float16, st.integers(1, 50), elements=st.floats(-1, 1, width=16)), FLOATS)
def test_samples_of_every_precision_and_byte_order_are_the_same(samples, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = checked_audio(samples.astype(dtype))
        contents = wav_contents(samples.astype(dtype), 16000)
    assert found.dtype.isnative
    assert found.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(found, samples)
    assert contents == wav_contents(samples.astype("float64"), 16000)


def test_half_precision_beyond_full_scale_is_clipped_in_a_file():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        contents = wav_contents(np.array([2.5, -3.0, 60000.0], np.float16), 8000)
    assert np.frombuffer(contents[44:], "<i2").tolist() == [32767, -32768, 32767]


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<f4", ">f4", ">f8", "<f2", "g"])
@pytest.mark.filterwarnings("error:.*(overflow|invalid|cast).*:RuntimeWarning")
def test_audio_of_every_type_gets_the_same_answer(classifier, dtype):
    audio = recording(3000)
    expected = zoo.classify(classifier, audio, 16000, [(0, 3000)], top_k=2)
    scaled = audio * 32768 if dtype.endswith("i2") else audio
    found = zoo.classify(
        classifier,
        scaled.astype(dtype),
        np.float32(16000),
        np.array([[0, 3000]], ">i8"),
        top_k=np.uint8(2),
    )
    assert [(type(a.start), a.start, a.end) for a in found] == [(int, 0, 3000)]
    assert found[0].phones == expected[0].phones
    np.testing.assert_allclose(found[0].scores, expected[0].scores, atol=1e-3)
