"""Options, each declared once: a field of a settings dataclass, with default, choices, rule, help.

The command line, the checks, what is recorded on disk and `docs/options.md` follow from the fields.
This is a module of our own because `tyro`, `jsonargparse` and `simple-parsing` take 120 to 230 ms
to import, half of what `zoo --help` may take, and word options and errors in ways of their own.

Example:
    >>> @dataclasses.dataclass(frozen=True)
    ... class Training:
    ...     epochs: int = option(20, help="Number of epochs", check=at_least(1))
    ...     optimizer: str = option("adagrad", help="Optimiser", choices=("adagrad", "adam"))
    >>> check(Training(epochs=0))
    Traceback (most recent call last):
    zoo.errors.UsageError: epochs must be 1 or more; received 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from zoo.errors import UsageError, nearest
from zoo.parsers import heading
from zoo.plain import plain

T = TypeVar("T")
S = TypeVar("S")

_KEY = "option"
_UNSET: Any = dataclasses.MISSING
_SAME: Any = object()

_KINDS: dict[type, tuple[type, str]] = {
    int: (numbers.Integral, "a whole number"),
    float: (numbers.Real, "a number"),
    str: (str, "text"),
    bool: (bool, "true or false"),
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """Rule that an option's value must satisfy.

    Attributes:
        text: in words that follow "must be".
        holds: whether a value is so.
    """

    text: str
    holds: Callable[[Any], bool]

    def allows(self, value: Any) -> bool:
        """Whether a value satisfies the rule; a value of another type does not."""
        try:
            return self.holds(value)
        except (TypeError, IndexError):
            return False


def at_least(least: float) -> Rule:
    """`least` or more, but not infinite."""
    return Rule(f"{least} or more", lambda value: least <= value < math.inf)


def above(limit: float) -> Rule:
    """More than `limit`, but not infinite."""
    return Rule(f"above {limit}", lambda value: limit < value < math.inf)


def between(low: float, high: float) -> Rule:
    """From `low` to `high`, both included."""
    return Rule(f"{low} to {high}", lambda value: low <= value <= high)


@dataclasses.dataclass(frozen=True)
class _Option:
    """What `option` says of a field; see there."""

    help: str
    choices: tuple[Any, ...] | None = None
    check: Rule | Callable[[Any], object] | None = None
    metavar: str | tuple[str, ...] | None = None
    name: str | None = None
    parse: Callable[[str], Any] | None = None
    nargs: int | str | None = None
    implied: Any = _SAME
    shown: str | None = None
    group: str | None = None


def option(
    default: T = _UNSET,
    *,
    help: str,
    choices: Iterable[Any] | None = None,
    check: Rule | Callable[[Any], object] | None = None,
    metavar: str | tuple[str, ...] | None = None,
    name: str | None = None,
    parse: Callable[[str], Any] | None = None,
    nargs: int | str | None = None,
    implied: Any = _SAME,
    shown: str | None = None,
    group: str | None = None,
) -> T:
    """A field of a settings dataclass.

    Args:
        default: its default; without one the option is required.
        help: noun phrase that says what it is; the default is added.
        choices: the only values there are.
        check: rule for its value, or a function that raises `UsageError`.
        metavar: what stands for its value in the help.
        name: on the command line, where it is not the field's; without dashes for a positional
            argument.
        parse: from the command line's text, where the field's type does not say it.
        nargs: argument `nargs` of argparse.
        implied: its value in records from before there was the option; left out, the default.
        shown: how its default is described; left out, the default itself.
        group: heading that it has in the command's help.
    """
    about = _Option(
        help,
        None if choices is None else tuple(choices),
        check,
        metavar,
        name,
        parse,
        nargs,
        implied,
        shown,
        group,
    )
    if isinstance(default, list | dict):
        return dataclasses.field(default_factory=default.copy, metadata={_KEY: about})  # type: ignore[return-value]
    return dataclasses.field(default=default, metadata={_KEY: about})


def again(settings: type, name: str, default: Any = _UNSET, **changes: Any) -> Any:
    """An option of another settings class, with another default or other arguments of `option`."""
    field = next(f for f in dataclasses.fields(settings) if f.name == name)
    about = dataclasses.replace(field.metadata[_KEY], **changes)
    default = _default(field) if default is _UNSET else default
    return option(default, **{f.name: getattr(about, f.name) for f in dataclasses.fields(about)})


def add_options(
    parser: argparse._ActionsContainer,
    settings: type,
    *,
    beside: Sequence[type] = (),
    defaults: Mapping[str, Any] = types.MappingProxyType({}),
    groups: Mapping[str, argparse._ActionsContainer] = types.MappingProxyType({}),
    given_only: bool = False,
) -> None:
    """Declare the options of a settings class on a command line.

    Args:
        parser: a parser, or a group of its arguments.
        settings: the class.
        beside: classes whose options the parser has already; those in common are shared.
        defaults: field -> its default on this command line, where it is not the class'.
        groups: heading -> where its options go instead of the parser's group of that heading.
        given_only: leave options that are not given out of the result, so that others than the
            class' defaults can take their place.
    """
    present = {field.name for other in beside for field, _ in _options(other)}
    hints = _hints(settings)
    for field, about in _options(settings):
        if field.name in present:
            continue
        place = parser
        if about.group is not None:
            place = groups.get(about.group) or heading(parser, about.group)
        default = defaults.get(field.name, _default(field))
        keywords = _keywords(field, about, hints[field.name], default)
        flag = _flag(field, about)
        if flag.startswith("-"):
            keywords["dest"] = field.name
            if given_only:
                keywords["default"] = argparse.SUPPRESS
        place.add_argument(flag, **keywords)


def from_arguments(settings: type[S], args: argparse.Namespace, **otherwise: Any) -> S:
    """The settings that a command line asks for.

    Args:
        settings: the class.
        args: what a parser with its options gave.
        **otherwise: values of fields that are not given.

    Raises:
        UsageError: a value breaks its rule; the message names the option.
    """
    hints = _hints(settings)
    values = {
        field.name: _typed(getattr(args, field.name), hints[field.name])
        for field in dataclasses.fields(settings)  # type: ignore[arg-type]
        if hasattr(args, field.name)
    }
    found = settings(**{**otherwise, **values})
    check(found, by_flag=True)
    return found


def given(settings: type, args: argparse.Namespace, but: Sequence[type] = ()) -> list[str]:
    """Options of a class that were given on a `given_only` command line, as they were typed.

    Args:
        settings: the class.
        args: what the parser gave.
        but: classes whose options do not count.
    """
    others = {field.name for other in but for field, _ in _options(other)}
    return [
        _flag(field, about)
        for field, about in _options(settings)
        if hasattr(args, field.name) and field.name not in others
    ]


def check(settings: Any, by_flag: bool = False) -> None:
    """Refuse settings that break a rule.

    Args:
        settings: an instance of a settings class.
        by_flag: name options as they are typed on the command line.

    Raises:
        UsageError: with the rule, and what was received.
    """
    hints = _hints(type(settings))
    for field, about in _options(type(settings)):
        value = plain(getattr(settings, field.name))
        name = _flag(field, about) if by_flag else field.name
        kinds = _members(hints[field.name])
        if value is None and types.NoneType in kinds:
            continue
        rule = about.check if isinstance(about.check, Rule) else None
        scalars = [_KINDS[kind] for kind in kinds if kind in _KINDS]
        if len(scalars) == len([k for k in kinds if k is not types.NoneType]) and not any(
            isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
            for kind, _ in scalars
        ):
            words = " or ".join(text for _, text in scalars) + (f", {rule.text}" if rule else "")
            raise UsageError(f"{name} must be {words}; received {value!r}.")
        if about.choices is not None and about.nargs is None and value not in about.choices:
            raise UsageError(_no_choice(field.name, value, about.choices))
        if rule is not None and not rule.allows(value):
            raise UsageError(f"{name} must be {rule.text}; received {value!r}.")
        if about.check is not None and rule is None:
            about.check(value)  # type: ignore[operator]


def changed(settings: S, changes: Mapping[str, Any]) -> S:
    """Settings with some fields replaced.

    Raises:
        UsageError: there is no such field; the message names the nearest ones.
    """
    names = [field.name for field in dataclasses.fields(settings)]  # type: ignore[arg-type]
    for name in changes:
        if name not in names:
            raise UsageError(f"unknown option {name!r}. {nearest(name, names, 'option')}")
    return dataclasses.replace(settings, **plain(dict(changes)))  # type: ignore[type-var]


def as_record(settings: Any) -> dict[str, Any]:
    """Settings as values for JSON."""
    return {
        field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(settings)
    }


def from_record(settings: type[S], record: Mapping[str, Any]) -> S:
    """Settings from a record of `as_record`, also of a version with fewer or more options.

    Unknown entries are ignored; missing ones have the value in `implied`.
    """
    hints = _hints(settings)
    values = _implied(settings)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        if field.name in record:
            values[field.name] = _typed(record[field.name], hints[field.name])
    return settings(**values)


def implied(settings: type) -> dict[str, Any]:
    """Field -> its value, as JSON knows it, in records from before there was the option."""
    return {name: _plain(value) for name, value in _implied(settings).items()}


def _implied(settings: type) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(settings):
        about = field.metadata.get(_KEY)
        value = _default(field) if about is None or about.implied is _SAME else about.implied
        if value is not _UNSET:
            values[field.name] = value
    return values


def _options(settings: type) -> list[tuple[dataclasses.Field[Any], _Option]]:
    fields = dataclasses.fields(settings)
    return [(field, field.metadata[_KEY]) for field in fields if _KEY in field.metadata]


def _hints(settings: Any) -> dict[str, Any]:
    return typing.get_type_hints(settings)


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type that there is."""
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return typing.get_args(hint)
    return (hint,)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _flag(field: dataclasses.Field[Any], about: _Option) -> str:
    return about.name or "--" + field.name.replace("_", "-")


def _keywords(
    field: dataclasses.Field[Any], about: _Option, hint: Any, default: Any
) -> dict[str, Any]:
    """Arguments of `add_argument`."""
    keywords: dict[str, Any] = {"help": _help(about, default).replace("%", "%%")}
    if hint is bool:
        return {**keywords, "action": "store_false" if default else "store_true"}
    (kind, *_) = (k for k in _members(hint) if k is not types.NoneType)
    several = typing.get_origin(kind) in (list, tuple)
    if several:
        (kind, *_) = typing.get_args(kind)
    if several and about.nargs is None and about.parse is None:
        keywords["action"] = "append"
    parse = about.parse or (kind if kind in (int, float, Path) else None)
    positional = not _flag(field, about).startswith("-")
    more = {
        "choices": about.choices,
        "metavar": about.metavar,
        "type": parse,
        "nargs": "?" if positional and default is not _UNSET else about.nargs,
    }
    keywords |= {name: value for name, value in more.items() if value is not None}
    if default is not _UNSET:
        keywords["default"] = default
    elif not positional:
        keywords["required"] = True
    return keywords


def _help(about: _Option, default: Any) -> str:
    shown = about.shown
    if shown is None and not isinstance(default, bool) and default not in (None, _UNSET, "", []):
        several = isinstance(default, list | tuple)
        shown = " ".join(map(_words, default)) if several else _words(default)
    return f"{about.help} (default: {shown})" if shown else about.help


def _words(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _no_choice(name: str, value: Any, choices: tuple[Any, ...]) -> str:
    if all(isinstance(choice, str) for choice in choices) and isinstance(value, str):
        return f"unknown {name} {value!r}. {nearest(value, choices)}"
    words = ", ".join(map(repr, choices))
    return f"{name} must be one of {words}; received {value!r}."


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return as_record(value)
    value = plain(value)
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, Path) else value


def _typed(value: Any, hint: Any) -> Any:
    """A plain value as the type of its field."""
    kinds = _members(hint)
    for kind in kinds:
        if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
            return from_record(kind, value)  # type: ignore[arg-type]
        if typing.get_origin(kind) is tuple and isinstance(value, list):
            return tuple(value)
        if kind is Path and str not in kinds and isinstance(value, str):
            return Path(value)
    return value
