"""The demo runs on the bundled recordings and shows scores that rise."""

import runpy
from pathlib import Path

DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(DEMO), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and lines[0].split()[-1] == "si_sdr_db"
    for line in lines[1:4]:
        name, *_, before, _, after = line.split()
        assert (tmp_path / "demo_output" / f"{Path(name).stem}_enhance{Path(name).suffix}").exists()
        assert float(after) > float(before)
