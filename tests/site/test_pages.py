"""The pages of docs/: their commands are accepted, their Python is Python, their pictures small."""

import ast
import re
import shlex
from pathlib import Path

import pytest

from zoo.cli import COMMANDS, _parser

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    file for file in DOCS.rglob("*.md") if DOCS / "results" not in file.parents or
    file.name in ("summary.md", "README.md")
)  # fmt: skip
BLOCK = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
# What is quoted, or ends with a backslash, goes on in the next line.
LINE = re.compile(r"^(?:[A-Z_]+=\S+ )?(zoo (?:'[^']*'|\\\n|\$[a-z]+|[^#\n|'$])+)", re.MULTILINE)


def blocks(page, *languages):
    text = page.read_text(encoding="utf-8")
    return [code for language, code in BLOCK.findall(text) if language in languages]


LINES = [
    pytest.param(line, id=f"{page.stem}: {line[:40]}")
    for page in [ROOT / "README.md", *PAGES]
    for code in blocks(page, "", "bash")
    for line in LINE.findall(code)
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_is_accepted(line):
    words = shlex.split(line.replace("\\\n", " ").replace(" N", " 0"))[1:]
    args = _parser(words[0]).parse_args(words)
    assert args.command == words[0]


def test_every_command_is_shown_at_work():
    shown = {line.values[0].split()[1] for line in LINES}
    # It makes what the quickstart's page shows step by step.
    assert shown >= set(COMMANDS) - {"quickstart"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_python_blocks_are_python(page):
    for code in blocks(page, "python"):
        indent = len(code) - len(code.lstrip())
        ast.parse(re.sub(rf"^ {{{indent}}}", "", code, flags=re.MULTILINE))


def test_generated_parts_have_their_marks():
    from tests.helpers.scripts import load

    assert load("model_pages").TABLE in (DOCS / "models" / "index.md").read_text(encoding="utf-8")
