"""Words and phones of recordings whose text is known: zoo.align and the aligner behind it."""

import itertools

import numpy as np
import pytest
import soundfile

import zoo
from tests.helpers.alignments import words_of_corpus
from zoo.alignment.aligner import Aligner, Sentence
from zoo.alignment.graph import graph_of
from zoo.alignment.phonesets import State
from zoo.alignment.search import search, set_scores
from zoo.alignment.ways import Place, Way
from zoo.decoding import Transcript
from zoo.errors import UsageError

pytest.importorskip("espeakng_loader")


@pytest.fixture(scope="module")
def recordings(spoken):
    """Audio, text, and true words of each recording."""
    found = []
    for file in sorted((spoken / "speech").rglob("*.wav")):
        audio, rate = soundfile.read(file)
        words = words_of_corpus(spoken, file.parent.name, file.stem)
        found.append((audio, rate, file.with_suffix(".lab").read_text(), words))
    return found


def test_words_are_where_they_are_said(aligner, recordings):
    errors = []
    for audio, rate, text, words in recordings:
        transcript = zoo.align(aligner, audio, rate, text=text)
        assert list(transcript.tiers) == ["words", "phones"]
        assert transcript.duration == len(audio) / rate
        found = transcript.tiers["words"]
        if len(found) == len(words):
            errors += [abs(f.end - w[1]) for f, w in zip(found, words, strict=True)]
    assert len(errors) > 40
    # A linear network hears a frame at a time.
    assert np.mean(np.array(errors) < 0.05) > 0.7


def test_phones_fill_the_recording_and_words_are_made_of_them(aligner, recordings):
    for audio, rate, text, _ in recordings[:4]:
        transcript = aligner.align(audio, rate, text=text)
        phones, words = transcript.tiers["phones"], transcript.tiers["words"]
        assert phones[0].start == 0
        assert phones[-1].end == transcript.duration
        assert all(a.end == b.start for a, b in itertools.pairwise(phones))
        edges = {edge for p in phones if p.label != "sil" for edge in p[:2]}
        assert {edge for w in words for edge in w[:2]} <= edges
        inside = [[p for p in phones if w.start <= p.start < w.end] for w in words]
        for word, own in zip(words, inside, strict=True):
            assert [p.label for p in own] in [
                list(p) for p in aligner.lexicon.pronounce(word.label)
            ]
            lengths = [p.end - p.start for p in own]
            mean = np.average([p.score for p in own], weights=lengths)
            assert word.score == pytest.approx(mean, abs=0.03)


def test_text_words_and_phones_give_the_same_times(aligner, recordings):
    audio, rate, text, _ = recordings[0]
    by_text = aligner.align(audio, rate, text=text)
    said = [word.label for word in by_text.tiers["words"]]
    assert aligner.align(audio, rate, words=said).tiers == by_text.tiers
    phones = [p.label for p in by_text.tiers["phones"]]
    by_phones = aligner.align(audio, rate, phones=phones)
    assert list(by_phones.tiers) == ["phones"]
    ours = [p for p in by_phones.tiers["phones"] if p.label != "sil"]
    theirs = [p for p in by_text.tiers["phones"] if p.label != "sil"]
    near = [abs(a.start - b.start) < 0.011 for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(near) > 0.9


def test_a_file_gives_what_its_samples_give(aligner, recordings, spoken):
    file = min((spoken / "speech").rglob("*.wav"))
    text = file.with_suffix(".lab").read_text()
    samples, rate = soundfile.read(file, dtype="int16")
    one, other = aligner.align_file(file, text=text), aligner.align(samples, rate, text=text)
    assert one.tiers == other.tiers
    assert (one.name, other.name) == (file.stem, "")


def test_a_text_of_another_recording_scores_less(aligner, recordings):
    right = [aligner.align(a, rate, text=text).score for a, rate, text, _ in recordings]
    texts = [text for _, _, text, _ in recordings]
    wrong = []
    for (audio, rate, _, _), text in zip(recordings, texts[3:] + texts[:3], strict=True):
        try:
            wrong.append(aligner.align(audio, rate, text=text).score)
        except UsageError:
            # It may be too long.
            wrong.append(0.0)
    assert all(0 <= score <= 1 for score in right + wrong)
    assert np.median(right) > max(wrong)


def test_the_score_is_kept_in_json(aligner, recordings, tmp_path):
    audio, rate, text, _ = recordings[0]
    transcript = aligner.align(audio, rate, text=text)
    read = Transcript.load(transcript.save(tmp_path / "a.json"))
    assert read.score == transcript.score
    assert read.tiers == transcript.tiers
    assert Transcript.load(transcript.save(tmp_path / "a.TextGrid")).score is None


def test_sentences_are_aligned_each_in_its_part(aligner, recordings, tmp_path):
    (one, rate, text, _), (other, _, other_text, _) = recordings[0], recordings[4]
    path = tmp_path / "two.wav"
    gap = np.zeros(rate // 2)
    soundfile.write(path, np.concatenate([one, gap, other]), rate)
    border = len(one) / rate
    start, end = border + 0.5, border + 0.5 + len(other) / rate
    parts = [Sentence(0.0, border, text, "a"), Sentence(start, end, other_text, "b")]
    transcript = aligner.align_file(path, sentences=parts)
    words = transcript.tiers["words"]
    alone = aligner.align(one, rate, text=text).tiers["words"]
    assert [w.label for w in words[: len(alone)]] == [w.label for w in alone]
    assert all(w.end <= border + 0.01 for w in words[: len(alone)])
    assert all(w.start >= start - 0.01 for w in words[len(alone) :])
    # Between them nobody said what is heard.
    assert not any(
        p.start < start - 0.01 and p.end > border + 0.01 for p in transcript.tiers["phones"]
    )
    with pytest.raises(UsageError, match="b is said from 90"):
        aligner.align_file(path, sentences=[Sentence(90.0, 91.0, text, "b")])


def test_the_networks_own_classes_tell_closures_from_releases(aligner, spoken):
    labels = []
    for file in sorted((spoken / "speech").rglob("*.wav")):
        found = aligner.align_file(file, text=file.with_suffix(".lab").read_text(), classes=True)
        own = found.tiers["classes"]
        edges = {edge for i in own for edge in i[:2]}
        assert {edge for i in found.tiers["phones"] for edge in i[:2]} <= edges
        labels += [i.label for i in own]
    assert set(labels) <= set(aligner.recognizer.classes)
    # "cl" before "t" and the like: a stop in the words is the two of them here.
    pairs = set(itertools.pairwise(labels))
    assert {("cl", "t"), ("cl", "k"), ("vcl", "b")} & pairs


def test_a_border_lies_where_two_sounds_are_equally_likely():
    words = [[[]]]
    rising = np.array([0.95, 0.9, 0.7, 0.4, 0.1, 0.05])
    posteriors = np.log(np.column_stack([rising, 1 - rising]))
    phones = [("a", 0), ("b", 1)]
    from zoo.alignment.graph import Phone

    words = [[[Phone(name, (State((c,)),)) for name, c in phones]]]
    graph = graph_of(words, [], 1)
    scores = set_scores(posteriors, graph, np.zeros(2))
    way = Way(posteriors, scores, graph, search(scores, graph))
    found = way.phones(Place(first=10, hop=100, rate=1000, samples=10_000))
    logit = np.log(rising / (1 - rising))
    crossing = np.interp(0, -logit[2:4], [12.5, 13.5])
    assert found[0].end == pytest.approx(crossing * 0.1, abs=0.0006)
    assert (found[0].start, found[1].end) == (1.0, 1.6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give one of text, words and phones"),
        ({"text": "a", "words": ["a"]}, "give one of text, words and phones"),
        ({"text": " ,. "}, "the text has no words"),
        ({"words": []}, "the text has no words"),
        ({"words": "boys"}, "words must be a list of words"),
        ({"phones": []}, "the text has no phones"),
        ({"phones": ["HH", "QX"]}, "the text: the network has no phone 'QX'"),
        ({"words": ["привет"]}, "no dictionary has 'привет'"),
        ({"text": "the boys " * 60}, "the text takes .* at least, but its recording lasts"),
    ],
)
def test_what_cannot_be_aligned_is_said_in_a_sentence(aligner, recordings, given, message):
    audio, rate = recordings[0][:2]
    with pytest.raises(UsageError, match=message):
        zoo.align(aligner, audio, rate, **given)


def test_silence_and_other_models_are_refused(aligner):
    with pytest.raises(UsageError, match="silent throughout"):
        aligner.align(np.zeros(16000), 16000, text="boys")
    with pytest.raises(UsageError, match=r"must be a run folder or an Aligner; received dict"):
        zoo.align({}, np.zeros(16000), 16000, text="boys")
    with pytest.raises(UsageError, match="does not exist"):
        zoo.align("no/such/run", np.zeros(16000), 16000, text="boys")


def test_another_rate_and_a_chosen_channel_give_nearly_the_same(aligner, recordings):
    audio, rate, text, _ = recordings[0]
    wanted = aligner.align(audio, rate, text=text).tiers["words"]
    stereo = np.column_stack([np.zeros_like(audio), audio])
    assert aligner.align(stereo, rate, text=text, channel=2).tiers["words"] == wanted
    doubled = np.repeat(audio, 3)
    found = aligner.align(doubled, 3 * rate, text=text).tiers["words"]
    assert np.mean([abs(a.end - b.end) < 0.05 for a, b in zip(found, wanted, strict=True)]) > 0.6


def test_a_dictionary_of_ones_own_is_asked_first(spoken, recordings, tmp_path):
    file = tmp_path / "own.dict"
    file.write_text("boys T IH1\nzzyx B OY1 Z\n")
    aligner = zoo.load_aligner(spoken / "run", dictionary=file)
    assert isinstance(aligner, Aligner)
    audio, rate = recordings[0][:2]
    found = aligner.align(audio, rate, words=["boys", "zzyx"]).tiers["phones"]
    assert [p.label for p in found if p.label != "sil"] == ["T", "IH1", "B", "OY1", "Z"]
