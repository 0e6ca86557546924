"""Options declared once: command lines, checks and records that follow from a settings class."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from tuning.settings import Budget, Plan
from zoo.data.sets.settings import PairSettings, Preparation
from zoo.errors import UsageError
from zoo.files import write_json
from zoo.runs import Run
from zoo.settings import (
    above,
    add_options,
    again,
    as_record,
    at_least,
    changed,
    check,
    from_arguments,
    from_record,
    given,
    implied,
    option,
)
from zoo.training.settings import AutoencoderSettings, Settings, TrainingSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """Options of every kind."""

    place: Path = option(name="place", metavar="PLACE", help="Place")
    count: int = option(3, check=at_least(1), help="Number of things")
    share: float | None = option(None, check=above(0), help="Share, in %")
    kind: str = option("plain", choices=("plain", "fancy"), help="Kind")
    pair: tuple[float, float] = option((1.0, 2.0), nargs=2, help="Two numbers")
    names: list[str] = option([], help="Name")
    loud: bool = option(False, help="Make noise")
    marks: bool = option(True, name="--no-marks", help="Leave marks out")
    number: int | None = option(None, name="--version", help="Version")
    old: str = option("new way", implied="old way", help="Way")


def parsed(*words: str, **options) -> argparse.Namespace:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, Example, **options)
    return parser.parse_args(list(words))


def test_a_command_line_gives_typed_settings():
    words = ["here", "--count", "5", "--share", "0.5", "--pair", "3", "4", "--no-marks"]
    found = from_arguments(
        Example, parsed(*words, "--names", "a", "--names", "b", "--version", "7")
    )
    assert found == Example(
        place=Path("here"),
        count=5,
        share=0.5,
        pair=(3.0, 4.0),
        names=["a", "b"],
        marks=False,
        number=7,
    )
    assert from_arguments(Example, parsed("here")) == Example(place=Path("here"))


def test_help_names_the_default_once(capsys):
    parser = argparse.ArgumentParser()
    add_options(parser, Example, defaults={"count": 9})
    text = " ".join(parser.format_help().split())
    assert "Number of things (default: 9)" in text
    assert "Two numbers (default: 1 2)" in text
    assert "Share, in % " in text
    assert from_arguments(Example, parser.parse_args(["here"])).count == 9


def test_options_that_are_not_given_leave_room_for_others():
    args = parsed("here", "--kind", "plain", given_only=True)
    assert given(Example, args) == ["place", "--kind"]
    assert from_arguments(Example, args, kind="fancy", count=8) == Example(
        place=Path("here"), kind="plain", count=8
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count must be 1 or more; received 0."),
        ({"count": "5"}, "count must be a whole number, 1 or more; received '5'."),
        ({"count": True}, "count must be a whole number, 1 or more; received True."),
        ({"count": None}, "count must be a whole number, 1 or more; received None."),
        ({"share": math.nan}, "share must be above 0; received nan."),
        ({"share": math.inf}, "share must be above 0; received inf."),
        ({"kind": "plane"}, "unknown kind 'plane'. Did you mean 'plain'?"),
        ({"loud": 1}, "loud must be true or false; received 1."),
    ],
)
def test_a_broken_rule_is_named_with_what_was_received(changes, message):
    with pytest.raises(UsageError) as error:
        check(Example(place=Path("here"), **changes))
    assert str(error.value) == message


def test_a_value_of_another_type_breaks_the_rule():
    with pytest.raises(UsageError, match="snr must be two numbers from -100 to 100 dB"):
        check(PairSettings(snr=("loud", "low")))


def test_a_command_line_is_told_of_its_own_words():
    with pytest.raises(UsageError, match=r"^--count must be 1 or more; received -2\.$"):
        from_arguments(Example, parsed("here", "--count", "-2"))


def test_an_unknown_keyword_is_told_the_nearest():
    with pytest.raises(UsageError, match=r"unknown option 'cuont'\. Did you mean 'count'"):
        changed(Example(place=Path("here")), {"cuont": 3})


def test_another_class_can_have_an_option_with_another_default_and_rule():
    @dataclasses.dataclass(frozen=True)
    class Other:
        count: int = again(Example, "count", 0, check=at_least(0))

    check(Other())
    with pytest.raises(UsageError, match="count must be 0 or more; received -1"):
        check(Other(count=-1))


@drawn(
    st.builds(
        Example,
        place=st.text("ab/", min_size=1).map(Path),
        count=st.integers(1),
        share=st.none() | st.floats(1e-9, 1e9),
        kind=st.sampled_from(["plain", "fancy"]),
        pair=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
        names=st.lists(st.text()),
        loud=st.booleans(),
        marks=st.booleans(),
        number=st.none() | st.integers(),
    )
)
def test_a_record_gives_the_same_settings_back(settings):
    record = json.loads(json.dumps(as_record(settings)))
    assert from_record(Example, record) == settings


@drawn(
    st.builds(
        Plan,
        model=st.text(),
        data=st.text(),
        max_trials=st.none() | st.integers(1),
        budget=st.builds(Budget, max_params=st.none() | st.integers(1)),
        narrowed=st.dictionaries(st.text(), st.lists(st.integers())),
        only=st.none() | st.lists(st.text()),
    )
)
def test_a_search_comes_back_from_its_record(plan):
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize("settings", [Settings, AutoencoderSettings, Preparation, PairSettings])
def test_defaults_keep_their_own_rules_and_come_back_from_a_record(settings):
    check(settings())
    assert from_record(settings, json.loads(json.dumps(as_record(settings())))) == settings()


def test_older_records_have_what_was_implied_and_newer_ones_may_say_more():
    found = from_record(Example, {"place": "here", "count": 4, "unheard_of": 1})
    assert found == Example(place=Path("here"), count=4, old="old way")
    older = {"epochs": 3, "per_class": 10, "seed": 1}
    assert from_record(Settings, older) == Settings(epochs=3, per_class=10, seed=1)
    assert implied(Settings)["optimizer"] == "adagrad"
    assert implied(AutoencoderSettings)["patch"] == [20, 4]


@pytest.mark.parametrize(
    ("settings", "newer", "other", "message"),
    [
        (Settings(), ("optimizer", "schedule"), {"optimizer": "adam"}, "optimizer 'adagrad', now"),
        (AutoencoderSettings(), ("patch", "sparse"), {"patch": (10, 2)}, r"patch \[20, 4\], now"),
    ],
)
def test_runs_from_before_an_option_resume_unless_it_is_set(
    tmp_path, settings, newer, other, message
):
    record = as_record(settings)
    old = {key: value for key, value in record.items() if key not in newer}
    write_json(tmp_path / "config.json", {"settings": old})
    assert Run.create(tmp_path, record, implied(type(settings))).epoch == 0
    with pytest.raises(UsageError, match=message):
        Run.create(tmp_path, {**record, **other}, implied(type(settings)))


def test_settings_of_both_kinds_of_networks_share_the_options_of_training():
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, TrainingSettings)
    add_options(parser, Settings, beside=[TrainingSettings])
    add_options(parser, AutoencoderSettings, beside=[TrainingSettings])
    args = parser.parse_args(["--epochs", "7", "--schedule", "cosine", "--stack", "weak"])
    assert from_arguments(Settings, args) == Settings(epochs=7, schedule="cosine")
    assert from_arguments(AutoencoderSettings, args) == AutoencoderSettings(epochs=7, stack="weak")
