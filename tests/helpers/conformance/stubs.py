"""What is answered over gRPC."""

# (method of the stub, request, answer): protocol buffers as text; an answer may be (code, message).
FLOATS = "dtype: DT_FLOAT tensor_shape { dim { size: %d } } float_val: [%s]"
X = 'inputs { key: "x" value { ' + FLOATS + " } }"
EXAMPLE = (
    "example_list { examples { features { feature { key: 'x' value { float_list { value: %s }"
    " } } } } }"
)


def predict(model, inputs, more=""):
    return f'model_spec {{ name: "{model}" {more} }} {inputs}'


def predicted(model, version, outputs, signature="serving_default"):
    return (
        f'model_spec {{ name: "{model}" version {{ value: {version} }} '
        f'signature_name: "{signature}" }} {outputs}'
    )


def task(method, signature, model="half"):
    return (
        f'tasks {{ model_spec {{ name: "{model}" signature_name: "{signature}" }} '
        f'method_name: "tensorflow/serving/{method}" }}'
    )


def out(name, content):
    return f'outputs {{ key: "{name}" value {{ {content} }} }}'


Y = out("y", FLOATS)
GRPC = [
    ("Predict", predict("half", X % (2, "1, 4")), predicted("half", 123, Y % (2, "2.5, 4"))),
    # The last of fewer values stands for the rest, none for zeros; more are cut off.
    ("Predict", predict("half", X % (2, "1, 2, 3")), predicted("half", 123, Y % (2, "2.5, 3"))),
    ("Predict", predict("half", X % (2, "")), predicted("half", 123, Y % (2, "2, 2"))),
    ("Predict", predict("half", X % (3, "1")), predicted("half", 123, Y % (3, "2.5, 2.5, 2.5"))),
    (
        "Predict",
        predict(
            "half",
            'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } '
            'tensor_content: "\\000\\000\\000@" } }',
        ),
        predicted("half", 123, Y % (1, "3")),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), "version { value: 123 }"),
        predicted("half", 123, Y % (1, "3")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2") + ' output_filter: "y"'),
        predicted("adds", 3, Y % (1, "5")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2") + ' output_filter: "y"', 'version_label: "stable"'),
        predicted("adds", 2, Y % (1, "4")),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2")),
        predicted("adds", 3, Y % (1, "5") + out("version", FLOATS % (1, "3"))),
    ),
    (
        "Predict",
        predict(
            "types",
            'inputs { key: "s" value { dtype: DT_STRING tensor_shape { dim { size: 1 } } '
            'string_val: "\\000a" } } output_filter: "same_bytes" output_filter: "size"',
            'signature_name: "text"',
        ),
        predicted(
            "types",
            1,
            out(
                "same_bytes",
                'dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "\\000a"',
            )
            + out("size", "dtype: DT_INT32 tensor_shape { dim { size: 1 } } int_val: 2"),
            "text",
        ),
    ),
    ("Predict", "", ("INVALID_ARGUMENT", "Missing ModelSpec")),
    ("Predict", "model_spec {}", ("INVALID_ARGUMENT", "ModelSpec has no name specified")),
    (
        "Predict",
        predict("none", X % (1, "2")),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), "version { value: 5 }"),
        ("NOT_FOUND", "Servable not found for request: Specific(half, 5)"),
    ),
    (
        "Predict",
        predict("adds", X % (1, "2"), 'version_label: "none"'),
        ("INVALID_ARGUMENT", "Unrecognized servable version label: none"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2"), 'signature_name: "none"'),
        ("FAILED_PRECONDITION", 'Serving signature key "none" not found.'),
    ),
    (
        "Predict",
        predict("half", ""),
        ("INVALID_ARGUMENT", "input size does not match signature: 0!=1"),
    ),
    (
        "Predict",
        predict("half", X.replace('"x"', '"z"') % (1, "2")),
        ("INVALID_ARGUMENT", "input tensor alias not found in signature: z"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2") + ' output_filter: "z"'),
        ("INVALID_ARGUMENT", "output tensor alias not found in signature: z"),
    ),
    (
        "Predict",
        predict("half", X % (1, "2") + ' output_filter: ["y", "y"]'),
        ("INVALID_ARGUMENT", "duplicate output tensor alias: y"),
    ),
    (
        "Predict",
        predict(
            "half",
            'inputs { key: "x" value { dtype: DT_INT32 tensor_shape { dim { size: 1 } } '
            "int_val: 2 } }",
        ),
        ("INVALID_ARGUMENT", "Expects arg[0] to be float but int32 is provided"),
    ),
    (
        "Predict",
        predict("half", 'inputs { key: "x" value { dtype: DT_RESOURCE } }'),
        ("INVALID_ARGUMENT", "tensor parsing error: x"),
    ),
    ("Predict", predict("half", X % (-1, "1")), ("INVALID_ARGUMENT", "tensor parsing error: x")),
    ("Predict", predict("half", X % (2**40, "1")), ("INVALID_ARGUMENT", "tensor parsing error: x")),
    (
        "Classify",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "classify_x_to_y"'),
        predicted(
            "half", 123, "result { classifications { classes { score: 3 } } }", "classify_x_to_y"
        ),
    ),
    (
        "Regress",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "regress_x_to_y"'),
        predicted("half", 123, "result { regressions { value: 3 } }", "regress_x_to_y"),
    ),
    (
        "Regress",
        predict("half", "input { " + EXAMPLE % 2.0 + " }"),
        ("INVALID_ARGUMENT", "No regression inputs found in SignatureDef"),
    ),
    (
        "Classify",
        predict("half", "input { " + EXAMPLE % 2.0 + " }", 'signature_name: "none"'),
        ("INVALID_ARGUMENT", "No signature was found with the name: none"),
    ),
    (
        "Classify",
        predict("half", "", 'signature_name: "classify_x_to_y"'),
        ("INVALID_ARGUMENT", "Input is empty."),
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y")
        + task("classify", "classify_x_to_y")
        + "input { "
        + EXAMPLE % 2.0
        + " }",
        "results { "
        + predicted("half", 123, "regression_result { regressions { value: 3 } }", "regress_x_to_y")
        + " } results { "
        + predicted(
            "half",
            123,
            "classification_result { classifications { classes { score: 3 } } }",
            "classify_x_to_y",
        )
        + " }",
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y") * 2 + "input { " + EXAMPLE % 2.0 + " }",
        ("INVALID_ARGUMENT", "Duplicate evaluation of signature: regress_x_to_y"),
    ),
    (
        "MultiInference",
        task("regress", "regress_x_to_y") + task("regress", "regress_x_to_y", "three"),
        ("INVALID_ARGUMENT", "must access the same model name"),
    ),
    (
        "MultiInference",
        task("predict", "serving_default") + "input { " + EXAMPLE % 2.0 + " }",
        ("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    ),
    (
        "GetModelMetadata",
        predict("half", ""),
        ("INVALID_ARGUMENT", "must specify at least one metadata_field"),
    ),
    (
        "GetModelMetadata",
        predict("half", 'metadata_field: "weights"'),
        ("INVALID_ARGUMENT", "Metadata field weights is not supported"),
    ),
    (
        "GetModelMetadata",
        predict("none", 'metadata_field: "signature_def"'),
        ("NOT_FOUND", "Servable not found for request: Latest(none)"),
    ),
    (
        "GetModelStatus",
        predict("half", ""),
        "model_version_status { version: 123 state: AVAILABLE status {} }",
    ),
    (
        "GetModelStatus",
        predict("adds", "", "version { value: 2 }"),
        "model_version_status { version: 2 state: AVAILABLE status {} }",
    ),
    ("GetModelStatus", "", ("INVALID_ARGUMENT", "Missing ModelSpec")),
    (
        "GetModelStatus",
        predict("none", ""),
        ("NOT_FOUND", "Could not find any versions of model none"),
    ),
    (
        "HandleReloadConfigRequest",
        "config { custom_model_config {} }",
        ("INVALID_ARGUMENT", "only model_config_list is currently supported"),
    ),
    (
        "HandleReloadConfigRequest",
        "config { model_config_list { config { name: 'a' base_path: '/' } config { name: 'a' } } }",
        ("INVALID_ARGUMENT", "Illegal to list model a multiple times in config list"),
    ),
]
