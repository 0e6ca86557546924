"""Every command's options: the page that lists them, names that stay, wrong values."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.cli import COMMANDS, command_parser, main
from zoo.cli.reference import _commands, reference

ROOT = Path(__file__).parents[2]
FIRST = Path(__file__).with_name("options-0.1.0.txt")
"""Command: its arguments, as they were in version 0.1.0."""


def parsers() -> dict[str, argparse.ArgumentParser]:
    return {p.prog: p for name in COMMANDS for p in _commands(command_parser(name))}


def test_the_page_of_options_is_what_the_declarations_give():
    page = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    assert page == reference(), "run python -m zoo.cli.reference > docs/options.md"


def test_the_page_has_the_flags_of_the_server():
    assert "## python -m serving\n" in reference()
    assert (
        "| `--rest_api_port` | N | Port of REST; 0: any free port (default: 8501) |" in reference()
    )


@pytest.mark.parametrize("command", sorted(parsers()))
def test_help_is_grouped_and_ends_with_an_example(command):
    parser = parsers()[command]
    text = parser.format_help()
    first, *_ = text.split("\n\n")
    assert first.startswith(f"usage: {command} ")
    assert text.rstrip().splitlines()[-1].startswith(f"  {command}")
    # Many options in a row are not read.
    for group in parser._action_groups:
        assert len(group._group_actions) <= 12 or command.startswith("zoo experiment"), group.title


@pytest.mark.parametrize("command", sorted(parsers()))
def test_a_default_is_said_once_and_in_one_way(command):
    for action in parsers()[command]._actions:
        text = action.help or ""
        _, *defaults = re.split(r"\bdefault:", text)
        assert len(defaults) <= 1
        assert not defaults or (" (default:" in text and text.endswith(")"))
        assert not action.option_strings or text[0].isupper() or action.dest == "help"


def test_the_usage_line_names_what_is_required_alone():
    usage = command_parser("predict").format_usage()
    assert usage == "usage: zoo predict [options] (--model PATH | --url URL) FILE\n"


def test_options_keep_their_names():
    found = parsers()
    for line in FIRST.read_text(encoding="utf-8").splitlines():
        command, names = line.split(": ")
        actions = found[command]._actions
        have = {flag for a in actions for flag in a.option_strings}
        have |= {a.dest.upper() for a in actions if not a.option_strings}
        assert set(names.split()) <= have, command


def test_every_option_is_described():
    for command, parser in parsers().items():
        for action in parser._actions:
            assert action.help, f"{command} {action.option_strings or action.dest}"


@pytest.mark.parametrize("command", ["prepare", "train", "tune", "reconstruct", "serve"])
def test_help_comes_without_keras_or_a_backend(command):
    code = (
        "import sys, contextlib, io\nfrom zoo.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    main([{command!r}, '--help'])\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch', 'keras_tuner'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepare", "c", "o", "--level", "loud"], "argument --level: invalid choice: 'loud'"),
        (["prepare", "c", "o", "--deltas", "x"], "argument --deltas: invalid int value: 'x'"),
        (["train", "freq", "--data", "d", "--out", "o", "--epochs", "0"], "--epochs must be 1 or"),
        (["train", "freq", "--data", "d", "--out", "o", "--l2", "nan"], "--l2 must be 0 or more"),
        (["train", "freq", "--data", "d", "--out", "o", "--patch", "2"], "takes ROWSxFRAMES"),
        (["tune", "freq", "--data", "d", "--out", "o", "--keep", "0"], "--keep must be 1 or more"),
        (
            ["train", "freq", "--data", "d", "--out", "o", "--objective", "cosinus"],
            "argument --objective: invalid choice: 'cosinus'",
        ),
        (
            ["experiment", "riemens_table2", "--data", "d", "--seeds", "0"],
            "--seeds must be 1 or more; received 0.",
        ),
        (
            ["corpus", "synth", "o", "--bandwidth", "9"],
            "--bandwidth must be 1000 to 8000 Hz; received 9.0.",
        ),
    ],
)
def test_a_wrong_value_is_one_sentence_and_exit_code_2(words, message, capsys):
    try:
        code = main(words)
    except SystemExit as error:
        code = error.code
    error = capsys.readouterr().err
    assert code == 2
    assert message in error
    assert error.count("\n") == 1
