"""Starting, refusing to start, and stopping."""

import re
import shutil
import subprocess
import sys
import threading
import time

import pytest

from tests.helpers.served import ROOT, Server


def start_and_fail(*arguments):
    """Exit code, stdout and the lines of stderr of a server that must not come up."""
    result = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    # TensorFlow's native code logs before anyone can ask it not to.
    lines = [x for x in result.stderr.splitlines() if not re.match(r"[IWE]\d{4} |WARNING: All", x)]
    return result.returncode, result.stdout, lines


def test_ready_line_says_where_and_sigterm_lets_requests_end(model_folders):
    flags = [f"--model_base_path={model_folders['other']}", "--rest_api_port=0"]
    with Server("serving", "--model_name=m", *flags) as server:
        pattern = r"serving m \(version 1\) at http://127\.0\.0\.1:\d+/v1/models/m"
        assert re.fullmatch(pattern, server.ready[0])
        last = server.process.stdout.readline()
        assert last == f"open {server.url} in a browser to try them\n"
        assert "<title>zoo" in server.client.get("/").text
        answers = []

        def ask():
            body = {"signature_name": "slow", "inputs": 1500}
            answers.append(server.predict("m", body))

        thread = threading.Thread(target=ask)
        thread.start()
        time.sleep(0.4)
        assert server.stop() == 0
        thread.join()
        assert [a.status_code for a in answers] == [200]


def test_a_port_in_use_is_one_line_and_exit_code_1(server, model_folders):
    port = server.url.rsplit(":", 1)[1]
    flags = [f"--model_base_path={model_folders['half']}", f"--rest_api_port={port}"]
    code, out, lines = start_and_fail("serving", *flags)
    assert (code, out, len(lines)) == (1, "", 1)
    assert f"port {port} of 127.0.0.1 is in use" in lines[0]


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda folder: None, 2, "does not exist"),
        (lambda folder: folder.mkdir(), 2, "holds no numbered folder with a SavedModel"),
        (lambda folder: shutil.copytree(folder.parent / "run", folder), 2, "export it first"),
    ],
    ids=["missing", "empty", "run"],
)
def test_a_folder_without_a_model_is_one_line(run, tmp_path, make, code, message):
    shutil.copytree(run, tmp_path / "run")
    make(tmp_path / "models")
    arguments = ["zoo", "serve", "--model", f"m={tmp_path / 'models'}", "--port", "0"]
    returned, out, lines = start_and_fail(*arguments)
    assert (returned, out, len(lines)) == (code, "", 1)
    assert message in lines[0]


def test_a_damaged_model_is_one_line_and_exit_code_1(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/saved_model.pb").write_bytes(b"not a protocol buffer")
    flags = [f"--model_base_path={tmp_path}", "--rest_api_port=0"]
    code, out, lines = start_and_fail("serving", *flags)
    assert (code, out, len(lines)) == (1, "", 1)
    assert "saved_model.pb" in lines[0]


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["half"], "--model takes NAME=PATH"),
        (["=half"], "--model takes NAME=PATH"),
        (["a=x", "a=y"], "--model names 'a' twice"),
    ],
)
def test_wrong_flags_are_exit_code_2(capsys, models, message):
    from zoo.cli import main

    flags = [word for model in models for word in ("--model", model)]
    assert main(["serve", *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_saved_models_own_folder_is_served_by_its_number(model_folders):
    from serving.versions import versions_on_disk

    half = model_folders["half"]
    assert versions_on_disk(half) == {2: half / "2", 3: half / "3"}
    assert versions_on_disk(half / "2") == {2: half / "2"}
