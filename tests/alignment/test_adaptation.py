"""Learning from transcripts: flat starts, rounds, what interrupts them, and sets made of them."""

import json
import sys

import keras
import numpy as np
import pytest

import zoo
from tests.helpers.alignments import words_of_corpus
from tests.helpers.kills import killed_at_random
from zoo.alignment.adaptation import HELD_OUT, adapt
from zoo.alignment.flat import FlatStart
from zoo.alignment.journal import Journal
from zoo.alignment.recordings import How
from zoo.alignment.settings import Adaptation
from zoo.cli import main
from zoo.data import Prepared
from zoo.data.corpora.transcripts import transcribed_recordings
from zoo.decoding import Transcript
from zoo.errors import UsageError
from zoo.files import sha256
from zoo.runs import Run

pytest.importorskip("espeakng_loader")


def learnt(spoken, out, *options):
    return main(["align", str(spoken / "speech"), "--out", str(out), "--epochs", "1", *options])


@pytest.fixture(scope="module")
def flat(spoken, tmp_path_factory):
    """A flat start and a round of training."""
    out = tmp_path_factory.mktemp("flat") / "out"
    assert learnt(spoken, out, "--flat-start", "--rounds", "1") == 0
    return out


def word_errors(spoken, transcripts):
    errors = []
    for name, transcript in transcripts.items():
        true = words_of_corpus(spoken, *name.split("/"))
        found = transcript.tiers["words"]
        if len(found) == len(true):
            errors += [abs(f.end - w[1]) for f, w in zip(found, true, strict=True)]
    return np.array(errors)


def test_words_are_found_without_any_times(spoken, flat):
    with Journal(flat / "rounds" / "0") as journal:
        found = {
            recording.name: journal.transcript(recording.name)
            for recording in transcribed_recordings(spoken / "speech")
        }
    errors = word_errors(spoken, found)
    assert len(errors) > 40
    # Half a minute of speech is very little to learn from.
    assert np.mean(errors < 0.05) > 0.5


def test_a_network_learns_from_a_flat_start(spoken, flat):
    rounds = json.loads((flat / "rounds" / "rounds.json").read_text())
    assert [r["number"] for r in rounds] == [0, 1]
    assert rounds[0]["moved"] is None
    assert 0 <= rounds[1]["moved"] <= 1
    run = Run.open(flat / "rounds" / "0" / "run")
    assert run.model_name == "tdnn"
    assert "sil" in run.classes
    assert not any(label[-1].isdigit() for label in run.classes)
    # It is used as any run, and its alignments are those that were written.
    file = min((spoken / "speech").rglob("*.wav"))
    transcript = zoo.load_aligner(run.path).align_file(
        file, text=file.with_suffix(".lab").read_text()
    )
    written = Transcript.load(flat / file.relative_to(spoken / "speech").with_suffix(".TextGrid"))
    assert [w[:3] for w in transcript.tiers["words"]] == [w[:3] for w in written.tiers["words"]]
    assert zoo.load_recognizer(run.path).transcribe_file(file).duration == transcript.duration
    assert not (flat / "rounds" / "0" / "set").exists()


def test_the_same_command_does_nothing_again(spoken, flat):
    files = {f: f.stat().st_mtime_ns for f in flat.rglob("*.keras")}
    assert learnt(spoken, flat, "--flat-start", "--rounds", "1") == 0
    assert {f: f.stat().st_mtime_ns for f in flat.rglob("*.keras")} == files


def test_rounds_of_other_transcripts_are_refused(spoken, flat, capsys):
    assert learnt(spoken, flat, "--flat-start", "--rounds", "1", "--seed", "3") == 2
    assert "holds rounds of other recordings, transcripts or settings" in capsys.readouterr().err


def test_rounds_go_on_from_a_network_with_its_classes(spoken, flat, tmp_path):
    first = Run.open(flat / "rounds" / "0" / "run")
    said = []
    recordings = transcribed_recordings(spoken / "speech")
    settings = Adaptation(rounds=1, epochs=1)
    model = adapt(recordings, How(model=first.path), tmp_path, settings, say=said.append)
    assert model in (first.path, tmp_path / "0" / "run")
    second = Run.open(tmp_path / "0" / "run")
    assert second.classes == first.classes
    assert second.config["settings"]["weights"] == sha256(first.network)
    rounds = json.loads((tmp_path / "rounds.json").read_text())
    stopped = rounds[1]["score"] <= rounds[0]["score"]
    assert (model == first.path) == stopped == ("scores have stopped rising" in said)


def test_what_is_held_out_is_not_learnt_from(spoken, monkeypatch, tmp_path):
    recordings = transcribed_recordings(spoken / "speech")
    names = sorted(r.name for r in recordings)
    seen = []

    def stop(corpus, *args, **kwargs):
        seen.append({u.name: u.split for u in corpus.utterances()})
        raise InterruptedError

    monkeypatch.setattr("zoo.alignment.adaptation.prepare", stop)
    with pytest.raises(InterruptedError):
        adapt(recordings, How(model=""), tmp_path, Adaptation(rounds=1, flat_start=True))
    assert {n for n, s in seen[0].items() if s == "dev"} == set(names[HELD_OUT // 2 :: HELD_OUT])
    assert FlatStart.is_in(tmp_path / "0" / "flat")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--flat-start", "--model", "tdnn-people"], "--flat-start starts without a model"),
        (["--flat-start", "--rounds", "1", "--channel", "1"], "leave --channel out"),
        (["--rounds", "-1"], "--rounds"),
        (["--rounds", "1", "--model", "no/run"], "does not exist"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(spoken, tmp_path, capsys, options, message):
    try:
        code = learnt(spoken, tmp_path / "out", *options)
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_folder_whose_words_no_dictionary_has_is_refused(spoken, tmp_path):
    recordings = [r._replace(text="привет") for r in transcribed_recordings(spoken / "speech")]
    with pytest.raises(UsageError, match="no dictionary has 'привет'"):
        adapt(recordings, How(model=""), tmp_path, Adaptation(flat_start=True))


def test_a_set_is_prepared_from_transcripts_alone(spoken, tmp_path, capsys):
    out = tmp_path / "set"
    words = ["prepare", str(spoken / "speech"), str(out), "--examples", "frames"]
    assert main([*words, "--align", str(spoken / "run")]) == 0
    prepared = Prepared(out)
    run = Run.open(spoken / "run")
    assert prepared.classes == run.classes
    assert prepared.groups == run.groups
    phones = [s.label for split in ("train", "test") for r in prepared.reference(split) for s in r]
    assert {"cl", "sil", "iy"} <= set(phones)
    assert (tmp_path / "set-alignment").is_dir()
    for option in (["--mapping", "timit"], ["--tier", "phones"]):
        assert main([*words, "--align", str(spoken / "run"), *option]) == 2
        assert "the labels are the network's classes" in capsys.readouterr().err
    assert main([*words, "--dictionary", "a.dict"]) == 2
    assert "--dictionary requires --align" in capsys.readouterr().err


@pytest.mark.slow
def test_rounds_that_are_killed_again_and_again_end_as_if_they_were_not(spoken, tmp_path):
    command = [sys.executable, "-m", "zoo", "align", str(spoken / "speech"), "--epochs", "2"]
    command += ["--flat-start", "--rounds", "3", "--jobs", "2"]

    def progress(out):
        # Whatever is written: transcripts, checkpoints, runs.
        return sum(
            f.stat().st_size for f in out.rglob("*") if f.is_file() and ".tmp." not in f.name
        )

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    killed_at_random([*command, "--out", str(killed)], 10, lambda: progress(killed))
    for out in (killed, whole):
        assert main([*command[3:], "--out", str(out)]) == 0
    assert (killed / "rounds" / "rounds.json").read_text() == (
        whole / "rounds" / "rounds.json"
    ).read_text()
    for file in whole.rglob("*.TextGrid"):
        assert (killed / file.relative_to(whole)).read_bytes() == file.read_bytes()
    for run in whole.glob("rounds/*/run"):
        weights = [
            keras.saving.load_model(place / "model.keras").get_weights()
            for place in (run, killed / run.relative_to(whole))
        ]
        assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))
