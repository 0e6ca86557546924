"""`zoo align`: words and phones of recordings whose text is known, with their times."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.alignment.settings import Adaptation
from zoo.cli.transcribe import FORMATS
from zoo.errors import UsageError
from zoo.runs import RECOGNIZER
from zoo.settings import add_options, at_least, between, from_arguments, option

if TYPE_CHECKING:
    from zoo.alignment.folders import Aligned, Where
    from zoo.data.corpora.transcripts import Transcribed

ROUNDS = "rounds"
"""The folder of what was learnt, in that of the alignments."""

REFINED = "refined"
"""The folder of how the recordings sound, likewise."""

SHOWN = 10
"""Of a list in the summary."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo align`."""

    folder: str = option(
        name="folder",
        metavar="FOLDER",
        help=(
            "Folder of recordings with their transcripts: .TextGrid (a tier of "
            "sentences), .lab, .txt or TIMIT's .TXT beside them; Kaldi's text, wav.scp, "
            "segments and utt2spk; or a .csv, .tsv or .jsonl of audio, text[, speaker, "
            "start, end]; or the path of such a text or table"
        ),
    )
    out: str = option(
        metavar="DIR",
        help=(
            "Folder for the alignments, named after their recordings, and for "
            "alignment.csv and report.html. Alignments of unchanged inputs are kept"
        ),
    )
    model: str | None = option(
        None,
        metavar="RUN",
        help=(
            "Run folder of a network that transcribes, or the name of a preset or of "
            "weights that ship"
        ),
        shown=RECOGNIZER,
    )
    dictionary: list[str] = option(
        [],
        metavar="FILE",
        help=(
            "File of pronunciations in the format of CMUdict or Montreal Forced "
            "Aligner, searched before CMUdict; may be given several times"
        ),
        group="transcripts",
    )
    phones: bool = option(
        False, help="Read the transcripts as phones separated by spaces", group="transcripts"
    )
    tier: str | None = option(
        None,
        metavar="NAME",
        help="Tier of the TextGrids that holds the sentences",
        shown=(
            "the one named sentences, utterances, text or similar, or after the "
            "speaker; else every tier but those of words and phones, one for each "
            "speaker"
        ),
        group="transcripts",
    )
    speaker_characters: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help="Number of characters at the start of a recording's name that name its speaker",
        shown="the transcripts name the speaker, or the first folder does",
        group="transcripts",
    )
    channel: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help="Channel to align, counted from 1, for recordings with several channels",
        group="recordings",
    )
    min_score: float | None = option(
        None,
        metavar="S",
        check=between(0, 1),
        help="Score from 0 to 1; recordings below it get no file and are listed as suspicious",
        shown="every recording gets a file; the lowest 5 % are listed",
        group="results",
    )
    format: str = option(
        FORMATS[0],
        choices=FORMATS,
        help=(
            "Format of the alignments; TextGrid and json hold words and phones, the "
            "others phones alone"
        ),
        group="results",
    )
    jobs: int | None = option(
        None,
        metavar="N",
        check=at_least(1),
        help="Number of parallel processes",
        shown="one per core, up to 4; fewer for short work",
        group="recordings",
    )
    refine: bool = option(
        False,
        help=(
            "Adapt to these recordings first, by alignments of the network: boundaries "
            "improve where voices, rooms or microphones differ from its training data. "
            "Requires some minutes of speech; takes about a fifteenth of their duration"
        ),
        group="adaptation to the recordings",
    )
    overwrite: bool = option(
        False,
        help="Align every recording again, and replace any files of these names in --out",
        group="results",
    )


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the options."""
    parser.description = (
        "Find when each word and phone of known transcripts is said, with a network that ships, "
        "one of your own (--model), or one trained on the transcripts themselves (--rounds, "
        "--flat-start). Interrupted runs resume. Files in --out that were written or changed by "
        "others are kept."
    )
    add_options(parser, Options)
    add_options(parser, Adaptation)


def run(args: argparse.Namespace) -> int:
    """Align; 1 if there are problems."""
    from tqdm import tqdm

    from zoo.alignment.folders import Where, align_folder
    from zoo.alignment.recordings import How

    options, adaptation = from_arguments(Options, args), from_arguments(Adaptation, args)
    if adaptation.flat_start and options.model is not None:
        raise UsageError("--flat-start starts without a model; leave out --model or --flat-start.")
    how = How(
        model=options.model or RECOGNIZER,
        dictionary=tuple(options.dictionary),
        phones=options.phones,
        channel=options.channel,
    )
    where = Where(
        out=Path(options.out),
        suffix=f".{options.format}",
        least=options.min_score,
        overwrite=options.overwrite,
    )

    def failing(problem: str) -> None:
        # Above the bar.
        tqdm.write(f"zoo align: {problem}", file=sys.stderr)

    def learn(recordings: Sequence[Transcribed]) -> str | Path:
        from zoo.startup import start_backend

        start_backend()
        from zoo.alignment.adaptation import adapt, refine

        model: str | Path = how.model
        if adaptation.rounds or adaptation.flat_start:
            model = adapt(
                recordings,
                how,
                where.out / ROUNDS,
                adaptation,
                jobs=options.jobs,
                overwrite=options.overwrite,
                say=tqdm.write,
                failing=failing,
                progress=True,
            )
        if options.refine:
            refinable = dataclasses.replace(how, model=model)
            model = refine(recordings, refinable, where.out / REFINED, say=tqdm.write)
        print(f"aligning with {model} (to use it again: --model {model})")
        return model

    learns = adaptation.rounds or adaptation.flat_start or options.refine
    aligned = align_folder(
        options.folder,
        how,
        where,
        tier=options.tier,
        speaker_characters=options.speaker_characters,
        jobs=options.jobs,
        failing=failing,
        learn=learn if learns else None,
    )
    print("\n".join(_summary(aligned, where, Path(options.folder))))
    return 1 if aligned.problems else 0


def _summary(aligned: Aligned, where: Where, folder: Path) -> Iterator[str]:
    """What came of a folder, in lines; suspicious recordings come first."""
    from zoo.alignment.folders import PAGE
    from zoo.data.corpora.names import is_audio

    if aligned.suspicious:
        below = "" if where.least is None else f", below {where.least:g} and without a file"
        yield f"suspicious{below}, the lowest score first:"
        yield from (f"  {row.score:.3f}  {row.name}" for row in aligned.suspicious[:SHOWN])
        if len(aligned.suspicious) > SHOWN:
            yield f"  and {len(aligned.suspicious) - SHOWN} more, which alignment.csv lists"
    for what, some in (
        ("without transcript", [p for p in aligned.unmatched if is_audio(p.file)]),
        (
            "of transcripts without recording",
            [p for p in aligned.unmatched if not is_audio(p.file)],
        ),
    ):
        if some:
            names = list(dict.fromkeys(_name(problem.file, folder) for problem in some))
            more = ", ..." if len(names) > SHOWN else ""
            yield f"{len(some)} {what}: {', '.join(names[:SHOWN])}{more}"
    if aligned.page:
        yield f"report: {where.out / PAGE}"
    parts = [f"{aligned.written} written"]
    if aligned.kept:
        parts.append(f"{aligned.kept} kept (--overwrite aligns them again)")
    if where.least is not None and aligned.suspicious:
        parts.append(f"{len(aligned.suspicious)} below --min-score")
    if aligned.problems:
        count = len(aligned.problems)
        parts.append(f"{count} problem{'' if count == 1 else 's'}")
    yield f"{where.out}: {', '.join(parts)}"
    if not aligned.page:
        yield "no report.html, which needs pip install 'phone-zoo[reports]'"


def _name(file: Path, folder: Path) -> str:
    """A file's path within the folder; its name, if it lies elsewhere."""
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else file.name
