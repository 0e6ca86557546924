"""What a search looks for, and the front between measures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuning.objectives import pareto_front, parse_objective
from zoo.data.corpora.phones import accuracy_names
from zoo.errors import UsageError

MEASURES = {"accuracy_39": 0.5, "loss": 2.0, "parameters": 1000, "latency_ms": 3.0}


@pytest.mark.parametrize(
    ("text", "family", "name", "direction", "value"),
    [
        (None, "classifier", "accuracy_39", "max", 0.5),
        ("loss", "classifier", "loss", "min", 2.0),
        ("accuracy_39:2,parameters:-1e-4", "classifier", "score", "max", 0.9),
        ("accuracy_39:1, latency_ms:-0.1", "classifier", "score", "max", 0.2),
    ],
)
def test_objectives_are_read(text, family, name, direction, value):
    objective = parse_objective(text, family)
    assert (objective.name, objective.direction) == (name, direction)
    assert objective.value(MEASURES) == pytest.approx(value)


@pytest.mark.parametrize(
    ("groups", "name"),
    [
        ({"zero": "zero", "one": "one"}, "accuracy"),
        ({"p": "stop", "b": "stop", "s": "s"}, "folded_accuracy"),
    ],
)
def test_accuracy_39_stands_for_the_accuracy_over_any_labels(groups, name):
    names = accuracy_names(tuple(groups), groups)
    for text in (None, name, "accuracy_39"):
        objective = parse_objective(text, "classifier", names)
        assert (objective.text, objective.name, objective.direction) == (name, name, "max")
    weighted = parse_objective("accuracy_39:2,parameters:-1e-4", "classifier", names)
    assert weighted.text == f"{name}:2,parameters:-1e-4"
    assert weighted.value({name: 0.5, "parameters": 1000}) == pytest.approx(0.9)


def test_autoencoders_are_judged_by_their_euclidean_error():
    objective = parse_objective(None, "autoencoder")
    assert (objective.name, objective.direction) == ("euclidean_error", "min")
    assert objective.better(0.9, 1.1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("accuracy39", r"unknown objective 'accuracy39'\. Did you mean 'accuracy_39'"),
        ("euclidean_error", "unknown objective 'euclidean_error'"),
        ("accuracy_39:1,loss", "takes a weight for each"),
        (
            "accuracy_39:1,parameters:1e-7",
            "weight of parameters in the objective must be a negative",
        ),
        ("accuracy_39:-1,loss:-1", "weight of accuracy_39 in the objective must be a positive"),
        ("accuracy_39:x,loss:-1", "must be a positive number"),
        ("accuracy_39:nan,loss:-1", "must be a positive number"),
        ("loss:-1,loss:-2", "names 'loss' twice"),
    ],
)
def test_a_wrong_objective_says_what_would_be_right(text, message):
    with pytest.raises(UsageError, match=message):
        parse_objective(text, "classifier")


def test_a_measure_that_training_does_not_report_is_named():
    with pytest.raises(UsageError, match="training reports no 'accuracy_39' for the objective"):
        parse_objective(None, "classifier").value({"loss": 1.0})


def test_a_front_by_hand():
    points = [
        {"accuracy": 0.7, "parameters": 100},
        {"accuracy": 0.8, "parameters": 200},
        {"accuracy": 0.75, "parameters": 300},  # beaten by the second
        {"accuracy": 0.7, "parameters": 100},  # as good as the first
        {"accuracy": 0.6, "parameters": 50},
    ]
    assert pareto_front(points, {"accuracy": True, "parameters": False}) == [0, 1, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_nothing_on_a_front_is_beaten_and_all_else_is(pairs):
    points = [{"a": a, "b": b} for a, b in pairs]
    front = pareto_front(points, {"a": True, "b": False})
    for i, (a, b) in enumerate(pairs):
        beaten = any((x >= a and y <= b) and (x, y) != (a, b) for x, y in pairs)
        assert (i in front) != beaten
