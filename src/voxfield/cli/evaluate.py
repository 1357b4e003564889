"""`voxfield evaluate`: scores of a model on pairs of noisy and clean recordings."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.options import Offline


def evaluate(
    noisy: Annotated[Path, typer.Argument(help="Folder of noisy recordings.")],
    clean: Annotated[Path, typer.Argument(help="Folder of clean recordings of the same names.")],
    model: Annotated[str, typer.Option("--model", "-m", help="Name of a model, or an .onnx file.")] = "crn-small",
    measures: Annotated[
        str,
        typer.Option(
            help="Comma-separated: pesq, stoi, estoi, si_sdr_db, dnsmos; all that are installed if not given."
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help="Score only the first so many; 0 for all.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    offline: Offline = False,
) -> None:
    """Score a model: PESQ-WB, STOI, ESTOI, SI-SDR, DNSMOS, by SNR and in mean, beside the noisy input.

    Examples:

      voxfield evaluate test/noisy test/clean --model crn-small --json

    A model that separates takes a folder of mixtures and the folder that holds their voices s1/, s2/ ...:

      voxfield evaluate Libri2Mix/test/mix_clean Libri2Mix/test --model conv-tasnet-small
    """
    if _separates(model):
        from voxfield.cli.evaluate_voices import evaluate_voices

        return evaluate_voices(noisy, clean, model, measures, limit, as_json)
    from voxfield.metrics.enhancement import NEEDS, measurable
    from voxfield.tasks.enhance import enhance
    from voxfield.tasks.evaluate import RATE_HZ, pairs
    from voxfield.tasks.evaluate import evaluate as score

    def recordings() -> Iterator[tuple[str, Any, Any]]:
        from voxfield.audio import read

        for number, (name, noisy_path, clean_path) in enumerate(pairs(noisy, clean), start=1):
            if limit and number > limit:
                return
            print(f"\r{number} {name}", end="", file=sys.stderr, flush=True)
            first, second = (read(path, rate_hz=RATE_HZ, mono=True) for path in (noisy_path, clean_path))
            n = min(first.shape[-1], second.shape[-1])
            yield name, first[0, :n], second[0, :n]

    chosen = tuple(measures.split(",")) if measures else measurable()
    if not measures and (absent := [name for name in NEEDS if name not in chosen]):
        print(
            f"not installed, so not measured: {', '.join(absent)}; see pip install 'voxfield[metrics,pesq,dnsmos]'",
            file=sys.stderr,
        )
    found = score(recordings(), lambda samples: enhance(samples, RATE_HZ, model=model).samples[0], chosen)
    print(file=sys.stderr)
    table = found.to_dict()
    if as_json:
        print(json.dumps({"model": model, **table}))
        return
    from rich.console import Console
    from rich.table import Table

    names = list(table["noisy"])
    grid = Table("SNR", "recordings", "", *names, title=f"{model} on {noisy}")
    rows = [(f"{row['from_db']:g} to {row['to_db']:g} dB", row) for row in table["by_snr"]] + [("all", table)]
    for label, row in rows:
        for which in ("noisy", "enhanced"):
            grid.add_row(
                label, str(row["recordings"]), which, *(f"{row[which].get(name, float('nan')):.3f}" for name in names)
            )
    Console().print(grid)


def _separates(model: str) -> bool:
    from voxfield.runtime import load_engine

    return load_engine(model).card.task == "separate"
