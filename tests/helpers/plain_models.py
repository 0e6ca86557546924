"""SavedModels as other people write them, with plain TensorFlow of both generations."""

from pathlib import Path

TYPES = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64")
TYPES += ("uint8", "uint16", "uint32", "uint64", "bool", "string", "complex64")


def half_plus(folder, constant):
    """TensorFlow 1's half_plus_two: predict, classify and regress signatures on one graph."""
    import tensorflow as tf

    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        a = tf1.get_variable("a", initializer=0.5, use_resource=False)
        b = tf1.get_variable("b", initializer=float(constant), use_resource=False)
        serialized = tf1.placeholder(tf.string, [None], name="tf_example")
        features = {
            "x": tf.io.FixedLenFeature([1], tf.float32),
            "x2": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0]),
            "name": tf.io.FixedLenFeature([1], tf.string, default_value=[b""]),
        }
        parsed = tf.io.parse_example(serialized, features)
        x = tf.identity(parsed["x"], name="x")
        y = tf.add(tf.multiply(a, x), b, name="y")
        y2 = tf.add(tf.multiply(a, parsed["x2"]), b)
        labels = tf.identity(tf.tile(parsed["name"], [1, 2]))
        session.run(tf1.global_variables_initializer())

        info = tf1.saved_model.build_tensor_info
        sign = tf1.saved_model.build_signature_def
        examples = {"inputs": info(serialized)}
        classify, regress = "tensorflow/serving/classify", "tensorflow/serving/regress"
        signatures = {
            "serving_default": sign({"x": info(x)}, {"y": info(y)}, "tensorflow/serving/predict"),
            "regress_x_to_y": sign(examples, {"outputs": info(y)}, regress),
            "regress_x2_to_y": sign(examples, {"outputs": info(y2)}, regress),
            "classify_x_to_y": sign(examples, {"scores": info(y)}, classify),
            "classify_labels": sign(examples, {"classes": info(labels)}, classify),
            "classify_both": sign(
                examples,
                {"classes": info(labels), "scores": info(tf.concat([x, y], 1))},
                classify,
            ),
        }
        builder = tf1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()


def types(folder):
    """A signature `TYPE` for each type, which answers what it is asked, and some shapes."""
    import tensorflow as tf

    module = tf.Module()

    def same(dtype, *shape, name="x"):
        spec = tf.TensorSpec(shape, dtype, name)
        return tf.function(lambda x: {"y": tf.identity(x)}, input_signature=[spec])

    signatures = {name: same(getattr(tf, name), None) for name in TYPES}
    signatures["matrix"] = same(tf.float32, None, None)
    signatures["cube"] = same(tf.int32, None, 2, 3)
    signatures["scalar"] = same(tf.float32)
    anything = tf.TensorSpec(None, tf.float32, "x")
    signatures["any_rank"] = tf.function(
        lambda x: {"y": x * 2.0, "rank": tf.rank(x)}, input_signature=[anything]
    )
    text = tf.TensorSpec([None], tf.string, "s")
    signatures["text"] = tf.function(
        lambda s: {"same_bytes": s, "text": tf.strings.upper(s), "size": tf.strings.length(s)},
        input_signature=[text],
    )
    numbers = tf.TensorSpec([None], tf.float32, "x")
    signatures["divide"] = tf.function(
        lambda x: {"y": tf.math.divide(1.0, x)}, input_signature=[numbers]
    )
    signatures["sizes"] = tf.function(
        lambda x: {"total": tf.reduce_sum(x), "twice": tf.concat([x, x], 0), "same": x + 0.0},
        input_signature=[numbers],
    )
    signatures["nothing"] = tf.function(lambda: {"y": tf.constant([1.0])}, input_signature=[])
    tf.saved_model.save(module, str(folder), signatures)


def mixed(folder):
    """Several inputs of several types; a matrix product that minds shapes."""
    import tensorflow as tf

    module = tf.Module()
    module.weights = tf.Variable([[1.0], [10.0]])
    specs = [
        tf.TensorSpec([None, 2], tf.float32, "a"),
        tf.TensorSpec([None], tf.int64, "n"),
        tf.TensorSpec([None], tf.string, "word"),
    ]

    @tf.function(input_signature=specs)
    def serving_default(a, n, word):
        return {
            "product": tf.matmul(a, module.weights),
            "n": n + 1,
            "word": tf.strings.join([word, "!"]),
        }

    @tf.function(input_signature=specs[:1])
    def product(a):
        return {"product": tf.matmul(a, module.weights)}

    signatures = {"serving_default": serving_default, "product": product}
    tf.saved_model.save(module, str(folder), signatures)


def adds(folder, constant, kilobytes=0):
    """x -> {y: x + constant, version: constant}, from a variable and a weight of some size."""
    import tensorflow as tf

    module = tf.Module()
    module.constant = tf.Variable(float(constant))
    module.ballast = tf.Variable(tf.zeros([kilobytes * 256 + 1]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def add(x):
        zero = 0.0 * module.ballast[0]
        return {"y": x + module.constant + zero, "version": 0.0 * x + module.constant}

    tf.saved_model.save(module, str(folder), {"serving_default": add})


def save_all(folder):
    """Write every model of the conformance table below `folder`; a configuration file's path."""
    folder = Path(folder)
    half_plus(folder / "half" / "00000123", 2)
    for number in (1, 2, 3):
        adds(folder / "adds" / str(number), number)
    half_plus(folder / "three" / "7", 3)
    types(folder / "types" / "1")
    mixed(folder / "mixed" / "1")
    (folder / "adds" / "4").mkdir()
    config = "\n".join(
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" '
        f"{more} }}"
        for name, more in {
            "half": "",
            "three": "model_version_policy { specific { versions: 7 } }",
            "adds": "model_version_policy { latest { num_versions: 2 } } "
            'version_labels { key: "stable" value: 2 } version_labels { key: "new/est" value: 3 }',
            "types": "model_version_policy { all {} }",
            "mixed": "",
        }.items()
    )
    path = folder / "models.config"
    path.write_text(f"model_config_list {{ {config} }}")
    return path
