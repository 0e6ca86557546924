"""The site: built as `make docs` builds it, and looked at in a browser."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from tests.helpers.browser import CHROMIUM, launched
from tests.helpers.scripts import load

pytest.importorskip("mkdocs")
pytest.importorskip("nbclient")
pytest.importorskip("espeakng_loader")
pytestmark = [pytest.mark.tensorflow, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]

SAID = {
    "classify": ["folded accuracy", "phone error rate", "heard"],
    "your_recordings": ["phone error rate", "the recording: 0."],
    "what_a_network_hears": ["mean distance to the input", "pool3"],
    "search_export_serve": ["transcribe", "classifier", "'sil'"],
}
"""What each tutorial prints, among other things."""

SHOWN = {"classify": (2, 1), "your_recordings": (1, 2), "what_a_network_hears": (1, 3)}
"""How many pictures and sounds."""


@pytest.fixture(scope="module")
def tutorials():
    return load("tutorial_pages")


@pytest.fixture(scope="module")
def site(tmp_path_factory, tutorials):
    """The folder of the site. What `--strict` warns of is an error, such as a dead link."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_every_tutorial_is_checked(tutorials):
    assert set(SAID) == set(tutorials.tutorials())


def test_the_tutorials_run_and_print_what_they_say(tutorials):
    for name, phrases in SAID.items():
        text, files = tutorials.page(name, tutorials.executed(name))
        outputs = "".join(re.findall(r'title="Output"\n(.*?)```', text, re.DOTALL))
        for phrase in phrases:
            assert phrase in outputs, (name, phrase)
        suffixes = [Path(file).suffix for file in files]
        assert (suffixes.count(".png"), suffixes.count(".wav")) == SHOWN.get(name, (0, 0)), name
        assert sum(map(len, files.values())) < 2_000_000
        assert "%|" not in text, "a bar of progress"


def test_every_model_has_a_page_with_its_weights(site):
    for name in zoo.list_models():
        card = zoo.describe(name)
        text = (site / "models" / f"{name}.html").read_text(encoding="utf-8")
        for heading in ("Intended use", "Source", "Weights", "Layers"):
            assert f'id="{heading.lower().replace(" ", "-")}"' in text, name
        assert f"{card.parameters:,}" in text
        for weights in card.weights:
            sha256 = zoo.Run.open(weights).path / "card.json"
            assert json.loads(sha256.read_text())["sha256"] in text


def test_every_public_name_is_in_the_reference(site):
    text = "".join(file.read_text(encoding="utf-8") for file in (site / "api").glob("*.html"))
    for room in (zoo, zoo.layers, zoo.ops, zoo.data, zoo.inversion, zoo.alignment):
        for name in room.__all__:
            assert re.search(rf'id="zoo(\.\w+)*\.{name}"', text), f"{room.__name__}.{name}"


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(
            r'<(?:script|link|img|audio|source|iframe)[^>]*\s(?:src|href)="([^"]+)', text
        )
        assert not [url for url in loaded if re.match(r"(https?:)?//", url)], page


@pytest.mark.skipif(CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium here")
def test_the_search_works_from_a_folder_and_no_page_is_wider_than_a_phone(site):
    with launched() as browser:
        page = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
        page.set_default_timeout(60_000)
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((site / "index.html").as_uri())
        page.click("label[for=__search].md-header__button")
        page.type("input.md-search__input", "switch unpooling")
        page.wait_for_selector(".md-search-result__item a")
        assert page.inner_text(".md-search-result__item:first-child").strip()
        for name in ("index", "models/tdnn", "tutorials/classify", "api/layers", "options"):
            page.goto((site / f"{name}.html").as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert not wrong
        assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
