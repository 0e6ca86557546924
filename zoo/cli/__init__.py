"""The `zoo` command: each sub-command is a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from zoo.errors import FileWarning, RunError, UsageError
from zoo.extras import explained
from zoo.interrupts import heeded
from zoo.parsers import Parser
from zoo.settings import add_options, from_arguments


class Command(NamedTuple):
    """A sub-command.

    Attributes:
        module: has the class `Options` and `run(options) -> int | None`, or, where its command line
            is more than options, `add_arguments(parser, name)` and `run(args) -> int | None`.
        text: one line of help.
        example: a command line that shows its use; "" where its own sub-commands have some.
    """

    module: str
    text: str
    example: str = ""


GROUPS = {
    "models": {
        "list": Command("zoo.cli.models", "list the models of the zoo", "zoo list 'freq*'"),
        "show": Command(
            "zoo.cli.models", "show a model's card and layers", "zoo show freq_fullpad"
        ),
    },
    "data": {
        "corpus": Command("zoo.cli.corpus", "make a synthetic corpus, check any corpus"),
        "prepare": Command(
            "zoo.cli.prepare",
            "turn a corpus into a prepared set",
            "zoo prepare corpus prepared\n"
            "zoo prepare my_recordings prepared --mapping timit --resample",
        ),
        "data": Command("zoo.cli.data", "look at a prepared set, check that it is intact"),
    },
    "training": {
        "train": Command(
            "zoo.cli.train",
            "train a model on a prepared set",
            "zoo train freq_fullpad --data prepared --out runs/freq_fullpad",
        ),
        "tune": Command(
            "zoo.cli.tune",
            "search for a better network",
            "zoo tune freq_fullpad --data prepared --out studies/freq_fullpad",
        ),
        "evaluate": Command(
            "zoo.cli.evaluate",
            "score a run on a prepared set",
            "zoo evaluate runs/freq_fullpad --data prepared",
        ),
        "report": Command(
            "zoo.cli.report",
            "write a run's report as one HTML page",
            "zoo report runs/freq_fullpad --data prepared",
        ),
    },
    "using a model": {
        "transcribe": Command(
            "zoo.cli.transcribe",
            "find the phones of recordings and their times",
            "zoo transcribe speech.wav\nzoo transcribe my_recordings --out transcripts",
        ),
        "align": Command(
            "zoo.cli.align",
            "find when each word and phone of known transcripts is said",
            "zoo align my_recordings --out alignments",
        ),
        "predict": Command(
            "zoo.cli.predict",
            "name the phones in a recording",
            "zoo predict speech.wav --start 0.5 --end 0.6\n"
            "zoo predict speech.wav --labels speech.TextGrid --model runs/freq_fullpad",
        ),
        "reconstruct": Command(
            "zoo.cli.reconstruct",
            "show and play what a layer keeps of sounds",
            "zoo reconstruct runs/freq_overlap --layer L6 --chirps --out reconstructed",
        ),
    },
    "deployment": {
        "export": Command(
            "zoo.cli.export",
            "export a run for serving",
            "zoo export runs/freq_fullpad exported",
        ),
        "serve": Command(
            "zoo.cli.serve",
            "serve exported models over REST",
            "zoo serve --model phones=exported",
        ),
    },
    "whole workflows": {
        "experiment": Command(
            "zoo.cli.experiment", "reproduce a table or figure of the literature"
        ),
        "quickstart": Command(
            "zoo.cli.quickstart",
            "run every step, from speech to an answer over REST",
            "zoo quickstart --speakers 20 --epochs 2",
        ),
    },
}

COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _parser(command: str | None) -> argparse.ArgumentParser:
    parser = Parser(
        prog="zoo",
        usage="zoo COMMAND ...",
        description="A zoo of phone classifiers and autoencoders.",
        epilog="zoo COMMAND --help describes a command.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    for group, commands in GROUPS.items():
        # argparse lists commands in one group alone; these are lines of the help and no arguments.
        listed = parser.add_argument_group(group)
        for name, about in commands.items():
            action = argparse.Action([], dest=name, help=about.text)
            listed._group_actions.append(action)
    chosen = parser.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    for name, about in COMMANDS.items():
        sub = chosen.add_parser(name, description=_sentence(about.text), example=about.example)
        if name == command:
            _declare(sub, name)
    return parser


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    _, text, example = COMMANDS[command]
    parser = Parser(prog=f"zoo {command}", description=_sentence(text), example=example)
    _declare(parser, command)
    return parser


def _declare(parser: argparse.ArgumentParser, command: str) -> None:
    """Declare a command's options."""
    module = importlib.import_module(COMMANDS[command].module)
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser, command)
    else:
        add_options(parser, module.Options)


@contextlib.contextmanager
def _warnings_as_lines(command: str) -> Iterator[None]:
    """Print what is doubtful about a file as a line, without the place in the code."""
    with warnings.catch_warnings():
        show = warnings.showwarning
        heard: set[str] = set()

        def said(message, category, *place, **more) -> None:
            if issubclass(category, FileWarning):
                # A file may be opened several times, from several places.
                if str(message) not in heard:
                    print(f"zoo {command}: warning: {message}", file=sys.stderr)
                heard.add(str(message))
            else:
                show(message, category, *place, **more)

        warnings.showwarning = said
        yield


def main(argv: list[str] | None = None) -> int:
    """Run the `zoo` command and return its exit code: 0, 1 (run-time failure) or 2 (wrong use)."""
    argv = sys.argv[1:] if argv is None else argv
    command = next((word for word in argv if not word.startswith("-")), None)
    parser = _parser(command)
    args = parser.parse_args(argv)
    # A command that starts itself in further processes gives them the same words.
    args.words = list(argv)
    if args.version:
        from zoo.machine import VERSION

        print(f"zoo {VERSION}")
        return 0
    if args.command is None:
        parser.print_help()
        return 2
    try:
        with heeded(), _warnings_as_lines(args.command):
            module = importlib.import_module(COMMANDS[args.command].module)
            own = hasattr(module, "add_arguments")
            return module.run(args if own else from_arguments(module.Options, args)) or 0
    except (UsageError, RunError) as error:
        print(f"zoo {args.command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"zoo {args.command}: interrupted; the same command resumes", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        missing = explained(error)
        if missing is None:
            raise
        print(f"zoo {args.command}: {missing}", file=sys.stderr)
        return UsageError.exit_code
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(f"zoo {args.command}: {error.strerror or error}{where}", file=sys.stderr)
        return 1
