"""The rooms of the house and which rooms each may import; read from the source, so nothing has to be installed.

Prints every breach and exits 1 if there is one. The light half must never import torch, not even lazily, except in
`explain/readers/torch.py`, `explain/probe.py` and the commands that train and export.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "voxfield"

MAY_IMPORT = {  # room -> rooms
    "errors": set(),
    "formats": set(),
    "protocols": {"errors", "cards"},
    "files": {"errors"},
    "samples": {"errors", "protocols"},
    "audio": {"errors", "protocols"},
    "features": {"errors", "protocols"},
    "metrics": {"errors", "protocols"},
    "cards": {"errors"},
    "runtime": {"features", "cards", "protocols", "errors"},
    "tasks": {"audio", "features", "metrics", "runtime", "cards", "protocols", "errors"},
    "explain": {"errors", "cards"},
    "nn": {"features", "errors"},
    "models": {"nn", "errors"},
    "train": {"models", "nn", "tasks", "audio", "features", "metrics", "runtime", "cards", "protocols", "errors"},
    "export": {"models", "nn", "train", "cards", "runtime", "explain", "features", "protocols", "errors"},
    "cli": {"tasks", "explain", "cards", "audio", "runtime", "metrics", "protocols", "errors", "train", "export"},
}
LEAVES = {"errors", "formats", "files", "samples"}  # every room may import these
LIGHT = LEAVES | {"protocols", "audio", "features", "metrics", "cards", "runtime", "tasks", "explain", "cli"}
TORCH_ALLOWED = {"explain/readers/torch.py", "explain/probe.py"}
HEAVY = {"torch", "safetensors", "tensorboard"}


def imports(path: Path) -> list[tuple[str, int, bool]]:
    """(dotted name, line, at module level) of every import in a file; relative ones are made absolute."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    package = ("voxfield", *path.relative_to(ROOT).parent.parts)
    top = {id(node) for node in tree.body}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno, id(node) in top) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "voxfield" else [module]
            found += [(name, node.lineno, id(node) in top) for name in names]
    return found


def breaches() -> list[str]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        inside = path.relative_to(ROOT)
        room = inside.parts[0].removesuffix(".py")
        if room in {"__init__", "__main__"}:
            continue
        allowed = MAY_IMPORT[room] | {room} | (LEAVES if room not in LEAVES else set())
        for name, line, at_top in imports(path):
            parts = name.split(".")
            where = f"{path.relative_to(ROOT.parent.parent)}:{line}"
            if parts[0] == "voxfield" and len(parts) > 1:
                target = parts[1]
                if target in MAY_IMPORT and target not in allowed:
                    found.append(f"{where}: room '{room}' may not import '{target}'")
                if room == "cli" and target in {"train", "export"} and at_top:
                    found.append(f"{where}: the command line imports '{target}' only inside the command that needs it")
            if parts[0] in HEAVY and room in LIGHT and inside.as_posix() not in TORCH_ALLOWED:
                found.append(f"{where}: the light half may not import '{parts[0]}'")
    return found


if __name__ == "__main__":
    problems = breaches()
    print("\n".join(problems) if problems else "import contract: kept")
    sys.exit(1 if problems else 0)
