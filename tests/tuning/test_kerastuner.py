"""What of keras-tuner's private parts the search stands on, so that an update tells what moved."""

import ast
import importlib
from pathlib import Path

import keras_tuner
import pytest

ROOT = Path(__file__).resolve().parents[2]

IMPORTED = (
    "keras_tuner.engine.hyperparameters:Boolean",
    "keras_tuner.engine.trial:Trial",
    "keras_tuner.engine.trial:TrialStatus",
    "keras_tuner.src.protos:get_service",
    "keras_tuner.src.protos:get_service_grpc",
    "keras_tuner.src.distribute.oracle_chief:OracleServicer.CreateTrial",
    "keras_tuner.src.distribute.oracle_chief:OracleServicer.GetTrial",
    "keras_tuner.src.distribute.oracle_client:OracleClient",
)

CALLED = {
    keras_tuner.Oracle: ("_random_values", "_duplicate", "_save_trial", "populate_space"),
    keras_tuner.oracles.GridSearchOracle: ("_get_next_combination", "populate_space"),
    keras_tuner.oracles.BayesianOptimizationOracle: ("_nonfixed_space", "populate_space"),
}

SET = {
    keras_tuner.oracles.RandomSearchOracle: (
        "_retry_queue",
        "_seed_state",
        "ongoing_trials",
        "start_order",
        "end_order",
        "tuner_ids",
    ),
    keras_tuner.oracles.HyperbandOracle: ("_brackets",),
    keras_tuner.oracles.BayesianOptimizationOracle: ("_random_state", "gpr", "beta"),
}


@pytest.mark.parametrize("name", IMPORTED)
def test_what_is_imported_is_where_it_was(name):
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        assert hasattr(found, part), f"keras-tuner {keras_tuner.__version__} has no {name}"
        found = getattr(found, part)


@pytest.mark.parametrize(("oracle", "names"), CALLED.items())
def test_what_our_oracles_override_or_call_is_there(oracle, names):
    missing = [name for name in names if not callable(getattr(oracle, name, None))]
    assert not missing, f"{oracle.__name__} of keras-tuner {keras_tuner.__version__}: {missing}"


@pytest.mark.parametrize(("oracle", "names"), SET.items())
def test_what_our_oracles_read_is_set(oracle, names):
    space = keras_tuner.HyperParameters()
    space.Choice("units", [1, 2, 3])
    made = oracle(objective=keras_tuner.Objective("loss", "min"), hyperparameters=space, seed=1)
    missing = [name for name in names if not hasattr(made, name)]
    assert not missing, f"{oracle.__name__} of keras-tuner {keras_tuner.__version__}: {missing}"


def test_one_file_imports_private_modules():
    users = set()
    for file in [
        f for p in ("zoo", "tuning", "export", "serving") for f in (ROOT / p).rglob("*.py")
    ]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any(m.startswith("keras_tuner.") for m in modules):
                users.add(file.relative_to(ROOT).as_posix())
    assert users == {"tuning/kerastuner.py"}
