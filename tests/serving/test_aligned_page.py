"""Words that are typed into the page, in a browser with a real server behind it."""

import json

import numpy as np
import pytest

from serving.client import Client
from tests.helpers.browser import CHROMIUM, PLAYED, choose, contrast, launched, opened
from tests.helpers.runs import speech, wav
from zoo.decoding import Transcript

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

FILE = wav(speech(2.0, seed=6))
WORDS = ["Hello", "world", "dog's", "cat"]


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    viewport = {"width": 1280, "height": 900}
    with opened(browser, server, script=PLAYED, viewport=viewport) as page:
        page.wait_for_selector("body[data-view=sentences]")
        yield page


@pytest.fixture(scope="module")
def expected(server):
    with Client(f"{server.url}/v1/models/speech") as client:
        return client.align(FILE, words=[word.lower() for word in WORDS])


def said(page, text, key="Enter"):
    page.get_by_role("textbox", name="What is said").fill(text)
    page.keyboard.press(key)


def tier(page, name):
    return page.get_by_role("listbox", name=name)


def aligned(page):
    """The texts of both tiers, once they are there."""
    page.wait_for_function("document.querySelector('#status').textContent.includes('agreement')")
    return [
        tier(page, name).locator(".interval").all_text_contents() for name in ("Words", "Phones")
    ]


def test_words_are_looked_up_and_shown_over_their_phones(page, expected):
    choose(page, FILE)
    page.wait_for_selector("#phones li")
    assert page.is_hidden("#words")
    said(page, "Hello, world – dog’s cat!")
    words, phones = aligned(page)
    assert words == ["Hello", "world", "dog’s", "cat"]
    assert phones == [i.label for i in expected.tiers["phones"]]
    status = page.get_by_role("status").inner_text()
    agreement = 100 * expected.score
    shown = f"{agreement:.0f} %" if agreement >= 9.95 else f"{agreement:.1f} %"
    assert status == f"4 words, {len(phones)} phones in 2.00 seconds, agreement {shown}."
    assert f"4 words, {len(phones)} phones, agreement {shown}" in page.inner_text("#count")

    picture = page.locator("#pictures").bounding_box()
    options = tier(page, "Words").get_by_role("option").all()
    for option, word in zip(options, expected.tiers["words"], strict=True):
        box = option.bounding_box()
        assert (box["x"] - picture["x"]) / picture["width"] == pytest.approx(
            word.start / 2, abs=0.002
        )
        label = option.get_attribute("aria-label").partition(", ")[2]
        assert label == f"{word.start:.2f} to {word.end:.2f} seconds"

    said(page, "")
    page.wait_for_function("!document.querySelector('#status').textContent.includes('agreement')")
    page.wait_for_selector("#phones li")
    assert page.is_hidden("#words")


def test_keys_move_along_the_words_and_play_them(page, expected):
    said(page, " ".join(WORDS), key="Tab")
    choose(page, FILE)
    aligned(page)
    words = expected.tiers["words"]
    tier(page, "Words").get_by_role("option").first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.evaluate("document.activeElement.textContent")
    assert focused == "world"
    selected = tier(page, "Words").get_by_role("option", selected=True)
    assert selected.all_text_contents() == ["world"]
    # Its first phone is the selected one, and its alternatives are listed.
    assert page.inner_text("#selected").startswith(f"W · {words[1].start:.2f} to ")
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    lasts = [words[i].end - words[i].start for i in (1, 3)]
    assert page.evaluate("played") == pytest.approx(lasts, abs=1e-3)
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_textgrid_of_words_and_phones_is_saved(page, expected, tmp_path):
    parselmouth = pytest.importorskip("parselmouth")
    choose(page, FILE)
    said(page, " ".join(WORDS))
    aligned(page)
    with page.expect_download() as download:
        page.click("#textgrid")
    path = tmp_path / "speech.TextGrid"
    download.value.save_as(path)
    found = Transcript.load(path)
    assert list(found.tiers) == ["words", "phones"]
    for name, intervals in expected.tiers.items():
        labels = [i.label.lower() for i in found.tiers[name]]
        assert labels == [i.label.lower() for i in intervals]
        times = [i[:2] for i in found.tiers[name]]
        np.testing.assert_allclose(times, [i[:2] for i in intervals], atol=1e-5)
    grid = parselmouth.read(str(path))
    assert parselmouth.praat.call(grid, "Get number of tiers") == 2
    assert grid.xmax == pytest.approx(2.0)


def test_what_cannot_be_aligned_is_said_in_a_sentence(browser, server):
    with opened(browser, server, refused=1) as page:
        page.wait_for_selector("body[data-view=sentences]")
        alert = page.get_by_role("alert")
        said(page, "Hello")
        assert alert.inner_text() == "Record or choose a recording first."
        choose(page, FILE)
        aligned(page)
        assert alert.inner_text() == ""
        said(page, "Hello zebra 42")
        page.wait_for_function("document.querySelector('#problem').textContent")
        assert alert.inner_text() == (
            "The model's dictionary does not have “zebra”, “42”. Numbers and abbreviations must "
            "be written as they are said."
        )
        assert page.is_disabled("#textgrid")
        choose(page, wav(speech(0.05)))
        said(page, "hello world hello world")
        page.wait_for_function(
            "document.querySelector('#problem').textContent.startsWith('the phones take')"
        )


def test_without_a_dictionary_phones_are_typed(browser, server):
    with opened(browser, server) as page:

        def without(route):
            document = json.loads(route.fetch().body())
            document["metadata"]["signature_def"]["signature_def"].pop("pronounce")
            route.fulfill(json=document)

        page.route("**/models/speech/metadata", without)
        page.reload()
        field = page.get_by_role("textbox", name="Phones that are said")
        field.wait_for()
        choose(page, FILE)
        field.fill("HH AH0 L OW1 | W ER1 L D")
        page.get_by_role("button", name="Align").click()
        page.wait_for_function(
            "document.querySelector('#status').textContent.includes('agreement')"
        )
        phones = tier(page, "Phones").locator(".interval").all_text_contents()
        assert [p for p in phones if p != "sil"] == "HH AH0 L OW1 W ER1 L D".split()
        assert page.is_hidden("#words")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_fits_a_phone(browser, server, scheme):
    device = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    with opened(browser, server, **device, has_touch=True, is_mobile=True) as page:
        page.wait_for_selector("body[data-view=sentences]")
        choose(page, FILE)
        said(page, " ".join(WORDS))
        aligned(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        for selector in ("#words .interval", "#said", "#said-label", "#said-hint", "#count"):
            assert contrast(page, selector) >= 4.5, selector
