"""What is said of what is written."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zoo import extras
from zoo.alignment.text import is_acronym, words_of
from zoo.errors import UsageError


def said(text):
    return " ".join(words_of(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("YES", "yes"),
        ("P I T T S B U R G H", "p i t t s b u r g h"),
        ("RUBOUT G M E F THREE NINE", "rubout g m e f three nine"),
        ("HE'S AT O'CLOCK'S", "he's at o'clock's"),
        (
            "She had your dark suit in greasy wash water all year.",
            "she had your dark suit in greasy wash water all year",
        ),
        ("“Well,” she said—‘no’… Yes?!", "well she said no yes"),
        ("``AS IS'' and so on", "AS IS and so on"),
        ("a well-known and/or new one;next", "a well known and or new one next"),
        ("The end.Next one", "the end next one"),
        ("R&D at 5%", "r and d at five percent"),
        ("   \n\t", ""),
        ("", ""),
        ("... - -- !", ""),
    ],
)
def test_punctuation_and_case_are_taken_off(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("'cause it’s rock 'n' roll", "'cause it's rock 'n' roll"),
        ("five o'clock, y'all'd've", "five o'clock y'all'd've"),
        ("the dogs' bone, James' hat, runnin' and runnin'", None),
        ("he said 'the dogs' and 'hello there' twice", "he said the dogs and hello there twice"),
        ("'Tis 'the last' ''quote''", "'tis the last quote"),
        ("ol' man, not man'", "ol' man not man"),
        ("' '' 'a'", "a"),
    ],
)
def test_apostrophes_stay_and_quotation_marks_go(text, words):
    assert said(text) == (words or text.lower().replace(",", ""))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("42", "forty two"),
        ("0 007 12", "zero zero zero seven twelve"),
        ("3.5 0.05", "three point five zero point zero five"),
        ("1,000 1,234,567", None),
        ("21st 2ND 100th", "twenty first second one hundredth"),
        ("in 1999, 2005 and 2,005", None),
        ("the 1990s, '90s and 6s", "the nineteen nineties nineties and sixes"),
        ("$5 $1 £2.01 €0.50 $3.5", None),
        ("$5 million and 5 $", "five million dollars and five dollars"),
        ("5% 5 % 20°", "five percent five percent twenty degrees"),
        ("10:30 10:05 10:00 14:00", "ten thirty ten oh five ten o'clock fourteen hundred"),
        ("-5 (-5) 5-10 twenty-5", "minus five minus five five ten twenty five"),
        ("1/2 3/4", "one half three quarters"),
        ("No. 5 #5", "number five number five"),
        ("the MP3 B2B 3D 10am F16", "the m p three b two b three d ten a m f sixteen"),
        ("4155551234", "four one five five five five one two three four"),
        ("1 + 1 = 2", "one plus one equals two"),
    ],
)
def test_numbers_are_spelled_out(text, words):
    several = {
        "1,000 1,234,567": "one thousand one million two hundred and thirty four thousand five "
        "hundred and sixty seven",
        "in 1999, 2005 and 2,005": "in nineteen ninety nine two thousand and five and two thousand "
        "and five",
        "$5 $1 £2.01 €0.50 $3.5": "five dollars one dollar two pounds and one penny fifty cents "
        "three point five dollars",
    }
    assert said(text) == (words or several[text])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mr. Smith, Mrs Jones and Dr. No", "mister smith missus jones and doctor no"),
        ("MR BROWN VS THE REST ETC.", "mister brown versus the rest et cetera"),
        ("Main St. in St. Louis, St Ives", "main street in saint louis saint ives"),
        ("on Dec. 5, Acme Inc.", "on december five acme incorporated"),
        ("the U.S.A. at 5 a.m. e.g. now", "the u s a at five a m e g now"),
    ],
)
def test_abbreviations_are_read_out(text, words):
    assert said(text) == words


def test_acronyms_amid_lower_case_keep_their_capitals():
    assert words_of("The NASA and IBM's offices, I say A") == (
        *("the", "NASA", "and", "IBM's", "offices", "i", "say", "a"),
    )
    assert words_of("THE NASA") == ("the", "nasa")
    assert [is_acronym(word) for word in ("NASA", "IBM's", "nasa", "I", "12")] == [
        *(True, True, False, False, False)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[noise] one <unk> {breath} two",
        "(laughs) one (LIP SMACK) two ( cough )",
        "<s> one +++ two </s> (an251-fash-b)",
        "one ++um++ two ♪ [some long remark]",
        "one(2) two",
    ],
)
def test_marks_of_no_speech_are_left_out(text):
    assert said(text) == "one two"


def test_other_parentheses_are_read():
    assert said("one (which was green) two") == "one which was green two"
    assert said("he left (1999)") == "he left nineteen ninety nine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Привет, мир! Ёлка", "привет мир ёлка"),
        ("«ça» cafe\u0301 ¿Qué?", "ça café qué"),
        ("你好，世界。", "你好 世界"),
        ("می\u200cخواهم نه؟", "می\u200cخواهم نه"),
        ("हिन्दी।", "हिन्दी"),
        ("so\u00adft \ufeffmark", "soft mark"),
    ],
)
def test_words_of_other_scripts_are_kept(text, words):
    assert said(text) == words


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("it is 5km away", "5km"),
        ("see x.com now", "x.com"),
        ("1,2", "1,2"),
        ("one ½ two", "½"),
        ("a < b", "<"),
        ("an [unclosed mark", "[unclosed"),
        ("12/31/1999", "12/31/1999"),
        ("🙂 hello", "🙂"),
        ("$five", "$five"),
        ("У меня 5 рублей", "5"),
        ("٣ books", "٣"),
    ],
)
def test_what_cannot_be_said_is_refused_by_name(text, token):
    with pytest.raises(UsageError) as refused:
        words_of(text, "a.txt, line 3")
    assert str(refused.value) == (
        f"a.txt, line 3: {token!r} cannot be read aloud; write it as it is said."
    )


def test_numbers_say_what_to_install(monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda name: name != "num2words")
    assert said("no numbers") == "no numbers"
    with pytest.raises(UsageError, match=r"numbers requires num2words.*'phone-zoo\[align\]'"):
        words_of("12")


written = st.text(
    st.one_of(
        st.sampled_from("abcABC 019 '’.,-:/$%#[](){}<>+&@°_\n"),
        st.characters(codec="utf-8"),
    ),
    max_size=40,
)
tokens = st.sampled_from(
    "Mr. St. 'n' 'cause dogs' 'dogs' IBM IBM's A. U.S. 1999 $5 5% 10:30 -5 ½ (laughs) [x] no. etc "
    "don't ΟΔΟΣ İ ß ǅ x.com +++ '' `` o' $5 million 1990s 3/4 ﬁ".split()
)


@given(st.one_of(written, st.lists(st.one_of(tokens, written), max_size=8).map(" ".join)))
@settings(deadline=None)
@example("1" * 500)
@example("$" + "1" * 5000 + "." + "0" * 500 + "1")
@example("9" * 400 + "th")
def test_any_text_has_words_or_is_refused_and_words_stay_as_they_are(text):
    try:
        words = words_of(text, "there")
    except UsageError as refused:
        message = str(refused)
        assert message.startswith("there: ")
        assert len(message) < 500
        return
    for word in words:
        assert word == unicodedata.normalize("NFC", word)
        assert not any(c.isspace() or c.isdigit() for c in word)
        assert any(unicodedata.category(c)[0] in "LM" for c in word)
        assert word == word.lower() or is_acronym(word)
    assert words_of(" ".join(words)) == words
