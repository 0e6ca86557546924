"""Whole searches, with real trainings: what they leave, refuse, survive and pick up again."""

import dataclasses
import errno
import json
import random
import re
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

import zoo
from tuning.data import a_few, training_and_validation
from tuning.report import write_report
from tuning.search import Search
from tuning.settings import Budget, Plan
from tuning.study import Study
from tuning.trials import sentence
from tuning.winner import save_preset
from zoo.cli import main
from zoo.errors import RunError, UsageError
from zoo.files import read_json

ONLY = ["units", "dropout", "dense_units", "learning_rate", "padding"]
FAST = {"epochs": 1, "per_class": 2, "seed": 3, "only": ONLY}


def plan_of(prepared, **options):
    options = {"max_trials": 3, "budget": Budget(max_params=60_000), **FAST, **options}
    return Plan("time", str(prepared.path), **options)


def search_in(folder, plan, **options):
    search = Search(Study(folder, plan), **options)
    with search.study.locked():
        search.prepare()
        search.run()
    return search


def values(search):
    return {t: r["value"] for t, r in search.oracle.results.items()}


def values_and_results(search):
    return [(search.study.values(t), r) for t, r in search.oracle.results.items()]


def unfinished(whole, folder):
    """A copy of a study whose last trial was interrupted before its training."""
    shutil.copytree(whole.study.path, folder)
    journal = folder / "journal.jsonl"
    *lines, last = journal.read_text().splitlines(True)
    assert '"event": "end"' in last
    journal.write_text("".join(lines))
    (folder / "trials" / "0002" / "result.json").unlink()
    shutil.rmtree(folder / "trials" / "0002" / "run-0")
    return folder


@pytest.fixture(scope="module")
def whole(prepared, tmp_path_factory):
    """A search that nothing interrupted; only the best trial's weights are kept."""
    search = search_in(tmp_path_factory.mktemp("w") / "study", plan_of(prepared), keep=1)
    write_report(search)
    return search


def test_a_search_leaves_results_a_report_and_bounded_weights(whole):
    study, best = whole.study, whole.best()[0]
    assert list(values(whole)) == ["0000", "0001", "0002"]
    assert [t for t in values(whole) if study.has_weights(t)] == [best]
    record = read_json(study.path / "results.json")
    assert [t["trial"] for t in record["trials"]] == whole.best()
    for trial in record["trials"]:
        assert trial["measures"]["parameters"] <= 60_000
        assert trial["value"] == trial["measures"]["accuracy_39"]
    page = (study.path / "report.html").read_text()
    assert 'src="data:image/png' in page
    assert "http" not in page.replace("http-equiv", "")
    assert list((study.path / "hparams").glob("*/events*"))


def test_hparams_hold_the_values_that_were_tried(whole):
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    (file,) = (whole.study.path / "hparams" / "0001").glob("events*")
    found, scalars = {}, {}
    for raw in RawEventFileLoader(str(file)).Load():
        for value in Event.FromString(raw).summary.value:
            content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
            for name, entry in content.session_start_info.hparams.items():
                found[name] = getattr(entry, entry.WhichOneof("kind"))
            if value.HasField("simple_value"):
                scalars[value.tag] = value.simple_value
    tried = whole.study.values("0001")
    assert found == tried
    assert scalars["accuracy_39"] == pytest.approx(values(whole)["0001"])


def test_a_finished_search_has_nothing_to_do_and_can_be_extended(whole, prepared, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(whole.study.path, folder)
    again = search_in(folder, plan_of(prepared))
    assert values(again) == values(whole)
    for _ in range(2):  # the second time it is done already
        longer = search_in(folder, plan_of(prepared), extend=1)
        assert list(values(longer)) == ["0000", "0001", "0002", "0003"]
    assert {t: v for t, v in values(longer).items() if t != "0003"} == values(whole)


def test_a_study_whose_accuracy_is_called_after_phones_goes_on(tmp_path):
    from tests.helpers.annotations import make_recordings, records_of, write_csv
    from zoo.data import open_corpus, prepare

    rows = make_recordings(tmp_path / "speech", takes=3)
    table = write_csv(tmp_path / "speech" / "segments.csv", records_of(rows))
    own = prepare(open_corpus(table), tmp_path / "set", representation="log_magnitude")
    first = search_in(tmp_path / "study", plan_of(own, max_trials=1))
    assert first.study.objective.name == "accuracy"
    assert first.oracle.results["0000"]["measures"]["accuracy"] == values(first)["0000"]
    # As every study was written before.
    study = first.study.path
    for file in (
        *(study / "study.json", study / "journal.jsonl"),
        *(study / "trials" / "0000").glob("**/*.json"),
    ):
        text = re.sub(r'"(val_)?accuracy"', r'"\1accuracy_39"', file.read_text())
        file.write_text(text)
    longer = search_in(study, plan_of(own, max_trials=1, objective="accuracy_39"), extend=1)
    assert values(longer)["0000"] == values(first)["0000"]
    page = write_report(longer).read_text()
    assert "accuracy_39" not in page.partition("Space")[0]
    assert {"accuracy"} == {
        key
        for trial in read_json(study / "results.json")["trials"]
        for key in trial["measures"]
        if "accuracy" in key
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 4}, "seed 3, now 4"),
        ({"objective": "loss"}, 'objective "accuracy_39", now "loss"'),
        ({"narrowed": {"dropout": [0.5]}}, r"space dropout values \[0.0, .*, 0.7\], now value 0.5"),
        ({"budget": Budget(max_params=50_000)}, "budget max_params 60000, now 50000"),
        ({"max_trials": 9}, "max_trials 3, now 9.*added by --extend"),
    ],
)
def test_another_search_in_the_same_folder_is_refused(whole, prepared, options, message):
    with pytest.raises(UsageError, match=message):
        Search(Study(whole.study.path, plan_of(prepared, **options))).prepare()


def test_other_data_in_the_same_folder_are_refused(whole, prepared, tmp_path):
    from tests.helpers.trees import make_tree
    from zoo.data import prepare

    tree = make_tree(tmp_path / "corpus", train=6, test=2, sentences=("SX1", "SX2"), seed=9)
    other = prepare(
        tree,
        tmp_path / "set",
        representation="log_magnitude",
        length=prepared.manifest["length"],
    )
    with pytest.raises(UsageError, match="the prepared set's content differs"):
        Study(whole.study.path, plan_of(other)).check()


def test_two_searches_cannot_share_a_folder(whole):
    with (
        whole.study.locked(),
        pytest.raises(RunError, match="another search is running"),
        Study(whole.study.path, whole.study.plan).locked(),
    ):
        pass


def test_a_failing_trial_is_a_result_and_the_search_goes_on(prepared, tmp_path, monkeypatch):
    import tuning.trials as trials

    def train(name, *args, overrides, **options):
        if (overrides["dropout"], args[-1].learning_rate) == (0.2, 0.01):
            keras.ops.zeros([2**20, 2**20, 2**10]) + 1  # 4 PiB
        return trials_train(name, *args, overrides=overrides, **options)

    trials_train = trials.train_classifier
    monkeypatch.setattr(trials, "train_classifier", train)
    narrowed = {"learning_rate": [0.01, 3e38], "dropout": [0.2, 0.5]}
    plan = plan_of(prepared, tuner="grid", only=[], narrowed=narrowed, max_trials=4)
    plan = dataclasses.replace(plan, budget=Budget())
    search = search_in(tmp_path / "study", plan)
    ended = {(v["learning_rate"], v["dropout"]): r for v, r in values_and_results(search)}
    assert len(ended) == 4
    assert ended[0.01, 0.5]["status"] == "COMPLETED"
    assert "loss became nan" in ended[3e38, 0.2]["error"]
    assert ended[0.01, 0.2]["status"] == "FAILED"
    assert ended[0.01, 0.2]["error"].startswith("it ran out of memory (")
    page = write_report(search).read_text()
    assert "loss became nan" in page
    assert "it ran out of memory" in page


def test_a_network_too_large_for_the_memory_is_refused(prepared, tmp_path):
    plan = plan_of(prepared, tuner="grid", only=[], narrowed={"dense_units": [32, 2**40]})
    search = search_in(tmp_path / "study", dataclasses.replace(plan, budget=Budget()))
    assert list(values(search)) == ["0000"]
    refused = [e["why"] for e in search.oracle.journal.events if e["event"] == "refuse"]
    assert refused == ["its weights do not fit into this machine's memory"]


def test_a_trial_that_crashed_the_process_is_not_run_again(whole, prepared, tmp_path):
    folder = unfinished(whole, tmp_path / "study")
    crash = [sys.executable, "-X", "faulthandler", "-c", "import faulthandler as f; f._sigsegv()"]
    said = subprocess.run(crash, stderr=subprocess.PIPE, text=True).stderr
    (folder / "trials" / "0002" / "crash.txt").write_text(said)
    results = search_in(folder, plan_of(prepared)).oracle.results
    assert [r["status"] for r in results.values()] == ["COMPLETED", "COMPLETED", "FAILED"]
    assert results["0002"]["error"] == "it crashed the process that ran it (Segmentation fault)"


def test_errors_are_said_in_a_sentence():
    assert sentence(MemoryError()) == "it ran out of memory (MemoryError)"
    assert sentence(ValueError("first line\nsecond")) == "ValueError: first line"
    full = "RESOURCE_EXHAUSTED: logs/events; No space left on device"
    assert not sentence(OSError(full)).startswith("it ran out of memory")


def test_a_trial_broken_off_before_its_first_epoch_is_taken_up(whole, prepared, tmp_path):
    folder = unfinished(whole, tmp_path / "study")
    # What a kill leaves of a run that was being laid out.
    run = folder / "trials" / "0002" / "run-0"
    (run / "checkpoints").mkdir(parents=True)
    prepared.frontend.save(run)
    (run / ".17.tmp.config.json").write_text("{")
    assert values(search_in(folder, plan_of(prepared))) == values(whole)


def test_a_disk_that_fills_in_a_trial_ends_the_search(whole, prepared, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    shutil.copytree(whole.study.path, folder)

    def full(model, *args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        # Keras takes the cause off an exception that comes out of `fit`.
        patch.setattr(keras.Model, "save", full)
        with pytest.raises(RunError, match="the disk is full; free some space"):
            search_in(folder, plan_of(prepared), extend=1)
    assert not (folder / "trials" / "0003" / "result.json").exists()
    longer = search_in(folder, plan_of(prepared), extend=1)
    assert {t: v for t, v in values(longer).items() if t != "0003"} == values(whole)
    assert longer.oracle.results["0003"]["status"] == "COMPLETED"


def test_a_rehearsal_that_fails_leaves_no_study(prepared, tmp_path):
    plan = plan_of(prepared, narrowed={"learning_rate": [3e38]})
    with pytest.raises(RunError, match="loss became nan"):
        Search(Study(tmp_path / "study", plan)).prepare()
    assert not (tmp_path / "study" / "study.json").exists()


def test_validation_speakers_are_no_training_and_no_test_speakers(prepared):
    parts = training_and_validation(prepared, seed=0)
    assert parts.splits == ["train", "dev"]
    if "dev" not in prepared.splits:
        named = {s: set(parts.segments(s).speaker) for s in parts.splits}
        assert not named["train"] & named["dev"]
    few = a_few(parts)
    x = few.features("dev")
    assert len(x) == len(few.labels("dev")) <= 64
    np.testing.assert_array_equal(np.asarray(x)[:2], x[[0, 1]])


def test_held_out_speakers_validate_where_there_is_no_dev_split(prepared):
    class Without(type(prepared)):
        splits = property(lambda self: ["train", "test"])

    parts = training_and_validation(Without(prepared.path), seed=0)
    named = {s: set(parts.segments(s).speaker.tolist()) for s in ("train", "dev")}
    assert not named["train"] & named["dev"]
    assert named["train"] | named["dev"] == set(prepared.segments("train").speaker.tolist())
    assert len(parts.features("train")) + len(parts.labels("dev")) == len(prepared.labels("train"))


def test_the_winner_becomes_a_model_of_the_zoo(whole, prepared, tmp_path, monkeypatch):
    from zoo.evaluation.runs import evaluate
    from zoo.presets import check_name
    from zoo.registry import own_models

    monkeypatch.setenv("ZOO_PRESETS", str(tmp_path / "presets"))
    best = whole.best()[0]
    for _ in range(2):  # the same study may write it again
        save_preset(whole.study, best, whole.oracle.results[best], "mine")
    card = zoo.describe("mine")
    assert "mine" in zoo.list_models(family="classifier")
    built = zoo.build("mine", weights="mine")
    trained = whole.study.run(best).model
    assert built.count_params() == card.parameters == trained.count_params()
    x = np.asarray(prepared.features("test")[:4])
    np.testing.assert_array_equal(built.predict(x, verbose=0), trained.predict(x, verbose=0))
    assert card.recipe.get("learning_rate", 0.01) == whole.study.values(best)["learning_rate"]
    scores = evaluate("mine", prepared).scores
    assert scores["model"] == "mine"
    with pytest.raises(UsageError, match="exists already"):
        check_name("mine", "another study", own_models())
    with pytest.raises(UsageError, match="is a model of the zoo"):
        check_name("freq", "another study", own_models())


def test_a_broken_preset_is_left_out_with_a_warning(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_PRESETS", str(tmp_path))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "preset.json").write_text("{")
    with pytest.warns(UserWarning, match="a preset is ignored"):
        assert "broken" not in zoo.list_models()


def command(prepared, folder, trials, tuner="random"):
    words = [sys.executable, "-m", "zoo", "tune", "time", "--data", prepared.path]
    words += ["--out", folder, "--max-trials", trials, "--epochs", 1, "--per-class", 2]
    words += ["--seed", 3, "--only", ",".join(ONLY), "--max-params", 60_000, "--tuner", tuner]
    return [str(w) for w in words]


def ends(folder):
    # A kill may have cut the last line.
    *lines, _ = (folder / "journal.jsonl").read_text().split("\n")
    events = [json.loads(line) for line in lines]
    return {e["trial"]: e["result"]["value"] for e in events if e["event"] == "end"}


def killed_again_and_again(prepared, folder, trials, kills, tuner, seconds):
    """Run the command, killing it `kills` times; checks that no finished trial is lost.

    Each kill comes up to `seconds` after the search has begun or gone on.
    """
    rng, done = random.Random(0), {}
    for _ in range(kills):
        process = subprocess.Popen(
            command(prepared, folder, trials, tuner),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert any(line.startswith("trial ") for line in process.stderr)
        time.sleep(rng.uniform(0, seconds))
        assert process.poll() is None, "the search was over before the kill"
        process.kill()
        process.wait()
        process.stderr.close()
        now = ends(folder)
        assert done.items() <= now.items()
        done = now
    assert main(command(prepared, folder, trials, tuner)[3:]) == 0


def check_same(prepared, folder, unbroken, kills, tuner):
    trials = len(unbroken.oracle.results)
    mean = sum(r["seconds"] for r in unbroken.oracle.results.values()) / trials
    killed_again_and_again(prepared, folder, trials, kills, tuner, 1.2 * mean)
    events = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    created = [e for e in events if e["event"] == "create"]
    ended = [e["trial"] for e in events if e["event"] == "end"]
    assert len(ended) == len(set(ended)) == len(created) == trials
    assert len({repr(e["values"]) for e in created}) == trials
    assert ends(folder) == values(unbroken)


def test_a_search_that_is_killed_ends_as_the_unbroken_one(whole, prepared, tmp_path):
    check_same(prepared, tmp_path / "study", whole, 1, "random")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("tuner", ["random", "grid"])
def test_twenty_kills_change_nothing(prepared, tmp_path, tuner):
    unbroken = search_in(tmp_path / "unbroken", plan_of(prepared, tuner=tuner, max_trials=14))
    check_same(prepared, tmp_path / "study", unbroken, 20, tuner)
