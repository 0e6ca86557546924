"""Exports that align, against the aligner of the zoo."""

import json

import numpy as np
import pytest

from export import export_savedmodel
from export.alignment import CHUNK, MAX_PHONES
from serving.servable import Servable, _may_be_endless
from tests.helpers.runs import speech, wav, write_dictionary
from zoo.alignment import Aligner, Dictionary, Lexicon
from zoo.errors import UsageError
from zoo.transcription import load_recognizer

PHONES = (
    "HH AH0 L OW1 W ER1 D TH T tcl t K kcl k CH jh B IH0 ʃ tʰ ɫː q sil EH1 N G vcl d dx".split()
)


@pytest.fixture(scope="module")
def aligner(recognizer_run):
    return Aligner.of(load_recognizer(recognizer_run))


@pytest.fixture(scope="module")
def servable(exported_recognizer):
    servable = Servable(exported_recognizer / "1")
    yield servable
    servable.close()


@pytest.fixture
def ask(servable):
    def ask(audio, *words, rate=16000):
        inputs = {"wav": wav(audio, rate), "phones": words}
        return servable.predict("align", {k: np.array(v, object) for k, v in inputs.items()})

    return ask


def in_python(aligner, audio, words, rate=16000):
    """What the zoo makes of words of one pronunciation each."""
    names = [f"word {number}" for number in range(len(words))]
    said = {name: (tuple(word.split()),) for name, word in zip(names, words, strict=True)}
    lexicon = Lexicon([Dictionary(said)], letters=False)
    known = Aligner(aligner.recognizer, lexicon, aligner.phones, aligner.offsets)
    return known.align(audio, rate, words=names)


def assert_same(answer, transcript):
    expected = transcript.tiers["phones"]
    assert [label.decode() for label in answer["phones"]] == [i.label for i in expected]
    for name, place in (("starts", 0), ("ends", 1)):
        np.testing.assert_allclose(answer[name], [i[place] for i in expected], atol=1e-4)
    np.testing.assert_allclose(answer["scores"], [i.score for i in expected], atol=1e-3)
    assert answer["score"] == pytest.approx(transcript.score, abs=1e-3)


def words_of(answer):
    """Start and end of each word that was found, by its number."""
    spans = {}
    for number, start, end in zip(answer["words"], answer["starts"], answer["ends"], strict=True):
        if number >= 0:
            spans[int(number)] = (spans.get(int(number), (start,))[0], end)
    return spans


@pytest.mark.parametrize("seed", range(10))
def test_export_and_python_align_words_alike(aligner, ask, seed):
    rng = np.random.default_rng(seed)
    audio = speech(0.4 + 0.5 * seed, seed=seed)
    lengths = rng.integers(1, 6, 1 + seed)
    words = [" ".join(rng.choice(PHONES, length)) for length in lengths]
    answer, expected = ask(audio, *words), in_python(aligner, audio, words)
    assert_same(answer, expected)
    assert answer["words"].dtype == np.int32
    found = words_of(answer)
    assert list(found) == list(range(len(words)))
    spans = [(i.start, i.end) for i in expected.tiers["words"]]
    np.testing.assert_allclose(list(found.values()), spans, atol=1e-4)
    labels = [label for word in words for label in word.split()]
    said = [label.decode() for label in answer["phones"][answer["words"] >= 0]]
    assert said == labels
    assert {label.decode() for label in answer["phones"][answer["words"] < 0]} <= {"sil"}


def test_phones_in_one_string_are_aligned_as_phones(aligner, ask):
    audio = speech(1.5, seed=4)
    phones = "sil hh ax l ow tcl t epi w er l vcl d".split()
    assert_same(ask(audio, " ".join(phones)), aligner.align(audio, 16000, phones=phones))


def test_long_recordings_go_through_several_chunks(aligner, ask):
    audio = speech(9.0, seed=2)
    words = ["DH AH0", "K W IH1 K", "B R AW1 N", "F AA1 K S"] * 6
    assert len(audio) / 160 > 3 * CHUNK
    assert_same(ask(audio, *words), in_python(aligner, audio, words))


@pytest.mark.parametrize("frames", [11, 12, 23, 24])
def test_phones_that_hardly_fit(aligner, ask, frames):
    audio = speech(frames / 100, seed=1)
    words = ["HH AH0 L OW1", "W ER1 L D", "AE1 N D"]
    assert_same(ask(audio, *words), in_python(aligner, audio, words))


@pytest.mark.parametrize("rate", [22050, 44100])
def test_other_rates_are_resampled(aligner, ask, rate):
    audio = speech(1.3, rate, seed=3)
    words = ["HH AH0 L OW1", "W ER1 L D"]
    answer = ask(audio, *words, rate=rate)
    assert_same(answer, in_python(aligner, audio, words, rate))
    assert answer["ends"][-1] == pytest.approx(len(audio) / rate)


def test_alternatives_are_what_is_heard_in_an_interval(ask, servable):
    audio = speech(1.0, seed=5)
    answer = ask(audio, "K AE1 T")
    assert answer["alternatives"].shape == (len(answer["phones"]), 5)
    heard = servable.predict("frames", {"waveform": audio[None]})["probabilities"][0]
    # The first interval's frames are those whose centres are in it.
    frames = np.arange(len(heard)) + 0.5 < answer["ends"][0] * 100
    means = np.sort(heard[frames].mean(axis=0))[::-1]
    np.testing.assert_allclose(answer["alternative_scores"][0], means[:5], atol=1e-4)


@pytest.mark.parametrize(
    ("audio", "words", "message"),
    [
        (speech(1), ["K AE1 T", "K XX"], "phones[1]: the network has no phone XX"),
        (speech(1), ["K AE1 T", " "], "phones[1] is empty; every word needs its phones"),
        (speech(1), [], "phones is empty; one row or more is expected"),
        (speech(1), ["AH"] * (MAX_PHONES + 1), "2001 phones were given; the limit is 2000, send "),
        (np.zeros(16000), ["K AE1 T"], "the recording is silent throughout"),
        (
            speech(0.05),
            ["HH AH0 L OW1", "W ER1 L D"],
            "the phones take 0.08 s at the least, and the recording lasts 0.05 s; are they those "
            "of another recording?",
        ),
    ],
)
def test_what_cannot_be_aligned_is_refused_in_a_sentence(ask, audio, words, message):
    from serving.errors import ServingError

    with pytest.raises(ServingError) as caught:
        ask(audio, *words)
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.message.startswith(message)


def test_loops_have_bounds(servable):
    outputs = servable.signature_defs["align"].outputs.values()
    assert not _may_be_endless(servable.meta_graph.graph_def, [output.name for output in outputs])


def test_words_are_looked_up_whatever_their_case_and_punctuation(servable):
    words = ["Hello,", "“WORLD”", "dog’s", "'twas", "'cat'", "École", "xyzzy", "tone", "", "(cat)"]
    answer = servable.predict("pronounce", {"words": np.array(words, object)})
    assert [phones.decode() for phones in answer["phones"]] == [
        "HH AH0 L OW1", "W ER1 L D", "D AO1 G Z", "T W AH1 Z", "K AE1 T", "EH K AO L", "", "", "",
        "K AE1 T",
    ]  # fmt: skip


def test_card_and_signatures_tell_of_words_where_there_is_a_dictionary(
    recognizer_run, exported_recognizer, tmp_path
):
    card = (exported_recognizer / "1/assets/card.md").read_text()
    assert "- `align`: `wav` (), the contents of one recording's file" in card
    assert "ARPABET, TIMIT's labels or IPA" in card
    assert "- `pronounce`: `words` (N,) strings" in card
    without = export_savedmodel(recognizer_run, tmp_path)
    card = (without / "assets/card.md").read_text()
    assert "- `align`" in card
    assert "- `pronounce`" not in card
    assert not (without / "assets/pronunciations.tsv").exists()
    assert json.loads((without / "assets/labels.json").read_text())["classes"]


def test_dictionaries_of_other_phones_and_networks_are_refused(run, recognizer_run, tmp_path):
    foreign = tmp_path / "foreign.dict"
    foreign.write_text("mā ˥ a˥\n")
    with pytest.raises(UsageError, match=r"foreign.dict is in other phones \(a˥, ˥, ...\) than"):
        export_savedmodel(recognizer_run, tmp_path / "out", dictionary=[str(foreign)])
    with pytest.raises(
        UsageError, match="a dictionary requires a network that transcribes; that of"
    ):
        export_savedmodel(run, tmp_path / "out", dictionary=[str(write_dictionary(tmp_path / "d"))])
    assert not (tmp_path / "out").exists()
