"""`docs/options.md`: every option of every command, as `python -m zoo.cli.reference` prints it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from zoo.cli import COMMANDS, command_parser
from zoo.siblings import sibling

HEAD = """# Options

Every option of every command. Written by `python -m zoo.cli.reference > docs/options.md` from the
classes that declare them; change an option there.
"""


def reference() -> str:
    """The page, in Markdown."""
    parsers = [parser for name in COMMANDS for parser in _commands(command_parser(name))]
    parsers.append(sibling("serving.flags").flag_parser())
    pages = [_page(parser) for parser in parsers]
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
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if not isinstance(a, argparse._HelpAction)]
        if not actions:
            continue
        if group.title == "positional arguments":
            lines += ["| argument | what it is |", "|---|---|"]
            lines += [f"| `{_names(a)}` | {_text(a)} |" for a in actions]
        else:
            lines += [] if group.title == "options" else [f"*{group.title}*", ""]
            lines += ["| option | value | what it is |", "|---|---|---|"]
            lines += [f"| {_flags(a)} | {_value(a)} | {_text(a)} |" for a in actions]
        lines.append("")
    if parser.epilog:
        lines += ["```", *(line.strip() for line in parser.epilog.splitlines()[1:]), "```", ""]
    return "\n".join(lines)


def _flags(action: argparse.Action) -> str:
    return ", ".join(f"`{flag}`" for flag in action.option_strings)


def _text(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    return _escaped(text + (" (required)" if action.required and action.option_strings else ""))


def _value(action: argparse.Action) -> str:
    """What follows an option: its choices, or what stands for them."""
    if action.nargs == 0:
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
