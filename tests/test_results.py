"""What docs/results holds: small, whole, and naming nothing that is not there."""

import json
import re
from pathlib import Path

import pytest

RESULTS = Path(__file__).parents[1] / "docs" / "results"
MEGABYTES = 3


def test_it_is_small():
    files = [file for file in RESULTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MEGABYTES * 1_000_000
    largest = max(files, key=lambda file: file.stat().st_size)
    assert largest.stat().st_size < 300_000, largest


@pytest.mark.parametrize("page", sorted(RESULTS.rglob("*.md")), ids=lambda p: p.parent.name)
def test_what_a_page_links_to_is_there(page):
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


@pytest.mark.parametrize(
    "file", sorted(RESULTS.glob("churchman_fig*/results.json")), ids=lambda p: p.parent.name
)
def test_cells_are_there_or_where_a_figure_says(file):
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    run = [cell for cell in cells if not cell.get("not_run")]
    assert run
    page = file.with_name("results.md").read_text(encoding="utf-8")
    assert f"{len(run)} of {len(cells)} cells were run" in page
    for cell in run:
        record = cell
        if "record" in cell:
            record = json.loads((file.parent / cell["record"]).read_text(encoding="utf-8"))
        assert record["key"] == cell["key"]
        assert record["result"]


@pytest.mark.parametrize("page", sorted(RESULTS.rglob("*.html")), ids=lambda p: p.parent.name)
def test_reports_hold_neither_fonts_nor_programs(page):
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"@font-face|font/|<script|<link", text)
