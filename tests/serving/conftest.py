"""One server with every small model and two exported ones, for the tests that only ask."""

import pytest

from tests.helpers.served import SAVED, Server, save_models


@pytest.fixture(scope="session")
def model_folders(once):
    """Name -> base folder."""
    folder = once("models", save_models)
    return {name: folder / name for name in SAVED}


@pytest.fixture(scope="session")
def server(model_folders, exported, exported_recognizer):
    models = {**model_folders, "phones": exported, "speech": exported_recognizer}
    flags = [word for name, path in models.items() for word in ("--model", f"{name}={path}")]
    with Server("zoo", "serve", *flags, "--port", 0, models=len(models)) as server:
        yield server
