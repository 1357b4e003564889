"""`voxfield evaluate`: scores of a model on recordings whose truth is known."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.completion import models_for
from voxfield.cli.jobs import jobs_of, say
from voxfield.cli.options import Jobs, Offline, names_in
from voxfield.cli.printable import visible
from voxfield.errors import InputError
from voxfield.pool import AUTO

if TYPE_CHECKING:
    from voxfield.pool import Processes
    from voxfield.tasks.evaluation.scoring import Evaluation


def command(
    recordings: Annotated[
        Path,
        typer.Argument(
            help="Folder of noisy recordings, of mixtures or talks; RTTM; a list of trials or a folder of lists."
        ),
    ],
    truth: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of clean recordings of the same names, or with s1/, s2/ ...; RTTM; none for trials."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="Name of a model, or an .onnx file; crn-small, or for trials and RTTM the speaker model.",
            autocompletion=models_for(),
        ),
    ] = None,
    measures: Annotated[
        str,
        typer.Option(
            help="Comma-separated; all that are installed if not given. Of enhancement: pesq, stoi, estoi, si_sdr_db, "
            "dnsmos; of separation: si_sdr, sdr, pesq, stoi, swaps; of speakers: eer, min_dcf, cllr."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help="Score only the first so many; 0 for all.", min=0)] = 0,
    cohort: Annotated[
        Path | None, typer.Option(help="Other speakers' vectors, of `voxfield embed -o FILE.npz`, to normalise with.")
    ] = None,
    calibrate: Annotated[
        Path | None, typer.Option(help="Trials of other speakers to fit a calibration on, for Cllr and for a card.")
    ] = None,
    det: Annotated[Path | None, typer.Option(help="An .svg for the errors over all thresholds (DET).")] = None,
    jobs: Jobs = AUTO,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    offline: Offline = False,
) -> None:
    """Score a model: enhancement by SNR beside the noisy input, separation beside the mixture, speakers by trials,
    diarization by its error rate (DER).

    A trial is a line of a text file: `1 enrol.wav test.wav` for one speaker, `0 enrol.wav test.wav` for two.
    A recording that cannot be scored is named at the end, and the exit code is 1.

    Examples:

      voxfield evaluate test/noisy test/clean --model crn-small --json

      voxfield evaluate Libri2Mix/test/mix_clean Libri2Mix/test --model conv-tasnet-small

      voxfield evaluate trials/test/ --calibrate trials/fit/ --det det.svg --model speakers.onnx --json

      voxfield evaluate found.rttm truth.rttm
    """
    from voxfield.tasks import DEFAULT_MODEL
    from voxfield.tasks.evaluation.diarization import evaluate_turns, is_rttm
    from voxfield.tasks.evaluation.folders import holds_recordings
    from voxfield.tasks.speakers.embedding import DEFAULT_MODEL as SPEAKER_MODEL

    given = {"cohort": cohort, "calibrate": calibrate, "det": det}
    options = {name: path for name, path in given.items() if path is not None}
    turns = truth is not None and is_rttm(truth)
    processes = jobs_of(jobs)
    if truth is not None and turns:
        if measures or options:
            raise InputError(
                "diarization has one measure, which is given; --measures and the like are those of other tasks"
            )
        found = evaluate_turns(recordings, truth, model, limit=limit, progress=_show, processes=processes)
    else:
        alone = truth is None and not holds_recordings(recordings)  # trials say the truth themselves
        found = _evaluated(
            recordings, truth, model or (SPEAKER_MODEL if alone else DEFAULT_MODEL), measures, limit, options, processes
        )
    for row in found.failed:
        say(f"voxfield: {row['name']}: {row['error']}")
    if as_json:
        print(json.dumps({"model": found.model, **found.summary}))
    else:
        from rich.console import Console
        from rich.table import Table

        grid = Table(*found.head, title=f"{found.model} on {truth if turns else recordings}")
        for column in grid.columns:
            column.overflow = "fold"  # a name that is cut off may be that of several rows
        for cells in found.cells:
            grid.add_row(*cells)
        Console().print(grid)
    raise typer.Exit(1 if found.failed else 0)


def _evaluated(
    recordings: Path,
    truth: Path | None,
    model: str,
    measures: str,
    limit: int,
    options: dict[str, Path],
    processes: "Processes",
) -> "Evaluation":
    from voxfield.metrics.enhancement import NEEDS
    from voxfield.tasks.evaluation.scoring import evaluate, scoring_for

    chosen = names_in(measures)
    used = scoring_for(model, chosen, options).measures
    if not measures and "eer" not in used and (absent := [name for name in NEEDS if name not in used]):
        say(f"not measured: {', '.join(absent)}; see pip install 'voxfield[metrics,pesq,dnsmos]'")
    return evaluate(recordings, truth, model, chosen, limit=limit, progress=_show, options=options, processes=processes)


def _show(name: str) -> None:
    """The name of what was scored, on a terminal, where the next words take its place."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r{visible(name)}\033[K\r", end="", file=sys.stderr, flush=True)
