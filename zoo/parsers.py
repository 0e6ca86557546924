"""Command lines whose help is grouped, short at the top, and ends with an example."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose help ends with examples.

    Args:
        example: a command that works as it stands, or several lines of them.
        **kwargs: arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, *, example: str = "", **kwargs: Any) -> None:
        super().__init__(formatter_class=_Formatter, **kwargs)
        self.example = example
        if example:
            lines = example.splitlines()
            self.epilog = "\n  ".join(["example:" if len(lines) == 1 else "examples:", *lines])

    def add_subparsers(self, **kwargs: Any) -> Any:
        """See `argparse.ArgumentParser`; commands are named without this one's own options."""
        return super().add_subparsers(prog=self.prog, **kwargs)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2 and one line that says where the help is."""
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class _Formatter(argparse.HelpFormatter):
    """Names in the usage line what is required alone, and leaves lines of examples as they are."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        groups = list(groups)
        one_of = [a for group in groups if group.required for a in group._group_actions]
        required = [a for a in actions if a.required or not a.option_strings or a in one_of]
        # Written as an option without a value, it comes out as [options].
        others = argparse.Action(["options"], dest=argparse.SUPPRESS, nargs=0)
        super().add_usage(usage, [others, *required], groups, prefix)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("example"):
            return text
        return super()._fill_text(text, width, indent)


def heading(
    parser: argparse._ActionsContainer, title: str, description: str | None = None
) -> argparse._ArgumentGroup:
    """The group of a parser's arguments under a heading, created if there is none."""
    for group in parser._action_groups:
        if group.title == title:
            return group
    return parser.add_argument_group(title, description)
