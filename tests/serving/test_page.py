"""The page in a browser, with a real server behind it."""

import numpy as np
import pytest

import zoo
from tests.helpers.browser import CHROMIUM, choose, contrast, launched, opened
from tests.helpers.runs import recording, wav
from tests.helpers.served import Server

pytest.importorskip("playwright.sync_api", reason="the page is tested with playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def site(exported, exported_autoencoder):
    models = {"phones": exported, "rebuilt": exported_autoencoder}
    flags = [word for name, path in models.items() for word in ("--model", f"{name}={path}")]
    with Server("zoo", "serve", *flags, "--port", 0, models=2) as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(browser, site):
    with opened(browser, site, viewport={"width": 1280, "height": 800}) as page:
        yield page


def answer(page, segment):
    """Phones and percentages as shown, once they are of the segment (its start to its end)."""
    page.wait_for_function(
        "text => document.querySelector('#status').textContent.startsWith(text)", arg=segment
    )
    phones = [text.split("\n")[0].split()[0] for text in page.locator(".phone").all_inner_texts()]
    return phones, page.locator(".score").all_inner_texts()


def expected(run, audio, rate, start, end):
    (said,) = zoo.classify(run, audio, rate, [(round(start * rate), round(end * rate))])
    return list(said.phones), [100 * s for s in said.scores]


def assert_shown(page, run, audio, rate, start, end):
    phones, shares = answer(page, f"{start:.3f} to {end:.3f} seconds")
    named, scores = expected(run, audio, rate, start, end)
    assert phones == named
    np.testing.assert_allclose([float(s.rstrip(" %")) for s in shares], scores, atol=0.51)


def test_a_file_is_classified_as_the_run_does(page, run):
    audio = recording(2400)
    choose(page, wav(audio, 16000))
    assert_shown(page, run, audio, 16000, 0.0, 0.15)
    assert page.inner_text("#about") == "speech.wav · 0.15 s · 16 kHz"
    assert page.locator("#problem").inner_text() == ""


def test_another_segment_is_marked_with_keys_fields_and_mouse(page, run):
    audio = recording(8000, channels=2)
    mono = (audio.astype("float64").mean(axis=1)).astype("float32")
    choose(page, wav(audio, 8000))
    page.wait_for_selector("#phones li")

    page.fill("#end", "0.700")
    page.locator("#end").blur()
    page.fill("#start", "0.500")
    page.locator("#start").blur()
    assert_shown(page, run, mono, 8000, 0.5, 0.7)

    handle = page.get_by_role("slider", name="Start of the segment")
    handle.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    assert handle.get_attribute("aria-valuetext") == "0.455 seconds"
    assert_shown(page, run, mono, 8000, 0.455, 0.7)

    box = page.locator("#plot").bounding_box()
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 20, steps=3)
    page.mouse.up()
    assert float(page.input_value("#start")) == pytest.approx(0.2, abs=0.005)
    assert float(page.input_value("#end")) == pytest.approx(0.4, abs=0.005)


def test_the_reconstruction_stands_beside_the_input(page):
    choose(page, wav(recording(2400)))
    page.wait_for_selector("#rebuilt:not([hidden])")
    sizes = [page.evaluate(f"[{i}.width, {i}.height]") for i in ("heard", "restored")]
    assert sizes == [[16, 201], [16, 201]]
    assert page.inner_text("#distance").startswith("Euclidean distance ")
    colours = "[...new Uint32Array(heard.getContext('2d').getImageData(0, 0, 16, 201).data.buffer)]"
    assert page.evaluate(f"new Set({colours}).size") > 20


def test_the_microphone_is_recorded(page):
    page.click("#record")
    page.wait_for_selector("#record[aria-pressed=true]")
    page.wait_for_timeout(700)
    page.click("#record")
    page.wait_for_selector("#phones li")
    assert page.inner_text("#about").startswith("your recording")


def test_what_is_no_recording_is_said_and_the_next_file_works(page):
    choose(page, b"this is text", "notes.wav")
    page.wait_for_function("document.querySelector('#problem').textContent")
    said = page.get_by_role("alert").inner_text()
    assert said == "notes.wav is no recording that this browser can read; try a WAV file."
    choose(page, wav(recording(2400)))
    page.wait_for_selector("#phones li")
    assert page.get_by_role("alert").inner_text() == ""


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    choose(page, wav(recording(2400)))
    page.wait_for_selector("#phones li")
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    controls = ["file", "record", "start-handle", "end-handle", "start", "end", "play", "zoom"]
    assert [name for name in reached if name in controls][: len(controls)] == controls
    for role, name in [
        ("button", "Record"),
        ("button", "Play segment"),
        ("button", "Zoom in"),
        ("slider", "End of the segment"),
        ("spinbutton", "Start s"),
        ("img", "Waveform"),
    ]:
        assert page.get_by_role(role, name=name).count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_and_fits_a_phone(browser, site, scheme):
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": scheme}
    with opened(browser, site, has_touch=True, is_mobile=True, **options) as page:
        choose(page, wav(recording(2400)))
        page.wait_for_selector("#phones li")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        for selector in (".lead", ".hint:not(:empty)", ".phone", ".word", ".button.primary"):
            assert contrast(page, selector) >= 4.5, selector
