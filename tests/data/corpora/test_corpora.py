"""Corpora of people's own speech, from opening to a prepared set."""

import json
import pickle
import unicodedata

import numpy as np
import pytest
import soundfile

from tests.helpers.annotations import (
    SPEAKERS,
    long_textgrid,
    make_recordings,
    records_of,
    write_csv,
    write_jsonl,
)
from tests.helpers.trees import make_tree
from zoo.data import Prepared, open_corpus, prepare
from zoo.data.corpora import utterances
from zoo.data.corpora.audio import read_audio
from zoo.data.corpora.labels import TIMIT, read_mapping
from zoo.data.corpora.phones import CLASSES, GROUPS, LABEL_TO_CLASS
from zoo.data.sets.shards import Portions
from zoo.errors import UsageError


def annotate(root, rows, kind):
    """Write `rows` beside the recordings of `root`; what to open."""
    if kind == "textgrid":
        for name, found in rows.items():
            text = long_textgrid({"phones": found}, found[-1][1])
            (root / f"{name}.TextGrid").write_text(text)
        return root
    if kind == "ctm":
        lines = [
            f"{name.split('/')[1]} 1 {start} {round(end - start, 3)} {label}\n"
            for name, found in rows.items()
            for start, end, label in found
        ]
        (root / "phones.ctm").write_text("".join(lines))
        return root
    if kind == "csv":
        return write_csv(root / "segments.csv", records_of(rows))
    return write_jsonl(root / "segments.jsonl", records_of(rows))


def test_recordings_may_lie_in_another_folder_than_their_textgrids(tmp_path):
    speech, grids = tmp_path / "speech", tmp_path / "grids"
    rows = make_recordings(speech)
    annotate(speech, rows, "textgrid")
    beside = open_corpus(speech)
    for name in rows:
        (grids / name).parent.mkdir(parents=True, exist_ok=True)
        (speech / f"{name}.TextGrid").rename(grids / f"{name}.TextGrid")
    # What lies beside the TextGrids plays no part.
    soundfile.write(grids / "anna" / "anna0.wav", np.zeros(9), 16000)
    corpus = open_corpus(grids, recordings=speech)
    assert corpus.root == grids
    for apart, together in zip(corpus.utterances(), beside.utterances(), strict=True):
        assert (apart.name, apart.audio) == (together.name, together.audio)
        assert (apart.speaker, apart.split) == (together.speaker, together.split)
        assert apart.segments() == together.segments()
    make_recordings(speech, ["ed"], takes=1)
    assert open_corpus(grids, recordings=speech).unlabelled() == [speech / "ed" / "ed0.wav"]
    (speech / "anna" / "anna1.wav").unlink()
    expected = r"anna1\.TextGrid has no recording below .*speech; anna/anna1\.wav was expected"
    with pytest.raises(UsageError, match=expected):
        open_corpus(grids, recordings=speech)
    with pytest.raises(UsageError, match="nowhere is not a folder; a folder of recordings"):
        open_corpus(grids, recordings=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="--recordings is for corpora of the kind textgrid"):
        open_corpus(write_csv(speech / "all.csv", records_of(rows)), recordings=speech)


def test_names_are_the_same_however_accents_are_composed(tmp_path):
    rows = make_recordings(tmp_path / "speech", ["Jose\u0301 \u592a\u90ce", "ben"], takes=1)
    for name, found in rows.items():
        path = tmp_path / "grids" / unicodedata.normalize("NFC", f"{name}.TextGrid")
        path.parent.mkdir(parents=True)
        path.write_text(long_textgrid({"phones": found}, found[-1][1]), encoding="utf-8")
    corpus = open_corpus(tmp_path / "grids", recordings=tmp_path / "speech")
    assert len(corpus.utterances()) == 2
    assert corpus.unlabelled() == []


KINDS = ("textgrid", "ctm", "csv", "jsonl")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [16000, 8000])
def test_samples_and_segments_come_back_as_written(tmp_path, kind, rate):
    rows = make_recordings(tmp_path, rate=rate)
    corpus = open_corpus(annotate(tmp_path, rows, kind))
    assert corpus.sample_rate == rate
    assert {u.speaker for u in corpus.utterances()} == set(SPEAKERS)
    assert len(corpus.utterances()) == len(rows)
    by_name = {name.split("/")[1]: found for name, found in rows.items()}
    for utterance in corpus.utterances():
        expected = by_name[utterance.audio.stem]
        assert [tuple(s) for s in utterance.segments()] == [
            (round(a * rate), round(b * rate), label) for a, b, label in expected
        ]
        samples, segments = utterance.read(resampling=True)
        assert [tuple(s) for s in segments] == [
            (round(a * 16000), round(b * 16000), label) for a, b, label in expected
        ]
        assert len(samples) == round(expected[-1][1] * 16000)


def test_all_kinds_make_the_same_prepared_set(tmp_path):
    rows = make_recordings(tmp_path / "speech")
    sets = []
    for kind in KINDS:
        opened = open_corpus(annotate(tmp_path / "speech", rows, kind), _kind(kind))
        sets.append(prepare(opened, tmp_path / kind, too_long="crop"))
    for prepared in sets:
        assert prepared.classes == tuple(
            sorted({row[2] for found in rows.values() for row in found})
        )
        assert prepared.groups == {c: c for c in prepared.classes}
        for split in ("train", "test"):
            counted = {
                label: sum(
                    row[2] == label
                    for name, found in rows.items()
                    if name.split("/")[0] in set(prepared.segments(split).speaker)
                    for row in found
                )
                for label in prepared.classes
            }
            assert prepared.manifest["splits"][split]["per_class"] == counted
            np.testing.assert_array_equal(prepared.labels(split), sets[0].labels(split))
            np.testing.assert_array_equal(prepared.features(split), sets[0].features(split))


def _kind(kind):
    return kind if kind in ("textgrid", "ctm") else "table"


def test_the_speakers_of_a_seed_are_for_test_and_for_nothing_else(tmp_path):
    rows = make_recordings(tmp_path)
    path = annotate(tmp_path, rows, "csv")
    drawn = set()
    for seed in range(8):
        corpus = open_corpus(path, seed=seed)
        train, test = ({u.speaker for u in corpus.utterances(s)} for s in ("train", "test"))
        assert len(test) == 1
        assert train == set(SPEAKERS) - test
        drawn |= test
    assert len(drawn) > 1
    corpus = open_corpus(path, test_speakers=["ben", "dora"])
    assert {u.speaker for u in corpus.utterances("test")} == {"ben", "dora"}
    with pytest.raises(UsageError, match=r"no speaker 'bend' to test on\. Did you mean 'ben'"):
        open_corpus(path, test_speakers=["bend"])


def test_splits_are_taken_from_folders_or_a_column(tmp_path):
    for split, speakers in {"train": ("anna", "ben"), "test": ("carl",), "dev": ("dora",)}.items():
        rows = make_recordings(tmp_path / "folders" / split, speakers)
        annotate(tmp_path / "folders" / split, rows, "textgrid")
    corpus = open_corpus(tmp_path / "folders")
    found = {u.speaker: u.split for u in corpus.utterances()}
    assert found == {"anna": "train", "ben": "train", "carl": "test", "dora": "dev"}
    assert prepare(corpus, tmp_path / "set").splits == ["train", "test", "dev"]
    with pytest.raises(UsageError, match="defines its own test set"):
        open_corpus(tmp_path / "folders", test_speakers=["anna"])

    rows = make_recordings(tmp_path / "table")
    records = records_of(rows, split="train")
    for record in records:
        record["speaker"] = "x" + record["audio"][0]
        record["split"] = "test" if record["audio"].startswith("ben") else "train"
    path = write_csv(tmp_path / "table" / "segments.csv", records)
    corpus = open_corpus(path)
    assert {u.speaker for u in corpus.utterances("test")} == {"xb"}
    records[-1]["split"] = ""
    write_csv(path, records)
    with pytest.raises(UsageError, match="has a different speaker or split than in line"):
        open_corpus(path)


def test_linked_folders_are_followed_once(tmp_path):
    recordings = tmp_path / "elsewhere"
    rows = make_recordings(recordings, ("anna", "ben"))
    annotate(recordings, rows, "textgrid")
    root = tmp_path / "corpus"
    root.mkdir()
    for speaker in ("anna", "ben"):
        (root / speaker).symlink_to(recordings / speaker)
    # One that leads back to where it lies.
    (root / "round").symlink_to(root)
    corpus = open_corpus(root)
    assert sorted(u.name for u in corpus.utterances()) == sorted(rows)
    tree = make_tree(tmp_path / "timit", train=2, test=1, sentences=("SX1",))
    speaker = next(p for p in (tree / "TRAIN").rglob("*") if any(p.glob("*.WAV")))
    moved = tmp_path / "moved" / speaker.name
    moved.parent.mkdir()
    speaker.rename(moved)
    speaker.symlink_to(moved)
    found = open_corpus(tree)
    assert {u.speaker for u in found.utterances("train")} == {"mtrn0", "mtrn1"}
    assert found.unlabelled() == []


def test_speakers_do_not_depend_on_how_paths_are_written(tmp_path, monkeypatch):
    for split, speaker in (("train", "anna"), ("train", "ben"), ("test", "carl")):
        make_recordings(tmp_path / "corp" / split, [speaker])
    audio = sorted((tmp_path / "corp").rglob("*.wav"))
    monkeypatch.chdir(tmp_path)
    expected = {"anna": "train", "ben": "train", "carl": "test"}
    for folder, name in (
        ("corp", lambda f: f.as_posix()),
        ("corp", lambda f: f.relative_to(tmp_path / "corp").as_posix()),
        ("corp", lambda f: "../corp/" + f.relative_to(tmp_path / "corp").as_posix()),
    ):
        records = [{"audio": name(f), "start": 0, "end": 0.1, "label": "a"} for f in audio]
        write_csv(tmp_path / folder / "segments.csv", records)
        for given in (folder, tmp_path / folder, f"./{folder}/../{folder}"):
            corpus = open_corpus(given)
            assert {u.speaker: u.split for u in corpus.utterances()} == expected


def test_the_names_of_a_tables_columns_may_be_quoted(tmp_path):
    rows = make_recordings(tmp_path, ("anna", "ben"))
    path = write_csv(tmp_path / "segments.csv", records_of(rows))
    first, rest = path.read_text().split("\n", 1)
    path.write_text(",".join(f'"{name.strip()}"' for name in first.split(",")) + "\n" + rest)
    assert open_corpus(tmp_path).kind == "table"


def test_sessions_below_a_speaker_are_the_same_speaker(tmp_path):
    for session in ("monday", "friday"):
        make_recordings(tmp_path / "anna", [session])
        make_recordings(tmp_path / "ben", [session])
    records = [
        {"audio": f.relative_to(tmp_path).as_posix(), "start": 0, "end": 0.1, "label": "a"}
        for f in sorted(tmp_path.rglob("*.wav"))
    ]
    corpus = open_corpus(write_csv(tmp_path / "segments.csv", records))
    assert {u.speaker for u in corpus.utterances()} == {"anna", "ben"}


def test_kaldis_speakers_are_taken_from_utt2spk(tmp_path):
    rows = make_recordings(tmp_path)
    annotate(tmp_path, rows, "ctm")
    names = [name.split("/")[1] for name in rows]
    (tmp_path / "utt2spk").write_text("".join(f"{n} spk{n[-1]}\n" for n in names))
    assert {u.speaker for u in open_corpus(tmp_path).utterances()} == {"spk0", "spk1"}


def test_one_speaker_alone_has_to_be_said_to_be_a_test(tmp_path):
    rows = make_recordings(tmp_path, ["anna"])
    path = annotate(tmp_path, rows, "csv")
    with pytest.raises(
        UsageError, match="has only one speaker, 'anna', so nobody is left to test on"
    ):
        open_corpus(path)
    corpus = open_corpus(path, test_speakers=["anna"])
    assert not corpus.utterances("train")
    assert prepare(corpus, tmp_path / "set", length=2000).splits == ["test"]


def test_a_mapping_makes_classes_and_leaves_labels_out(tmp_path):
    rows = make_recordings(tmp_path / "speech")
    path = annotate(tmp_path / "speech", rows, "csv")
    mapping = tmp_path / "mapping.tsv"
    mapping.write_text(
        "iy\tvowel\naa\tvowel\nux\tvowel\nn\tnasal\ns\thiss\nt\thiss\ntcl\t\nh#\t\nq\t\n"
    )
    prepared = prepare(open_corpus(path, mapping=mapping), tmp_path / "set", too_long="crop")
    assert prepared.classes == ("hiss", "nasal", "vowel")
    record = prepared.manifest["splits"]["train"]
    assert record["per_class"] == {"hiss": 12, "nasal": 6, "vowel": 18}
    assert record["dropped_q"] == 24
    mapping.write_text(mapping.read_text().replace("n\tnasal\n", ""))
    with pytest.raises(UsageError, match=r"segments\.csv, line \d+: the label 'n' is in no map"):
        open_corpus(path, mapping=mapping)


def test_timits_labels_give_timits_classes_and_groups(tmp_path):
    rows = make_recordings(tmp_path / "speech")
    path = annotate(tmp_path / "speech", rows, "textgrid")
    own = prepare(open_corpus(path, mapping="timit"), tmp_path / "own", length=2000)
    assert own.classes == CLASSES
    assert own.groups == GROUPS
    assert read_mapping("timit") is TIMIT
    # A set like a trained run has its classes, whatever occurs in the corpus.
    json_mapping = tmp_path / "some.json"
    json_mapping.write_text(
        str(
            {label: LABEL_TO_CLASS.get(label) for label in {r[2] for f in rows.values() for r in f}}
        )
        .replace("'", '"')
        .replace("None", "null")
    )
    like = prepare(
        open_corpus(path, mapping=json_mapping), tmp_path / "like", like=tmp_path / "own"
    )
    assert like.classes == CLASSES
    np.testing.assert_array_equal(like.labels("test"), own.labels("test"))
    with pytest.raises(UsageError, match="has the class 'h#', which the --like run does not have"):
        prepare(open_corpus(path), tmp_path / "other", like=tmp_path / "own")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\n", ", line 1: expected `label<TAB>class`, found 'a b'."),
        ("a\tx\nb\ty\na\ty\n", ", line 3: 'a' belongs to 'x' already."),
        ("a\t\n", " assigns no class"),
        ("\n", " is empty."),
    ],
)
def test_wrong_mappings_are_refused(tmp_path, text, message):
    path = tmp_path / "mapping.tsv"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        read_mapping(path)
    assert str(refused.value).startswith(f"{path}{message}")
    (tmp_path / "m.json").write_text("[" * 10**5)
    with pytest.raises(UsageError, match="is not valid JSON"):
        read_mapping(tmp_path / "m.json")
    (tmp_path / "m.json").write_text('{"a": ["b"]}')
    with pytest.raises(UsageError, match="is not a mapping; one JSON object"):
        read_mapping(tmp_path / "m.json")
    with pytest.raises(UsageError, match="cannot be read"):
        read_mapping(tmp_path / "nowhere")


class TestDigits:
    @pytest.fixture
    def digits(self, tmp_path):
        rng = np.random.default_rng(0)
        folder = tmp_path / "fsdd" / "recordings"
        folder.mkdir(parents=True)
        for digit in range(10):
            for speaker in ("theo", "jackson", "nicolas"):
                for take in range(2):
                    noise = 0.1 * rng.normal(size=int(rng.integers(1500, 5000)))
                    soundfile.write(folder / f"{digit}_{speaker}_{take}.wav", noise, 8000)
        return tmp_path / "fsdd"

    def test_a_whole_recording_is_one_segment(self, digits):
        corpus = open_corpus(digits)
        assert corpus.kind == "digits"
        assert corpus.sample_rate == 8000
        for utterance in corpus.utterances():
            samples, _ = read_audio(utterance.audio)
            assert utterance.segments() == [(0, len(samples), utterance.audio.stem[0])]

    def test_the_last_speaker_by_name_is_for_test_unless_others_are_named(self, digits):
        assert {u.speaker for u in open_corpus(digits).utterances("test")} == {"theo"}
        named = open_corpus(digits, test_speakers=["jackson"])
        assert {u.speaker for u in named.utterances("test")} == {"jackson"}

    def test_they_are_resampled_on_demand(self, digits, tmp_path):
        with pytest.raises(UsageError, match="8000 Hz, not 16000 Hz; --resample converts it"):
            prepare(digits, tmp_path / "set", length="p95")
        prepared = prepare(digits, tmp_path / "other", resample=True, too_long="crop", length="p95")
        assert prepared.classes == tuple("0123456789")
        assert prepared.manifest["splits"]["test"]["per_class"] == dict.fromkeys("0123456789", 2)
        row = prepared.segments("train")[0]
        samples, _ = read_audio(digits / f"{row.utterance}.wav")
        assert (row.start, row.end) == (0, 2 * len(samples))


def test_kinds_are_found_out_or_asked_for(tmp_path):
    assert open_corpus(make_tree(tmp_path / "timit")).kind == "timit"
    rows = make_recordings(tmp_path / "own")
    for kind in ("textgrid", "csv"):
        annotate(tmp_path / "own", rows, kind)
    with pytest.raises(UsageError, match="the kinds textgrid, table; choose one with --kind"):
        open_corpus(tmp_path / "own")
    assert open_corpus(tmp_path / "own", "table").kind == "table"
    annotate(tmp_path / "own", rows, "jsonl")
    with pytest.raises(UsageError, match=r"holds segments\.csv and segments\.jsonl; give the file"):
        open_corpus(tmp_path / "own", "table")
    with pytest.raises(UsageError, match=r"unknown kind 'textgird'\. Did you mean 'textgrid'"):
        open_corpus(tmp_path / "own", "textgird")
    with pytest.raises(UsageError, match=r"holds no labelled recordings: no \.ctm"):
        open_corpus(tmp_path / "own", "ctm")
    with pytest.raises(UsageError, match="--tier is for corpora of the kind textgrid"):
        open_corpus(tmp_path / "own", "table", tier="phones")
    with pytest.raises(UsageError, match="--mapping is for corpora of the kind"):
        open_corpus(tmp_path / "timit", mapping="timit")
    with pytest.raises(UsageError, match="is not a folder"):
        open_corpus(tmp_path / "nowhere")


def test_what_belongs_together_must_be_there(tmp_path):
    rows = make_recordings(tmp_path)
    path = annotate(tmp_path, rows, "csv")
    path.write_text(path.read_text() + "anna/anna9.wav,0,1,a\n")
    with pytest.raises(UsageError, match=r"segments\.csv, line \d+: there is no recording .*anna9"):
        open_corpus(path)
    path.unlink()
    annotate(tmp_path, rows, "ctm")
    (tmp_path / "other.wav").write_bytes((tmp_path / "anna/anna0.wav").read_bytes())
    (tmp_path / "ben" / "anna0.flac").write_bytes((tmp_path / "anna/anna0.wav").read_bytes())
    with pytest.raises(
        UsageError, match=r"line 1: 'anna0' may be .*anna0\.wav or .*anna0\.flac; one"
    ):
        open_corpus(tmp_path)
    (tmp_path / "ben" / "anna0.flac").unlink()
    (tmp_path / "anna" / "anna0.wav").unlink()
    with pytest.raises(UsageError, match=r"phones\.ctm, line 1: no recording anna0\.wav"):
        open_corpus(tmp_path)


def test_a_recording_has_one_name(tmp_path):
    make_recordings(tmp_path, ["anna", "ben"], takes=1)
    for name in ("anna", "ben"):
        (tmp_path / name / f"{name}0.wav").rename(tmp_path / name / "x.wav")
    path = tmp_path / "all.ctm"
    path.write_text("anna/x 1 0 0.1 a\nben/x 1 0 0.1 b\n")
    found = {u.speaker: u.segments() for u in open_corpus(path).utterances()}
    assert found == {"anna": [(0, 1600, "a")], "ben": [(0, 1600, "b")]}
    table = tmp_path / "all.csv"
    table.write_text("audio,start,end,label\nben/x.wav,0,0.1,a\n./ben/../ben/x.wav,0,0.2,b\n")
    with pytest.raises(UsageError, match="line 3: the segment starts at 0 s and overlaps"):
        open_corpus(table)


def test_ends_rounded_past_the_recording_are_cut_and_later_ones_refused(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(1600), 16000)
    path = tmp_path / "segments.csv"
    head = "audio,start,end,label,speaker,split\n"
    path.write_text(head + "a.wav,0.05,0.109,x,anna,test\n")
    (utterance,) = open_corpus(path).utterances()
    assert utterance.segments() == [(800, 1600, "x")]
    path.write_text(head + "a.wav,0.05,0.15,x,anna,test\n")
    corpus = open_corpus(path)
    assert corpus.utterances()[0].segments(report=corpus.findings) == [(800, 1600, "x")]
    assert corpus.findings.remarks() == [
        "segments that ended up to 0.050 s past their recording and were cut at "
        f"its end: 1; the first: {path}, line 2."
    ]
    path.write_text(head + "a.wav,0.05,0.151,x,anna,test\n")
    with pytest.raises(UsageError, match=r"line 2: the segment ends at 0\.151 s, but the recordin"):
        open_corpus(path).utterances()[0].read()


def test_a_long_recording_is_read_once_whatever_the_number_of_its_segments(tmp_path, monkeypatch):
    rows = make_recordings(tmp_path / "speech")
    assert max(map(len, rows.values())) > 4
    read = []

    def counted(path):
        read.append(path)
        return read_audio(path)

    monkeypatch.setattr(utterances, "read_audio", counted)
    corpus = open_corpus(annotate(tmp_path / "speech", rows, "csv"))
    prepare(corpus, tmp_path / "set", portions=Portions(segments=2))
    assert sorted(read) == sorted({*read})
    assert len(read) == len(rows)


def test_labels_that_are_known_still_have_to_end_within_the_recording(tmp_path):
    """As where a header promises more samples than can be decoded."""
    rows = make_recordings(tmp_path, rate=8000)
    utterance = open_corpus(annotate(tmp_path, rows, "csv")).utterances()[0]
    end = utterance.segments()[-1].end
    bare = utterance.without_labels()
    length = len(bare.samples(False, 8000, end))
    assert len(pickle.dumps(bare)) < len(pickle.dumps(utterance))
    for rate, allowed in ((8000, length), (16000, 2 * length + 1)):
        assert len(bare.samples(True, rate, allowed)) == length * rate // 8000
        with pytest.raises(UsageError, match=rf"{utterance.audio.name} ends after \d+ samples"):
            bare.samples(True, rate, allowed + 1)


def test_a_set_that_names_no_classes_has_timits(tmp_path):
    prepare(make_tree(tmp_path / "timit"), tmp_path / "set")
    path = tmp_path / "set" / "manifest.json"
    manifest = json.loads(path.read_text())
    assert tuple(manifest.pop("classes")) == CLASSES
    assert manifest.pop("groups") == GROUPS
    path.write_text(json.dumps(manifest))
    prepared = Prepared(tmp_path / "set")
    assert (prepared.classes, prepared.groups) == (CLASSES, GROUPS)
