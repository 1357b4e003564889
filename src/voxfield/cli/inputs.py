"""From what was typed to a list of jobs: inputs expanded, outputs named, every collision found before work starts."""

import glob
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from voxfield.errors import InputError
from voxfield.files import followed, home_spelt, reason_of, text_of
from voxfield.formats import CONTAINERS, SOUND_FILES, SUFFIXES, result_suffix, suffix_of

PIPE = Path("-")
_LONGEST_NAME_BYTES = 255


class HasPath(Protocol):
    """What is worked on, and what messages call it."""

    @property
    def path(self) -> Path: ...


@dataclass(frozen=True)
class Input:
    """One recording to work on."""

    path: Path  # `PIPE` for standard input
    relative: Path  # where it lies below the folder or pattern that it was found by
    problem: str = ""  # why there is nothing to work on


@dataclass(frozen=True)
class Job:
    """One recording and where its result goes."""

    path: Path  # `PIPE` for standard input
    output: Path  # `PIPE` for standard output
    problem: str = ""  # why it cannot be done; it is reported among the failures


def expand(
    words: Sequence[str], task: str, out: str | None = None, suffixes: Collection[str] = SUFFIXES
) -> list[Input]:
    """Recordings behind files, folders, patterns, `@list` and `-`, each once, in order.

    In folders and patterns the results of an earlier run are passed over: what lies below the folder `out`, and
    `{stem}_{task}` where its original is there as well. Of a folder the files of these suffixes are taken.

    Raises:
        InputError: nothing was given, an empty name, or a list that cannot be read.
    """
    results = followed(home_spelt(out)) if out not in (None, "-") else None
    found: dict[Path, Input] = {}
    for word in words:
        for item in _expand(word, task, results, (), suffixes):
            place = item.path if item.path == PIPE else followed(item.path)
            if place not in found or found[place].path.is_symlink():  # a file names its result, not a link to it
                found[place] = item
    if not found:
        raise InputError("no input was given")
    return list(found.values())


def plan(inputs: Sequence[Input], out: str | None, task: str, format: str = "") -> list[Job]:
    """A job an input.

    The output is `{stem}_{task}{suffix}` beside the input, or below the folder `out`, or `out` itself where that names
    a file; `-` is a pipe. The suffix is that of the input, or that of `format`, such as `flac`.

    Raises:
        InputError: two results would have one name, a result would replace a recording, or several would share a
            pipe or a file.
    """
    if out == "":
        raise InputError("the name after -o is empty; name a file or a folder")
    outputs = [_output(item, out, task, suffix_of(format), alone=len(inputs) == 1) for item in inputs]
    if PIPE in outputs and len(inputs) > 1:
        raise InputError("standard output takes the result of one input; name a folder with -o FOLDER")
    taken: dict[Path, Path] = {}
    originals = {followed(item.path) for item in inputs if item.path != PIPE}
    for item, output in zip(inputs, outputs, strict=True):
        if output == PIPE:
            continue
        place = followed(output)
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


def check_format(out: str | None, format: str) -> None:
    """Return when `-o` names no file of another format than `--format`.

    Raises:
        InputError: it does.
    """
    suffix = Path(out or "").suffix.lower()
    if format and suffix in (*SOUND_FILES, *CONTAINERS) and suffix != suffix_of(format):
        raise InputError(f"-o {out} and --format {format} contradict one another; leave one out")


def _expand(
    word: str, task: str, results: Path | None, lists: tuple[Path, ...], suffixes: Collection[str]
) -> Iterator[Input]:
    path = home_spelt(word)
    if not word:
        raise InputError("the name of an input is empty; name a file or a folder")
    if word == "-":
        yield Input(PIPE, Path(f"stdin_{task}.wav"))
    elif word.startswith("@") and not exists(path):
        listed = home_spelt(word[1:])
        if followed(listed) in lists:
            raise InputError(f"the list {listed} names itself, directly or through another list")
        for line in _lines(listed):
            yield from _expand(line, task, results, (*lists, followed(listed)), suffixes)
    elif exists(path) and path.is_dir():
        shut: list[Input] = []
        files = sorted(_walk(path, shut, suffixes))
        yield from _originals(files, path, task, results)
        yield from shut
        if not files and not shut:
            yield Input(path, Path(path.name), f"{path} holds no recordings")
    elif not exists(path) and glob.has_magic(word):
        wild = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
        root = Path(*path.parts[:wild])
        found = root.glob(str(Path(*path.parts[wild:])))
        files = sorted(item for item in found if item.is_file() and not item.name.startswith("._"))
        yield from _originals(files, root, task, results)
        if not files:
            yield Input(path, Path(path.name), f"{word} matches no file")
    else:
        yield Input(path, Path(path.name))


def _walk(folder: Path, shut: list[Input], suffixes: Collection[str]) -> Iterator[Path]:
    """Files of these suffixes below a folder, but the `._` files of macOS; what cannot be read is added to `shut`."""

    def refused(error: OSError) -> None:
        path = Path(str(error.filename))
        shut.append(Input(path, Path(path.name), f"the folder {path} cannot be read: {error.strerror}"))

    for parent, _, names in os.walk(folder, onerror=refused):
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() not in suffixes or name.startswith("._"):
                continue
            if path.is_file():
                yield path
            elif path.is_symlink() and not exists(path):
                shut.append(Input(path, Path(path.name), f"{path} is a link that leads nowhere"))


def exists(path: Path) -> bool:
    """Whether something is there; what cannot be, such as a name that is too long, is not."""
    try:
        return path.exists()
    except OSError:
        return False


def _originals(files: Sequence[Path], root: Path, task: str, results: Path | None) -> Iterator[Input]:
    there = set(files)
    apart = results is not None and followed(root) in results.parents  # a folder for results inside the one searched
    for path in files:
        original = path.with_name(path.stem.removesuffix(f"_{task}") + path.suffix)
        if (original == path or original not in there) and not (apart and results in followed(path).parents):
            yield Input(path, path.relative_to(root))


def _lines(path: Path) -> list[str]:
    try:
        text = text_of(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the list {path} cannot be read: {reason_of(error)}") from error
    if "\0" in text:
        raise InputError(f"the list {path} holds zero bytes; it must name one recording a line")
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _output(item: Input, out: str | None, task: str, suffix: str, *, alone: bool) -> Path:
    if out == "-" or (out is None and item.path == PIPE):
        return PIPE
    relative = item.relative
    if item.path == PIPE:
        name = f"{relative.stem}{suffix or relative.suffix}"
    else:
        name = _fitting(relative.stem, f"_{task}{suffix or result_suffix(relative.suffix)}")
    if out is None:
        return item.path.with_name(name)
    target = home_spelt(out)
    is_folder = out.endswith(("/", "\\")) or (exists(target) and target.is_dir())
    if alone and target.suffix != "" and not is_folder and len(relative.parts) == 1:
        return target
    if target.suffix.lower() in (*SOUND_FILES, *CONTAINERS, suffix or ".wav") and not is_folder:
        raise InputError(f"-o {out} names one file, but there are several inputs; name a folder, or end it with /")
    if exists(target) and not target.is_dir():
        raise InputError(f"-o {out} exists and is no folder; name a folder, or a file that ends in {suffix or '.wav'}")
    return target / relative.with_name(name)


def _fitting(stem: str, ending: str) -> str:
    """The name, with a shorter stem where the file system would refuse it."""
    most_bytes = _LONGEST_NAME_BYTES - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > most_bytes:
        stem = stem[:-1]
    return stem + ending


def _same_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
