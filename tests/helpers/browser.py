"""Chromium for the tests of the server's page."""

from __future__ import annotations

import contextlib
import shutil

import numpy as np

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")


@contextlib.contextmanager
def launched(*flags):
    """A browser whose microphone is a fake one."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", *MICROPHONE, *flags]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@contextlib.contextmanager
def opened(browser, site, refused=0, script="", **options):
    """A page that has asked no other host by its end, and whose console has nothing to tell.

    Args:
        browser: what opens it.
        site: the server.
        refused: how many requests the server refuses, which the browser writes to the console.
        script: what runs before the page's own.
        **options: of the browser's context.
    """
    context = browser.new_context(**options)
    context.add_init_script(script)
    page = context.new_page()
    page.set_default_timeout(60_000)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/")
    yield page
    context.close()
    assert [text[:23] for text in said] == ["Failed to load resource"] * refused
    assert all(url.startswith((site.url, "data:", "blob:")) for url in asked)


def choose(page, contents, name="speech.wav"):
    """Give the page a file."""
    page.set_input_files("#file", {"name": name, "mimeType": "audio/wav", "buffer": contents})


def contrast(page, selector):
    """Contrast of a text with its ground, by the formula of WCAG 2."""
    text, ground = page.eval_on_selector(
        selector,
        """element => {
          let behind = element;
          const solid = (e) => getComputedStyle(e).backgroundColor;
          while (solid(behind) === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
          return [getComputedStyle(element).color, solid(behind)];
        }""",
    )
    levels = []
    for colour in (text, ground):
        parts = np.array([float(p) for p in colour[4:-1].split(",")]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        levels.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(levels) + 0.05) / (min(levels) + 0.05)


PLAYED = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (...arguments) {
  window.played.push(this.buffer.duration);
  return start.apply(this, arguments);
};
"""
"""A script after which the page keeps the lengths in seconds of all sounds it starts to play."""
