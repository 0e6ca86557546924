"""`zoo tune` as a user meets it: one clear line for whatever is wrong, workers that may die."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zoo.cli import main

DEPLOY = Path(__file__).parents[2] / "tuning" / "deploy"
QUICK = ["--epochs", "1", "--per-class", "2", "--only", "units,dropout", "--max-params", "90000"]


def tune(prepared, folder, *words):
    return ["tune", "freq_fullpad", "--data", str(prepared.path), "--out", str(folder), *words]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objective", "acuracy_39"], r"unknown objective 'acuracy_39'\. Did you mean"),
        (["--max-params", "10", "--only", "dropout"], "can be tried; .*parameters, more than 10"),
        (["--max-trials", "0"], "--max-trials must be 1 or more"),
        (["--extend", "-1"], "--extend must be 0 or more"),
        (["--tuner", "grid", "--extend", "2"], "--extend requires --max-trials"),
        (["--only", "layers"], "no hyperparameter 'layers'"),
        (["--set", "dropout"], "takes OPTION=VALUE"),
        (["--save-as", "freq"], "'freq' is a model of the zoo"),
        (["--save-as", "a/b"], "a preset's name must consist of letters"),
    ],
)
def test_wrong_use_is_one_line_before_a_study_is_made(prepared, tmp_path, capsys, words, message):
    assert main(tune(prepared, tmp_path / "study", *words)) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.search(message, said), said
    assert not (tmp_path / "study" / "study.json").exists()


def test_missing_data_and_models_are_named(prepared, tmp_path, capsys):
    assert main(["tune", "freq_fullpad", "--data", "nowhere", "--out", str(tmp_path / "s")]) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    words = ["--data", str(prepared.path), "--out", str(tmp_path / "s")]
    assert main(["tune", "freq_fulpad", *words]) == 2
    assert "Did you mean 'freq_fullpad'" in capsys.readouterr().err
    assert main(["tune", "denoiser", *words]) == 2
    assert "not the family 'denoiser'" in capsys.readouterr().err
    assert main(["tune", "--out", str(tmp_path / "s")]) == 2
    assert "takes MODEL and --data" in capsys.readouterr().err
    (tmp_path / "s").mkdir(exist_ok=True)
    (tmp_path / "s" / "letter.txt").write_text("mine")
    assert main(["tune", "freq_fullpad", *words, *QUICK]) == 2
    assert "is not empty and holds no study" in capsys.readouterr().err


def test_the_space_can_be_looked_at(prepared, tmp_path, capsys):
    assert main(tune(prepared, tmp_path / "study", "--show-space", "--set", "units=2,3")) == 0
    assert re.search(r"^units +values \[2, 3\]$", capsys.readouterr().out, re.MULTILINE)
    assert not (tmp_path / "study").exists()


def test_joining_nobody_is_refused(tmp_path, capsys):
    for address in ("8900", "host:", "host:x"):
        assert main(["tune", "--join", address, "--out", str(tmp_path)]) == 2
        assert "--join takes HOST:PORT" in capsys.readouterr().err


def test_a_full_disk_ends_the_search_and_loses_nothing(prepared, tmp_path):
    code = (
        "import resource, signal, sys;"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (150000, {resource.RLIM_INFINITY}));"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "from zoo.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = tune(prepared, tmp_path / "study", *QUICK, "--max-trials", "2")
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    assert done.returncode == 1
    assert "the file would exceed the size limit" in done.stderr.strip().splitlines()[-1]
    assert "Traceback" not in done.stderr


def search_by_workers(prepared, folder, count, signal_sent):
    """A search whose first worker gets a signal in its first trial: what it said, its journal."""
    words = tune(prepared, folder, *QUICK, "--max-trials", "3", "--workers", str(count))
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", *words], stderr=subprocess.PIPE, text=True
    )
    began = time.monotonic()
    # Until every worker is in its first trial.
    while len(list(folder.glob("trials/*/run-0/config.json"))) < count and process.poll() is None:
        assert time.monotonic() - began < 240
        time.sleep(0.05)
    for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
        if b"worker-1" in Path(f"/proc/{child}/cmdline").read_bytes():
            os.kill(int(child), signal_sent)
    said = process.communicate(timeout=400)[1]
    assert process.returncode == 0, said
    return said, [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_no_trial_is_run_twice(prepared, tmp_path):
    said, events = search_by_workers(prepared, tmp_path / "study", 2, signal.SIGKILL)
    assert re.search(
        r"worker-1 ended by signal 9; another one takes its place, trial \d+ is run again", said
    )
    created = [e["trial"] for e in events if e["event"] == "create"]
    ended = {e["trial"]: e["result"] for e in events if e["event"] == "end"}
    assert created == ["0000", "0001", "0002"]
    assert sorted(ended) == created
    assert len([e for e in events if e["event"] == "end"]) == 3
    assert {r["status"] for r in ended.values()} == {"COMPLETED"}
    assert {r["worker"] for r in ended.values()} <= {"worker-1", "worker-2"}
    assert (tmp_path / "study" / "workers" / "worker-2.log").exists()


@pytest.mark.slow
def test_a_trial_that_crashes_its_worker_fails_and_the_search_goes_on(prepared, tmp_path):
    said, events = search_by_workers(prepared, tmp_path / "study", 1, signal.SIGSEGV)
    assert "worker-1 ended by signal 11; another one takes its place" in said
    ended = {e["trial"]: e["result"] for e in events if e["event"] == "end"}
    assert [ended[t]["status"] for t in sorted(ended)] == ["FAILED", "COMPLETED", "COMPLETED"]
    assert ended["0000"]["error"] == ("it crashed the process that ran it (Segmentation fault)")


def test_what_a_worker_raises_comes_back_to_the_chief_and_stands_in_its_log(tmp_path):
    from tuning.chief import Crew
    from zoo.errors import UsageError

    crew, ended = Crew(tmp_path, "127.0.0.1:1", 1), []
    try:
        while not ended:
            ended += crew.ended()
    finally:
        crew.end()
    ((name, error),) = ended
    assert name == "worker-1"
    assert isinstance(error, UsageError)
    assert crew.last_words(name).endswith(str(error))
    assert len(crew) == 0


def test_workers_get_a_gpu_each_and_their_share_of_the_processors(monkeypatch):
    from tuning.chief import visible_gpus, worker_environment

    monkeypatch.setattr("zoo.processes.cores", lambda: 8)
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    several = [worker_environment(n, 3, ["0", "2"]) for n in range(3)]
    assert [e["CUDA_VISIBLE_DEVICES"] for e in several] == ["0", "2", "0"]
    assert {e["OMP_NUM_THREADS"] for e in several} == {"2"}
    assert "CUDA_VISIBLE_DEVICES" not in worker_environment(0, 1, ["0"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,3")
    assert visible_gpus() == ["GPU-a", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert visible_gpus() == []


@pytest.mark.slow
def test_a_search_works_on_jax_where_there_is_no_tensorflow(prepared, tmp_path):
    # What is None there cannot be imported.
    code = (
        "import sys; sys.modules['tensorflow'] = None; from zoo.cli import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = tune(prepared, tmp_path / "study", *QUICK, "--max-trials", "2")
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "best of 2 trials" in done.stdout


def options_of_tune():
    import argparse

    from zoo.cli import tune as module

    parser = argparse.ArgumentParser()
    module.add_arguments(parser, "tune")
    return parser


def test_the_slurm_job_is_a_script_whose_commands_parse():
    path = DEPLOY / "slurm.sh"
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text().replace("\\\n", " ")
    commands = re.findall(r"exec zoo tune (.*)", text)
    assert len(commands) == 2
    for command in commands:
        words = re.sub(r'"?\$\{?(\w+)\}?"?', r"\1", command).split()
        options_of_tune().parse_args(words)
    header = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert all(re.fullmatch(r"#SBATCH --[a-z-]+=\S+", line) for line in header)


def test_the_kubernetes_jobs_parse_and_share_a_volume():
    yaml = pytest.importorskip("yaml")
    service, chief, workers = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    assert [d["kind"] for d in (service, chief, workers)] == ["Service", "Job", "Job"]
    port = service["spec"]["ports"][0]["port"]
    for job, role in ((chief, "chief"), (workers, "worker")):
        template = job["spec"]["template"]
        assert job["apiVersion"] == "batch/v1"
        assert template["metadata"]["labels"] == {"app": "zoo-tune", "role": role}
        pod = template["spec"]
        assert pod["restartPolicy"] in ("OnFailure", "Never")
        (container,) = pod["containers"]
        names = {v["name"] for v in pod["volumes"]}
        assert {m["name"] for m in container["volumeMounts"]} <= names
        words = [*container["command"], *container.get("args", [])]
        if role == "worker":
            words = re.search(r"exec (.*)", words[-1]).group(1).split()
        assert words[:2] == ["zoo", "tune"]
        args = options_of_tune().parse_args(words[2:])
        assert args.out == "/work/study"
        assert (args.chief or args.join).endswith(f":{port}")
        if role == "worker":
            assert args.join == f"{service['metadata']['name']}:{port}"
    assert service["spec"]["selector"] == chief["spec"]["template"]["metadata"]["labels"]
