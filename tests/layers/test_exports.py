"""A small switch-unpooling autoencoder runs outside Keras as it runs inside."""

import keras
import numpy as np
import pytest

from zoo.layers import (
    BlindUpsampling2D,
    SwitchPooling2D,
    SwitchUnpooling2D,
    TiedConv2D,
    TiedConv2DTranspose,
)

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def autoencoder():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((13, 8, 1))
    conv = TiedConv2D(4, (4, 3), padding="same", bias_initializer="random_normal")
    values, switches = SwitchPooling2D((5, 2), 2)(conv(inputs))
    window = {"pool_size": (5, 2), "strides": 2, "output_size": (13, 8)}
    sharp = SwitchUnpooling2D(**window)(
        [keras.layers.Conv2D(4, 1)(keras.layers.ReLU()(values)), switches]
    )
    blurred = BlindUpsampling2D(**window)(values)
    outputs = TiedConv2DTranspose(conv)(keras.layers.Add()([sharp, blurred]))
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def spectrograms():
    return np.random.default_rng(0).standard_normal((3, 13, 8, 1)).astype("float32")


def test_savedmodel(autoencoder, spectrograms, tmp_path):
    import tensorflow as tf

    autoencoder.export(tmp_path / "model", format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.serve(spectrograms), autoencoder(spectrograms), atol=1e-4)


def in_litert(autoencoder, inputs, folder):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = folder / "model.tflite"
    autoencoder.export(path, format="litert", verbose=False)
    # No flex delegate is loaded here: an operation of TensorFlow's own would fail.
    interpreter = litert.Interpreter(model_path=str(path))
    given, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], inputs.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], inputs)
    interpreter.invoke()
    used = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not {name for name in used if name.startswith("Flex") or name == "CUSTOM"}
    return interpreter.get_tensor(returned["index"])


def in_onnx(autoencoder, inputs, folder):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    import tensorflow as tf

    from export.onnx import convert

    signature = [tf.TensorSpec((None, *autoencoder.input_shape[1:]), tf.float32, "x")]
    call = tf.function(lambda x: {"y": autoencoder(x)}, input_signature=signature)
    session = runtime.InferenceSession(convert(call), providers=["CPUExecutionProvider"])
    return session.run(["y"], {"x": inputs})[0]


RUNTIMES = [in_litert, in_onnx]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_built_in_operations_of_other_runtimes_do(autoencoder, spectrograms, tmp_path, runtime):
    found = runtime(autoencoder, spectrograms, tmp_path)
    np.testing.assert_allclose(found, autoencoder(spectrograms), atol=1e-4)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_regions_that_tile_a_plane_of_many_channels(tmp_path, runtime):
    inputs = keras.Input((7, 6, 16))
    values, switches = SwitchPooling2D(2)(inputs)
    model = keras.Model(inputs, SwitchUnpooling2D(2, output_size=(7, 6))([values, switches]))
    x = np.random.default_rng(1).standard_normal((2, 7, 6, 16)).astype("float32")
    expected = keras.ops.convert_to_numpy(model(x))
    assert np.count_nonzero(expected) == 2 * 9 * 16
    np.testing.assert_array_equal(runtime(model, x, tmp_path), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_is_not_finite_comes_out_where_it_does_of_keras(tmp_path, runtime, value):
    """Alone between pooling and unpooling, a value must be carried to its switch as it is."""
    inputs = keras.Input((7, 6, 2))
    values, switches = SwitchPooling2D((3, 2), 2)(inputs)
    window = {"pool_size": (3, 2), "strides": 2, "output_size": (7, 6)}
    model = keras.Model(inputs, SwitchUnpooling2D(**window)([values, switches]))
    x = np.random.default_rng(1).standard_normal((2, 7, 6, 2)).astype("float32")
    x[0, 2, 3, 0] = x[1, 4, 4, 1] = x[1, 0, 0, 0] = value
    expected = keras.ops.convert_to_numpy(model(x))
    np.testing.assert_array_equal(runtime(model, x, tmp_path), expected)
