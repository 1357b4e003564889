"""A job: what to do to which recordings, and where the results go. One TOML file, or the words of a command line."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from voxfield.audio import OutputFormat
from voxfield.batch import storage
from voxfield.batch.hashes import model_hash, short_hash
from voxfield.batch.manifest import Row, count_rows, rows
from voxfield.batch.verbs import Verb, verb_named
from voxfield.errors import RecipeError
from voxfield.files import home_spelt
from voxfield.formats import result_suffix
from voxfield.pool import available_processors
from voxfield.protocols import Engine
from voxfield.values import build, override, refuse_unknown


@dataclass(frozen=True)
class Settings:
    """The top of a job file.

    Attributes:
        task: one of `voxfield.batch.verbs.VERBS`.
        manifest: see `voxfield.batch.manifest`.
        out: folder of the results, or a URL.
        model: published name or .onnx file; the task's own choice if empty.
        engine: `local` processes, or `ray`.
        jobs: processes, or actors at most; `auto` takes one a processor.
        address: of a Ray cluster; empty starts one on this machine.
        state: folder of the ledger and the report; `out` if empty, and needed where that is a URL.
    """

    task: str
    manifest: str
    out: str
    model: str = ""
    engine: Literal["local", "ray"] = "local"
    jobs: int | Literal["auto"] = "auto"
    address: str = ""
    state: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.jobs, int) and self.jobs < 1:
            raise RecipeError(f'jobs = {self.jobs}: a number of processes from 1 on, or "auto", is needed')
        if self.address and self.engine != "ray":
            raise RecipeError(f'address = {self.address!r} is of a Ray cluster; add engine = "ray" (--engine ray)')
        if not self.state and storage.is_url(self.out):
            raise RecipeError(
                f'the ledger of {self.out} needs a folder on this machine: state = "FOLDER" (--state FOLDER)'
            )


@dataclass(frozen=True)
class Job:
    """A job whose settings, options and format are of the right types."""

    settings: Settings
    options: Any
    output: OutputFormat

    @property
    def verb(self) -> Verb:
        """What is done to each recording."""
        return verb_named(self.settings.task)

    @property
    def state(self) -> Path:
        """Folder of the ledger and the report."""
        return home_spelt(self.settings.state or self.settings.out)

    @property
    def place(self) -> str:
        """Folder or URL of the results, without a slash at its end."""
        out = self.settings.out.rstrip("/") or "/"
        return out if storage.is_url(out) else str(home_spelt(out))

    @property
    def manifest(self) -> str:
        """Path or URL of the manifest; `a`, `a/` and `./a` are one, as rows are known by their paths."""
        given = self.settings.manifest
        return given if storage.is_url(given) else str(home_spelt(given))

    @property
    def processes(self) -> int:
        """Processes of this machine."""
        return available_processors() if self.settings.jobs == "auto" else self.settings.jobs

    def rows(self) -> Iterator[Row]:
        """The rows of the manifest; see `voxfield.batch.manifest.rows`."""
        return rows(self.manifest, below=self.place, ending=self.verb.ending)

    def count_rows(self) -> int | None:
        """How many rows the manifest has, where that can be told quickly."""
        return count_rows(self.manifest, below=self.place, ending=self.verb.ending)

    def engine(self) -> Engine:
        """The engine of this process; the same file is loaded once.

        Raises:
            InputError, UnknownModelError, CardError: the model cannot be had, or is for something else.
        """
        return self.verb.engine(self.settings.model or None, self.options)

    @cached_property
    def mark(self) -> bytes:
        """Hash of all that decides a result but the recording: task, model file, options and format."""
        model = model_hash(self.settings.model or self.engine().card.name)
        return short_hash(self.settings.task, model, _canonical(self.options), _canonical(self.output))

    def output_name(self, name: str) -> str:
        """Where the first result of a recording of this name goes, below `out`; the name itself for rows."""
        if not self.verb.ending:
            return name
        folder, slash, last = name.rpartition("/")
        stem, dot, suffix = last.rpartition(".") if "." in last[1:] else (last, "", "")
        ending = self.verb.suffix or self.output.suffix or result_suffix(f"{dot}{suffix}") or ".wav"
        return f"{folder}{slash}{stem}_{self.verb.ending}{ending}"


def load_job(table: Mapping[str, Any], overrides: Sequence[str] = ()) -> Job:
    """The job of plain tables.

    Args:
        table: the keys of `Settings`, and the tables `options` and `output`.
        overrides: `key=value` or `table.key=value`.

    Raises:
        RecipeError: an unknown key (the nearest one is named), or a value of another type.
        InputError: a task that there is none of, or an option out of its range.
    """
    changed: dict[str, Any] = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()
    }
    for text in overrides:
        override(changed, text)
    names = [field.name for field in fields(Settings)]
    refuse_unknown(changed, [*names, "options", "output"], "the job")
    for name, word in (("task", "TASK"), ("manifest", "MANIFEST"), ("out", "-o FOLDER")):
        if not changed.get(name):
            raise RecipeError(f"a job needs '{name} = \"...\"' at its top, or {word} on the command line")
    settings = build(Settings, {key: value for key, value in changed.items() if key in names}, "the job")
    verb = verb_named(settings.task)
    options: Any = build(verb.options, changed.get("options", {}), "[options]")
    return Job(settings, options, build(OutputFormat, changed.get("output", {}), "[output]"))


def _canonical(options: Any) -> str:
    return json.dumps({field.name: getattr(options, field.name) for field in fields(options)}, sort_keys=True)
