"""Annotations and names as other programs, disks and people write them."""

import json
import unicodedata
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.annotations import long_textgrid, short_textgrid
from zoo.cli import main
from zoo.data import open_corpus, prepare
from zoo.data.corpora.audio import LONGEST_SECONDS, MAX_SECONDS
from zoo.data.corpora.containers import UNREAD
from zoo.data.corpora.intervals import CLIP_SECONDS, EDGE_SECONDS, MAX_NAME, is_name
from zoo.data.corpora.labels import TIMIT, Labelling
from zoo.data.corpora.names import AUDIO_SUFFIXES, Names, called_like, folded
from zoo.data.corpora.tables import read_ctm, read_table
from zoo.data.corpora.textfiles import MAX_BYTES
from zoo.data.corpora.textgrid import PHONE_TIERS, read_textgrid
from zoo.errors import UsageError

RATE = 16000
SPEAKERS = ("anna", "ben")
MFA = {"words": [(0, 1, "hut")], "phones": [(0, 0.3, "HH"), (0.3, 0.5, "AH0"), (0.5, 1, "spn")]}


def record(path, seconds=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(seconds * RATE), 0.1), RATE, subtype="PCM_16")


def folders(root, name="x.wav"):
    for speaker in SPEAKERS:
        record(root / speaker / name)
    return root


def with_grids(root, tiers, end=1, name="x"):
    folders(root)
    for speaker in SPEAKERS:
        text = long_textgrid(tiers, end)
        (root / speaker / f"{name}.TextGrid").write_text(text, encoding="utf-8")
    return root


def segments(corpus):
    return {u.name: [tuple(s) for s in u.segments()] for u in corpus.utterances()}


def checked(capsys, *arguments):
    code = main(["corpus", "check", *map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


class TestCtm:
    @pytest.mark.parametrize(
        "line",
        [
            "x 1 0.10 0.20 a",
            "x A 0.10 0.20 a 0.98",
            "x 1 0.10 0.20 a NA",
            "x 1 0.10 0.20 a <NA>",
            "x 1 0.10 0.20 a <NA> lex",
            "x 1 0.10 0.20 a <NA> lex anna",
            "x 1 0.10 0.20 a 0.9 non-lex unknown",
            "x\t1\t0.10\t0.20\ta\t-\tlex\tNA",
        ],
    )
    def test_every_variant_is_read(self, tmp_path, line):
        path = tmp_path / "a.ctm"
        path.write_text(f";; made by hand\n# and\n{line}\n\n;;")
        (row,) = read_ctm(path)
        assert (row.audio, *row.span[1:]) == ("x", Decimal("0.1"), Decimal("0.3"), "a")
        assert row.speaker == ("anna" if line.endswith("anna") else None)

    def test_the_speaker_is_the_ctms_unless_utt2spk_says_so(self, tmp_path):
        for name in ("x", "y", "z"):
            record(tmp_path / f"{name}.wav")
        lines = ["x 1 0 0.1 a NA lex ann", "y 1 0 0.1 a NA lex bo", "z 1 0 0.1 a NA lex bo"]
        (tmp_path / "a.ctm").write_text("\n".join([*lines, "z 1 0.1 0.1 a NA lex ann"]))
        (tmp_path / "utt2spk").write_text("y cy\n")
        found = {u.name: u.speaker for u in open_corpus(tmp_path).utterances()}
        assert found == {"x": "ann", "y": "cy", "z": tmp_path.name}

    @pytest.mark.parametrize("suffix", ["", ".wav", ".WAV", ".sph"])
    def test_names_may_have_a_suffix_and_any_case(self, tmp_path, suffix):
        folders(tmp_path, "Straße.wav")
        (tmp_path / "a.ctm").write_text(
            "".join(f"{s}/STRASSE{suffix} 1 0 0.5 a\n" for s in SPEAKERS), encoding="utf-8"
        )
        assert {u.speaker for u in open_corpus(tmp_path).utterances()} == set(SPEAKERS)

    def test_one_file_a_recording_is_read(self, tmp_path):
        for speaker in SPEAKERS:
            record(tmp_path / speaker / f"{speaker}1.wav")
            (tmp_path / speaker / f"{speaker}1.ctm").write_text(f"{speaker}1 1 0 0.5 {speaker[0]}")
        found = segments(open_corpus(tmp_path))
        assert found == {"anna1": [(0, 8000, "a")], "ben1": [(0, 8000, "b")]}

    def test_a_recording_in_two_files_is_refused(self, tmp_path):
        folders(tmp_path)
        for name in ("reference", "hypothesis"):
            (tmp_path / f"{name}.ctm").write_text("anna/x 1 0 0.5 a\nben/x 1 0 0.5 a\n")
        with pytest.raises(UsageError, match=r"'anna/x' is also in hypothesis\.ctm; give the file"):
            open_corpus(tmp_path)
        assert len(open_corpus(tmp_path / "reference.ctm").utterances()) == 2


class TestTextGrids:
    def test_timits_classes_whatever_the_case_and_stress(self, tmp_path, capsys):
        root = with_grids(tmp_path / "c", MFA)
        code, found = checked(capsys, root, "--mapping", "timit")
        assert (code, sorted(found["labels"])) == (0, ["ah", "hh"])
        assert found["remarks"] == [
            "of the TextGrids' tiers 'phones' was read, by its name; not read: 'words'. --tier "
            "names another.",
            "segments labelled 'spn', which belong to no class and were left out: 2.",
        ]
        out = tmp_path / "set"
        assert main(["prepare", str(root), str(out), "--mapping", "timit", "--length", "any"]) == 0
        told = capsys.readouterr().err
        assert all(f"zoo prepare: {remark}" in told for remark in found["remarks"])

    def test_a_tier_without_a_telling_name_is_said_to_be_the_first(self, tmp_path):
        root = with_grids(tmp_path, {"mine": [(0, 1, "a")], "other": [(0, 1, "b")]})
        (remark,) = open_corpus(root).findings.remarks()
        assert remark.startswith(
            "of the TextGrids' tiers 'mine' was read, by its place, as no name"
        )
        assert open_corpus(root, tier="other").findings.remarks() == []

    def test_tiers_of_each_speaker_are_one_by_what_their_names_end_in(self, tmp_path):
        path = tmp_path / "a.TextGrid"
        tiers = {"ann - words": [(0, 0.5, "w")], "ann - phones": [(0, 0.5, "a")]}
        tiers |= {"bo - words": [(0.5, 1, "v")], "bo - phones": [(0.5, 1, "b")]}
        path.write_text(short_textgrid(tiers, 1))
        assert [s.label for s in read_textgrid(path)] == ["a", "b"]
        assert [s.label for s in read_textgrid(path, "phones")] == ["a", "b"]
        assert [s.label for s in read_textgrid(path, "words")] == ["w", "v"]
        assert [s.label for s in read_textgrid(path, "bo - words")] == ["v"]

    @pytest.mark.parametrize(("offset", "begun"), [("start", 12.5), ("12.25", 12.25)])
    def test_those_that_start_later_are_moved(self, tmp_path, capsys, offset, begun):
        folders(tmp_path)
        for speaker in SPEAKERS:
            text = short_textgrid({"phones": [(12.5, 13, "a")]}, 13).replace("\n0\n", "\n12.5\n")
            (tmp_path / speaker / "x.TextGrid").write_text(text)
        with pytest.raises(UsageError, match=r"starts at 12\.5 s; .* give --offset start"):
            open_corpus(tmp_path)
        code, found = checked(capsys, tmp_path, "--offset", offset)
        assert (code, found["problems"]) == (0, [])
        corpus = open_corpus(tmp_path, offset="start" if offset == "start" else float(offset))
        first = round((12.5 - begun) * RATE)
        assert segments(corpus)["anna/x"] == [(first, first + 8000, "a")]

    def test_an_offset_that_is_none_is_refused(self, tmp_path, capsys):
        with pytest.raises(SystemExit):
            main(["corpus", "check", str(tmp_path), "--offset", "later"])
        assert "takes seconds or start; received 'later'" in capsys.readouterr().err

    @given(st.integers(-60, 80))
    @settings(max_examples=40, deadline=None)
    def test_ends_up_to_50_ms_beyond_are_cut_and_check_agrees_with_prepare(
        self, tmp_path_factory, milliseconds
    ):
        root = tmp_path_factory.mktemp("beyond")
        end = 1 + milliseconds / 1000
        with_grids(root, {"phones": [(0, 0.3, "a"), (0.3, end, "b")]}, end)
        problems = []
        corpus = open_corpus(root, report=lambda *problem: problems.append(problem))
        found = [s for u in corpus.utterances() for s in u.segments(report=corpus.findings)]
        assert bool(problems) is (milliseconds > 50)
        assert bool(corpus.findings.remarks()) is (10 < milliseconds <= 50)
        assert all(s.end <= RATE for s in found)
        assert len(found) == (2 if milliseconds > 50 else 4)

    @pytest.mark.parametrize("suffix", [".m4a", ".M4A", ".aac", ".wma", ".webm"])
    def test_what_lies_there_and_is_not_read_is_named(self, tmp_path, capsys, suffix):
        root = with_grids(tmp_path, {"phones": [(0, 1, "a")]})
        for speaker in SPEAKERS:
            (root / speaker / "x.wav").rename(root / speaker / f"x{suffix}")
        _, found = checked(capsys, root)
        first = found["problems"][0]["problem"]
        assert first.startswith("has no recording beside it; x.wav was expected.")
        assert first.endswith(f"is not read; convert it: ffmpeg -i x{suffix} x.wav")


class TestSkipping:
    def corpus(self, root):
        good = [(0, 0.3, "aa"), (0.3, 0.6, "s")]
        for speaker in ("anna", "ben", "carl", "dora"):
            record(root / speaker / "x.wav")
            grid = root / speaker / "x.TextGrid"
            grid.write_text(short_textgrid({"phones": good}, 1))
        bad = [(0, 0.3, "aa"), (0.3, 0.6, "nonsense"), (0.6, 7, "s")]
        record(root / "anna" / "bad.wav")
        (root / "anna" / "bad.TextGrid").write_text(short_textgrid({"phones": bad}, 7))
        (root / "anna" / "lost.TextGrid").write_text(short_textgrid({"phones": good}, 1))
        record(root / "anna" / "mute.wav")
        record(root / "ben" / "cut.wav")
        contents = (root / "ben" / "cut.wav").read_bytes()
        (root / "ben" / "cut.wav").write_bytes(contents[:9000])
        (root / "ben" / "cut.TextGrid").write_text(short_textgrid({"phones": good}, 1))
        (root / "carl" / "half.TextGrid").write_text('File type = "ooTextFile"\n')
        record(root / "carl" / "half.wav")
        soundfile.write(root / "dora" / "two.wav", np.zeros((RATE, 2)), RATE)
        (root / "dora" / "two.TextGrid").write_text(short_textgrid({"phones": good}, 1))
        return root

    def test_what_is_unusable_is_left_out_and_counted(self, tmp_path, capsys):
        root = self.corpus(tmp_path / "c")
        assert checked(capsys, root, "--mapping", "timit")[0] == 1
        code, found = checked(capsys, root, "--mapping", "timit", "--skip-unusable")
        assert (code, found["problems"]) == (0, [])
        assert sum(split["segments"] for split in found["splits"].values()) == 9
        (remark,) = found["remarks"]
        assert remark.startswith("unusable labels and recordings that were left out: 7; the first:")
        options = ["--mapping", "timit", "--length", "any"]
        with pytest.raises(UsageError):
            prepare(open_corpus(root, mapping="timit"), tmp_path / "strict", length="any")
        command = ["prepare", str(root), str(tmp_path / "set"), *options, "--skip-unusable"]
        assert main(command) == 0
        shown = capsys.readouterr()
        assert "unusable labels and recordings that were left out: 6; the first:" in shown.err
        manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
        assert sum(split["examples"] for split in manifest["splits"].values()) == 9

    def test_nothing_left_is_refused_with_the_first_problem(self, tmp_path):
        root = with_grids(tmp_path, {"phones": [(0, 1, "nonsense")]})
        with pytest.raises(UsageError, match=r"holds no labelled .* The first problem: .*nonsense"):
            open_corpus(root, mapping="timit", skip_unusable=True)

    def test_what_the_whole_corpus_lacks_is_not_skipped(self, tmp_path):
        record(tmp_path / "anna" / "x.wav")
        (tmp_path / "anna" / "x.TextGrid").write_text(short_textgrid({"phones": [(0, 1, "a")]}, 1))
        with pytest.raises(UsageError, match="has one speaker only"):
            open_corpus(tmp_path, skip_unusable=True)


class TestNames:
    @pytest.mark.parametrize(
        "label",
        [
            "می\u200cخواهم",
            "क्\u200dष",
            "a b",
            "a\u00a0b",
            "あ\u3000い",
            "👩\u200d👩\u200d👧",
            "\u200fא",
            "ﷺ",
            "e\u0301",
        ],
    )
    def test_labels_of_every_script_are_read_by_every_reader(self, tmp_path, label):
        (tmp_path / "a.TextGrid").write_text(
            short_textgrid({"phones": [(0, 1, label)]}, 1), encoding="utf-16"
        )
        (tmp_path / "a.csv").write_text(
            f"audio,start,end,label\r\nx,0,1,{label}\r\n", encoding="utf-8-sig"
        )
        (tmp_path / "a.ctm").write_text(f"x 1 0 1 {label.replace(' ', '_')}", encoding="utf-8")
        assert [s.label for s in read_textgrid(tmp_path / "a.TextGrid")] == [label]
        assert [r.span.label for r in read_table(tmp_path / "a.csv")] == [label]
        assert [r.span.label for r in read_ctm(tmp_path / "a.ctm")] == [label.replace(" ", "_")]

    @given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8))
    def test_control_characters_and_they_alone_are_refused(self, text):
        refused = any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text)
        assert is_name(text) is (not refused and text == text.strip())

    @given(st.data())
    @settings(max_examples=200)
    def test_case_and_composition_make_no_difference(self, data):
        letters = st.characters(categories=("L", "N"), codec="utf-8")
        name = data.draw(st.text(letters, min_size=1, max_size=6))
        change = data.draw(
            st.sampled_from(
                [str.upper, str.lower, str.title, str.casefold]
                + [lambda t, f=f: unicodedata.normalize(f, t) for f in ("NFC", "NFD")]
            )
        )
        # Some capitals have no small letter that they come from; those are other names.
        if folded(change(name)) == folded(name):
            assert Names({name: None}).find(change(name)) == name
            path = Path(f"/c/{name}.wav")
            assert called_like([path])(change(name)) == [path]

    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    @pytest.mark.parametrize("audio", ["müller.wav", "MÜLLER.WAV", "Müller.wav.wav"])
    def test_recording_and_annotation_find_each_other(self, tmp_path, form, audio):
        for speaker in SPEAKERS:
            record(tmp_path / speaker / unicodedata.normalize(form, audio))
            other = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "müller")
            grid = tmp_path / speaker / f"{other}.TEXTGRID"
            grid.write_text(short_textgrid({"phones": [(0, 1, "a")]}, 1))
        assert [len(u.segments()) for u in open_corpus(tmp_path).utterances()] == [1, 1]

    def test_a_textgrid_may_keep_the_recordings_suffix(self, tmp_path):
        with_grids(tmp_path, {"phones": [(0, 1, "a")]}, name="x.wav")
        assert len(open_corpus(tmp_path).utterances()) == 2

    @pytest.mark.parametrize(
        "name", ["sx1.wav", "SX1.wav", "sx1.wav.wav", "Sx1.WAV.wav", "sx1.Flac"]
    )
    @pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
    def test_timits_files_find_each_other(self, tmp_path, capsys, name, mark):
        for folder in ("TRAIN/DR1/FABC0", "TEST/DR1/MDEF0"):
            record(tmp_path / folder / name)
            (tmp_path / folder / "SX1.PHN").write_bytes(mark + b"0 4800 aa\r\n4800 9600 s\r\n")
        code, found = checked(capsys, tmp_path)
        assert (code, found["problems"]) == (0, [])
        assert [len(u.segments()) for u in open_corpus(tmp_path).utterances()] == [2, 2]

    def test_a_tables_paths_may_be_those_of_windows_in_any_case(self, tmp_path):
        folders(tmp_path, unicodedata.normalize("NFD", "Zoë.wav"))
        path = tmp_path / "segments.csv"
        path.write_text(
            "audio,start,end,label\nAnna\\Zoë.WAV,0,1,a\nben/zoë.wav,0,1,b\n", encoding="utf-8"
        )
        assert {u.speaker for u in open_corpus(path).utterances()} == {"anna", "ben"}

    def test_one_label_composed_in_two_ways_is_one_class(self, tmp_path):
        folders(tmp_path)
        path = tmp_path / "segments.csv"
        rows = ["anna/x.wav,0,1,é", "ben/x.wav,0,0.5,e\u0301", "ben/x.wav,0.5,1,o\u0301"]
        path.write_text("\n".join(["audio,start,end,label", *rows]), encoding="utf-8")
        corpus = open_corpus(path)
        assert corpus.labelling.classes == ("o\u0301", "é")
        assert {s[2] for found in segments(corpus).values() for s in found} == {"é", "o\u0301"}


class TestTables:
    @pytest.mark.parametrize(
        "text",
        [
            "audio,start,end,label,,\nx,0.25,0.5,a,,\n,,,,,\n",
            "audio,start,end,label\nx,0.25,0.5,a,,\n\n  \nx,0.5,1,b\n",
            ",,,\nAudio,START,End,Label\nx,0.25,0.5,a\n",
            "audio;start;end;label\nx;0,25;0,5;a\n",
            '"audio";"start";"end";"label"\n"x";"0,25";"0,5";"a"\n',
            "sep=;\nAUDIO;start;end;label\nx;0.25;0.5;a\n",
            "audio\tstart\tend\tlabel\nx\t0,25\t0,5\ta\n",
            "audio|start|end|label\nx|0.25|0.5|a\n",
            " audio , start , end , label \nx,0.25,0.5,a\n",
            "audio,,start,end,label\nx,,0.25,0.5,a\n",
        ],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
    @pytest.mark.parametrize("suffix", [".csv", ".tsv"])
    def test_as_spreadsheets_write_them(self, tmp_path, text, encoding, suffix):
        path = tmp_path / f"a{suffix}"
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
        row = read_table(path)[0]
        assert (row.audio, *row.span[1:]) == ("x", Decimal("0.25"), Decimal("0.5"), "a")

    @given(st.data())
    @settings(max_examples=150)
    def test_separators_decimals_and_empty_cells_make_no_difference(self, tmp_path_factory, data):
        path = tmp_path_factory.mktemp("table") / data.draw(st.sampled_from(["a.csv", "a.tsv"]))
        separator = data.draw(st.sampled_from(",;\t|"))
        comma = separator != "," and data.draw(st.booleans())
        empty = data.draw(st.integers(0, 3))
        text = st.text(st.characters(categories=("L", "N"), codec="utf-8"), min_size=1, max_size=5)
        rows = data.draw(
            st.lists(st.tuples(text, st.integers(0, 999), st.integers(1, 999), text), min_size=1)
        )
        case = data.draw(st.sampled_from([str.lower, str.upper, str.title]))
        lines = [list(map(case, ("audio", "start", "end", "label"))) + [""] * empty]
        for audio, start, length, label in rows:
            times = [f"{n / 1000:.3f}" for n in (start, start + length)]
            times = [t.replace(".", ",") for t in times] if comma else times
            lines += [[audio, *times, label] + [""] * empty]
            lines += [[""] * 4] * data.draw(st.integers(0, 1))
        path.write_text("\n".join(separator.join(line) for line in lines), encoding="utf-8")
        found = [(r.audio, *r.span[1:]) for r in read_table(path)]
        assert found == [
            (a, Decimal(s) / 1000, Decimal(s + n) / 1000, label) for a, s, n, label in rows
        ]

    def test_a_decimal_comma_between_commas_is_named(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text('audio,start,end,label\nx,"0,25",1,a\n')
        with pytest.raises(UsageError, match=r"line 2: start is '0,25'; .* decimal point: 0\.25"):
            read_table(path)

    def test_points_between_thousands_are_refused(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text("audio;start;end;label\nx;1.234,5;2000;a\n")
        with pytest.raises(UsageError, match=r"line 2: start is '1\.234,5'; a time in seconds was"):
            read_table(path)

    def test_cells_beyond_the_names_are_refused(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text("audio,start,end,label\nx,0,1,a,,b\n")
        with pytest.raises(UsageError, match="line 2: expected 4 columns as in the first line"):
            read_table(path)

    def test_a_folders_other_tables_are_named(self, tmp_path):
        folders(tmp_path)
        path = tmp_path / "labels.csv"
        path.write_text("file;begin;end;phone\nanna/x.wav;0;1;a\n")
        with pytest.raises(UsageError, match=r"labels\.csv has the columns 'file', 'begin', 'end'"):
            open_corpus(tmp_path)
        (tmp_path / "tables").mkdir()
        path.rename(tmp_path / "tables" / "labels.csv").write_text(
            "audio,start,end,label,speaker\n../anna/x.wav,0,1,a,anna\n../ben/x.wav,0,1,a,ben\n"
        )
        with pytest.raises(UsageError, match=r"labels\.csv is a table of segments; give its path"):
            open_corpus(tmp_path)
        assert len(open_corpus(tmp_path / "tables" / "labels.csv").utterances()) == 2
        (tmp_path / "book.xlsx").write_bytes(b"PK\3\4")
        with pytest.raises(UsageError, match=r"book\.xlsx is a spreadsheet, .* save it as CSV"):
            open_corpus(tmp_path)


@given(st.sampled_from(sorted(TIMIT.mapping)), st.data())
def test_timits_labels_in_any_case_with_any_stress_are_known(label, data):
    change = data.draw(st.sampled_from([str.upper, str.lower, str.title]))
    found = TIMIT.known(change(label))
    assert found == label if change is str.lower else TIMIT.mapping[found] == TIMIT.mapping[label]
    if label[0] in "aeiou" and label.isalpha() and len(label) == 2 and label not in ("em", "en"):
        stressed = change(label) + data.draw(st.sampled_from("012"))
        assert TIMIT.known(stressed + data.draw(st.sampled_from(["", "_B", "_S"]))) == label


@pytest.mark.parametrize("label", ["x", "aa3", "AH00", "b1", "", "T0", "a_B"])
def test_other_labels_are_not_timits(label):
    assert TIMIT.known(label) is None


def test_other_mappings_fold_nothing_but_composition():
    own = Labelling.of({"É": "e", "ah": "a"})
    assert own.known("E\u0301") == "É"
    assert Labelling.of({"E\u0301": "e"}).known("É") == "E\u0301"
    assert own.known("AH0") is None
    assert own.known("é") is None


def test_the_page_of_files_has_every_suffix_and_limit():
    page = (Path(__file__).parents[3] / "docs" / "files.md").read_text(encoding="utf-8")
    for suffix in (*AUDIO_SUFFIXES, *UNREAD):
        assert f"`{suffix}`" in page
    for tier in PHONE_TIERS:
        assert f"`{tier}`" in page.replace("MAU", "mau")
    assert f"Ends up to {1000 * EDGE_SECONDS:.0f} ms past the recording" in page
    assert f"Ends up to {1000 * CLIP_SECONDS:.0f} ms past it" in page
    assert f"1 to {MAX_NAME} characters" in page
    assert f"{MAX_BYTES >> 20} MiB" in page
    assert (MAX_SECONDS, LONGEST_SECONDS) == (3600, 24 * 3600)
