"""Who speaks when as a file: RTTM of NIST, a line a turn, of one recording or of several."""

import re
from collections.abc import Sequence
from pathlib import Path

from voxfield.errors import InputError
from voxfield.files import in_text, reason_of, text_of, written_whole
from voxfield.metrics.diarization import Turn

SUFFIX = ".rttm"


def to_rttm(turns: Sequence[Turn], recording: str) -> str:
    """The lines of a recording; blanks in names become underscores, as fields stand apart by blanks.

    >>> to_rttm([Turn(0.5, 2.0, "anna b")], "talk")
    'SPEAKER talk 1 0.500 1.500 <NA> <NA> anna_b <NA> <NA>\\n'
    """
    return "".join(
        f"SPEAKER {_field(recording)} 1 {turn.start_s:.3f} {turn.end_s - turn.start_s:.3f} "
        f"<NA> <NA> {_field(turn.speaker)} <NA> <NA>\n"
        for turn in turns
    )


def save_rttm(path: Path, turns: Sequence[Turn], recording: str, *, overwrite: bool = False) -> None:
    """Write one recording; the file appears when it is whole.

    Raises:
        OutputError: the file exists and may not be replaced, or cannot be written.
    """
    with written_whole(path, overwrite=overwrite) as partial:
        partial.write_text(to_rttm(turns, recording), encoding="utf-8", newline="\n")


def read_rttm(path: Path) -> dict[str, list[Turn]]:
    """The turns of each recording that a file, or each `.rttm` file of a folder, names.

    Raises:
        InputError: no such file, or a line that is none of RTTM.
    """
    paths = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    if not paths:
        raise InputError(f"{path} holds no {SUFFIX} files")
    found: dict[str, list[Turn]] = {}
    for one in paths:
        try:
            lines = text_of(one).splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{one} cannot be read: {reason_of(error)}") from error
        for number, line in enumerate(lines, start=1):
            fields = line.split()
            if not fields or fields[0].startswith(";"):
                continue
            if fields[0] == "SPEAKER":
                turn = _turn(fields, f"line {number} of {one}")
                found.setdefault(fields[1], []).append(turn)
        if not lines:
            found.setdefault(one.stem, [])  # nobody speaks in it
    return found


def _turn(fields: Sequence[str], where: str) -> Turn:
    try:
        start_s, duration_s, speaker = float(fields[3]), float(fields[4]), fields[7]
    except (IndexError, ValueError) as error:
        raise InputError(f"{where} is no turn of RTTM: SPEAKER RECORDING 1 START DURATION <NA> <NA> NAME") from error
    if not 0 <= start_s < float("inf") or not 0 <= duration_s < float("inf"):
        raise InputError(f"{where} has a start of {fields[3]} and a duration of {fields[4]} s; neither may be below 0")
    return Turn(start_s, start_s + duration_s, speaker)


def _field(name: str) -> str:
    return re.sub(r"\s+", "_", in_text(name.strip())) or "unnamed"
