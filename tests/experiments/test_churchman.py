"""Churchman's figures at a budget of seconds: what is shared, what is shown, what is claimed."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import zoo
from tests.helpers.runs import make_run
from tests.helpers.trees import make_tree
from zoo.cli import main
from zoo.data import prepare
from zoo.experiments import EXPERIMENTS
from zoo.experiments.churchman2015 import fig9 as churchman_fig9
from zoo.experiments.churchman2015 import figa1 as churchman_figa1
from zoo.experiments.churchman2015 import figures
from zoo.experiments.churchman2015 import study as churchman
from zoo.experiments.engine.claims import Numbers
from zoo.experiments.engine.published import published
from zoo.experiments.engine.runner import Context
from zoo.inversion import reconstruct

FIGURES = [name for name in EXPERIMENTS if name.startswith("churchman_")]
BUDGET = (
    *("--epochs", "1", "--per-class", "2", "--patience", "1", "--examples", "2"),
    *("--steps", "3", "--annealing-steps", "3", "--decoder-epochs", "1"),
)


@pytest.fixture(scope="module")
def spectra(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spectra")
    tree = make_tree(folder / "corpus", train=2, test=2, sentences=("SX1",))
    return prepare(tree, folder / "set", representation="real")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """Trainings and reconstructions that the figures share."""
    return tmp_path_factory.mktemp("work")


def figure(name, data, out, work, only, budget=BUDGET):
    words = ["--data", str(data.path), "--out", str(out), "--work", str(work), "--only", only]
    assert main(["experiment", name, *words, *budget]) == 0
    results = json.loads((out / "results.json").read_text())
    results["cells"] = [
        json.loads((out / c["record"]).read_text()) if "record" in c else c
        for c in results["cells"]
    ]
    return results


@pytest.fixture(scope="module")
def figure_9(spectra, work, tmp_path_factory):
    """Folder and results of gradient descent from two layers."""
    out = tmp_path_factory.mktemp("fig9")
    return out, figure("churchman_fig9", spectra, out, work, "gradient/L[13]/*")


def test_figure_9_measures_phones_and_chirps(figure_9, spectra, work):
    out, results = figure_9
    text = (out / "results.md").read_text()
    assert "### Chirps: maximal cross-correlation of the waveforms" in text
    assert "(published 0.12)" in text
    (cell, _) = [c for c in results["cells"] if "result" in c]
    measures = cell["result"]["gradient/L1"]
    classes = np.bincount(spectra.labels("test"))
    assert measures["phones_examples"] == np.minimum(classes, 2).sum()
    assert measures["chirps_examples"] == 20
    study = churchman.Study(cell["settings"], Context(spectra.path, work, out))
    found = study.reconstructions("gradient", "L1")["reconstruction"]
    for kind in ("phones", "chirps"):
        places = study.places(kind)
        rest = (found[places] - study.sounds.inputs[places]).reshape(len(places), -1)
        lengths = np.sqrt((rest.astype(float) ** 2).sum(axis=1))
        assert measures[f"{kind}_euclidean_error"] == pytest.approx(lengths.mean())
        half = measures[f"{kind}_euclidean_error_interval"]
        assert half == pytest.approx(2.1 * lengths.std(ddof=1) / len(lengths) ** 0.5, rel=0.2)
        assert measures[f"{kind}_error"] < measures[f"{kind}_error_before"]
    page = (out / "index.html").read_text()
    # Four sounds by one method: the input and two layers each.
    assert len(re.findall("data:audio/wav;base64,", page)) == 4 * 3
    assert (out / "results.webp").read_bytes()[8:12] == b"WEBP"
    assert 'src="data:image/webp;base64,' in page
    assert {claim["verdict"] for claim in results["claims"]} == {"not run"}


@pytest.mark.parametrize(
    "name", ["churchman_fig10", pytest.param("churchman_figB1", marks=pytest.mark.slow)]
)
def test_figures_that_share_their_work_show_the_same_reconstructions(
    name, figure_9, spectra, work, tmp_path
):
    kept = (".npz", ".keras", ".json")
    before = {p: p.stat().st_mtime_ns for p in work.rglob("*") if p.suffix in kept}
    assert before
    results = figure(name, spectra, tmp_path, work, "gradient/L1/*")
    assert {p: p.stat().st_mtime_ns for p in before} == before
    # The cells lie with them, once for all figures.
    (folder,) = work.glob("study-*")
    assert not (tmp_path / "cells").exists()
    assert folder / "cells" / "gradient--L1--seed-0.json" in before
    assert results["cells"] == figure_9[1]["cells"]
    page = (tmp_path / "index.html").read_text()
    # One sound by one method: the input and two layers.
    assert len(re.findall("data:audio/wav;base64,", page)) == 3


def test_cells_are_found_where_an_earlier_run_or_an_option_put_them(
    figure_9, spectra, work, tmp_path
):
    (study,) = work.glob("study-*")
    old = tmp_path / "old"
    shutil.copytree(study / "cells", old / "cells")
    before = sorted((old / "cells").glob("*.json"))
    results = figure("churchman_fig9", spectra, old, work, "gradient/L[13]/*")
    assert results["cells"] == figure_9[1]["cells"]
    assert sorted((old / "cells").glob("*.json")) == before
    inline = json.loads((old / "results.json").read_text())["cells"]
    assert [c for c in inline if "result" in c] == [c for c in results["cells"] if "result" in c]
    new = tmp_path / "new"
    budget = (*BUDGET, "--study", str(old))
    again = figure("churchman_fig9", spectra, new, work, "gradient/L[13]/*", budget)
    assert again["cells"] == results["cells"]
    (first, *_) = [
        c for c in json.loads((new / "results.json").read_text())["cells"] if "record" in c
    ]
    assert first["record"] == "../old/cells/gradient--L1--seed-0.json"


@pytest.mark.slow
def test_every_method_runs_on_every_layer(spectra, work, tmp_path):
    results = figure("churchman_fig9", spectra, tmp_path / "fig9", work, "*")
    assert not [c for c in results["cells"] if "result" not in c]
    assert len(results["cells"]) == 25
    assert {c["verdict"] for c in results["claims"]} <= {"reproduced", "not reproduced"}
    shown = figure("churchman_fig11", spectra, tmp_path / "fig11", work, "*")
    assert len(shown["cells"]) == 4
    one_phone = figure("churchman_figB2", spectra, tmp_path / "figB2", work, "*")
    assert len(one_phone["cells"]) == 25
    assert {c["verdict"] for c in shown["claims"]} <= {"reproduced", "not reproduced"}


def test_figure_a1_tells_what_survives(spectra, work, tmp_path):
    budget = ("--epochs", "1", "--per-class", "2", "--patience", "1", "--examples", "2")
    only = "*/inversion_unit2/*"
    results = figure("churchman_figA1", spectra, tmp_path, work, only, budget)
    found = {k: v for c in results["cells"] for k, v in c.get("result", {}).items()}
    assert set(found) == {"switch/inversion_unit2", "blind/inversion_unit2"}
    assert found["blind/inversion_unit2"]["phones_code_share"] == 0
    # With two units the filters that are zeroed are the last ones but one.
    assert found["switch/inversion_unit2"]["phones_decoder_share"] == 0
    page = (tmp_path / "index.html").read_text()
    assert len(re.findall("data:audio/wav;base64,", page)) == 2 * 4 * 3


def test_figure_a1_takes_a_given_encoder(spectra, given, tmp_path, monkeypatch):
    budget = ("--epochs", "1", "--per-class", "2", "--patience", "1", "--examples", "2")
    budget += ("--padded", given[1], "--optimizer", "adam", "--learning-rate", "0.003")
    only = "switch/freq_overlap_pad_ae/*"
    results = figure("churchman_figA1", spectra, tmp_path, tmp_path / "work", only, budget)
    (cell,) = [c for c in results["cells"] if "result" in c]
    assert len(cell["settings"]["encoder"]) == 64
    assert [p.name[:19] for p in (tmp_path / "work").glob("freq*")] == ["freq_overlap_pad_ae"]
    assert 0 <= results["networks"]["freq_overlap_pad"] <= 1
    text = (tmp_path / "results.md").read_text()
    assert "is a trained classifier's (freq_overlap_pad, " in text
    assert "1 epochs of 2 examples a class, Adam at 0.003, seed 0." in text
    (run,) = (tmp_path / "work").glob("freq*")
    assert zoo.Run.open(run).config["settings"]["optimizer"] == "adam"
    score = figures.accuracy(Path(given[1]), spectra, 0)
    assert results["networks"] == {"freq_overlap_pad": pytest.approx(score)}
    # Scored once: a second call finds the score where the cells are.
    monkeypatch.delattr(figures, "accuracy")
    again = figure("churchman_figA1", spectra, tmp_path, tmp_path / "work", only, budget)
    assert again["networks"] == results["networks"]


def test_figure_a1_has_every_autoencoder_of_the_zoo_that_may_have_switches():
    names = {key.partition("/")[2] for key in churchman_figa1._conditions(1)}
    listed = {*zoo.list_models(family="autoencoder"), *zoo.list_models(family="inversion")}
    assert names == listed - {"tdnn_ae", "crnn_frames_ae"}


def measured(change=()):
    """Numbers that hold every claim, but for the `change`s."""
    heights = {"annealing": 0.1, "gradient": 0.4, "decoder": 0.5, "decoder+gradient": 0.6}
    heights["search"] = 0.7
    measures = {}
    for method, height in heights.items():
        for place, layer in enumerate(churchman.LAYERS):
            value = height - 0.01 * place
            measures[method, layer] = {
                "phones_waveform_cross_correlation": value,
                "chirps_waveform_cross_correlation": 0.05,
                "phones_cross_correlation": 0.99 if layer == "L1" else value,
                "threshold": 0.12,
            }
    for method, layer, name, value in change:
        measures[method, layer][name] = value
    return Numbers({place: [one] for place, one in measures.items()})


WAVE = "waveform_cross_correlation"


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, [("gradient", "L1", f"phones_{WAVE}", 3.0)]),
        (1, [("decoder", "L6", f"phones_{WAVE}", 0.01)]),
        (2, [("decoder", "L1", "phones_cross_correlation", 0.94)]),
        (3, [("decoder+gradient", "L9", f"phones_{WAVE}", 0.7)]),
        (4, [("decoder", layer, f"chirps_{WAVE}", 0.9) for layer in churchman.LAYERS]),
        (5, [("gradient", "L12", f"phones_{WAVE}", 0.2)]),
        (6, [("gradient", "L12", f"phones_{WAVE}", 0.11)]),
        (7, [("decoder", layer, f"chirps_{WAVE}", 0.13) for layer in ("L3", "L6")]),
        (8, [("search", "L9", "phones_cross_correlation", 0.5)]),
    ],
)
def test_each_claim_of_figure_9_holds_or_not(number, change):
    claim = churchman_fig9.CLAIMS[number]
    assert claim.verdict(measured())["verdict"] == "reproduced"
    assert claim.verdict(measured(change))["verdict"] == "not reproduced"
    assert claim.verdict(Numbers({}))["verdict"] == "not run"


def test_claims_name_intervals_where_they_are_known():
    numbers = measured()
    for layer, half in zip(churchman.LAYERS, (0.01, 0.02, 0.03, 0.04, 0.05), strict=True):
        numbers.measures["decoder", layer][0][f"phones_{WAVE}_interval"] = half
    assert figures.value(numbers, "decoder", "L6", f"phones_{WAVE}") == "0.48 ± 0.03"
    assert figures.value(numbers, "gradient", "L6", f"phones_{WAVE}") == "0.38"
    mean = figures.mean_value(numbers, "decoder", churchman.LAYERS, f"phones_{WAVE}")
    assert mean == "0.48 ± 0.03"
    verdict = churchman_fig9.CLAIMS[0].verdict(numbers)
    assert "decoder 0.48 ± 0.03" in verdict["numbers"]


@pytest.fixture(scope="module")
def given(spectra, tmp_path_factory):
    """Runs of the thesis' network and of its twin, for `--network` and `--padded`."""
    folder = tmp_path_factory.mktemp("given")
    return [
        str(make_run(folder / name, name=name, frontend=spectra.frontend))
        for name in (churchman.NETWORK, churchman.PADDED)
    ]


def test_networks_that_are_given_are_looked_into_as_they_are(spectra, given, tmp_path):
    work = tmp_path / "work"
    budget = (*BUDGET, "--network", given[0], "--padded", given[1])
    results = figure("churchman_fig9", spectra, tmp_path / "out", work, "[gd]*[rt]/L1/*", budget)
    assert not list(work.glob("freq_overlap*")), "nothing is trained but a decoder"
    assert len(list(work.glob("decoder-L1-*"))) == 1
    cells = {c["key"]: c for c in results["cells"] if "result" in c}
    assert set(cells) == {f"{m}/L1/seed-0" for m in ("gradient", "decoder", "decoder+gradient")}
    settings = cells["gradient/L1/seed-0"]["settings"]
    assert "epochs" not in settings
    assert "learning_rate" not in results["budget"]
    assert results["given"] == {
        "freq_overlap": "freq_overlap",
        "freq_overlap_pad": "freq_overlap_pad",
    }
    paths = dict(zip((churchman.NETWORK, churchman.PADDED), map(Path, given), strict=True))
    context = Context(spectra.path, work, tmp_path / "out", given=paths)
    study = churchman.Study(settings, context)
    direct = reconstruct(
        zoo.load(given[0]), "conv1", study.sounds.inputs, "gradient", 0, optimizer="bold", steps=3
    )
    found = study.reconstructions("gradient", "L1")["reconstruction"]
    np.testing.assert_array_equal(found, direct.reconstruction)
    text = (tmp_path / "out" / "results.md").read_text()
    assert "AdaGrad" not in text
    assert "on 2 examples a class, normalised objective" in text
    assert "The same output whatever the input" not in text


def test_decoders_that_say_nothing_are_named(spectra, given, tmp_path):
    deaf = zoo.Run.open(
        make_run(tmp_path / "deaf", name=churchman.PADDED, frontend=spectra.frontend)
    )
    model = deaf.model
    first = model.get_layer("conv1")
    first.set_weights([0 * weight for weight in first.get_weights()])
    model.save(deaf.network)
    budget = (*BUDGET, "--network", given[0], "--padded", str(deaf.path))
    figure("churchman_figB2", spectra, tmp_path / "out", tmp_path, "decoder/L1/*", budget)
    text = (tmp_path / "out" / "results.md").read_text()
    assert "The same output whatever the input: decoder from L1." in text


def test_todays_search_stands_beside_and_learns_from_the_set_that_is_named(
    spectra, given, tmp_path
):
    tree = make_tree(tmp_path / "corpus", train=1, test=1, sentences=("SX1",))
    other = prepare(tree, tmp_path / "other", like=given[0])
    budget = (*BUDGET, "--network", given[0], "--padded", given[1])
    budget += ("--training", str(spectra.path))
    results = figure("churchman_figB1", other, tmp_path / "out", tmp_path, "search/L3/*", budget)
    (cell,) = [c for c in results["cells"] if "result" in c]
    assert cell["settings"]["training"] == spectra.manifest["plan"]
    paths = dict(zip((churchman.NETWORK, churchman.PADDED), map(Path, given), strict=True))
    context = Context(other.path, tmp_path, tmp_path / "out", spectra.path, paths)
    study = churchman.Study(cell["settings"], context)
    training = np.asarray(spectra.features("train"))
    direct = reconstruct(zoo.load(given[0]), "pool1", study.sounds.inputs, training=training)
    found = study.reconstructions("search", "L3")["reconstruction"]
    np.testing.assert_allclose(found, direct.reconstruction, atol=1e-5)
    assert "L-BFGS from a regression" in (tmp_path / "out" / "results.md").read_text()


def test_given_networks_that_do_not_fit_are_refused(spectra, given, small_set, tmp_path, capsys):
    words = ["experiment", "churchman_fig9", "--out", str(tmp_path), "--network", given[0]]
    assert main([*words, "--data", str(spectra.path)]) == 2
    assert "--network and --padded are given together" in capsys.readouterr().err
    words += ["--padded", given[1]]
    assert main([*words, "--data", str(small_set.path)]) == 2
    assert "prepare the corpus with --like" in capsys.readouterr().err
    tree = make_tree(tmp_path / "corpus", train=1, test=1, sentences=("SX2",))
    other = prepare(
        tree, tmp_path / "set", representation="real", length=str(spectra.frontend.length)
    )
    assert main([*words, "--data", str(other.path)]) == 2
    assert "has another mean than" in capsys.readouterr().err


def test_options_of_no_use_are_refused(spectra, tmp_path, capsys):
    words = ["--data", str(spectra.path), "--out", str(tmp_path)]
    for option in ("--examples", "--steps", "--annealing-steps", "--decoder-epochs"):
        assert main(["experiment", "churchman_fig9", *words, option, "0"]) == 2
        assert f"{option} must be 1 or more; received 0" in capsys.readouterr().err
    assert main(["experiment", "churchman_figA1", *words, "--examples", "0"]) == 2


def test_every_figure_has_its_source():
    assert len(FIGURES) == 6
    for name in FIGURES:
        assert published(name)["source"].startswith("Churchman (2015), figure")


def test_reconstructions_are_those_of_the_interface(figure_9, spectra, work):
    out, results = figure_9
    cell = next(c for c in results["cells"] if "result" in c)
    study = churchman.Study(cell["settings"], Context(spectra.path, work, out))
    network = zoo.load(study.run(churchman.NETWORK))
    direct = reconstruct(
        network, "conv1", study.sounds.inputs, "gradient", 0, optimizer="bold", steps=3
    )
    found = study.reconstructions("gradient", "L1")["reconstruction"]
    np.testing.assert_array_equal(found, direct.reconstruction)
