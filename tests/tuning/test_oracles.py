"""The four oracles: rebuilt from the journal they propose what they would have proposed."""

import dataclasses
import hashlib

import pytest

from tuning.journal import Journal
from tuning.kerastuner import TrialStatus
from tuning.objectives import parse_objective
from tuning.oracles import make_oracle, own_values
from tuning.settings import TUNERS, Budget
from tuning.spaces import Space
from zoo.errors import RunError, UsageError

SHAPE = (20, 6, 1)
NAMES = ["units", "dense_units", "dropout", "learning_rate"]
LIMIT = 6
NARROWED = {"units": [2, 3]}


def score(values):
    """What a trial with these values would come to, without training it."""
    digest = hashlib.sha256(repr(sorted(values.items())).encode()).digest()
    return values["dropout"] + values["learning_rate"] + digest[0] / 1000


@dataclasses.dataclass
class Hunt:
    """A search without training: an oracle, its journal, and scores by formula."""

    path: object
    tuner: str
    seed: int = 3
    limit: int | None = LIMIT
    only: tuple = tuple(NAMES)
    budget: Budget = dataclasses.field(default_factory=Budget)

    def oracle(self):
        self.values = {}
        space = Space("freq_fullpad", SHAPE, 3, self.budget, narrowed=NARROWED, only=self.only)
        objective = parse_objective(None, "classifier")
        oracle = make_oracle(self.tuner, space, objective, self.seed, 9, self.limit)
        oracle.attach(space, Journal(self.path), self.limit, self.values.__setitem__, self._end)
        return oracle

    def _end(self, trial_id):
        values = next(
            e["values"] for e in self.journal() if e["event"] == "create" and e["trial"] == trial_id
        )
        if int(trial_id) == 2:
            return {"status": "FAILED", "value": None, "error": "the loss became nan"}
        return {"status": "COMPLETED", "value": score(values), "error": None}

    def journal(self):
        return Journal(self.path).events

    def run(self, steps=10**6):
        """Take `steps` decisions: a trial given out, or a trial ended."""
        oracle = self.oracle()
        while steps > 0:
            trial = oracle.create_trial("this")
            steps -= 1
            if trial.status == TrialStatus.STOPPED or not steps:
                break
            trial.status = TrialStatus.COMPLETED
            oracle.end_trial(trial)
            steps -= 1
        return oracle


def decisions(hunt):
    """Events without what depends on the clock."""
    return [e for e in hunt.journal() if e["event"] != "refuse"]


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_broken_off_anywhere_ends_as_the_unbroken_one(tuner, tmp_path):
    limit = {"hyperband": None, "bayesian": 5}.get(tuner, LIMIT)
    whole = Hunt(tmp_path / "whole", tuner, limit=limit)
    unbroken = whole.run()
    broken = Hunt(tmp_path / "broken", tuner, limit=limit)
    for steps in [1, 2, 3, 1, 4] * 10:
        before = len(broken.journal()) if (tmp_path / "broken").exists() else -1
        broken.run(steps)
        if len(broken.journal()) == before and steps > 1:
            break
    rebuilt = broken.run()
    assert decisions(broken) == decisions(whole)
    assert unbroken.failure is None
    assert rebuilt.results == unbroken.results
    assert len(unbroken.results) == (limit or len(unbroken.results))
    best = [o.get_best_trials()[0].trial_id for o in (unbroken, rebuilt)]
    assert best[0] == best[1]


@pytest.mark.parametrize(("tuner", "limit"), [("random", 10), ("bayesian", 5), ("grid", 16)])
def test_no_combination_is_tried_twice(tuner, limit, tmp_path):
    hunt = Hunt(tmp_path / "journal", tuner, limit=limit, only=("dropout",))
    hunt.run()
    tried = [repr(e["values"]) for e in hunt.journal() if e["event"] == "create"]
    assert len(tried) == len(set(tried)) == min(limit, 2 * 8)


def test_the_model_itself_comes_first(tmp_path):
    for tuner in TUNERS:
        hunt = Hunt(tmp_path / tuner, tuner)
        hunt.run(1)
        space = Space("freq_fullpad", SHAPE, 3, narrowed=NARROWED, only=NAMES)
        if space.problem(space.hyperparameters().values) is None:
            first = hunt.journal()[-1]["values"]
            assert own_values(first) == space.hyperparameters().values


def test_a_grid_is_exhausted(tmp_path):
    hunt = Hunt(tmp_path / "journal", "grid", limit=None, only=("dropout", "initial_accumulator"))
    oracle = hunt.run()
    names = ("units", "dropout", "initial_accumulator")
    pairs = {tuple(v[name] for name in names) for v in hunt.values.values()}
    assert len(pairs) == len(oracle.results) == 2 * 8 * 2


def test_networks_over_the_budget_are_refused_and_said_why(tmp_path):
    for tuner in ("random", "hyperband", "grid"):
        hunt = Hunt(
            tmp_path / tuner,
            tuner,
            limit=4,
            budget=Budget(max_params=9000),
            only=("dense_units", "dropout"),
        )
        hunt.run()
        space = Space(
            "freq_fullpad", SHAPE, 3, Budget(max_params=9000), narrowed=NARROWED, only=hunt.only
        )
        assert len(hunt.values) == 4
        for values in hunt.values.values():
            configuration = space.configuration_of(own_values(values))
            assert space.build(configuration).count_params() <= 9000
        refused = [e for e in hunt.journal() if e["event"] == "refuse"]
        assert any("parameters, more than 9,000" in e["why"] for e in refused)


def test_hyperband_continues_the_better_half(tmp_path):
    hunt = Hunt(tmp_path / "journal", "hyperband", limit=None)
    oracle = hunt.run()
    continued = {v["tuner/trial_id"] for v in hunt.values.values() if "tuner/trial_id" in v}
    first_round = [
        t for t, v in hunt.values.items() if v["tuner/round"] == 0 and v["tuner/bracket"] == 2
    ]
    taken = [t for t in first_round if t in continued]
    left = [t for t in first_round if t not in continued and t != "0002"]
    worst_taken = min(oracle.results[t]["value"] for t in taken)
    assert worst_taken >= max(oracle.results[t]["value"] for t in left)
    assert max(v["tuner/epochs"] for v in hunt.values.values()) == 9


def test_an_impossible_space_ends_the_search_with_the_reason(tmp_path):
    hunt = Hunt(tmp_path / "journal", "random", only=("dropout",), budget=Budget(max_params=10))
    oracle = hunt.run()
    assert isinstance(oracle.failure, UsageError)
    assert "parameters, more than 10" in str(oracle.failure)


def test_a_journal_that_was_changed_is_refused(tmp_path):
    hunt = Hunt(tmp_path / "journal", "random")
    hunt.run()
    changed = (tmp_path / "journal").read_text().replace('"units": 3', '"units": 2')
    (tmp_path / "journal").write_text(changed)
    with pytest.raises(RunError, match="cannot be drawn again"):
        hunt.oracle()


def test_neighbouring_seeds_draw_different_trials(tmp_path):
    # keras-tuner takes the seed as a counter: seeds next to each other would share their draws.
    hunts = [Hunt(tmp_path / str(seed), "random", seed=seed) for seed in (0, 1)]
    for hunt in hunts:
        hunt.run()
    drawn = [{repr(v) for t, v in hunt.values.items() if t != "0000"} for hunt in hunts]
    assert not drawn[0] & drawn[1]
    again = Hunt(tmp_path / "again", "random", seed=0)
    again.run()
    assert again.values == hunts[0].values


def test_the_trial_of_a_dead_worker_is_run_by_another(tmp_path):
    hunt = Hunt(tmp_path / "journal", "random", limit=2)
    oracle = hunt.oracle()
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    assert oracle.requeue("a") == first.trial_id
    again = oracle.create_trial("c")
    assert again.trial_id == first.trial_id
    for trial in (again, second, first):  # the first worker was only slow
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    assert oracle.finished
    assert [e["trial"] for e in hunt.journal() if e["event"] == "end"] == ["0000", "0001"]
