"""New, broken, half-written and removed versions of models that are being served."""

import json
import os
import shutil
import threading
import time

import pytest

from serving.errors import ServingError
from serving.model_config import ModelConfig
from serving.models import ModelRef, Models
from serving.versions import VersionPolicy
from tests.helpers import plain_models
from tests.helpers.served import Server


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Versions 1 to 3 of a model that adds its version."""
    folder = tmp_path_factory.mktemp("store")
    for number in (1, 2, 3):
        plain_models.adds(folder / str(number), number, kilobytes=64)
    return folder


def put(store, number, base):
    """Put a version under `base` in one step, as an export does."""
    temporary = base / f".{number}"
    shutil.copytree(store / str(number), temporary)
    temporary.rename(base / str(number))


def states(server, model="m"):
    body = server.client.get(f"/v1/models/{model}").json()
    return {int(v["version"]): (v["state"], v["status"]) for v in body["model_version_status"]}


def until(true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def answer(server, where="m"):
    response = server.predict(where, {"instances": [0.0]})
    assert response.status_code == 200, response.text
    return response.json()["predictions"][0]["version"]


def start(base, *flags):
    return Server(
        "serving",
        "--model_name=m",
        f"--model_base_path={base}",
        "--rest_api_port=0",
        "--file_system_poll_wait_seconds=0.05",
        *flags,
    )


def test_versions_come_break_and_go(store, tmp_path):
    put(store, 1, tmp_path)
    with start(tmp_path) as server:
        assert answer(server) == 1
        put(store, 2, tmp_path)
        until(lambda: answer(server) == 2)
        until(lambda: states(server)[1][0] == "END")
        assert server.predict("m/versions/1", {"instances": [0.0]}).status_code == 404

        # Half written: a folder without saved_model.pb does not exist yet.
        (tmp_path / "3").mkdir()
        shutil.copytree(store / "3" / "variables", tmp_path / "3" / "variables")
        # Broken: it stays out, the status says why, and the last good one serves on.
        (tmp_path / "4").mkdir()
        (tmp_path / "4" / "saved_model.pb").write_bytes(b"\xff not a model")
        until(lambda: 4 in states(server))
        until(lambda: states(server)[4][0] == "END")
        assert states(server).keys() == {1, 2, 4}
        assert "damaged saved_model.pb" in states(server)[4][1]["error_message"]
        assert states(server)[4][1]["error_code"] == "UNKNOWN"
        assert (answer(server), server.client.get("/readyz").status_code) == (2, 200)

        # Mended: what was broken is looked at again once it changes.
        shutil.rmtree(tmp_path / "4")
        shutil.copy(store / "3" / "saved_model.pb", tmp_path / "3" / "saved_model.pb")
        until(lambda: answer(server) == 3)

        # Removed: the one below takes over again.
        shutil.rmtree(tmp_path / "3")
        until(lambda: answer(server) == 2)


def test_killed_and_restarted_with_a_broken_newest_version_it_serves_the_last_good_one(
    store, tmp_path
):
    put(store, 1, tmp_path)
    (tmp_path / "2").mkdir()
    (tmp_path / "2" / "saved_model.pb").write_bytes(b"\xff not a model")
    for _ in range(2):
        with start(tmp_path) as server:
            assert answer(server) == 1
            assert states(server)[2][0] == "END"
            server.process.kill()
            server.process.wait()


def test_configurations_are_reloaded(store, tmp_path):
    import grpc
    from google.protobuf import text_format
    from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

    config = tmp_path / "models.config"

    def text(models, base=store):
        return (
            "model_config_list { "
            + " ".join(
                f'config {{ name: "{name}" base_path: "{base}" {more} }}'
                for name, more in models.items()
            )
            + " }"
        )

    specific = "model_version_policy { specific { versions: %d } }"
    config.write_text(text({"a": specific % 1}))
    flags = ["--rest_api_port=0", "--file_system_poll_wait_seconds=0.05"]
    flags.append("--allow_version_labels_for_unavailable_models")
    with Server("serving", f"--model_config_file={config}", *flags) as server:
        assert answer(server, "a") == 1
        with grpc.insecure_channel(server.grpc_address) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)

            def reload(models, base=store):
                request = model_management_pb2.ReloadConfigRequest()
                text_format.Parse(f"config {{ {text(models, base)} }}", request)
                return stub.HandleReloadConfigRequest(request, timeout=60).status.error_code

            assert reload({"a": specific % 2, "b": "model_version_policy { all {} }"}) == 0
            assert answer(server, "a") == 2
            assert [s for s, _ in states(server, "b").values()] == ["AVAILABLE"] * 3

            wanted = {"b": specific % 3 + ' version_labels { key: "l" value: 3 }'}
            assert reload(wanted) == 0
            assert answer(server, "b/labels/l") == 3
            # Gone for good: looking for new versions does not bring it back.
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                assert server.predict("a", {"instances": [0.0]}).status_code == 404
                time.sleep(0.02)
            assert {state for state, _ in states(server, "a").values()} == {"END"}

            # A configuration that is refused changes nothing, whatever else it asks for.
            for refused, reason in (
                (
                    {"b": specific % 2 + ' version_labels { key: "l" value: 9 }', "c": ""},
                    "Request to assign label to version 9 of model b",
                ),
                ({"b": specific % 2, "c": specific % 9}, "none of the versions asked for"),
            ):
                with pytest.raises(grpc.RpcError) as caught:
                    reload(refused)
                assert reason in caught.value.details()
                assert (answer(server, "b"), answer(server, "b/labels/l")) == (3, 3)
                assert server.predict("c", {"instances": [0.0]}).status_code == 404

            # Neither does a label in use that would move to a version that is not there.
            with pytest.raises(grpc.RpcError) as caught:
                reload({"b": specific % 3 + ' version_labels { key: "l" value: 777 }'})
            assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
            assert "Request to assign label to version 777" in caught.value.details()
            assert answer(server, "b/labels/l") == 3
            new = ' version_labels { key: "l" value: 3 } version_labels { key: "n" value: 777 }'
            assert reload({"b": specific % 3 + new}) == 0
            assert server.client.get("/v1/models/b/labels/n").status_code == 404

            # The same number in another folder is another model; and what was gone may return.
            moved = tmp_path / "moved"
            shutil.copytree(store / "1", moved / "3")
            assert reload({"a": specific % 3, "b": specific % 3}, moved) == 0
            assert (answer(server, "a"), answer(server, "b")) == (1, 1)


def labels_of(store, labels):
    return ModelConfig("m", store, VersionPolicy(latest=None), labels)


def labelled(store, labels, allowed):
    """All versions of the model, with labels."""
    models = Models([labels_of(store, labels)], allow_labels_for_unavailable=allowed)
    models.start()
    return models


def reload(models, store, labels):
    models.reload([labels_of(store, labels)])


def asked(models, label):
    """The version with a label, or the code of the refusal."""
    try:
        with models.use(ModelRef("m", label=label)) as (number, _):
            return number
    except ServingError as refusal:
        return refusal.code


@pytest.mark.parametrize(
    ("allowed", "before", "after", "taken"),
    [
        (False, {}, {"new": 777}, False),
        (False, {"a": 1}, {"a": 777}, False),
        (False, {"a": 1}, {"a": 3}, True),
        (False, {"a": 1}, {"a": 1, "b": 1}, True),
        (True, {}, {"new": 777}, True),
        (True, {"a": 1}, {"a": 1, "new": 777}, True),
        (True, {"a": 1}, {"a": 777}, False),
        (True, {"a": 1}, {"a": 777, "b": 3}, False),
        (True, {"a": 1}, {"a": 3}, True),
        (True, {"a": 777}, {"a": 777}, True),
        (True, {"a": 777}, {"a": 778}, False),
        (True, {"a": 777}, {"a": 2}, True),
        (True, {"a": 1}, {}, True),
    ],
)
def test_labels_in_use_move_to_versions_that_are_there(store, allowed, before, after, taken):
    models = labelled(store, before, allowed)
    if taken:
        reload(models, store, after)
    else:
        with pytest.raises(ServingError, match="which is not currently available for") as refused:
            reload(models, store, after)
        assert refused.value.code == "FAILED_PRECONDITION"
    for label in ("a", "b", "new"):
        number = (after if taken else before).get(label)
        if number is None:
            assert asked(models, label) == "INVALID_ARGUMENT"
        else:
            assert asked(models, label) == (number if number <= 3 else "NOT_FOUND")


def test_a_label_that_was_taken_away_is_a_new_one(store):
    models = labelled(store, {"a": 1}, True)
    reload(models, store, {})
    reload(models, store, {"a": 777})
    assert asked(models, "a") == "NOT_FOUND"


def test_a_configuration_file_is_looked_at_again(store, tmp_path):
    config = tmp_path / "models.config"

    def write(name):
        entry = f'config {{ name: "{name}" base_path: "{store}" }}'
        (tmp_path / "new").write_text(f"model_config_list {{ {entry} }}")
        os.replace(tmp_path / "new", config)

    write("a")
    flags = [f"--model_config_file={config}", "--rest_api_port=0"]
    with Server("serving", *flags, "--model_config_file_poll_wait_seconds=1") as server:
        assert answer(server, "a") == 3
        write("b")
        until(lambda: server.client.get("/v1/models/b").status_code == 200)
        until(lambda: server.predict("a", {"instances": [0.0]}).status_code == 404)
        assert answer(server, "b") == 3


def swap(store, tmp_path, requests, swaps, clients, flags=()):
    """Requests while versions come and go: statuses that were not 200, and torn answers."""
    put(store, 1, tmp_path)
    failures, torn, asked = [], [], []
    done = threading.Event()
    with start(tmp_path, *flags) as server:

        def ask():
            import httpx

            with httpx.Client(base_url=server.url, timeout=60) as client:
                while not done.is_set():
                    asked.append(1)
                    body = json.dumps({"instances": [1.0] * 8})
                    response = client.post("/v1/models/m:predict", content=body)
                    if response.status_code != 200:
                        failures.append(response.text)
                        continue
                    rows = response.json()["predictions"]
                    if any(r != rows[0] or r["y"] != r["version"] + 1 for r in rows):
                        torn.append(rows)

        threads = [threading.Thread(target=ask) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            number = 1
            for step in range(swaps):
                new = 2 if number != 2 else 3
                if new < number:
                    # Back to a lower version: the higher one goes from the disk.
                    shutil.rmtree(tmp_path / str(new), ignore_errors=True)
                    put(store, new, tmp_path)
                    shutil.rmtree(tmp_path / str(number))
                else:
                    put(store, new, tmp_path)
                until(lambda new=new: answer(server) == new, 120)
                until(lambda step=step: len(asked) >= requests * (step + 1) / swaps, 600)
                number = new
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert server.stop() == 0
    return len(asked), failures, torn


def test_requests_go_on_while_versions_are_swapped(store, tmp_path):
    asked, failures, torn = swap(store, tmp_path, 200, 4, 4)
    assert (failures, torn) == ([], [])
    assert asked >= 200


@pytest.mark.slow
@pytest.mark.parametrize("flags", [[], ["--enable_batching"]], ids=["plain", "batching"])
def test_ten_thousand_requests_over_twenty_swaps(store, tmp_path, flags):
    asked, failures, torn = swap(store, tmp_path, 10_000, 20, 8, flags)
    print(f"{asked} requests, 20 swaps, {len(failures)} failures, {len(torn)} torn answers")
    assert (failures, torn) == ([], [])
    assert asked >= 10_000
