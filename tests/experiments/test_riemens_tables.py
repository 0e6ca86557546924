"""Tables and figures of the thesis at a budget of seconds: two cells of each."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from trees import make_tree

import zoo
from zoo.cli import main
from zoo.data import prepare
from zoo.experiments.cells import Cell, Context, run_cells
from zoo.experiments.riemens_fig3 import chirps, recognised, zeroed
from zoo.training.fitting import Diverged

BUDGET = ["--epochs", "1", "--per-class", "2", "--patience", "1"]


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spectra")
    tree = make_tree(folder / "corpus", train=2, test=2, sentences=("SX1",))
    return prepare(tree, folder / "set", representation="real")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Trainings that the experiments share."""
    return tmp_path_factory.mktemp("work")


def command(name, data, out, *words, work=None):
    shared = ["--work", str(work)] if work else []
    return [
        "experiment",
        name,
        "--data",
        str(data.path),
        "--out",
        str(out),
        *BUDGET,
        *shared,
        *words,
    ]


def results(out):
    return json.loads((out / "results.json").read_text())


@pytest.mark.parametrize(
    ("name", "pattern", "cells_run", "published"),
    [
        ("riemens_table2", "time/*", 1, "(48.7)"),
        ("riemens_table3", "fixed_tied/1*", 1, "(107)"),
        ("riemens_table4", "regular_blind/1_unit/*", 1, "(3.03)"),
        ("riemens_table5", "random/*", 2, "(48.2)"),
        ("riemens_fig5", "*", 2, "Riemens (2015), figure 5"),
        pytest.param(
            *("riemens_fig3", "*/2_units/*", 2, "Riemens (2015), figure 3"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_cells_are_set_beside_the_published_ones(
    name, pattern, cells_run, published, spectra, work, tmp_path, capsys
):
    words = command(name, spectra, tmp_path, "--only", pattern, work=work)
    assert main(words) == 0
    text = (tmp_path / "results.md").read_text()
    assert text in capsys.readouterr().out
    assert published in text
    assert "| claim | rule | numbers | verdict |" in text
    assert (tmp_path / "results.svg").read_text().rstrip().endswith("</svg>")
    found = results(tmp_path)
    run = [c for c in found["cells"] if "result" in c]
    assert len(run) == cells_run
    for cell in run:
        assert cell["settings"]["epochs"] == 1
        assert cell["versions"]["keras"]
        assert cell["hardware"]["cores"] == os.cpu_count()
        for measures in cell["result"].values():
            assert np.isfinite([v for v in measures.values() if v is not None]).all()
    if cells_run < len(found["cells"]):
        assert "not run" in {claim["verdict"] for claim in found["claims"]}
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").glob("*.json")}
    assert main(words) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert results(tmp_path)["cells"] == found["cells"]


def test_other_settings_and_patterns_are_refused(spectra, work, tmp_path, capsys):
    words = command("riemens_table2", spectra, tmp_path, "--only", "time/*", work=work)
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--epochs", "2"]) == 2
    assert "holds time/seed-0 with other settings (epochs 1, now 2)" in capsys.readouterr().err
    assert main([*words, "--only", "tmie"]) == 2
    assert "--only tmie matches no cell; there are time, freq_large" in capsys.readouterr().err
    assert main([*words, "--seeds", "0"]) == 2
    assert "--seeds must be 1 or more" in capsys.readouterr().err


def diverge(settings, context):
    raise Diverged("the loss became nan in epoch 1.")


def double(settings, context):
    with open(context.out / "computed", "a", encoding="utf-8") as file:
        file.write(f"{settings['value']}\n")
    time.sleep(settings.get("seconds", 0))
    return {"double": 2 * settings["value"]}


def here(function):
    return f"{function.__module__}:{function.__name__}"


def test_a_diverged_training_is_a_result(tmp_path):
    context = Context(tmp_path, tmp_path / "work", tmp_path / "out")
    found = run_cells([Cell("a/seed-0", {})], here(diverge), context)
    assert found["a/seed-0"]["diverged"] == "the loss became nan in epoch 1."
    assert "result" not in found["a/seed-0"]


def test_cells_are_computed_once_by_several_processes(tmp_path):
    context = Context(tmp_path, tmp_path / "work", tmp_path / "out")
    todo = [Cell(f"cell {n}/seed-0", {"value": n}) for n in range(5)]
    run_cells(todo[:1], here(double), context)
    found = run_cells(todo, here(double), context, jobs=2)
    assert [found[c.key]["result"]["double"] for c in todo] == [0, 2, 4, 6, 8]
    lines = (tmp_path / "out" / "computed").read_text().split()
    assert sorted(lines) == ["0", "1", "2", "3", "4"]


KILLED = """
import sys
from pathlib import Path
from test_riemens_tables import double, here
from zoo.experiments.cells import Cell, Context, run_cells

if __name__ == "__main__":
    root = Path(sys.argv[1])
    todo = [Cell(f"cell {n}/seed-0", {"value": n, "seconds": 1.5}) for n in range(4)]
    run_cells(todo, here(double), Context(root, root / "work", root / "out"), jobs=2)
"""


@pytest.mark.slow
def test_killed_with_its_workers_at_work_it_loses_only_what_was_running(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    folders = [os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__))]
    search = os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])
    arguments = [sys.executable, str(script), str(tmp_path)]
    process = subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": search})
    while not list((tmp_path / "out" / "cells").glob("*.json")):
        assert process.poll() is None
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(arguments, env={**os.environ, "PYTHONPATH": search}, check=True)
    records = [json.loads(p.read_text()) for p in (tmp_path / "out" / "cells").glob("*.json")]
    assert sorted(r["result"]["double"] for r in records) == [0, 2, 4, 6]
    # Two were done or running when it was killed, so at most two were computed twice.
    assert len((tmp_path / "out" / "computed").read_text().split()) <= 6


def test_keys_are_file_names(tmp_path):
    path = Cell("a b/c*d/seed-0", {}).record(tmp_path)
    assert path == tmp_path / "cells" / "a--b--c--d--seed-0.json"


def test_a_code_of_zeros_leaves_switches_alone(spectra):
    for unpooling, leaks in (("switch", True), ("blind", False)):
        model = zoo.build(
            "freq_fullpad_ae", units=2, unpooling=unpooling, input_shape=spectra.shape
        )
        # Untrained biases of zero would leave nothing to be placed at the switches.
        for layer in model.layers:
            if layer.name.startswith("deconv"):
                layer.reverse_bias.assign(np.ones(layer.reverse_bias.shape))
        inputs = chirps(spectra.frontend, 6, seed=0)
        outputs = zeroed(model, inputs)
        assert outputs.shape == inputs.shape
        assert (np.abs(outputs - outputs[:1]).max() > 1e-4) == leaks


def test_recognition_finds_scaled_copies_and_nothing_in_equal_outputs():
    inputs = np.random.default_rng(0).normal(size=(8, 5, 4, 1))
    assert recognised(inputs, 7 * inputs + 3) == 1
    assert recognised(inputs, np.roll(inputs, 1, axis=0)) == 0
    assert recognised(inputs, np.ones_like(inputs)) == 0


def test_chirps_rise_or_fall_from_the_first_frame_to_the_last(spectra):
    raw = chirps(spectra.frontend, 10, seed=1) + spectra.mean
    loudest = np.abs(raw[..., 0]).argmax(axis=1)
    assert (np.abs(loudest[:, -2] - loudest[:, 1]) > 3).mean() > 0.7


def test_experiments_are_listed_with_a_line_of_help(capsys):
    with pytest.raises(SystemExit):
        main(["experiment", "--help"])
    shown = capsys.readouterr().out
    for name in ("riemens_table2", "riemens_table5", "riemens_fig3"):
        assert name in shown
