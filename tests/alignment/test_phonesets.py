"""Phones of dictionaries as classes of networks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.alignment.phonesets import PhoneSet
from zoo.alignment.pronunciations import Dictionary
from zoo.data.corpora.phones import CLASSES, DROPPED, GROUPS, LABEL_TO_CLASS, TIMIT_LABELS
from zoo.errors import UsageError

AN4 = tuple(
    "iy n t eh s r ah ey ay f uw v w k ih ow b aa l d y th ao jh p ch er hh m z aw g ae sil".split()
)
FESTVOX_RU = tuple(
    "a aa b bb ch d dd e ee f ff g gg h hh i ii j k kk l ll m mm n nn o oo p pau pp r rr s sch sh "
    "ss t tt ts u uu v vv y yy z zh zz".split()
)
MFA_ENGLISH = (
    "aj aw b bʲ c cʰ cʷ d dʒ dʲ d̪ ej f fʲ h i iː j k kʰ kʷ l m mʲ m̩ n n̩ ow p pʰ pʲ pʷ s t tʃ tʰ "
    "tʲ tʷ t̪ u uː v vʲ w z æ ç ð ŋ ɐ ɑ ɑː ɒ ɒː ɔ ɔj ə əw ɚ ɛ ɛː ɜ ɜː ɝ ɟ ɟʷ ɡ ɡʷ ɪ ɫ ɫ̩ ɱ ɲ ɹ ɾ ɾʲ "
    "ɾ̃ ʃ ʉ ʉː ʊ ʎ ʒ ʔ θ spn sil"
).split()

TIMIT = PhoneSet(CLASSES, GROUPS)
# As machine labels of one class a stop train the 48 classes.
WITHOUT_CLOSURES = PhoneSet(CLASSES, GROUPS, [CLASSES.index(name) for name in AN4])


def plain(names):
    return PhoneSet(names, {name: name for name in names})


def shown(phone_set, phones):
    """`cl? t|dx`: the states of phones, those of several apart by commas."""
    return ", ".join(
        " ".join(
            ("any" if len(state.classes) > 20 else "|".join(phone_set.classes[i] for i in state[0]))
            + "?" * state.optional
            for state in states
        )
        for states in phone_set.states_of(phones.split())
    )


@pytest.mark.parametrize(
    ("phones", "states"),
    [
        ("HH AH0 L OW1", "hh, ix|ax|ah, l|el, ow"),
        ("AH1 AH2 AH", "ax|ah, ax|ah, ax|ah"),
        ("IH1 IH0 IY1 IY0", "ih|ix, ih|ix|ax, iy, iy|ih|ix"),
        ("AA1 AO1 ER0 UW1 N Z", "ao|aa, ao|aa, er, uw, n|en, z"),
        ("T D P CH JH G", "cl? dx|t, vcl? d|dx, cl? p, cl? ch, vcl? jh, vcl? g"),
        ("tcl T dcl JH pcl t", "cl, dx|t, vcl, jh, cl, cl? t"),
        ("cl k vcl b cl b", "cl, k, vcl, b, cl, vcl? b"),
        ("h# ah ax-h axr ux nx hv eng q pau", "sil, ah, ax, er, uw, n, hh, ng, any, sil"),
        ("H# DCL D", "sil, vcl, d|dx"),
        ("sil SIL sp spn epi", "sil, sil, sil, sil, epi"),
    ],
)
def test_arpabet_and_timit_labels_on_timits_classes(phones, states):
    assert shown(TIMIT, phones) == states


@pytest.mark.parametrize(
    ("phones", "states"),
    [
        ("tʰ t̪ tʃ dʒ ɟʷ", "cl? dx|t, cl? dx|t, cl? ch, vcl? jh, vcl? g"),
        ("ɐ ə ɑː ɒ iː ɝ aj əw", "ax|ah, ix|ax|ah, ao|aa, ao|aa, iy, er, ay, ow"),
        ("ç ɾ ɾ̃ m̩ n̩ ɫ̩ ʔ ɹ", "hh, d|dx|t, n|en, m, n|en, l|el, any, r"),
        ("t\u0361ʃ ˈɪ", "cl? ch, ih|ix"),
    ],
)
def test_ipa_as_mfa_writes_english(phones, states):
    assert shown(TIMIT, phones) == states


def test_every_phone_of_the_known_sets_has_states_one_of_them_required():
    arpabet = {p for said in Dictionary.cmu().entries.values() for phones in said for p in phones}
    for phone in {*arpabet, *MFA_ENGLISH, *TIMIT_LABELS, *CLASSES}:
        states = TIMIT.states(phone)
        assert not all(state.optional for state in states)
        for state in states:
            assert state.classes == tuple(sorted(set(state.classes)))
            assert state.classes


def test_timits_labels_are_their_class():
    for label in {*TIMIT_LABELS} - {DROPPED}:
        name = LABEL_TO_CLASS[label]
        assert TIMIT.states(label)[-1].classes == (CLASSES.index(name),)


def test_sets_that_letter_to_sound_fits_are_told_from_others():
    sets = (TIMIT, WITHOUT_CLOSURES, plain(AN4), plain(("AH0", "T")), plain(TIMIT_LABELS))
    assert all(phone_set.english for phone_set in sets)
    assert not plain(FESTVOX_RU).english
    assert not plain(("sil",)).english


def test_silence_is_pauses_not_closures():
    assert TIMIT.silence == (CLASSES.index("sil"),)
    assert plain(TIMIT_LABELS).silence == tuple(map(TIMIT_LABELS.index, ("h#", "pau")))
    assert plain(FESTVOX_RU).silence == (FESTVOX_RU.index("pau"),)
    assert plain(("a", "b")).silence == ()
    assert PhoneSet(("a", "hush"), {"a": "a", "hush": "sil"}).silence == (1,)


def test_without_a_class_of_silence_anything_may_be_a_pause():
    assert plain(("a", "b")).states("sil") == (((0, 1), False),)


@pytest.mark.parametrize(
    ("phones", "states"),
    [
        ("T D CH AH0 ER0", "t, d, ch, ah, er"),
        ("IH0 L N IY0", "ih, l, n, iy|ih"),
        ("ax ix el en dx epi", "ah, ih, l, n, d|t, sil"),
        ("tcl t dcl jh tcl n cl vcl", "t, t, jh, jh, t, n, p|t|k, b|d|g"),
    ],
)
def test_classes_unseen_in_training_are_not_used(phones, states):
    assert shown(WITHOUT_CLOSURES, phones) == states


def test_classes_with_the_names_of_arpabet_or_all_61_labels():
    upper = plain(tuple("AA0 AA1 AH0 AH1 T D K sil spn".split()))
    assert (
        shown(upper, "AH0 AA2 AH aa T spn sp") == "AH0, AA0|AA1, AH0|AH1, AA0|AA1, T, spn, sil|spn"
    )
    every = plain(TIMIT_LABELS)
    assert shown(every, "T tcl t B CH ER0 UW1 q h#") == (
        "tcl? dx|t, tcl, t, bcl? b, tcl? ch, axr|er, uw|ux, q, h#"
    )
    lower = plain(AN4)
    assert shown(lower, "HH AH0 T ER0 dx") == "hh, ah, t, er, t|d"


@pytest.mark.parametrize("names", [FESTVOX_RU, tuple(MFA_ENGLISH), ("E", "e", "@", "sil")])
def test_own_phones_are_their_class_alone(names):
    phone_set = plain(names)
    for index, name in enumerate(names):
        assert phone_set.states(name) == (((index,), False),)


def test_own_phones_are_found_in_other_case_only_where_case_means_nothing():
    assert shown(plain(FESTVOX_RU), "AA a1 SIL") == "aa, a, pau"
    with pytest.raises(UsageError, match="the network has no phone 'O'"):
        plain(("E", "e", "o")).states("O")


@pytest.mark.parametrize(
    ("phone_set", "phone", "message"),
    [
        (TIMIT, "XX", "w: the network has no phone 'XX'. Valid phones: aa, ae, ah"),
        (plain(FESTVOX_RU), "scg", "w: the network has no phone 'scg'. Did you mean 'sch'"),
        (WITHOUT_CLOSURES, "ZH", "w: the network was not trained on the phone 'ZH'."),
        (WITHOUT_CLOSURES, "dh", "w: the network was not trained on the phone 'dh'."),
        (PhoneSet(("a", "b"), {}, [0]), "b", "w: the network was not trained on the phone 'b'."),
        (plain(FESTVOX_RU), "tʰ", "w: the network has no phone 'tʰ'."),
    ],
)
def test_phones_without_a_class_are_refused_by_name(phone_set, phone, message):
    with pytest.raises(UsageError) as refused:
        phone_set.states(phone, "w")
    assert str(refused.value).startswith(message)


phones = st.sampled_from([*TIMIT_LABELS, *MFA_ENGLISH, "T", "AH0", "CH", "SIL", "q", "xx"])


@given(
    st.lists(st.one_of(phones, st.text(max_size=3)), max_size=8),
    st.sampled_from([TIMIT, WITHOUT_CLOSURES, plain(TIMIT_LABELS), plain(AN4), plain(FESTVOX_RU)]),
)
def test_any_phones_have_states_or_are_refused(phones, phone_set):
    try:
        found = phone_set.states_of(phones)
    except UsageError:
        return
    assert len(found) == len(phones)
    for states in found:
        assert any(not state.optional for state in states)
        assert all(state.classes and set(state.classes) <= {*phone_set.seen} for state in states)


ENGLISH_WORDS = [
    ["S", "tcl", "T"], ["dcl", "jh", "AH0"], ["vcl", "B"], ["sil", "t", "ʃ"],
    ["ɹ", "ɾ", "q", "kcl"],
]  # fmt: skip


@pytest.mark.parametrize(
    ("classes", "groups", "words"),
    [
        (CLASSES, GROUPS, ENGLISH_WORDS),
        (TIMIT_LABELS, {}, ENGLISH_WORDS),
        (("", "a", "a0", "t", "Sh"), {}, [["a0", "t", "a2"], ["Sh", "sil"]]),
    ],
    ids=["48 classes", "61 labels", "another language"],
)
def test_spellings_say_what_the_phone_set_says(classes, groups, words):
    phones = PhoneSet(classes, groups)
    spelled = phones.spellings()
    assert set(filter(None, classes)) <= set(spelled)
    assert not any(map(spelled.get, ("xx", "", "tt")))
    for word in words:
        known = [spelled[phone] for phone in word]
        before = [0, *(spelling.before for spelling in known[:-1])]
        after = [*(spelling.after for spelling in known[1:]), 0]
        found = [s.states[b][a] for s, b, a in zip(known, before, after, strict=True)]
        assert found == phones.states_of(word)


def test_spellings_of_ipa_without_modifiers_stand_for_any():
    phones = PhoneSet(CLASSES, GROUPS)
    spelled = phones.spellings()
    assert spelled[" t"].states[0][0] == phones.states("tʰ")
    assert spelled[" oʊ"].states[0][0] == phones.states("oʊː")
    assert not any(name.startswith(" ") for name in PhoneSet(("a", "b"), {}).spellings())
