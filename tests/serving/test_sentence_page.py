"""The page for whole recordings in a browser, with a real server behind it."""

import base64
import io
import json

import numpy as np
import pytest
import soundfile
from scipy import signal

from tests.helpers.browser import CHROMIUM, PLAYED, choose, contrast, launched, opened
from tests.helpers.runs import recording, speech, wav
from zoo.decoding import Transcript

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")

SENTENCE = wav(speech(2.0))


@pytest.fixture(scope="module")
def spoken():
    """What the microphone hears, at 48 kHz, again and again."""
    return speech(3.0, rate=48000, seed=3)


@pytest.fixture(scope="module")
def browser(spoken, tmp_path_factory):
    path = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    path.write_bytes(wav(spoken, 48000))
    with launched(f"--use-file-for-fake-audio-capture={path}") as browser:
        yield browser


@pytest.fixture
def page(browser, server):
    viewport = {"width": 1280, "height": 800}
    with opened(browser, server, script=PLAYED, viewport=viewport) as page:
        yield page


def transcribed(server, contents):
    """The server's answer to a WAV file."""
    instance = {"wav": {"b64": base64.b64encode(contents).decode()}}
    body = {"signature_name": "transcribe", "instances": [instance]}
    answer = server.predict("speech", body).json()["predictions"][0]
    assert len(answer["phones"]) == answer["counts"] > 5
    return answer


def percentage(score):
    return f"{100 * score + 1e-9:.0f} %" if score >= 0.0995 else f"{100 * score:.1f} %"


def names(answer):
    """What a screen reader is told of every phone."""
    parts = zip(*(answer[key] for key in ("phones", "starts", "ends", "scores")), strict=True)
    return [f"{p}, {s:.2f} to {e:.2f} seconds, {percentage(score)}" for p, s, e, score in parts]


def options(page, **which):
    """The phones under the pictures; the choice of a model has options as well."""
    return page.get_by_role("listbox", name="Phones").get_by_role("option", **which)


def shown(page):
    """Names of the phones under the pictures, once they are there."""
    page.wait_for_selector("#phones li")
    return [option.get_attribute("aria-label") for option in options(page).all()]


def selected(page):
    """Index of the one selected phone."""
    (index,) = page.evaluate(
        """[...document.querySelectorAll('#tier > *')].flatMap(
             (option, i) => option.getAttribute('aria-selected') === 'true' ? [i] : [])"""
    )
    return index


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('aria-label')")


def test_phones_of_a_dropped_file_are_those_of_the_server(page, server):
    page.wait_for_selector("body[data-view=sentences]")
    page.evaluate(
        """contents => {
          const bytes = Uint8Array.from(atob(contents), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "speech.wav"));
          document.dispatchEvent(new DragEvent("drop", {dataTransfer: transfer}));
        }""",
        base64.b64encode(SENTENCE).decode(),
    )
    answer = transcribed(server, SENTENCE)
    assert shown(page) == names(answer)
    assert page.locator("#tier .interval").all_text_contents() == answer["phones"]
    assert page.inner_text("#about") == "speech.wav · 2.00 s · 16 kHz"
    status = page.get_by_role("status")
    assert status.inner_text() == f"{answer['counts']} phones in 2.00 seconds."
    assert status.get_attribute("aria-live") == "polite"

    # The tier is aligned with the pictures above it.
    tier = page.locator("#pictures").bounding_box()
    for option, start, end in zip(
        options(page).all(), answer["starts"], answer["ends"], strict=True
    ):
        box = option.bounding_box()
        assert (box["x"] - tier["x"]) / tier["width"] == pytest.approx(start / 2, abs=0.002)
        assert box["width"] / tier["width"] == pytest.approx((end - start) / 2, abs=0.002)


def test_a_sentence_that_is_spoken_is_transcribed(page, server, spoken):
    page.wait_for_selector("body[data-view=sentences]")
    page.click("#record")
    page.wait_for_selector("#record[aria-pressed=true]")
    page.wait_for_timeout(1500)
    with page.expect_request("**/speech:predict") as asked:
        page.click("#record")
    sent = base64.b64decode(json.loads(asked.value.post_data)["instances"][0]["wav"]["b64"])
    assert shown(page) == names(transcribed(server, sent))
    assert page.inner_text("#about").startswith("your recording · ")

    heard, rate = soundfile.read(io.BytesIO(sent))
    assert len(heard) / rate > 1.0
    # Half a second of it is somewhere in two rounds of what was spoken.
    rounds = signal.resample_poly(np.tile(spoken, 2), rate, 48000)
    part = heard[rate // 2 : rate]
    likeness = signal.correlate(rounds, part - part.mean(), mode="valid")
    at = int(np.argmax(likeness))
    assert np.corrcoef(rounds[at : at + len(part)], part)[0, 1] > 0.9


def test_keys_move_along_the_phones_and_play_them(page, server):
    choose(page, SENTENCE)
    answer = transcribed(server, SENTENCE)
    said = shown(page)
    first = next(i for i, phone in enumerate(answer["phones"]) if phone != "sil")
    assert selected(page) == first
    options(page, selected=True).focus()

    page.keyboard.press("ArrowRight")
    assert (selected(page), focused(page)) == (first + 1, said[first + 1])
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert (selected(page), focused(page)) == (0, said[0])
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    assert (selected(page), focused(page)) == (len(said) - 1, said[-1])
    assert page.evaluate("played") == []

    page.keyboard.press("ArrowLeft")
    index = len(said) - 2
    lasts = answer["ends"][index] - answer["starts"][index]
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    assert page.evaluate("played") == pytest.approx([lasts, lasts], abs=1e-3)
    option = options(page).nth(index)
    page.wait_for_function(
        "element => !('playing' in element.dataset)", arg=option.element_handle()
    )
    assert page.locator("[data-playing]").count() == 0


def test_a_click_plays_a_phone_and_a_button_all_of_it(page, server):
    choose(page, SENTENCE)
    answer = transcribed(server, SENTENCE)
    said = shown(page)
    lasts = np.subtract(answer["ends"], answer["starts"])
    longest = int(np.argmax(lasts))
    options(page).nth(longest).click()
    assert (selected(page), focused(page)) == (longest, said[longest])
    # In the pictures, too, a click is on the phone at that time.
    other = int(np.argsort(lasts)[-2])
    box = page.locator("#pictures").bounding_box()
    middle = (answer["starts"][other] + answer["ends"][other]) / 4
    page.mouse.click(box["x"] + middle * box["width"], box["y"] + 100)
    assert selected(page) == other

    button = page.get_by_role("button", name="Play recording")
    button.click()
    assert page.evaluate("played") == pytest.approx([lasts[longest], lasts[other], 2.0], abs=1e-3)
    stop = page.get_by_role("button", name="Stop", exact=True)
    assert page.locator("[data-playing]").get_attribute("id") == "play-all"
    stop.click()
    assert button.count() == 1
    assert page.locator("[data-playing]").count() == 0


def test_the_five_best_of_the_selected_phone_are_listed(page, server):
    choose(page, SENTENCE)
    answer = transcribed(server, SENTENCE)
    shown(page)
    surprising = 0
    for index in range(answer["counts"]):
        options(page).nth(index).click()
        best = page.locator("#phones .phone").all_text_contents()
        phones, scores = answer["alternatives"][index], answer["alternative_scores"][index]
        assert [text.split(" ")[0] for text in best] == phones
        assert page.locator("#phones .score").all_text_contents() == list(map(percentage, scores))
        label, start, end = (answer[key][index] for key in ("phones", "starts", "ends"))
        assert page.inner_text("#selected") == f"{label} · {start:.2f} to {end:.2f} s"
        other = label not in (phones[0], "sil")
        assert bool(page.inner_text("#advice")) == other
        surprising += other
    assert len(answer["alternatives"][0]) == 5
    assert surprising


def test_a_textgrid_is_saved_that_the_zoo_and_praat_read(page, server, tmp_path):
    textgrid = pytest.importorskip("praatio.textgrid")
    choose(page, SENTENCE, "my speech.take 1.wav")
    answer = transcribed(server, SENTENCE)
    shown(page)
    with page.expect_download() as download:
        page.click("#textgrid")
    assert download.value.suggested_filename == "my speech.take 1.TextGrid"
    path = tmp_path / "speech.TextGrid"
    download.value.save_as(path)

    transcript = Transcript.load(path)
    assert list(transcript.tiers) == ["phones"]
    assert transcript.duration == pytest.approx(2.0, abs=1e-6)
    assert [i.label for i in transcript.intervals] == answer["phones"]
    times = [(i.start, i.end) for i in transcript.intervals]
    expected = list(zip(answer["starts"], answer["ends"], strict=True))
    np.testing.assert_allclose(times, expected, atol=1e-6)

    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=True)
    read = [(entry.start, entry.end, entry.label) for entry in grid.getTier("phones").entries]
    assert read == [tuple(i[:3]) for i in transcript.intervals]


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    choose(page, SENTENCE)
    shown(page)
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.role"))
    buttons = ["play-all", "play-phone", "zoom-out", "zoom-in", "textgrid"]
    enabled = [name for name in buttons if page.locator(f"#{name}").is_enabled()]
    # One stop for all phones: the arrow keys move among them.
    before = ["file", "record", "said", "align", "option"]
    assert reached[: 6 + len(enabled)] == [*before, *enabled, "model"]
    for role, name in [
        ("listbox", "Phones"),
        ("img", "Waveform and spectrogram"),
        ("button", "Play phone"),
        ("button", "Zoom in"),
        ("button", "Download TextGrid"),
        ("heading", "Selected phone"),
        ("heading", "Which phones are these?"),
    ]:
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name
    described = page.get_by_role("listbox").get_attribute("aria-describedby")
    assert "arrow keys" in page.inner_text(f"#{described}")

    option = options(page, selected=True)
    option.focus()
    page.keyboard.press("ArrowRight")
    style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert style == "solid"


def test_long_recordings_scroll_and_zoom(browser, server):
    with opened(browser, server, viewport={"width": 800, "height": 800}) as page:
        choose(page, wav(speech(20.0)))
        shown(page)
        inside = """() => {
          const strip = document.querySelector('#strip').getBoundingClientRect();
          const box = document.activeElement.getBoundingClientRect();
          return box.left >= strip.left && box.right <= strip.right + 1;
        }"""
        options(page, selected=True).focus()
        for key in ("End", "ArrowLeft", "Home"):
            page.keyboard.press(key)
            assert page.evaluate(inside), key
        assert page.evaluate("document.querySelector('#strip').scrollLeft") == 0
        # Pictures are drawn where they are looked at.
        drawn = page.locator(".tile canvas").count()
        assert 0 < drawn < 2 * page.locator(".tile").count()

        wide = page.evaluate("document.querySelector('#timeline').clientWidth")
        page.click("#zoom-in")
        assert page.evaluate("document.querySelector('#timeline').clientWidth") == 2 * wide
        while page.is_enabled("#zoom-out"):
            page.click("#zoom-out")
        strip = page.evaluate(
            "(({scrollWidth, clientWidth}) => [scrollWidth, clientWidth])"
            "(document.querySelector('#strip'))"
        )
        assert strip[0] == strip[1]


def test_what_the_server_refuses_is_said_and_the_next_file_works(browser, server):
    with opened(browser, server, refused=1) as page:
        page.wait_for_selector("body[data-view=sentences]")
        choose(page, wav(np.zeros(601 * 1000, "float32"), 1000))
        page.wait_for_function("document.querySelector('#problem').textContent")
        said = page.get_by_role("alert").inner_text()
        assert said == "the file lasts more than 600 s; send it in parts"
        assert options(page).count() == 0
        assert page.is_disabled("#textgrid")
        choose(page, SENTENCE)
        shown(page)
        assert page.get_by_role("alert").inner_text() == ""


def test_models_of_segments_keep_their_page(page, server):
    choose(page, wav(recording(2400)))
    page.wait_for_selector("#phones li")
    assert page.is_visible("#sentence")
    page.select_option("#model", "phones")
    page.wait_for_function("document.querySelector('#status').textContent.startsWith('0.000 to')")
    assert page.is_visible("#viewer")
    assert page.is_hidden("#sentence")
    assert page.get_by_role("heading", name="Which phone is this?").count() == 1
    page.select_option("#model", "speech")
    page.wait_for_function("document.querySelector('#status').textContent.includes('phones in')")
    assert page.is_visible("#sentence")
    assert page.is_hidden("#viewer")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_fits_a_phone(browser, server, scheme):
    device = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    device |= {"has_touch": True, "is_mobile": True, "reduced_motion": "reduce"}
    with opened(browser, server, **device) as page:
        choose(page, SENTENCE)
        shown(page)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        chosen = ".interval[aria-selected=true]"
        for selector in (".lead", ".hint", ".interval", chosen, "#selected", ".tick", ".phone"):
            assert contrast(page, selector) >= 4.5, selector
        page.click("#record")
        dot = "getComputedStyle(document.querySelector('.dot')).animationName"
        assert page.evaluate(dot) == "none"
