"""`voxfield explain`: receptive field, latency and cost of a network."""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.openers import standard_input
from voxfield.cli.options import Offline
from voxfield.cli.printable import visible
from voxfield.errors import ExplainError, OutputError
from voxfield.files import refuse_existing, written_whole


def command(
    what: Annotated[
        str,
        typer.Argument(
            help="Layers ('10/5 8/4 4/2'), pasted Keras or torch code, a .keras, .json, .onnx or text file, "
            "FILE.py:NAME, a model's name, or - for standard input."
        ),
    ],
    rate: Annotated[
        float | None, typer.Option(help="Positions of the time axis a second: the sample or frame rate.")
    ] = None,
    input_shape: Annotated[
        str | None,
        typer.Option("--input", metavar="SHAPE", help="Sizes of the input, such as 1,16000; ? leaves one open."),
    ] = None,
    layout: Annotated[str | None, typer.Option(help="One letter per dim of the input, such as BCTF or BCHW.")] = None,
    hop: Annotated[
        int | None, typer.Option(help="Samples between frames, for a network on frames; --rate is then in samples.")
    ] = None,
    window: Annotated[int | None, typer.Option(help="Samples in a frame, with --hop.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Measure the field on the network itself and compare.")
    ] = False,
    run_file: Annotated[bool, typer.Option("--run-file", help="Allow FILE.py:NAME, which runs that file.")] = False,
    edits: Annotated[
        list[str] | None,
        typer.Option(
            "--what-if", metavar="EDIT", help="layer2.stride=2, layer3=depthwise-separable, 'drop layer5', causal."
        ),
    ] = None,
    against: Annotated[str | None, typer.Option(metavar="WHAT", help="Another network, to put beside it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
    html: Annotated[Path | None, typer.Option(help="Also write a page to this file.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Also write drawings: this file, and the same with -costs.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the words: en or zh.")] = "en",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    offline: Offline = False,
) -> None:
    """Receptive field, latency and cost of a network; any convolutional network, not only ours.

    voxfield explain "10/5 8/4 4/2 4/2 4/2" --rate 16000

    voxfield explain "layers.Conv2D(filters=16, kernel_size=(1, 3), strides=(1, 2))(x)" --lang zh

    voxfield explain crn-small --verify --html crn.html

    voxfield explain "10/5 8/4 4/2" --what-if layer2.stride=2 --what-if causal

    voxfield explain "10/5 8/4 4/2 4/2 4/2" --against "10/5 3/2 3/2 3/2 3/2 2/2 2/2" --rate 16000
    """
    from dataclasses import replace

    from voxfield.explain import report_on
    from voxfield.explain.compare import side_by_side
    from voxfield.explain.render import comparison_text, cone, costs, page, report_text

    beside = svg and svg.with_name(f"{svg.stem}-costs{svg.suffix}")
    for path in filter(None, (html, svg, beside)):
        refuse_existing(path, overwrite)
        if not path.parent.is_dir():
            raise OutputError(f"the folder {path.parent} does not exist")
    if run_file and ".py:" in what:
        print(f"running {what.rpartition(':')[0]}", file=sys.stderr)
    with said_in(lang):
        found = report_on(
            standard_input().read() if what == "-" else what,
            rate_hz=rate,
            input_shape=shapes_of(input_shape),
            layout=layout,
            hop_samples=hop,
            window_samples=window,
            verify=verify,
            run_file=run_file,
            edits=edits or (),
            language=lang,
        )
        if against is not None:
            other = report_on(
                against, rate_hz=rate, layout=layout, hop_samples=hop, window_samples=window, run_file=run_file
            )
            found = replace(found, changes=(*found.changes, side_by_side(found.report, other.report)))
    if as_json:
        say(json.dumps(found.to_dict(), ensure_ascii=not _speaks_unicode()))
    else:
        columns = max(40, shutil.get_terminal_size((112, 24)).columns)
        stated = report_text(
            found.report, found.graph, found.paragraphs, language=lang, frames=found.frames, columns=columns
        )
        say(visible("\n\n".join([stated, *(comparison_text(change, lang) for change in found.changes)])))
    if html is not None:
        _write(
            html, page(found.report, found.graph, found.paragraphs, found.changes, language=lang, frames=found.frames)
        )
    if svg is not None and beside is not None:
        _write(svg, cone(found.report, found.graph, language=lang, frames=found.frames))
        _write(beside, costs(found.report, found.graph, language=lang))


def _write(path: Path, text: str) -> None:
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")
    print(f"wrote {path}", file=sys.stderr)


def _speaks_unicode() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().replace("-", "") in {"utf8", "gb18030"}


def say(text: str) -> None:
    """Prints a text on any terminal.

    Raises:
        OutputError: the terminal has no characters for most of it.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    shown = text.encode(encoding, "replace").decode(encoding)
    if shown.count("?") - text.count("?") > len(text) / 20:
        raise OutputError(
            f"this terminal ({encoding}) cannot show this text; set PYTHONUTF8=1, or give --json or --html"
        )
    print(shown, flush=True)


@contextmanager
def said_in(language: str) -> Iterator[None]:
    """Errors of explain in the language asked for."""
    from voxfield.explain.zh import translated

    try:
        yield
    except ExplainError as error:
        stated = translated(str(error), language)
        raise ExplainError(stated) if stated != str(error) else error from error


def shapes_of(text: str | None) -> Any:
    """One shape, or several written with `;` between them, for a network of several inputs."""
    if text is None:
        return None
    return [sizes_of(one) for one in text.split(";")] if ";" in text else sizes_of(text)


def sizes_of(text: str) -> tuple[int | None, ...]:
    """Sizes written as 1,16000 or 1x100x161; `?` stands for one that is not known.

    Raises:
        ExplainError: anything else.
    """
    parts = [part for part in text.strip("()[] ").lower().replace("x", ",").replace(" ", ",").split(",") if part]
    if not parts or not all(
        part in {"?", "none"} or (part.isascii() and part.isdigit() and len(part) < 12) for part in parts
    ):
        raise ExplainError(
            f"--input {text}: sizes such as 16000, 1,16000 or 1,100,161,1 are needed; ? leaves one open."
        )
    sizes = tuple(None if part in {"?", "none"} else int(part) for part in parts)
    if any(size == 0 for size in sizes):
        raise ExplainError(f"--input {text}: sizes start at 1.")
    return sizes
