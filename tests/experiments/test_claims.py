"""The thesis' conclusions, judged by the thesis' own figures."""

import pytest

from zoo.data.corpora.phones import accuracy_names
from zoo.experiments.engine.claims import Claim, Numbers, below, claims_table
from zoo.experiments.engine.published import published
from zoo.experiments.engine.tables import numbers_of
from zoo.experiments.riemens2015 import table2 as riemens_table2
from zoo.experiments.riemens2015 import table3 as riemens_table3
from zoo.experiments.riemens2015 import table4 as riemens_table4
from zoo.experiments.riemens2015 import table5 as riemens_table5

TABLES = [m.TABLE for m in (riemens_table2, riemens_table3, riemens_table4, riemens_table5)]


def thesis_numbers(table):
    """What was published, in the form of our measures."""
    source = published(table.name)
    found = {}
    for row, columns in source["cells"].items():
        for column, cell in columns.items():
            if column == "condition" or "test" not in cell:
                continue
            measures = {table.measure: cell["test"]}
            if table.unit:
                measures[table.unit[0]] = source[table.unit[1]]
            found[row, column] = [measures]
    for place, same in table.same.items():
        if same in found:
            found.setdefault(place, found[same])
    return Numbers(found)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_published_figures_have_our_rows_and_columns(table):
    cells = published(table.name)["cells"]
    assert set(cells) <= set(table.rows)
    ours = {"freq_best", "conv2d", "adam"} if table.name == "riemens_table2" else set()
    assert set(table.rows) - set(cells) == ours & set(table.rows)
    for row in cells.values():
        assert set(row) - {"condition"} == set(table.columns) - ours


# What the thesis says of numbers that it does not give, and of networks that are ours.
UNJUDGED = {
    "riemens_table2": {
        "No 2-D convolution was found that does well": "not run",
        "freq_best beats every network of the table": "not run",
    },
    "riemens_table3": {
        "Yet its output looks like the input": "not run",
    },
    "riemens_table4": {
        "Networks with blind upsampling always output the average": "not run",
    },
    "riemens_table5": {
        "The Euclidean error does not predict how useful an encoder is": "not run",
    },
}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_the_thesis_figures_bear_its_conclusions_out(table):
    numbers = thesis_numbers(table)
    verdicts = {v["claim"]: v for v in (claim.verdict(numbers) for claim in table.claims)}
    assert len(verdicts) == len(table.claims)
    expected = dict.fromkeys(verdicts, "reproduced") | UNJUDGED[table.name]
    assert {text: v["verdict"] for text, v in verdicts.items()} == expected


def test_a_claim_is_judged_by_means_over_seeds_and_missing_numbers_are_named():
    claim = Claim("a is less", "here", "a < b", below([(("a", "x", "m"), ("b", "x", "m"))]))
    numbers = {("a", "x"): [{"m": 1.0}, {"m": 4.0}], ("b", "x"): [{"m": 3.0}]}
    found = claim.verdict(Numbers(numbers))
    assert found["verdict"] == "reproduced"
    assert found["numbers"] == "a against b, x: 2.5 < 3"
    numbers["b", "x"] = [{"m": 2.5}]
    found = claim.verdict(Numbers(numbers))
    assert found["verdict"] == "not reproduced"
    assert found["numbers"] == "a against b, x: 2.5 ≥ 2.5"
    del numbers["b", "x"]
    missing = claim.verdict(Numbers(numbers))
    assert (missing["verdict"], missing["numbers"]) == ("not run", "missing: m of b, x")
    assert "**not run**" in claims_table([found, missing])


def test_accuracies_over_any_labels_are_found_under_the_names_of_phones():
    digits = {"zero": "zero", "one": "one"}
    names = accuracy_names(tuple(digits), digits)
    records = [
        {"result": {"a/b": {"accuracy": 0.25, "balanced_accuracy": 0.5, "epochs": 3}}},
        # As cells of such sets were written before.
        {
            "result": {
                "a/b": {"accuracy_39": 0.75, "accuracy_48": 0.75, "balanced_accuracy_39": 0.7}
            }
        },
    ]
    numbers = numbers_of(records, names=names)
    assert numbers("a", "b", "accuracy_39") == 0.5
    assert numbers("a", "b", "balanced_accuracy_39") == 0.6
    own = [{"result": {"a/b": {"accuracy": 0.25}}}]
    assert numbers_of(own)("a", "b", "accuracy") == 0.25
