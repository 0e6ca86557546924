"""Labels of one's own: drawn as they are, and named where a split has no example of them."""

import json
import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import make_recordings, records_of, write_csv
from zoo.cli import main
from zoo.data import open_corpus, prepare
from zoo.data.corpora.labels import missing_classes
from zoo.evaluation.report import write_report
from zoo.evaluation.runs import evaluate
from zoo.pages import drawn, new_figure, numbered, png
from zoo.training.classifier import Settings, train_classifier

# As many as the labels of the recordings that are made.
NAMES = {
    "h#": "$",
    "iy": "$x$",
    "s": "\\frac{1}{2}",
    "aa": "$\\frac{$",
    "tcl": "中文",
    "t": "🙂",
    "q": "دا",
    "n": "a_b^c & <d>",
    "ux": "%s {x}",
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    records = records_of(make_recordings(folder / "speech", takes=2))
    for record in records:
        record["label"] = NAMES.get(record["label"], "$$")
        record["split"] = "test" if record["audio"].startswith("dora") else "train"
    # One class that is never tested, one that is never learnt.
    kept = [
        r for r in records if (r["label"], r["split"]) not in {("$x$", "test"), ("🙂", "train")}
    ]
    path = write_csv(folder / "speech" / "segments.csv", kept)
    return prepare(open_corpus(path), folder / "set", representation="log_mel")


@pytest.fixture(autouse=True)
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        yield


def test_an_overview_shows_every_label_or_lists_it(prepared, tmp_path, capsys):
    assert main(["data", "show", str(prepared.path), "--out", str(tmp_path / "page.html")]) == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert re.search(r"do not have: .*#\d is 中文", page)
    assert re.search(r"#\d is 🙂", page)
    assert "is $x$" not in page
    assert capsys.readouterr().err == ""


def test_a_report_shows_every_label_or_lists_it(prepared, tmp_path):
    run = train_classifier(
        "freq_fullpad", prepared, tmp_path / "run", Settings(epochs=1, per_class=2)
    )
    evaluation = evaluate(run, prepared)
    page = write_report(run, prepared, evaluation, tmp_path / "report.html").read_text("utf-8")
    assert re.search(r"do not have: .*#\d is 中文", page)
    scores = evaluation.scores
    assert "accuracy" in scores
    assert not [name for name in scores if "39" in name]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6))
def test_any_text_can_be_drawn(text):
    figure = new_figure(2, 1)
    axis = figure.subplots()
    (label,), said = numbered([text])
    axis.set_xticks([0], [label])
    axis.set_title(drawn(text))
    assert png(figure).startswith(b"\x89PNG")
    assert ("#1 is " in said) == (label == "#1" and text != "#1")


@pytest.fixture
def small_font(tmp_path):
    """The family of an installed font that has one letter, 中, and nothing else."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen
    from matplotlib.font_manager import fontManager

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, 900), (900, 900), (900, 0)):
        pen.lineTo(corner)
    pen.closePath()
    font = FontBuilder(1000)
    font.setupGlyphOrder([".notdef", "middle"])
    font.setupCharacterMap({ord("中"): "middle"})
    font.setupGlyf({name: pen.glyph() for name in (".notdef", "middle")})
    font.setupHorizontalMetrics(dict.fromkeys((".notdef", "middle"), (1000, 0)))
    font.setupHorizontalHeader(ascent=900, descent=-100)
    font.setupNameTable({"familyName": "Of one letter", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(tmp_path / "one.ttf")
    fontManager.addfont(tmp_path / "one.ttf")
    yield "Of one letter"
    fontManager.ttflist = [f for f in fontManager.ttflist if f.name != "Of one letter"]


@pytest.mark.parametrize("families", [["DejaVu Sans"], ["Of one letter", "sans-serif"]])
def test_every_font_that_matplotlib_falls_back_on_counts(small_font, families):
    from matplotlib import rc_context

    names = ["a中", "🙂", "a"]
    with rc_context({"font.family": families}):
        shown, said = numbered(names)
        figure = new_figure(2, 1)
        figure.subplots().set_xticks(range(3), shown)
        # Warnings are errors here: matplotlib warns of a letter that it does not find.
        assert png(figure).startswith(b"\x89PNG")
    has = small_font in families
    assert shown == ["a中" if has else "#1", "#2", "a"]
    assert "#2 is 🙂" in said
    assert ("#1 is a中" in said) != has


def test_dollars_and_backslashes_are_drawn_as_themselves():
    from matplotlib.text import Text

    for text in ("$", "$x$", "\\$", "\\frac{$1$}", "$$", "a\\$b$"):
        shown, math = Text(text=drawn(text))._preprocess_math(drawn(text))
        assert (shown, math) == (text, False)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"train": {"a": 1, "b": 2}, "test": {"a": 1, "b": 1}}, []),
        (
            {"train": {"a": 0, "b": 2, "c": 0}, "test": {"a": 1, "b": 0, "c": 0}},
            [
                "no example of c",
                "no training example (so never learnt) of a",
                "no test example (so in no score) of b",
            ],
        ),
        ({"train": {"b": 0, "a": 0}}, ["no example of b, a"]),
        ({"dev": {"a": 0}}, []),
        ({}, []),
        (
            {"test": {f"c{n}": 0 for n in range(12)}},
            [f"no example of {', '.join(f'c{n}' for n in range(10))} and 2 more"],
        ),
    ],
)
def test_a_class_without_examples_is_named_once(counts, expected):
    assert missing_classes(counts) == expected


LEARNT = "no training example (so never learnt) of 🙂"
TESTED = "no test example (so in no score) of $x$"


def test_check_prepare_and_train_name_them(prepared, tmp_path, capsys):
    corpus = prepared.path.parent / "speech" / "segments.csv"
    assert main(["corpus", "check", str(corpus)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("note: ")] == [
        f"note: {LEARNT}",
        f"note: {TESTED}",
    ]
    assert main(["corpus", "check", str(corpus), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"] == [LEARNT, TESTED]
    words = ["--representation", "log_mel"]
    assert main(["prepare", str(corpus), str(tmp_path / "set"), *words]) == 0
    said = capsys.readouterr().out
    assert said.count(f"  note: {LEARNT}\n") == said.count("never learnt") == 1
    assert said.count("(so in no score) of $x$") == 1
    words = ["--data", str(tmp_path / "set"), "--epochs", "1", "--per-class", "2"]
    assert main(["train", "freq_fullpad", *words, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert said.count(f"zoo train: note: {LEARNT}\n") == said.count("never learnt") == 1
