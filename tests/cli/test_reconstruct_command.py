"""`zoo reconstruct`: arrays, pictures, sounds and a page; wrong use in one sentence."""

import base64
import io
import json
import re

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.runs import LENGTH, make_recognizer, make_run
from zoo.cli import main


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A run of the thesis' network, untrained; level none, so that loudness is kept."""
    return make_run(tmp_path_factory.mktemp("runs") / "run", "none", "freq_overlap")


@pytest.fixture(scope="module")
def wav(tmp_path_factory):
    """A tone of 1 kHz, a pause of digital silence, and the tone again: 0.6 s in two channels."""
    path = tmp_path_factory.mktemp("sounds") / "tone.wav"
    time = np.arange(9600) / 16000
    tone = 0.3 * np.sin(2 * np.pi * 1000 * time)
    tone[2400:7500] = 0.0
    soundfile.write(path, np.stack([tone, tone], axis=1), 16000, subtype="FLOAT")
    return path


def call(network, out, *words, layer="L3"):
    return main(["reconstruct", str(network), "--layer", layer, "--out", str(out), *words])


def test_chirps_and_a_recording_are_written_to_be_seen_and_heard(network, wav, tmp_path, capsys):
    assert call(network, tmp_path, "--chirps", "--wav", str(wav), "--steps", "3") == 0
    assert "reconstructions from pool1" in capsys.readouterr().out
    inputs, outputs = (np.load(tmp_path / f"{n}.npy") for n in ("inputs", "reconstructions"))
    assert inputs.shape == outputs.shape
    # Of 16 frames each, pieces begin at samples 0, 2472, 4944 and 7416; the middle two are silent.
    pieces = 2
    assert len(inputs) == pieces + 20
    record = json.loads((tmp_path / "result.json").read_text())
    assert record["layer"] == "pool1"
    assert [s["label"] for s in record["sounds"]] == ["tone"] * pieces + ["chirp"] * 20
    for n, sound in enumerate(record["sounds"]):
        distance = np.sqrt(((inputs[n] - outputs[n]).astype(float) ** 2).sum())
        assert sound["euclidean_error"] == pytest.approx(distance, rel=1e-5)
        assert sound["error"] < sound["error_at_start"]
    assert len(list((tmp_path / "sounds").glob("*.wav"))) == 2 * len(inputs)
    page = (tmp_path / "index.html").read_text()
    assert (tmp_path / "spectrograms.png").read_bytes().startswith(b"\x89PNG")
    sounds = re.findall(r"data:audio/wav;base64,([^\"]+)", page)
    images = re.findall(r"data:image/png;base64,([^\"]+)", page)
    assert len(sounds) == len(images) == 2 * len(inputs)
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds[-1])))
    assert (rate, len(samples)) == (16000, LENGTH)
    assert np.abs(samples).max() == pytest.approx(0.9, abs=1e-3)


def test_the_input_of_a_recording_comes_back_as_it_sounded(network, wav, tmp_path):
    assert call(network, tmp_path, "--wav", str(wav), "--steps", "1") == 0
    heard, rate = soundfile.read(tmp_path / "tone-input.wav")
    given, _ = soundfile.read(wav)
    assert (len(heard), rate) == (len(given), 16000)
    correlation = heard @ given[:, 0] / np.linalg.norm(heard) / np.linalg.norm(given[:, 0])
    assert correlation > 0.9
    assert not heard[2472:7416].any()


def test_recordings_of_one_name_are_written_side_by_side(network, wav, tmp_path):
    other = tmp_path / "other" / wav.name
    other.parent.mkdir()
    samples, rate = soundfile.read(wav)
    soundfile.write(other, samples[: len(samples) // 2], rate)
    out = tmp_path / "out"
    assert call(network, out, "--wav", str(wav), "--wav", str(other), "--steps", "1") == 0
    first, second = (soundfile.read(out / f"tone{n}-input.wav")[0] for n in ("", "-2"))
    assert len(second) < len(first)


def test_the_same_seed_gives_the_same_files(network, tmp_path):
    first, again, other = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    for out, seed in ((first, 1), (again, 1), (other, 2)):
        words = ["--chirps", "--steps", "2", "--seed", str(seed), "--method", "annealing"]
        assert call(network, out, *words) == 0
    same, different = (
        np.load(first / "reconstructions.npy") == np.load(out / "reconstructions.npy")
        for out in (again, other)
    )
    assert same.all()
    assert not different.all()


def test_phones_of_every_class_by_a_decoder_of_a_name_of_the_zoo(small_set, tmp_path, capsys):
    words = ["--data", str(small_set.path), "--per-class", "1", "--method", "decoder"]
    words += ["--decoder-epochs", "1", "--decoder-examples", "2"]
    assert call("freq", tmp_path, *words, layer="conv1") == 0
    record = json.loads((tmp_path / "result.json").read_text())
    present = {small_set.classes[n] for n in small_set.labels("test")}
    assert {s["label"] for s in record["sounds"]} == present
    assert "waveform_cross_correlation" not in record["means"], "mel bands have no way back"
    assert (tmp_path / "decoder" / "decoder.keras").exists()
    assert not (tmp_path / "sounds").exists()


def bad_uses(wav):
    silence, nan = wav.with_name("silence.wav"), wav.with_name("nan.wav")
    soundfile.write(silence, np.zeros(4000), 16000)
    soundfile.write(nan, np.full(4000, np.nan), 16000, subtype="FLOAT")
    return [
        (["--chirps", "--layer", "pool9"], "no layer 'pool9'. Its layers: conv1, act1, pool1"),
        ([], "nothing to reconstruct: give --data PREPARED, --wav FILE or --chirps"),
        (["--wav", str(silence)], "is silence: there is nothing to reconstruct"),
        (["--wav", str(nan)], "samples that are not finite"),
        (["--wav", "none.wav"], "cannot read none.wav"),
        (["--chirps", "--steps", "0"], "steps must be 1 or more"),
        (
            ["--chirps", "--method", "decoder"],
            "the decoder has to be trained first: add --data PREPARED",
        ),
        (["--chirps", "--per-class", "-1"], "--per-class must be 0 or more; received -1"),
        (["--chirps", "--averaged", "2", "--method", "annealing", "--l2", "1"], "no option 'l2'"),
    ]


def test_wrong_use_is_one_sentence(network, wav, tmp_path, capsys):
    for words, message in bad_uses(wav):
        assert call(network, tmp_path / "out", *words) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert len(said) == 1
        assert message in said[0]
    assert not (tmp_path / "out").exists()


def test_a_set_of_another_shape_is_refused(network, small_set, tmp_path, capsys):
    assert call(network, tmp_path / "out", "--data", str(small_set.path)) == 2
    assert "trained on representation 'real'" in capsys.readouterr().err
    assert call("freq_overlap", tmp_path / "out", "--chirps") == 2
    assert "does not record how its inputs are computed: add --data" in capsys.readouterr().err


def test_layers_are_compared_on_whole_recordings(wav, tmp_path, capsys):
    others = tmp_path / "others"
    others.mkdir()
    (others / "other.wav").write_bytes(wav.read_bytes())
    words = ["--wav", str(wav), "--steps", "2", "--judge", "freq_fullpad-synthetic"]
    words += ["--speech", str(others)]
    assert call("freq_overlap-synthetic", tmp_path, *words, layer="L3,fc2") == 0
    assert "tone from fc2 by gradient: correlation" in capsys.readouterr().out
    record = json.loads((tmp_path / "result.json").read_text())
    assert [cell["layer"] for cell in record["cells"]] == ["pool1", "fc2"]
    for cell in record["cells"]:
        for name in ("correlation", "own_same_answer", "other_same_answer"):
            assert 0 <= cell[name] <= 1
        assert cell["log_spectral_distance"] > 0
    sounds = {path.name for path in (tmp_path / "sounds").glob("*.wav")}
    kinds = ("input", "pool1-gradient", "fc2-gradient")
    ways = ("griffin_lim", "original_phases")
    assert sounds == {f"01-tone-{kind}-{way}.wav" for kind in kinds for way in ways}
    heard, rate = soundfile.read(tmp_path / "sounds" / "01-tone-input-original_phases.wav")
    given, _ = soundfile.read(wav)
    assert (len(heard), rate) == (len(given), 16000)
    covered = slice(0, 9400)
    assert np.corrcoef(heard[covered], given[covered, 0])[0, 1] > 0.99
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png") == 3
    assert page.count("data:audio/wav") == 6
    assert "phases of the original" in page


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    return make_recognizer(tmp_path_factory.mktemp("recognizers") / "run")


def test_a_recognizer_is_heard_layer_after_layer(recognizer, wav, tmp_path, capsys):
    words = ["--wav", str(wav), "--steps", "60", "--judge", str(recognizer)]
    assert call(recognizer, tmp_path, *words, layer="act1,code") == 0
    said = capsys.readouterr().out
    assert "tone from act1 by gradient: correlation" in said
    record = json.loads((tmp_path / "result.json").read_text())
    assert [cell["layer"] for cell in record["cells"]] == ["act1", "code"]
    first, last = record["cells"]
    assert first["correlation"] > max(0.9, last["correlation"])
    # The judge is the same network.
    assert first["other_same_answer"] == first["own_same_answer"] > 0.5
    heard, rate = soundfile.read(tmp_path / "sounds" / "01-tone-act1-gradient-griffin_lim.wav")
    given, _ = soundfile.read(wav)
    assert (len(heard), rate) == (len(given), 16000)
    # The tone comes back where it was, and the pause stays softer.
    spectrum = np.abs(np.fft.rfft(heard[:2400]))
    assert 900 < np.argmax(spectrum) * 16000 / 2400 < 1100
    assert np.std(heard[3500:6500]) < 0.1 * np.std(heard[:2400])
    page = (tmp_path / "index.html").read_text()
    assert page.count("data:image/png") == 3
    assert "most probable phone of each frame" in page
    assert "60 frames, searched for together" in page


def test_one_layer_of_a_recognizer_is_a_page_as_well(recognizer, wav, tmp_path):
    assert call(recognizer, tmp_path, "--wav", str(wav), "--steps", "1", layer="embed") == 0
    assert [c["layer"] for c in json.loads((tmp_path / "result.json").read_text())["cells"]] == [
        "embed"
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chirps"], "takes whole recordings: give --wav FILE, and no --chirps"),
        (["--wav", "WAV", "--noise", "0.1"], "and no --chirps, --averaged or --noise"),
        (["--wav", "WAV", "--method", "decoder"], "decoders are trained for networks of segments"),
        (["--wav", "WAV", "--speech", "."], "omit --speech and --prior training"),
        (["--wav", "WAV", "--prior", "training"], "omit --speech and --prior training"),
    ],
)
def test_what_a_recognizer_cannot_be_asked(recognizer, wav, tmp_path, capsys, words, message):
    words = [str(wav) if word == "WAV" else word for word in words]
    assert call(recognizer, tmp_path / "out", *words, layer="act1") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_judge_of_windows_cannot_hear_recordings(recognizer, wav, tmp_path, capsys):
    judge = make_recognizer(tmp_path / "judge", "freq", 25)
    words = ["--wav", str(wav), "--judge", str(judge)]
    assert call(recognizer, tmp_path / "out", *words, layer="act1") == 2
    assert "takes windows" in capsys.readouterr().err


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A run of an autoencoder of the zoo, untrained, whose switches leak as trained ones do."""
    folder = tmp_path_factory.mktemp("autoencoders") / "run"
    frontend = zoo.Run.open("freq_overlap-synthetic").frontend
    run = zoo.Run.open(make_run(folder, name="freq_fullpad_ae", frontend=frontend))
    model = run.model
    for weight in model.weights:
        if "bias" in weight.path:
            weight.assign(weight + 0.3)
    model.save(run.network)
    return folder


def test_the_leak_of_an_autoencoder_is_on_the_page_of_what_it_keeps(
    autoencoder, wav, tmp_path, capsys
):
    words = ["--wav", str(wav), "--steps", "1"]
    assert call(autoencoder, tmp_path, *words, layer="code") == 0
    assert "leak test, correlation that survives: code zeroed" in capsys.readouterr().out
    inputs = np.load(tmp_path / "inputs.npy")
    expected = zoo.inversion.leak(zoo.load(autoencoder), inputs)
    measures = json.loads((tmp_path / "result.json").read_text())["leak"]
    assert set(measures) == {"code", "decoder"}
    assert measures["code"]["share"] == pytest.approx(expected.share, rel=1e-4)
    assert expected.share > 0.1
    page = (tmp_path / "index.html").read_text()
    assert "<h2>Leak test</h2>" in page
    assert "first decoding convolution zeroed" in page
    assert page.count("data:image/png") == 2 * len(inputs) + 4 * len(inputs)


def test_the_leak_of_an_autoencoder_is_on_the_page_of_whole_recordings(autoencoder, wav, tmp_path):
    words = ["--wav", str(wav), "--steps", "1", "--judge", "freq_overlap-synthetic"]
    assert call(autoencoder, tmp_path, *words, layer="pool1,code") == 0
    record = json.loads((tmp_path / "result.json").read_text())
    assert 0 <= record["leak"]["code"]["share"] <= 1.5
    assert "own_same_answer" not in record["cells"][0], "an autoencoder answers nothing"
    assert "other_same_answer" in record["cells"][0]
    page = (tmp_path / "index.html").read_text()
    assert "<h2>Leak test</h2>" in page
    assert page.count("data:image/png") == 3 + 4
    sounds = {path.name for path in (tmp_path / "sounds").glob("*code-zeroed*.wav")}
    assert len(sounds) == 2


def test_networks_without_a_code_have_no_leak_test(network, tmp_path):
    assert call(network, tmp_path, "--chirps", "--steps", "1") == 0
    assert "leak" not in json.loads((tmp_path / "result.json").read_text())
    assert "Leak test" not in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "L3,L6", "--chirps"], "several layers or methods are compared on whole"),
        (["--method", "gradient,decodr"], "--method must be one of gradient"),
    ],
)
def test_wrong_comparisons_say_what_would_be_right(network, wav, tmp_path, capsys, words, message):
    assert call(network, tmp_path, "--wav", str(wav), *words) == 2
    assert message in capsys.readouterr().err
