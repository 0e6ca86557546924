"""Tables and figures of the thesis at a budget of seconds: two cells of each."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import zoo
from tests.helpers.kills import killed_at_random
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import prepare
from zoo.experiments.engine.runner import Cell
from zoo.experiments.riemens2015.fig3 import chirps, recognised, zeroed

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
        ("riemens_table2", "time/seed*", 1, "(48.7)"),
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
    if "(results.svg)" in text:
        assert (tmp_path / "results.svg").read_text().rstrip().endswith("</svg>")
    else:
        assert (tmp_path / "results.webp").read_bytes()[8:12] == b"WEBP"
        assert "(results.webp)" in text
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


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_twenty_times_no_cell_is_lost_or_computed_twice(spectra, tmp_path):
    """Twenty seeds of three networks that learn next to nothing: 60 trainings."""
    words = [
        *("--epochs", "1", "--per-class", "2", "--seeds", "20", "--only", "[cft]*[2eq]/seed*"),
        *("--data", str(spectra.path), "--jobs", "2"),
    ]
    start = [sys.executable, "-m", "zoo", "experiment", "riemens_table2"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    command = [*start, *words, "--out", str(broken)]

    def to_the_end(command):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]

    to_the_end([*start, *words, "--out", str(whole)])

    def cells():
        return len(list((broken / "cells").glob("[!.]*.json")))

    written = {}

    def progress():
        for path in (broken / "cells").glob("[!.]*.json"):
            written.setdefault(path.name, path.stat().st_mtime_ns)
        return cells()

    reached = killed_at_random(command, 20, progress)
    assert 0 < reached[-1] < 60
    to_the_end(command)
    # A record that was there before stays as it was.
    for name, moment in written.items():
        assert (broken / "cells" / name).stat().st_mtime_ns == moment
    one, other = (
        {c["key"]: c["result"] for c in results(out)["cells"] if "result" in c}
        for out in (whole, broken)
    )
    assert len(one) == cells() == 60
    assert one == other


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
