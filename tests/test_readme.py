"""What the README names exists, and what exists is named there."""

import re
import shlex
from pathlib import Path

import pytest

import zoo
from zoo.cli import COMMANDS, _parser

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(README.split("```")[1::2])
# What is quoted may go on in the next line.
LINES = re.findall(r"^(zoo (?:'[^']*'|[^#\n|'])+)", BLOCKS, re.MULTILINE)


def test_every_model_is_named_under_its_family():
    for family in {zoo.describe(name).family for name in zoo.list_models()}:
        row = re.search(rf"^\| {family} \| (.*) \|$", README, re.MULTILINE)
        assert row[1].split(", ") == [f"`{n}`" for n in zoo.list_models(family=family)]


def test_every_command_is_named():
    for command in COMMANDS:
        assert re.search(rf"\bzoo {command}\b|make {command}\b", README), command


@pytest.mark.parametrize("line", LINES)
def test_every_command_line_is_accepted(line):
    words = shlex.split(line.replace(" N", " 0"))[1:]
    args = _parser(words[0]).parse_args(words)
    assert args.command == words[0]


def test_pictures_and_files_that_it_links_exist():
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", README):
        assert (Path(__file__).parents[1] / target).is_file(), target
