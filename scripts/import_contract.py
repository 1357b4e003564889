"""The import contract, read from the source, so nothing has to be installed: which rooms and which packages each room
may import, no circles, and no module of the name of a function in it.

Prints every breach and exits 1 if there is one. The light half must never import torch, not even lazily, except where
`explain` reads torch modules and in the commands that train and export.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent / "src" / "voxfield"

LEAVES = {"errors", "containers", "formats", "files", "samples", "protocols", "values", "pool"}
SIGNAL = LEAVES | {"audio", "images", "features", "metrics", "video"}
LIGHT = SIGNAL | {"webpage", "cards", "ort", "runtime", "tasks", "explain", "batch", "cli"}
MAY_IMPORT = {  # room -> rooms
    "errors": set(),
    "formats": set(),
    "files": {"errors"},
    "containers": {"errors"},
    "samples": {"errors", "protocols"},
    "values": {"errors"},
    "pool": {"errors"},
    "webpage": set(),
    "protocols": {"errors", "cards"},
    "audio": LEAVES,
    "images": LEAVES,
    "video": LEAVES,
    "features": LEAVES,
    "metrics": LEAVES | {"ort"},
    "cards": {"errors", "files"},
    "ort": {"errors"},
    "runtime": LEAVES | {"features", "cards", "ort"},
    "tasks": SIGNAL | {"webpage", "cards", "runtime"},
    "explain": {"errors", "files", "values", "webpage", "cards", "ort"},
    "serve": SIGNAL | {"cards", "runtime", "tasks", "explain"},
    "batch": LEAVES | {"audio", "cards", "tasks"},
    "nn": {"features", "errors"},
    "models": {"nn", "cards", "errors"},
    "train": SIGNAL | {"cards", "runtime", "tasks", "nn", "models"},
    "export": LEAVES | {"features", "cards", "runtime", "explain", "ort", "nn", "models", "train"},
    "cli": LIGHT | {"serve", "train", "export"},
}
PACKAGES = {  # room -> packages besides the standard library
    "errors": set(),
    "formats": set(),
    "files": set(),
    "containers": {"av"},
    "samples": {"numpy"},
    "values": set(),
    "pool": set(),
    "webpage": set(),
    "protocols": {"numpy"},
    "audio": {"numpy", "soundfile", "soxr", "sounddevice"},
    "images": {"numpy", "PIL"},
    "video": {"numpy", "cv2"},
    "features": {"numpy"},
    "metrics": {"numpy"},
    "cards": {"platformdirs", "filelock", "rich"},
    "ort": {"onnxruntime"},
    "runtime": {"numpy"},
    "tasks": {"numpy", "soundfile", "pyarrow", "platformdirs", "scipy"},
    "explain": {"numpy", "onnx", "torch"},
    "serve": {
        "numpy",
        "fastapi",
        "starlette",
        "pydantic",
        "uvicorn",
        "python_multipart",
        "prometheus_client",
        "websockets",
    },
    "batch": {"numpy", "filelock", "fsspec", "pyarrow", "ray"},
    "nn": {"numpy", "torch"},
    "models": {"numpy", "torch"},
    "train": {"numpy", "scipy", "torch", "safetensors", "soundfile", "soxr", "pyroomacoustics", "openpyxl"},
    "export": {"numpy", "torch", "safetensors", "onnx", "h5py"},
    "cli": {"typer", "rich", "click"},
}
TORCH_IN_EXPLAIN = {"explain/readers/torch.py", "explain/readers/torch_file.py", "explain/probe.py"}


class Import(NamedTuple):
    """One import: dotted name, line, and whether it runs when the module is loaded."""

    name: str
    line: int
    at_top: bool


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("voxfield", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[Import]:
    """Imports of a file, relative ones made absolute, down to the module where a module is named."""
    package = ("voxfield", *path.relative_to(ROOT).parent.parts)

    def walk(node: ast.AST, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
                continue
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = package[: len(package) - child.level + 1] if child.level else ()
                module = ".".join((*base, *((child.module,) if child.module else ())))
                for alias in child.names:
                    deeper = f"{module}.{alias.name}"
                    yield Import(deeper if deeper in known else module, child.lineno, at_top)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, at_top and not inside)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)


def breaches() -> Iterator[str]:
    """Every breach, in words."""
    known = modules()
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        inside = path.relative_to(ROOT)
        room = inside.parts[0].removesuffix(".py")
        graph[name] = set()
        for found in imports(path, known):
            where, parts = f"src/voxfield/{inside}:{found.line}", found.name.split(".")
            if found.name in known:
                graph[name].add(found.name)
            if room in {"__init__", "__main__"}:
                continue
            if parts[0] != "voxfield":
                if parts[0] not in sys.stdlib_module_names | PACKAGES[room]:
                    yield f"{where}: room '{room}' may not import the package '{parts[0]}'"
                if parts[0] == "torch" and room == "explain" and inside.as_posix() not in TORCH_IN_EXPLAIN:
                    yield f"{where}: explain imports torch only in {', '.join(sorted(TORCH_IN_EXPLAIN))}"
            elif len(parts) > 1:
                if parts[1] in MAY_IMPORT and parts[1] not in MAY_IMPORT[room] | {room}:
                    yield f"{where}: room '{room}' may not import '{parts[1]}'"
                if room == "cli" and parts[1] in {"train", "export"} and found.at_top:
                    yield f"{where}: the command line imports '{parts[1]}' only inside the command that needs it"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        if (stem := name.rpartition(".")[2]) in functions:
            yield f"src/voxfield/{inside}: the module is named as its function {stem}"
    yield from (f"circle of imports: {' <-> '.join(circle)}" for circle in circles(graph))


def circles(graph: dict[str, set[str]]) -> Iterator[list[str]]:
    """Groups of modules of which each reaches each other, lazily or not."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, ahead = set(), list(graph[start])
        while ahead:
            module = ahead.pop()
            if module not in seen:
                seen.add(module)
                ahead += graph.get(module, ())
        reach[start] = seen
    done: set[str] = set()
    for start in sorted(graph):
        group = sorted(other for other in reach[start] if start in reach[other] and other not in done)
        if start in group and len(group) > 1:
            done.update(group)
            yield group


if __name__ == "__main__":
    problems = list(breaches())
    print("\n".join(problems) if problems else "import contract: kept")
    sys.exit(1 if problems else 0)
