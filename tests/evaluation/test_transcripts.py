"""Scores and reports of runs that transcribe, beside counts from the label files."""

import itertools
import json
import re

import keras
import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

import zoo.evaluation.runs as evaluation_runs
from tests.helpers.annotations import make_recordings, records_of, write_csv
from tests.helpers.recognizers import make_recognizer
from tests.helpers.runs import make_run
from tests.helpers.trees import RATE, make_tree
from zoo.cli import main
from zoo.data import prepare
from zoo.data.corpora.phones import GROUPS, LABEL_TO_CLASS
from zoo.decoding.decoder import Decoder
from zoo.decoding.settings import Settings
from zoo.errors import UsageError
from zoo.evaluation.runs import MOST_FRAMES, evaluate, evaluate_autoencoder
from zoo.evaluation.statistics import mean_interval
from zoo.evaluation.transcripts import PLAIN, evaluate_transcripts
from zoo.runs import Run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("corpus"), train=4, test=3, sentences=("SX1", "SI1"))


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory):
    return prepare(tree, tmp_path_factory.mktemp("frames") / "set", examples="frames")


@pytest.fixture(scope="module")
def run(prepared, tmp_path_factory):
    return make_recognizer(tmp_path_factory.mktemp("runs") / "linear", prepared)


@pytest.fixture(scope="module")
def found(run, prepared):
    return evaluate_transcripts(run, prepared)


def labels_of(tree, name):
    """Rows of (start, end, group) by the .PHN file, `q` left out."""
    rows = (line.split() for line in (tree / name).with_suffix(".PHN").read_text().splitlines())
    return [
        (int(start), int(end), GROUPS[LABEL_TO_CLASS[label]])
        for start, end, label in rows
        if label != "q"
    ]


def recognised(run, prepared, split="test"):
    """Class of every frame of each recording, by the run's own decoder, without our scoring."""
    run = Run.open(run)
    decoder = run.decoder or Decoder.count([], prepared.classes, PLAIN)
    scores = [np.log(run.model.predict_on_batch(x[None])[0]) for x in prepared.features(split)]
    return scores, [path.classes for path in decoder.decode(scores)]


def test_the_errors_are_rapidfuzzs(tree, prepared, run, found):
    scores, paths = recognised(run, prepared)
    rows = prepared.segments("test")
    spoken, everything, phones, frames = 0, 0, 0, []
    for row, path, posteriors in zip(rows, paths, scores, strict=True):
        wanted = [label for *_, label in labels_of(tree, row.utterance)]
        said = [GROUPS[prepared.classes[c]] for c, _ in itertools.groupby(path)]
        silences = [
            [k for k, group in itertools.groupby(side) for _ in (group if k != "sil" else [0])]
            for side in (wanted, said)
        ]
        everything += Levenshtein.distance(*silences)
        without = [[label for label in side if label != "sil"] for side in (wanted, said)]
        spoken += Levenshtein.distance(*without)
        phones += len(without[0])
        best = [GROUPS[prepared.classes[c]] for c in posteriors.argmax(axis=1)]
        for start, end, label in labels_of(tree, row.utterance):
            inside = [i for i in range(len(best)) if start <= 160 * i + 80 < end]
            frames += [best[i] == label for i in inside]
    assert found.scores["phones"] == phones
    assert found.scores["phone_error_rate"] == spoken / phones
    errors = [found.scores[kind] for kind in ("substitutions", "deletions", "insertions")]
    assert 0 < sum(errors) == spoken < phones / 2
    assert found.scores["phone_error_rate_with_silence"] == pytest.approx(
        everything / found.scores["phones_with_silence"]
    )
    assert found.scores["frames"] == len(frames)
    assert found.scores["frame_accuracy_39"] == np.mean(frames) > 0.7
    assert found.scores["recordings"] == len(rows) == len(found.recordings)


def test_the_confusion_holds_every_phone_once(found):
    count, scores = found.confusion, found.scores
    assert "sil" not in found.groups
    assert count[:-1].sum() == scores["phones"]
    assert count[:-1, -1].sum() == scores["deletions"]
    assert count[-1].sum() == scores["insertions"]
    inner = count[:-1, :-1]
    assert inner.sum() - np.trace(inner) == scores["substitutions"]
    for name, row in scores["per_phone"].items():
        group = found.groups.index(name)
        assert row["phones"] == count[group].sum()
        assert row["recall"] == count[group, group] / count[group].sum()


def test_speakers_add_up_to_all(found):
    per_speaker = found.scores["per_speaker"]
    assert list(per_speaker) == ["faks0", "mdab0", "mtst0"]
    for kind in ("recordings", "phones", "substitutions", "deletions", "insertions"):
        assert sum(row[kind] for row in per_speaker.values()) == found.scores[kind]
    rates = [row["phone_error_rate"] for row in per_speaker.values()]
    mean, half = mean_interval(rates)
    assert found.scores["speakers"] == {
        "number": 3,
        "phone_error_rate": mean,
        "interval_95": half,
    }
    worst = [row["phone_error_rate"] for row in found.scores["worst_recordings"]]
    assert worst == sorted(worst, reverse=True)


def test_times_are_those_of_the_label_files(tree, found):
    for recording in found.recordings:
        expected = labels_of(tree, recording.name)
        edges = {time for start, end, _ in expected for time in (start, end)}
        for interval in recording.reference:
            assert {round(interval.start * RATE), round(interval.end * RATE)} <= edges
        assert recording.transcript[0].start == 0
        assert round(recording.transcript[-1].end * RATE) == expected[-1][1]
    # The noises and tones begin where they are labelled.
    assert found.scores["boundaries"]["20ms"]["recall"] > 0.6


def test_without_a_decoder_a_plain_one_is_used(prepared, run, tmp_path, found):
    bare = make_recognizer(tmp_path / "bare", prepared, decoder=False)
    plain = evaluate_transcripts(bare, prepared)
    assert plain.scores["decoder"] == "plain"
    assert found.scores["decoder"]["bigram_weight"] == Settings().bigram_weight
    given = Decoder.count([], prepared.classes, PLAIN)
    same = evaluate_transcripts(run, prepared, decoder=given)
    assert same.recordings == plain.recordings
    assert plain.recordings != found.recordings


def test_a_network_of_windows_gives_what_one_of_recordings_gives(prepared, tmp_path, found):
    windows = make_recognizer(tmp_path / "windows", prepared, window=7)
    scores = evaluate_transcripts(windows, prepared).scores
    assert scores == {**found.scores, "model": "linear"}
    with pytest.raises(UsageError, match=r"transcribes recordings; zoo.evaluation.transcripts"):
        evaluate(windows, prepared)


def test_recordings_without_labels_are_left_out(tree, tmp_path, run):
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "one.wav").write_bytes(next(tree.rglob("*.WAV")).read_bytes())
    both = prepare(tree, tmp_path / "set", examples="frames", unlabelled=folder, like=Run.open(run))
    found = evaluate_transcripts(run, both, "train")
    assert found.scores["recordings"] == 8 == len(both.features("train")) - 1
    assert all(r.reference for r in found.recordings)


def own_labels(tmp_path):
    """A set of recordings whose labels are of no list that the zoo knows, none of them silence."""
    rows = make_recordings(tmp_path / "own", ("anna", "ben", "carl"))
    write_csv(tmp_path / "own" / "segments.csv", records_of(rows))
    return prepare(tmp_path / "own", tmp_path / "set", examples="frames")


def test_labels_of_ones_own_give_names_of_their_own(tmp_path, capsys):
    prepared = own_labels(tmp_path)
    run = make_recognizer(tmp_path / "run", prepared)
    assert main(["evaluate", str(run), "--data", str(prepared.path), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    assert "frame_accuracy" in scores
    assert scores["phone_error_rate"] == scores["phone_error_rate_with_silence"]
    assert scores["phones"] == sum(len(found) for found in prepared.phones("test"))
    assert main(["evaluate", str(run), "--data", str(prepared.path)]) == 0
    assert f"({len(prepared.classes)} classes)" in capsys.readouterr().out


def test_people_get_a_table_and_programs_json(run, prepared, found, capsys):
    assert main(["evaluate", str(run), "--data", str(prepared.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.scores))
    assert main(["evaluate", str(run), "--data", str(prepared.path)]) == 0
    text = capsys.readouterr().out
    scores = found.scores
    assert text.startswith(
        f"linear on test: 6 recordings, {scores['phones']} phones of 3 speakers\n"
    )
    for value in (
        scores["phone_error_rate"],
        scores["phone_error_rate_with_silence"],
        scores["frame_accuracy_39"],
        scores["boundaries"]["20ms"]["f_score"],
    ):
        assert f"{value:.1%}" in text
    assert f"{scores['substitutions']} substitutions, {scores['deletions']} deletions" in text
    assert f"{scores['boundaries']['10ms']['r_value']:.3f}" in text
    assert scores["worst_recordings"][0]["recording"] in text


def test_the_report_shows_recordings_with_both_tiers(run, prepared, found, tmp_path):
    out = tmp_path / "page.html"
    assert main(["report", str(run), "--data", str(prepared.path), "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert len(page) < 500_000
    alts = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]+)"', page)
    # Three of the worst, a typical one, and the confusion; the run has no epochs to draw.
    assert [alt.split()[0] for alt in alts] == ["Spectrogram"] * 4 + ["Matrix"]
    worst = found.scores["worst_recordings"][0]
    assert f"Among the worst: {worst['recording']}, {worst['speaker']}" in page
    tiers = re.findall(r'<p class="tier">(\w+): (.*?)</p>', page)
    assert [name for name, _ in tiers] == ["Reference", "Recognised"] * 4
    first = next(r for r in found.recordings if r.name == worst["recording"])
    reference, recognised = (text for _, text in tiers[2:4])
    for side, text in ((first.reference, reference), (first.transcript, recognised)):
        assert re.sub("<[^>]+>", "", text).split() == [i.label for i in side]
    errors = first.errors
    assert reference.count("<b>") == errors.substitutions + errors.deletions
    assert recognised.count("<b>") == errors.substitutions + errors.insertions
    assert f"{found.scores['phone_error_rate']:.1%}" in page


@pytest.fixture(scope="module")
def segments(tree, tmp_path_factory):
    return prepare(tree, tmp_path_factory.mktemp("segments") / "set", representation="log_mel")


def test_runs_and_sets_that_do_not_go_together_are_refused(
    tree, prepared, segments, run, tmp_path, capsys
):
    other = make_run(tmp_path / "segments", frontend=segments.frontend)
    by_set = prepare(tree, tmp_path / "by_set", examples="frames", normalize="set")
    own = own_labels(tmp_path)
    cases = {
        (other, prepared): "holds whole recordings, but .* was trained on segments; prepare",
        (run, segments): "transcribes whole recordings, but .* holds segments; prepare",
        (run, by_set): "has normalisation 'set', but .* was trained on normalisation 'recording'",
        (run, own): r"has \d+ classes \(.*but .* was trained on 48",
        (run, prepared, "--probe", "3"): "--probe is for networks of segments",
        (other, prepared, "--probe", "3"): "--probe needs a set of segments",
        (run, prepared, "--split", "nothing"): "has no split 'nothing'",
    }
    for (path, data, *options), message in cases.items():
        for command in ("evaluate", "report"):
            if "--probe" in options and command == "report":
                continue
            assert main([command, str(path), "--data", str(data.path), *options]) == 2
            error = capsys.readouterr().err
            assert re.search(message, error), error
            assert len(error.splitlines()) == 1
    assert main(["evaluate", str(run), str(run), "--data", str(prepared.path)]) == 2
    assert "such runs are scored one at a time" in capsys.readouterr().err
    # Of another normalisation, segments do not fit segments either.
    level = prepare(tree, tmp_path / "level", representation="log_mel", normalize="recording")
    with pytest.raises(UsageError, match=r"has (level|normalisation)"):
        evaluate(other, level)


def test_autoencoders_are_scored_on_windows(prepared, tmp_path, capsys, monkeypatch):
    rows, _, channels = prepared.shape
    inputs = keras.Input((rows, None, channels))
    folder = tmp_path / "run"
    folder.mkdir()
    run = Run(folder)
    run.record({"model": "same", "family": "autoencoder"}, prepared.frontend)
    run.history = {}
    run.finish(keras.Model(inputs, keras.layers.Activation("linear")(inputs)))
    scores = evaluate_autoencoder(run, prepared).scores
    frames = (prepared.labels("test") >= 0).sum()
    assert scores["examples"] == frames
    assert frames * 200 < MOST_FRAMES
    assert scores["euclidean_error"] == 0
    assert scores["waveform_cross_correlation"] is None
    assert main(["evaluate", str(folder), "--data", str(prepared.path)]) == 0
    assert f"{scores['examples']} windows of 200 frames" in capsys.readouterr().out
    monkeypatch.setattr(evaluation_runs, "MOST_FRAMES", 200 * 50)
    few = evaluate_autoencoder(run, prepared).scores["examples"]
    assert few == -(-frames // -(-frames // 50)) <= 50
