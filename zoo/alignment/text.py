"""The words of a transcript as they are said, in the order in which they are said."""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NoReturn

from zoo.errors import UsageError
from zoo.extras import require

_APOSTROPHES = dict.fromkeys(map(ord, "’‘ʼ‛′`´＇"), "'")
_JOINERS = "\u200c\u200d"
"""Parts of words in scripts of Iran and India, though they print nothing."""

_MARKS = re.compile(r"\[[^\[\]]*\]|<[^<>]*>|\{[^{}]*\}|\+\+[^+\s]*\+\+|\+{3,}|[♪♫]|(?<=\w)\(\d+\)")
_PARENTHESES = re.compile(r"\(\s*([^()]*?)\s*\)")
_UTTERANCE_NAME = re.compile(r"\s\((?=\S*[-_])(?=\S*[0-9])[A-Za-z][\w-]*\)\s*$")
_NOISES = frozenset(
    "applause background beep bell breath breathes breathing breaths chuckle chuckles clears cough "
    "coughing coughs cries crosstalk crying door exhale exhales foreign gasp gasps giggle giggles "
    "groan groans hum hums inaudible indiscernible inhale inhales laugh laughing laughs laughter "
    "lip lipsmack mouth music noise pause phone rings ringing scream screams sigh sighing sighs "
    "silence singing smack sneeze sneezes sniff sniffs sobs static throat unclear unintelligible "
    "unk whispering whispers whistles whistling yawn yawns".split()
)

_SPOKEN = {"&": "and", "+": "plus", "=": "equals", "@": "at", "%": "percent", "°": "degrees"}
_SYMBOLS = re.compile("[" + re.escape("".join(_SPOKEN)) + "]")
_MINUS = re.compile(r"(?<![^\s(])[-\u2212](?=[$£€]?[0-9])")
_NUMBER_SIGN = re.compile(r"#(?=[0-9])|\bno\.(?=\s*[0-9])", re.I)
_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
}
_SUM = re.compile(r"([$£€])([0-9][0-9.,]*)\s+(hundred|thousand|million|billion|trillion)\b", re.I)
_NUMBER = re.compile(
    r"([$£€]?)([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.([0-9]+))?(st|nd|rd|th|'?s)?", re.I
)
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])", re.I)
_FRACTIONS = {
    "1/2": "one half",
    "1/3": "one third",
    "2/3": "two thirds",
    "1/4": "one quarter",
    "3/4": "three quarters",
}
_MIXED = re.compile(r"[0-9]+|[A-Za-z]+")
_INITIALS = re.compile(r"(?:[^\W\d_]\.){2,}|(?:[^\W\d_]\.)+[^\W\d_]")
_LONGEST = 9
"""Digits that are still read as one number; longer ones are read digit by digit."""

_ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "dr": "doctor", "vs": "versus", "etc": "et cetera",
}  # fmt: skip
"""Read out with or without a full stop."""

_WITH_STOP = {
    "prof": "professor", "jr": "junior", "sr": "senior", "inc": "incorporated", "ltd": "limited",
    "corp": "corporation", "dept": "department", "approx": "approximately", "capt": "captain",
    "lt": "lieutenant", "sgt": "sergeant", "gov": "governor", "messrs": "messieurs",
    "jan": "january", "feb": "february", "aug": "august", "sept": "september", "oct": "october",
    "nov": "november", "dec": "december", "ave": "avenue", "blvd": "boulevard", "mt": "mount",
}  # fmt: skip
"""Read out where a full stop follows."""

_ELISIONS = frozenset(
    "'bout 'cause 'cept 'course 'cuse 'd 'em 'gain 'kay 'll 'm 'n 'n' 'nother 're 'round 's 'til "
    "'till 'tis 'twas 've".split()
)
_CUT_ENDS = re.compile(r".+(?:s|in)'|(?:o|an|th|ol|wi|lil|t|'n)'")
_QUIET = frozenset("§¶†‡‰‱")
"""Punctuation that has a name which people would say."""

_KEPT = "'.,:/$£€"


def words_of(text: str, where: str = "the text") -> tuple[str, ...]:
    """What is said, word by word; empty where nothing is.

    Words are in lower case, but for capitals amid lower case ("the BBC"), which may have to be
    spelled. Numbers, symbols and common abbreviations become English words; hyphens separate, and
    apostrophes inside words stay. Marks of what is no speech are left out: `[noise]`, `<unk>`,
    `{breath}`, `(laughs)`. Reading the words once more gives the same words.

    Args:
        text: of any script; letters are composed (NFC).
        where: names the text in messages.

    Raises:
        UsageError: something in it cannot be read aloud; the message names it.
    """
    text = _clean(text)
    shouted = not any(character.islower() for character in text)
    latin = all(_latin(character) for character in text if character.isalpha())
    text = _SUM.sub(r"\2 \3 \1", text)
    text = _NUMBER_SIGN.sub(" number ", _MINUS.sub(" minus ", text))
    for sign, (_, many, *_) in _CURRENCIES.items():
        text = re.sub(rf"(?<!\S){re.escape(sign)}(?!\S)", many, text)
    text = _SYMBOLS.sub(lambda found: f" {_SPOKEN[found[0]]} ", text)
    pieces = _pieces(text, where)
    words: list[str] = []
    quoted = False
    for number, piece in enumerate(pieces):
        following = pieces[number + 1] if number + 1 < len(pieces) else ""
        if any(character.isdigit() for character in piece):
            if not latin:
                _refuse(piece, where)
            words += _number(piece, where)
            continue
        for word in _letters(piece, following, where):
            word, quoted = _unquoted(word, quoted)
            if word:
                words.append(_lower(word) if shouted or not is_acronym(word) else word)
    return tuple(words)


def is_acronym(word: str) -> bool:
    """Whether a word of `words_of` is in capitals, and may have to be spelled."""
    name = word.removesuffix("'s")
    return name.isupper() and sum(map(str.isalpha, name)) > 1


def _clean(text: str) -> str:
    """Composed, with one kind of apostrophe, without marks of what is no speech."""
    text = unicodedata.normalize("NFC", text.translate(_APOSTROPHES))
    text = "".join(c for c in text if unicodedata.category(c) != "Cf" or c in _JOINERS)
    text = _UTTERANCE_NAME.sub(" ", text)
    return _PARENTHESES.sub(_aside, _MARKS.sub(" ", text))


def _aside(found: re.Match[str]) -> str:
    names = re.split(r"[\s_-]+", found[1].lower())
    return " " if all(name in _NOISES for name in names) else f" {found[1]} "


@functools.lru_cache(4096)
def _latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith(("LATIN", "MODIFIER", "FEMININE", "MASCUL"))


@functools.lru_cache(4096)
def _kind(character: str) -> str:
    """`" "` for what separates, `"a"` for what belongs to a word or number, `"!"` for the rest."""
    category = unicodedata.category(character)
    if character in _KEPT or character in _JOINERS or category[0] in "LM":
        return "a"
    if character in "0123456789":
        return "a"
    if character.isspace() or (
        category[0] == "P" and character not in "[]{}" and character not in _QUIET
    ):
        return " "
    return "!"


def _pieces(text: str, where: str) -> list[str]:
    found = []
    for token in text.split():
        kinds = [_kind(character) for character in token]
        if "!" in kinds:
            _refuse(token, where)
        spaced = "".join(c if kind == "a" else " " for c, kind in zip(token, kinds, strict=True))
        if not any(character.isdigit() for character in spaced):
            spaced = re.sub("[,:/]", " ", spaced)
        found += spaced.split()
    return found


def _letters(piece: str, following: str, where: str) -> list[str]:
    """The words of a piece without digits."""
    bare = piece.strip(",:/")
    if _INITIALS.fullmatch(bare):
        return bare.replace(".", " ").split()
    name = bare.strip(".")
    low = _lower(name)
    if low in _ABBREVIATIONS:
        return _ABBREVIATIONS[low].split()
    if low == "st" and (bare.endswith(".") or name == "St"):
        return ["saint" if following[:1].isupper() else "street"]
    if low in _WITH_STOP and bare.endswith("."):
        return [_WITH_STOP[low]]
    if "$" in name or "£" in name or "€" in name:
        _refuse(piece, where)
    parts = [part for part in name.split(".") if part.strip("'")]
    # A missing space after a sentence is clear; anything else with a full stop inside is a name.
    if not all(part.lstrip("'")[:1].isupper() for part in parts[1:]) and ".." not in name:
        _refuse(piece, where)
    return parts


def _unquoted(word: str, quoted: bool) -> tuple[str, bool]:
    """A word without single quotation marks around it, and whether one is still open."""
    low = word.lower()
    if low in _ELISIONS:
        return word, quoted
    begins, ends = word.startswith("'"), word.endswith("'")
    if begins and not any(low.startswith(f"{elision}'") for elision in _ELISIONS):
        return word.strip("'"), not ends
    if ends and not quoted and not low.endswith("''") and _CUT_ENDS.fullmatch(low):
        return word, False
    if ends:
        return word.rstrip("'"), False
    return word, quoted


def _number(piece: str, where: str) -> list[str]:
    """The words of a piece with digits."""
    bare = piece.strip(".,:/'")
    if bare in _FRACTIONS:
        return _FRACTIONS[bare].split()
    if time := _TIME.fullmatch(bare):
        hour, minute = int(time[1]), int(time[2])
        if not minute:
            return [*_said(hour), *(["o'clock"] if 0 < hour < 13 else ["hundred"])]
        return [*_said(hour), *(["oh"] if minute < 10 else []), *_said(minute)]
    if number := _NUMBER.fullmatch(bare):
        currency, whole, decimals, suffix = number.groups()
        return _amount(piece, currency, whole, decimals, (suffix or "").lower(), where)
    parts = _MIXED.findall(bare)
    # "MP3", "B2B", "3D", "10am"; what a longer word beside a number is cannot be told.
    if "".join(parts) != bare or not all(
        part.isdigit() or part.isupper() or len(part) == 1 or part in ("am", "pm") for part in parts
    ):
        _refuse(piece, where)
    return [w for p in parts for w in (_whole(p) if p.isdigit() else p.lower())]


def _amount(
    piece: str, currency: str, whole: str, decimals: str | None, suffix: str, where: str
) -> list[str]:
    comma, digits = "," in whole, whole.replace(",", "")
    if suffix and (currency or decimals or len(digits) > _LONGEST):
        _refuse(piece, where)
    if currency:
        one, many, cent, cents = _CURRENCIES[currency]
        said = [*_whole(digits, year=False), one if digits == "1" else many]
        if decimals is None or not decimals.strip("0"):
            return said
        if len(decimals) != 2:
            return [*_whole(digits, year=False), "point", *_each(decimals), many]
        small = int(decimals)
        rest = [*_said(small), cent if small == 1 else cents]
        return [*said, "and", *rest] if digits.strip("0") else rest
    if decimals is not None:
        return [*_whole(digits, year=False), "point", *_each(decimals)]
    if suffix in ("s", "'s"):
        *before, last = _whole(digits, year=not comma)
        plural = (
            last[:-1] + "ies" if last.endswith("y") else last + ("es" if last == "six" else "s")
        )
        return [*before, plural]
    if suffix:
        return _said(int(digits), "ordinal")
    return _whole(digits, year=not comma)


def _whole(digits: str, year: bool = True) -> list[str]:
    """A number without decimals; four digits from 1100 to 2099 may be a `year`."""
    if len(digits) > _LONGEST or (len(digits) > 1 and digits[0] == "0"):
        return _each(digits)
    return _said(int(digits), "year" if year and 1100 <= int(digits) < 2100 else "cardinal")


def _each(digits: str) -> list[str]:
    return [word for digit in digits for word in _said(int(digit))]


def _said(number: int, kind: str = "cardinal") -> list[str]:
    require("align", "spelling out numbers", ("num2words",))
    from num2words import num2words

    return re.findall("[a-z]+", num2words(number, to=kind))


def _lower(word: str) -> str:
    return unicodedata.normalize("NFC", word.lower())


def _refuse(token: str, where: str) -> NoReturn:
    shown = token if len(token) <= 40 else token[:40] + "..."
    raise UsageError(f"{where}: {shown!r} cannot be read aloud; write it as it is said.")
