"""The `zoo` command: each sub-command is a module of its own, imported only when it is called."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator

from zoo.errors import FileWarning, RunError, UsageError
from zoo.extras import explained
from zoo.interrupts import heeded

# name -> (module with add_arguments(parser, name) and run(args) -> int | None, one line of help)
COMMANDS = {
    "list": ("zoo.cli.models", "list the models of the zoo"),
    "show": ("zoo.cli.models", "show a model's card and layers"),
    "corpus": ("zoo.cli.corpus", "make a synthetic corpus, check any corpus"),
    "prepare": ("zoo.cli.prepare", "turn a corpus into a prepared set"),
    "data": ("zoo.cli.data", "look at a prepared set, check that it is whole"),
    "train": ("zoo.cli.train", "train a model on a prepared set"),
    "tune": ("zoo.cli.tune", "search for a better network"),
    "evaluate": ("zoo.cli.evaluate", "score a run on a prepared set"),
    "report": ("zoo.cli.report", "write a run's report as one HTML page"),
    "export": ("zoo.cli.export", "export a run for serving"),
    "serve": ("zoo.cli.serve", "serve exported models over REST"),
    "transcribe": ("zoo.cli.transcribe", "find the phones of recordings and their times"),
    "align": ("zoo.cli.align", "find when each word and phone of known transcripts is said"),
    "predict": ("zoo.cli.predict", "name the phones in a recording"),
    "reconstruct": ("zoo.cli.reconstruct", "what a layer keeps of sounds, to see and to hear"),
    "experiment": ("zoo.cli.experiment", "a table of the literature, beside ours"),
    "quickstart": ("zoo.cli.quickstart", "the whole way, from speech to an answer over REST"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _parser(command: str | None) -> argparse.ArgumentParser:
    parser = _Parser(prog="zoo", description="A zoo of phone classifiers and autoencoders.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        sub = commands.add_parser(name, help=text, description=_sentence(text))
        if name == command:
            importlib.import_module(module).add_arguments(sub, name)
    return parser


def command_parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command."""
    module, text = COMMANDS[command]
    parser = _Parser(prog=f"zoo {command}", description=_sentence(text))
    importlib.import_module(module).add_arguments(parser, command)
    return parser


@contextlib.contextmanager
def _warnings_as_lines(command: str) -> Iterator[None]:
    """Print what is doubtful about a file as a line, without the place in the code."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def said(message, category, *place, **more) -> None:
            if issubclass(category, FileWarning):
                print(f"zoo {command}: warning: {message}", file=sys.stderr)
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
            module = importlib.import_module(COMMANDS[args.command][0])
            return module.run(args) or 0
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
