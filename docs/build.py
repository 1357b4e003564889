"""Makes docs/X.md and its drawings from each docs/X.in.md: every figure is what the command prints today.

    python docs/build.py            writes them
    python docs/build.py --check    exits 1 when they are not what the command prints

In the source, a block fenced as `voxfield` holds one command line. The words after `voxfield` say what to show of its
answer: `figures` (the table of all axes), `layers`, the first words of a part (`costs`, `Why_this_kernel`, `Notes`),
`all`, or nothing. `name=N` keeps the figures for {{N.path.in.the.json}} in the prose, and `svg=FILE` adds the drawing.
"""

import io
import json
import os
import re
import shlex
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from voxfield.cli.app import run
from voxfield.explain.numbers import plain

HERE = Path(__file__).parent
IMAGES = HERE / "images"
BLOCK = re.compile(r"^```voxfield(?P<what>[^\n]*)\n(?P<command>.*?)\n```$", re.MULTILINE | re.DOTALL)
FIGURE = re.compile(r"\{\{(?P<path>[^}]+)\}\}")
FIGURES = ("receptive field", "感受野")


def answer(arguments: list[str]) -> str:
    """What the command prints; an error of it is an error here."""
    out, err = io.StringIO(), io.StringIO()
    wide = patch.dict(os.environ, COLUMNS="112")  # whatever terminal this runs in
    with redirect_stdout(out), redirect_stderr(err), wide:
        code = run(arguments)
    if code:
        raise SystemExit(f"voxfield {shlex.join(arguments)} exited {code}: {err.getvalue()}")
    return out.getvalue()


def sections(text: str) -> list[str]:
    """The parts of an answer, which empty lines separate."""
    return [part.strip("\n") for part in text.strip("\n").split("\n\n")]


def wanted(section: str, words: list[str]) -> bool:
    """Whether a part is one of those to show."""
    first = section.splitlines()[0].strip()
    figures = any(line.strip().startswith(FIGURES) for line in section.splitlines()[1:2])
    return any(
        word == "all"
        or (word == "layers" and first.startswith("#"))
        or (word == "figures" and figures)
        or first.startswith(word.replace("_", " "))
        for word in words
    )


def built(source: Path) -> dict[Path, str]:
    """Every file made from a source, by its path."""
    known: dict[str, Any] = {}
    files: dict[Path, str] = {}

    def block(match: re.Match[str]) -> str:
        words = match["what"].split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        command = match["command"].strip()
        arguments = shlex.split(command)[1:]
        if "name" in options:
            known[options["name"]] = json.loads(answer([*arguments, "--json"]))
        shown = [part for part in sections(answer(arguments)) if wanted(part, [w for w in words if "=" not in w])]
        text = "```console\n$ " + command + "\n" + "\n\n".join(shown) + ("\n" if shown else "") + "```"
        if "svg" in options:
            path = IMAGES / options["svg"]
            with tempfile.TemporaryDirectory() as folder:
                drawn = Path(folder) / "cone.svg"
                answer([*arguments, "--svg", str(drawn)])
                files[path] = drawn.read_text(encoding="utf-8") + "\n"
            text += f"\n\n![receptive field, layer by layer](images/{path.name})"
        return text

    def figure(match: re.Match[str]) -> str:
        value: Any = known
        for part in match["path"].split("."):
            value = value[int(part)] if isinstance(value, list) else value[part]
        return plain(value) if isinstance(value, int | float) else str(value)

    text = BLOCK.sub(block, source.read_text(encoding="utf-8"))
    files[source.with_name(source.name.replace(".in.md", ".md"))] = FIGURE.sub(figure, text)
    return files


def main() -> int:
    files = {path: text for source in sorted(HERE.glob("*.in.md")) for path, text in built(source).items()}
    stale = [path for path, text in files.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:]:
        print("\n".join(f"{path.relative_to(HERE.parent)} is not what the command prints today" for path in stale))
        return 1 if stale else 0
    IMAGES.mkdir(exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(HERE.parent)}{' (changed)' if path in stale else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
