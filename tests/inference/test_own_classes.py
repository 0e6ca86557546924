"""Models of one's own classes: so many answers, annotations of every format, an honest score."""

import json

import numpy as np
import pytest

import zoo
from tests.helpers.annotations import long_textgrid, write_csv, write_jsonl
from tests.helpers.runs import make_run, recording, wav
from zoo.cli import main
from zoo.data.corpora.phones import CLASSES
from zoo.data.features.frontend import Frontend
from zoo.errors import UsageError
from zoo.inference import from_model, load_classifier

OWN = ("$um", "\\frac", "да")
ROWS = [(0.0, 0.2, "$um"), (0.2, 0.35, "\\frac"), (0.35, 0.5, "noise")]


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("own") / "run", classes=OWN)


@pytest.fixture(scope="module")
def own_classifier(own_run):
    return load_classifier(own_run)


def test_a_model_of_three_classes_answers_with_three(own_classifier):
    (answer,) = zoo.classify(own_classifier, recording(3000), 16000)
    assert sorted(answer.phones) == sorted(OWN)
    assert sum(answer.scores) == pytest.approx(1, abs=1e-5)
    with pytest.raises(UsageError, match="top_k must be 1 to 3; received 4"):
        zoo.classify(own_classifier, recording(3000), 16000, top_k=4)


@pytest.fixture(scope="module")
def own_export(own_run, tmp_path_factory):
    pytest.importorskip("tensorflow")
    from export import export_savedmodel

    folder = tmp_path_factory.mktemp("export") / "model"
    export_savedmodel(own_run, folder)
    return folder


def test_its_export_names_three(own_run, own_export):
    classifier = load_classifier(own_export)
    assert classifier.groups == {name: name for name in OWN}
    (answer,) = zoo.classify(classifier, recording(3000), 16000)
    (expected,) = zoo.classify(own_run, recording(3000), 16000)
    assert answer.phones == expected.phones
    assert len(answer.phones) == 3


def test_a_keras_model_takes_the_names_of_its_classes(own_run, own_classifier):
    model, frontend = zoo.load(own_run), Frontend.load(own_run)
    audio = recording(3000)
    expected = zoo.classify(own_classifier, audio, 16000)
    for classes in (OWN, list(OWN), np.array(OWN)):
        found = zoo.classify(model, audio, 16000, frontend=frontend, classes=classes)
        assert found == expected
    with pytest.raises(UsageError, match="not one probability for each of 48 classes"):
        zoo.classify(model, audio, 16000, frontend=frontend)
    for classes in ("abc", ["a", "a", "b"], [], 3):
        with pytest.raises(UsageError, match="classes must be a list of different names"):
            zoo.classify(model, audio, 16000, frontend=frontend, classes=classes)
    with pytest.raises(UsageError, match="classes= is for a bare Keras model"):
        zoo.classify(own_run, audio, 16000, classes=OWN)


def test_groups_are_those_of_phones_or_each_class_on_its_own(run, own_run):
    model, frontend = zoo.load(own_run), Frontend.load(own_run)
    assert from_model(model, frontend, OWN).groups == {name: name for name in OWN}
    assert load_classifier(run).groups["zh"] == "sh"
    assert set(load_classifier(run).groups) == set(CLASSES)


class TestCommand:
    @pytest.fixture
    def predict(self, own_run, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "a.wav").write_bytes(wav(recording(8000)))
        (tmp_path / "a.TextGrid").write_text(
            long_textgrid({"words": [(0, 0.5, "x")], "phones": ROWS, "mine": ROWS[:2]}, 0.5)
        )
        others = [("b.wav", 0.0, 9.0, "да")]
        records = [
            dict(zip(("audio", "start", "end", "label"), row, strict=True))
            for row in [("a.wav", *row) for row in ROWS] + others
        ]
        write_csv(tmp_path / "a.csv", records)
        write_jsonl(tmp_path / "a.jsonl", records)
        lines = [f"a 1 {start} {end - start:.2f} {label}" for start, end, label in ROWS]
        (tmp_path / "all.ctm").write_text("\n".join([*lines, "b 1 0 9 да", ""]), encoding="utf-8")
        samples = [f"{16000 * start:.0f} {16000 * end:.0f} {label}" for start, end, label in ROWS]
        (tmp_path / "a.phn").write_text("\n".join(samples), encoding="utf-8")
        (tmp_path / "mapping.tsv").write_text(
            "$um\t$um\n\\frac\tда\nnoise\t\nx\tда\n", encoding="utf-8"
        )

        def call(*arguments):
            code = main(["predict", "a.wav", *arguments, "--model", str(own_run)])
            captured = capsys.readouterr()
            return code, captured.out, captured.err

        return call

    @pytest.mark.parametrize(
        "annotation",
        [
            ["--labels", "a.TextGrid"],
            ["--labels", "a.csv"],
            ["--labels", "a.jsonl"],
            ["--labels", "all.ctm"],
            ["--labels", "a.phn"],
            ["--phn", "a.phn"],
        ],
    )
    def test_every_annotation_gives_the_same_segments_and_score(self, predict, annotation):
        code, out, err = predict(*annotation, "--json")
        assert (code, err) == (0, "")
        result = json.loads(out)
        assert [(s["start"], s["end"], s["label"]) for s in result["segments"]] == [
            (round(16000 * start), round(16000 * end), label) for start, end, label in ROWS
        ]
        agrees = [s["agrees"] for s in result["segments"]]
        assert agrees[2] is None
        assert {len(s["phones"]) for s in result["segments"]} == {3}
        assert result["scored"] == 2
        assert result["accuracy"] == sum(agrees[:2]) / 2
        assert "accuracy_39" not in result
        _, out, _ = predict(*annotation)
        assert out.splitlines()[-1].startswith(f"right: {sum(agrees[:2])} of 2, ")

    def test_a_mapping_says_what_labels_stand_for(self, predict):
        code, out, _ = predict("--labels", "a.TextGrid", "--mapping", "mapping.tsv", "--json")
        found = json.loads(out)["segments"]
        assert code == 0
        assert [s["agrees"] for s in found] == [
            found[0]["phones"][0] == "$um",
            found[1]["phones"][0] == "да",
            None,
        ]

    def test_a_tier_can_be_chosen(self, predict):
        _, out, _ = predict("--labels", "a.TextGrid", "--tier", "words")
        assert out.count("\n") == 2
        assert "right: 0 of 0; no label is a class of the model" in out

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--labels", "nowhere.TextGrid"], "nowhere.TextGrid"),
            (["--labels", "a.TextGrid", "--tier", "none"], "has no interval tier 'none'"),
            (["--labels", "a.csv", "--tier", "phones"], "has no tiers to choose from"),
            (["--labels", "b.ctm"], "has no segment of a.wav; it names b"),
            (["--labels", "a.csv", "--phn", "a.phn"], "--phn and --labels exclude each other"),
            (["--tier", "phones"], "--tier requires --labels"),
            (["--mapping", "mapping.tsv"], "--mapping requires --labels"),
            (["--labels", "a.csv", "--start", "0"], "--labels says where the segments are"),
            (["--top-k", "4"], "top_k must be 1 to 3; received 4"),
        ],
    )
    def test_wrong_use_is_one_line_and_exit_code_2(self, predict, tmp_path, arguments, message):
        (tmp_path / "b.ctm").write_text("b 1 0 0.1 x\n")
        code, out, err = predict(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err


def test_a_served_model_names_three_and_is_scored_by_its_own_classes(
    own_run, own_export, tmp_path, capsys
):
    from serving.client import Client
    from tests.helpers.served import Server

    (tmp_path / "a.wav").write_bytes(wav(recording(8000)))
    (tmp_path / "a.TextGrid").write_text(long_textgrid({"phones": ROWS}, 0.5))
    words = ["predict", str(tmp_path / "a.wav"), "--labels", str(tmp_path / "a.TextGrid"), "--json"]
    with Server("zoo", "serve", "--model", f"own={own_export}", "--port", 0) as server:
        url = f"{server.url}/v1/models/own"
        with Client(url) as client:
            assert client.predict_wav(wav(recording(3000)))["phones"].shape == (1, 3)
        assert main([*words, "--url", url]) == 0
        remote = json.loads(capsys.readouterr().out)
        assert main([*words, "--url", url, "--top-k", "4"]) == 2
        assert "--top-k of a served model must be 1 to 3; received 4" in capsys.readouterr().err
    assert main([*words, "--model", str(own_run)]) == 0
    local = json.loads(capsys.readouterr().out)
    assert remote["accuracy"] == local["accuracy"]
    assert [s["phones"] for s in remote["segments"]] == [s["phones"] for s in local["segments"]]
    assert [s["agrees"] for s in remote["segments"]] == [s["agrees"] for s in local["segments"]]


LETTERS = ["b", "a", "zh", "c", "d", "e", "f", "g", "h"]


@pytest.fixture(scope="module")
def letters(tmp_path_factory):
    """A run of nine classes, of which an answer names five, and its export."""
    pytest.importorskip("tensorflow")
    from export import export_savedmodel

    folder = tmp_path_factory.mktemp("letters")
    run = make_run(folder / "run", classes=LETTERS)
    export_savedmodel(run, folder / "model")
    return run, folder / "model"


def test_a_served_model_counts_labels_that_it_did_not_name(letters, tmp_path, capsys):
    from tests.helpers.served import Server

    run, folder = letters
    (tmp_path / "a.wav").write_bytes(wav(recording(8000)))
    (tmp_path / "all.ctm").write_text(
        "".join(f"a 1 {0.05 * n:.2f} 0.05 {x}\n" for n, x in enumerate([*LETTERS, "x"]))
    )
    words = ["predict", str(tmp_path / "a.wav"), "--labels", str(tmp_path / "all.ctm"), "--json"]
    assert main([*words, "--model", str(run)]) == 0
    local = json.loads(capsys.readouterr().out)
    best = {phone for s in local["segments"] for phone in s["phones"]}
    with Server("zoo", "serve", "--model", f"own={folder}", "--port", 0) as server:
        assert main([*words, "--url", f"{server.url}/v1/models/own"]) == 0
        remote = json.loads(capsys.readouterr().out)
    assert (local["scored"], remote["scored"]) == (9, 9)
    assert remote["accuracy"] == local["accuracy"]
    assert [s["agrees"] for s in remote["segments"]] == [s["agrees"] for s in local["segments"]]
    # Or there would be nothing to find out.
    assert set(LETTERS) - best


def test_a_served_model_that_cannot_say_its_classes_is_said_to(
    letters, tmp_path, capsys, monkeypatch
):
    from serving.client import Client
    from tests.helpers.served import Server

    signatures = Client.signatures
    monkeypatch.setattr(
        Client,
        "signatures",
        lambda self: {k: v for k, v in signatures(self).items() if k != "classify"},
    )
    (tmp_path / "a.wav").write_bytes(wav(recording(8000)))
    (tmp_path / "a.ctm").write_text("a 1 0 0.1 a\na 1 0.1 0.1 zh\n")
    words = ["predict", str(tmp_path / "a.wav"), "--labels", str(tmp_path / "a.ctm")]
    with Server("zoo", "serve", "--model", f"own={letters[1]}", "--port", 0) as server:
        assert main([*words, "--url", f"{server.url}/v1/models/own"]) == 0
    error = capsys.readouterr().err
    assert "does not list its classes; labels of classes that it never named" in error


def test_a_misspelt_phone_is_still_named_with_its_line(run, tmp_path, capsys):
    (tmp_path / "a.wav").write_bytes(wav(recording(8000)))
    (tmp_path / "a.phn").write_text("0 3000 h#\n3000 6000 yi\n")
    words = [str(tmp_path / "a.wav"), "--phn", str(tmp_path / "a.phn"), "--model", str(run)]
    assert main(["predict", *words]) == 2
    assert "line 2" in capsys.readouterr().err
