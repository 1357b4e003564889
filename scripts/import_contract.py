"""The rooms of the house and which rooms each may import; read from the source, so nothing has to be installed.

Prints every breach and exits 1 if there is one. The light half must never import torch, not even lazily, except in
`explain/readers/torch.py`, `explain/probe.py` and the commands that train and export.
"""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "voxfield"

LEAVES = {"errors", "formats", "protocols"}
SIGNAL = LEAVES | {"audio", "features", "metrics"}
LIGHT = SIGNAL | {"webpage", "cards", "ort", "runtime", "tasks", "explain", "cli"}
MAY_IMPORT = {  # room -> rooms
    "errors": set(),
    "formats": set(),
    "webpage": set(),
    "protocols": {"errors", "cards"},
    "audio": LEAVES,
    "features": LEAVES,
    "metrics": LEAVES | {"ort"},
    "cards": {"errors"},
    "ort": {"errors"},
    "runtime": LEAVES | {"features", "cards", "ort"},
    "tasks": SIGNAL | {"webpage", "cards", "runtime"},
    "explain": {"errors", "webpage", "cards", "ort"},
    "nn": {"features", "errors"},
    "models": {"nn", "cards", "errors"},
    "train": SIGNAL | {"cards", "runtime", "tasks", "nn", "models"},
    "export": LEAVES | {"features", "cards", "ort", "runtime", "explain", "nn", "models", "train"},
    "cli": LIGHT | {"train", "export"},
}
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
        allowed = MAY_IMPORT[room] | {room}
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
