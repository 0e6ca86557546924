"""`zoo report`: write a run's report as one HTML page."""

from __future__ import annotations

import dataclasses

from zoo.cli.following import print_next
from zoo.extras import require
from zoo.seeds import seed_option
from zoo.settings import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `zoo report`."""

    run: str = option(name="run", metavar="RUN", help="Run folder of zoo train")
    data: str = option(metavar="PREPARED", help="Prepared set")
    split: str = option("test", help="Split of the set to score")
    out: str | None = option(
        None,
        metavar="FILE",
        help="Page to write",
        shown="RUN/report.html; NAME.html for weights that ship",
    )
    seed: int = seed_option("Random seed of the class-balanced sample")


def run(options: Options) -> int:
    """Score the run and write the page."""
    require("reports")
    from zoo.data.sets.prepared import Prepared
    from zoo.runs import Run

    trained = Run.open(options.run)
    prepared = Prepared(options.data)
    from zoo.startup import start_backend

    start_backend()
    out = options.out or trained.report
    if trained.transcribes:
        from zoo.evaluation.transcript_report import write_transcript_report
        from zoo.evaluation.transcripts import evaluate_transcripts

        transcribed = evaluate_transcripts(trained, prepared, options.split)
        print(write_transcript_report(trained, prepared, transcribed, out))
        print_next("export", options.run, "exported")
        return 0
    from zoo.evaluation.report import write_report
    from zoo.evaluation.runs import evaluate

    evaluation = evaluate(trained, prepared, options.split, options.seed)
    print(write_report(trained, prepared, evaluation, out))
    if trained.frontend.length is not None:
        print_next("export", options.run, "exported")
    return 0
