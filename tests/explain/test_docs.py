"""The pages made from docs/*.in.md say what the command prints today."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FIGURES = {
    "explain": ("29.06 ms", "209.06 ms", "131 frames", "3,200 -> 185", "0.1189", "1,280"),
    "blocks": ("0.1189", "4,231,976", "25,583,592", "3,593", "6,779"),
}


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".in.md") for path in DOCS.glob("*.in.md")))
def test_the_page_is_what_the_command_prints(monkeypatch, name):
    monkeypatch.chdir(DOCS.parent)
    spec = importlib.util.spec_from_file_location("build_docs", DOCS / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    files = build.built(DOCS / f"{name}.in.md")
    assert files
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is stale: run python docs/build.py"
    page = files[DOCS / f"{name}.md"]
    for figure in FIGURES[name]:
        assert figure in page
