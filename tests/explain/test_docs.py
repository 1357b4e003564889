"""docs/explain.md says what the command prints today."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_what_the_command_prints(monkeypatch):
    monkeypatch.chdir(DOCS.parent)
    spec = importlib.util.spec_from_file_location("build_docs", DOCS / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    files = build.built()
    assert files
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run python docs/build.py"
    page = files[DOCS / "explain.md"]
    for figure in ("29.06 ms", "209.06 ms", "131 frames", "3,200 -> 185", "0.1189", "1,280"):
        assert figure in page
