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


def test_litert_with_built_in_operations_only(autoencoder, spectrograms, tmp_path):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    path = tmp_path / "model.tflite"
    autoencoder.export(path, format="litert", verbose=False)
    # No flex delegate is loaded here: an operation of TensorFlow's own would fail.
    interpreter = litert.Interpreter(model_path=str(path))
    given, returned = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    interpreter.resize_tensor_input(given["index"], spectrograms.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], spectrograms)
    interpreter.invoke()
    np.testing.assert_allclose(
        interpreter.get_tensor(returned["index"]), autoencoder(spectrograms), atol=1e-4
    )
    used = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert not {name for name in used if name.startswith("Flex") or name == "CUSTOM"}


def test_onnx(autoencoder, spectrograms, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    path = tmp_path / "model.onnx"
    autoencoder.export(path, format="onnx", verbose=False)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {session.get_inputs()[0].name: spectrograms})
    np.testing.assert_allclose(result, autoencoder(spectrograms), atol=1e-4)
