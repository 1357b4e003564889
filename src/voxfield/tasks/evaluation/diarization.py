"""How diarization is scored: the error rate of RTTM, or of what a model makes of recordings, against RTTM."""

from collections.abc import Callable, Mapping
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any

from voxfield.errors import InputError, VoxfieldError
from voxfield.metrics.diarization import NO_ERRORS, DiarizationErrors, Turn, diarization_errors
from voxfield.pool import Lost, Processes, in_order, processes_for
from voxfield.tasks.diarization.recording import diarize, diarizing_engine
from voxfield.tasks.diarization.rttm import SUFFIX, read_rttm
from voxfield.tasks.evaluation.folders import recordings_of
from voxfield.tasks.evaluation.scoring import Evaluation
from voxfield.tasks.work import Model

COLLAR_S = 0.25  # NIST's
HEAD = ["recording", "speech (s)", "missed", "false alarm", "confusion", "DER", f"DER, collar {COLLAR_S} s"]


def is_rttm(path: Path) -> bool:
    """Whether it is an .rttm file or a folder that holds one."""
    return path.suffix.lower() == SUFFIX or (path.is_dir() and any(path.glob(f"*{SUFFIX}")))


def evaluate_turns(
    given: Path,
    truth: Path,
    model: Model | None = None,
    *,
    limit: int = 0,
    progress: Callable[[str], None] = lambda name: None,
    processes: Processes = 1,
) -> Evaluation:
    """Diarization error rates, recording by recording and of all speech together.

    Args:
        given: RTTM, a file or a folder of files; or a folder of recordings, which a model diarizes.
        truth: RTTM, a file or a folder of files. Recordings are found by the names in it.
        model: as for `voxfield.diarize`; where one is named, the folder is taken for one of recordings.
        limit: only the first so many recordings; 0 for all.
        progress: called with the name of each recording after it was diarized.
        processes: that share the recordings, auto for one a processor; they need the name or the file of a model.

    Raises:
        InputError: nothing to score, or names that do not fit one another.
        MissingExtraError: scipy is not installed.
    """
    reference = read_rttm(truth)
    names = sorted(reference)[: limit or None]
    if model is None and is_rttm(given):
        found, name = read_rttm(given), str(given)
    else:
        found, name = _diarized(given, names, model, progress, processes)
    if not set(names) & set(found):
        raise InputError(
            f"{given} holds no recording of the names in {truth}, such as {names[0] if names else 'none'}; "
            f"it has {', '.join(sorted(found)[:3]) or 'none'}"
        )
    scored = {one: _errors(reference[one], found.get(one, [])) for one in names}
    rows: list[Mapping[str, Any]] = [{"name": one, **_row(*pair)} for one, pair in scored.items()]
    total = [reduce(add, (pair[at] for pair in scored.values()), NO_ERRORS) for at in (0, 1)]
    summary = {"recordings": len(names), **_row(total[0], total[1])}
    cells = [_cells(row["name"], row) for row in rows] if len(rows) > 1 else []
    return Evaluation(name, tuple(rows), summary, HEAD, [*cells, _cells("all", summary)])


def _diarized(
    folder: Path,
    names: list[str],
    model: Model | None,
    progress: Callable[[str], None],
    processes: Processes,
) -> tuple[dict[str, list[Turn]], str]:
    """The turns of each recording by name, and the model's name.

    Raises:
        VoxfieldError: one cannot be diarized.
    """
    engine, _ = diarizing_engine(model)
    paths = {path: name for path in recordings_of(folder) if (name := "_".join(path.stem.split())) in names}
    found = {}
    each, shared = partial(_turns, model=model), processes_for(processes, len(paths))
    for path, turns in in_order(each, paths, shared, lambda path, _: progress(paths[path])):
        if isinstance(turns, Lost):
            raise VoxfieldError(f"{path}: {turns.reason}")
        found[paths[path]] = turns
    return found, engine.card.name


def _turns(path: Path, model: Model | None) -> list[Turn] | Lost:
    try:
        return list(diarize(path, model=model).turns)
    except VoxfieldError as error:  # as words, which survive the way out of another process
        return Lost(str(error).removeprefix(f"{path} "))


def _errors(reference: list[Turn], found: list[Turn]) -> tuple[DiarizationErrors, DiarizationErrors]:
    """Without a collar and with it."""
    return diarization_errors(reference, found), diarization_errors(reference, found, collar_s=COLLAR_S)


def _row(errors: DiarizationErrors, within: DiarizationErrors) -> dict[str, Any]:
    speech_s = max(errors.speech_s, 1e-9)
    return {
        "speech_s": round(errors.speech_s, 2),
        "missed": round(errors.missed_s / speech_s, 4),
        "false_alarm": round(errors.false_alarm_s / speech_s, 4),
        "confusion": round(errors.confusion_s / speech_s, 4),
        "der": round(errors.rate, 4),
        "der_collar": round(within.rate, 4),
    }


def _cells(name: str, row: Mapping[str, Any]) -> list[str]:
    shares = (f"{100 * row[key]:.1f} %" for key in ("missed", "false_alarm", "confusion", "der", "der_collar"))
    return [name, f"{row['speech_s']:.1f}", *shares]
