"""MkDocs hook: pages of the site whose text stands elsewhere in the repository.

The README is the front page, the changelog and the server's deployment files are pages too. Links
between them and `docs/` are turned into links between pages, so that both work: on the site and
where the files are read as they are.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "serving/deploy/README.md": "deployment.md",
    "CITATION.cff": "citation.md",
    "LICENSE": "licence.md",
}
"""File of the repository -> page of the site."""

AS_THEY_ARE = {
    "CITATION.cff": "# Cite\n\n```yaml\n{}\n```\n",
    "LICENSE": "# Licence\n\n```text\n{}\n```\n",
}
"""What stands around those that are no Markdown."""

RESULTS = "docs/results"

LINK = re.compile(r"(\]\()((?!https?:|#|mailto:)[^)#\s]+)")


def moved(text: str, here: str) -> str:
    """A text with its links changed for the site.

    Args:
        text: Markdown.
        here: path of its file in the repository.
    """
    page = PAGES.get(here, here.removeprefix("docs/"))

    def replace(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(here), found[2]))
        inside = PAGES.get(target, target.removeprefix("docs/"))
        return found[1] + posixpath.relpath(inside, posixpath.dirname(page) or ".")

    return LINK.sub(replace, text)


def on_config(config: Any) -> Any:
    """List in the navigation what experiments wrote, by the name of its folder."""
    (section,) = (part["Results"] for part in config.nav if "Results" in part)
    listed = {entry for entry in section if isinstance(entry, str)}
    written = sorted((ROOT / RESULTS).glob("*/**/*.md"))
    pages = {
        str(file.relative_to(ROOT / "docs")): str(file.parent.relative_to(ROOT / RESULTS))
        for file in written
    }
    others = [{name: page} for page, name in pages.items() if page not in listed]
    section.append({"Every table and figure": others})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages."""
    for source, page in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        around = AS_THEY_ARE.get(source)
        text = around.format(text) if around else moved(text, source)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change the links of pages in `docs/` to files outside it."""
    if page.file.generated_by:
        return markdown
    return moved(markdown, f"docs/{page.file.src_uri}")
