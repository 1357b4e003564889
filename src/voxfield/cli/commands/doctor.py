"""`voxfield doctor`: what is installed here, and does it work."""

import json
from dataclasses import asdict
from typing import Annotated

import typer


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a finding.")] = False,
) -> None:
    """Check this installation: packages, formats, and every model's file, streaming and speed.

    Exits 1 where something does not hold.

    Example:

      voxfield doctor
    """
    from voxfield.cli.printable import visible
    from voxfield.tasks.selfcheck import findings

    all_good = True
    for finding in findings():
        all_good = all_good and finding.good
        if as_json:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
        else:
            print(f"{'ok  ' if finding.good else 'FAIL'} {finding.topic:20} {visible(finding.words)}", flush=True)
    raise typer.Exit(0 if all_good else 1)
