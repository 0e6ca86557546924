"""`docs/options.md`: every option of every command, as `python -m zoo.cli.reference` prints it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from zoo.cli import COMMANDS, command_parser

HEAD = """# Options

Every option of every command. Written by `python -m zoo.cli.reference > docs/options.md` from the
settings classes that declare them; change an option there.
"""


def reference() -> str:
    """The page, in Markdown."""
    pages = [_page(parser) for name in COMMANDS for parser in _commands(command_parser(name))]
    return "\n".join([HEAD, *pages])


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A command that has options of its own, or each of its sub-commands."""
    subs = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not subs:
        yield parser
    for sub in subs:
        for command in sub.choices.values():
            yield from _commands(command)


def _page(parser: argparse.ArgumentParser) -> str:
    lines = [f"## {parser.prog}", "", parser.description or "", ""]
    lines += ["| option | value | what it is |", "|---|---|---|"]
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        name = ", ".join(f"`{flag}`" for flag in action.option_strings) or f"`{_names(action)}`"
        text = (action.help or "").replace("%%", "%")
        if action.required and action.option_strings:
            text += " (required)"
        lines.append(f"| {name} | {_value(action)} | {_escaped(text)} |")
    return "\n".join([*lines, ""])


def _value(action: argparse.Action) -> str:
    """What follows an option: its choices, or what stands for them."""
    if action.nargs == 0 or not action.option_strings:
        return ""
    if action.choices is not None and action.metavar is None:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    return _escaped(_names(action))


def _names(action: argparse.Action) -> str:
    names = action.metavar or action.dest.upper()
    return " ".join([names] if isinstance(names, str) else names)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    print(reference(), end="")
