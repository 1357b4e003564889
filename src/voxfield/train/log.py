"""The log of a run: one JSON line an entry in `log.jsonl`, the same to TensorBoard, a short one to standard error."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from voxfield.errors import OutputError
from voxfield.files import locked, refused

T = TypeVar("T")
QUIET_S = 10.0  # how long a preparation says nothing


@cache
def say_once(words: str) -> None:
    """A line to standard error, by the first of several processes, and not again in this one."""
    if os.environ.get("RANK", "0") == "0":
        print(words, file=sys.stderr, flush=True)


def counted(items: Sequence[T], doing: str) -> Iterator[T]:
    """The items; where they take long, a line every ten seconds says how many are done."""
    said = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - said >= QUIET_S:
            say_once(f"{doing}: {done} of {len(items)}")
            said = time.monotonic()
        yield item


class Log:
    """Opened for appending; `quiet` writes nothing, for the processes that are not the first."""

    def __init__(self, folder: Path, quiet: bool = False) -> None:
        self.quiet = quiet
        if quiet:
            return
        from torch.utils.tensorboard import SummaryWriter

        with refused(f"the run's folder {folder} cannot be written"):
            folder.mkdir(parents=True, exist_ok=True)
            self.file = (folder / "log.jsonl").open("a", encoding="utf-8")
            if locked(self.file) is False:
                raise OutputError(f"another process trains in {folder}; wait for its end, or choose another --run")
            self.board = SummaryWriter(str(folder))

    def write(self, step: int, kind: str, values: Mapping[str, float]) -> None:
        """One entry of a kind: `train`, `valid`."""
        if self.quiet:
            return
        rounded = {name: round(value, 5) if math.isfinite(value) else None for name, value in values.items()}
        self.file.write(json.dumps({"step": step, "kind": kind, "time": round(time.time()), **rounded}) + "\n")
        self.file.flush()
        for name, value in values.items():
            self.board.add_scalar(f"{kind}/{name}", value, step)
        self.say(f"step {step} {kind}: " + ", ".join(f"{name} {value:.4g}" for name, value in values.items()))

    def say(self, words: str) -> None:
        """A line for who watches, which is not kept."""
        if not self.quiet:
            print(words, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the files."""
        if not self.quiet:
            self.file.close()
            self.board.close()
