"""From what was typed to a list of jobs: inputs expanded, outputs named, every collision found before work starts."""

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from voxfield.errors import InputError
from voxfield.formats import SUFFIXES

PIPE = Path("-")


@dataclass(frozen=True)
class Input:
    """One recording to work on."""

    path: Path  # `PIPE` for standard input
    relative: Path  # where it lies below the folder or pattern that it was found by
    problem: str = ""  # why there is nothing to work on


@dataclass(frozen=True)
class Job:
    """One recording and where its result goes."""

    input: Path
    output: Path
    problem: str = ""  # why it cannot be done; it is reported among the failures


def expand(words: Sequence[str], task: str, out: str | None = None) -> list[Input]:
    """Recordings behind files, folders, patterns, `@list` and `-`, each once, in order.

    In folders and patterns the results of an earlier run are passed over: what lies below the folder `out`, and
    `{stem}_{task}` where its original is there as well.

    Raises:
        InputError: nothing was given, or a list cannot be read.
    """
    results = Path(out).expanduser().resolve() if out not in (None, "-") else None
    found: dict[Path, Input] = {}
    for word in words:
        for item in _expand(word, task, results):
            found.setdefault(item.path if item.path == PIPE else item.path.resolve(), item)
    if not found:
        raise InputError("no input was given")
    return list(found.values())


def plan(inputs: Sequence[Input], out: str | None, task: str) -> list[Job]:
    """A job an input.

    The output is `{stem}_{task}{suffix}` beside the input, or below the folder `out`, or `out` itself where that names
    a file; `-` is a pipe.

    Raises:
        InputError: two results would have one name, a result would replace a recording, or several would share a pipe.
    """
    outputs = [_output(item, out, task, alone=len(inputs) == 1) for item in inputs]
    if PIPE in outputs and len(inputs) > 1:
        raise InputError("standard output takes the result of one input; name a folder with -o FOLDER")
    taken: dict[Path, Path] = {}
    originals = {item.path.resolve() for item in inputs if item.path != PIPE}
    for item, output in zip(inputs, outputs, strict=True):
        if output == PIPE:
            continue
        place = output.resolve()
        if place in taken:
            raise InputError(
                f"{taken[place]} and {item.path} would both become {output}; "
                f"run them one by one with -o FILE, or rename one"
            )
        taken[place] = item.path
        if place in originals or _same_file(output, item.path):
            raise InputError(
                f"the output {output} is itself an input, and recordings are never replaced; choose another -o"
            )
    return [Job(item.path, output, item.problem) for item, output in zip(inputs, outputs, strict=True)]


def _expand(word: str, task: str, results: Path | None) -> Iterator[Input]:
    path = Path(word).expanduser()
    if word == "-":
        yield Input(PIPE, Path(f"stdin_{task}.wav"))
    elif word.startswith("@") and not path.exists():
        for line in _lines(Path(word[1:]).expanduser()):
            yield from _expand(line, task, results)
    elif path.is_dir():
        files = sorted(item for item in path.rglob("*") if item.suffix.lower() in SUFFIXES and item.is_file())
        yield from _originals(files, path, task, results)
        if not files:
            yield Input(path, Path(path.name), f"{path} holds no recordings")
    elif not path.exists() and glob.has_magic(word):
        wild = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
        root = Path(*path.parts[:wild])
        files = sorted(item for item in root.glob(str(Path(*path.parts[wild:]))) if item.is_file())
        yield from _originals(files, root, task, results)
        if not files:
            yield Input(path, Path(path.name), f"{word} matches no file")
    else:
        yield Input(path, Path(path.name))


def _originals(files: Sequence[Path], root: Path, task: str, results: Path | None) -> Iterator[Input]:
    there = set(files)
    apart = results is not None and root.resolve() in results.parents  # a folder for results inside the one searched
    for path in files:
        original = path.with_name(path.stem.removesuffix(f"_{task}") + path.suffix)
        if (original == path or original not in there) and not (apart and results in path.resolve().parents):
            yield Input(path, path.relative_to(root))


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the list {path} cannot be read: {error}") from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _output(item: Input, out: str | None, task: str, *, alone: bool) -> Path:
    if out == "-" or (out is None and item.path == PIPE):
        return PIPE
    name = f"{item.relative.stem}_{task}{item.relative.suffix}" if item.path != PIPE else item.relative.name
    if out is None:
        return item.path.with_name(name)
    target = Path(out).expanduser()
    names_a_file = target.suffix != "" and not out.endswith(("/", "\\")) and not target.is_dir()
    if alone and names_a_file and len(item.relative.parts) == 1:
        return target
    if target.exists() and not target.is_dir():
        raise InputError(f"-o {out} is a file, but several inputs need a folder")
    return target / item.relative.with_name(name)


def _same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
