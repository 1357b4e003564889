"""The demo runs on the bundled recordings, shows scores that rise and says what they mean, and writes two reports."""

import re
import runpy
from pathlib import Path

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(DEMO), run_name="__main__")
    text = capsys.readouterr().out
    out = tmp_path / "demo_output"
    rows = re.findall(r"^(\S+\.(?:wav|flac)) .*?(-?\d+\.\d+) -> (-?\d+\.\d+)$", text, re.MULTILINE)
    assert len(rows) == 5
    for name, before, after in rows:
        assert float(after) > float(before)
        made = name if "speaker" in name else f"{Path(name).stem}_enhance{Path(name).suffix}"
        assert (out / made).exists()
    measures = re.search("^recording +(.*)", text, re.MULTILINE).group(1).split("  ")
    assert "SI-SDR, dB" in [measure.strip() for measure in measures]
    for measure in filter(None, measures):
        assert re.search(rf"^  {measure.strip()} +\w", text, re.MULTILINE)  # what it means
    for name, players in (("rain.html", 2), ("two_voices.html", 3)):
        assert str(Path("demo_output") / name) in text
        assert (out / name).read_text(encoding="utf-8").count("<audio") == players
