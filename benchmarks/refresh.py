"""Run the commands that docs/benchmarks.md names and put what they print today below each.

In the page a command stands in a comment, and what it printed follows until the next comment:

    <!-- figures: python benchmarks/enhance_speed.py --markdown -->
    <!-- end -->

    python benchmarks/refresh.py                  # all of them
    python benchmarks/refresh.py enhance_quality  # those whose command holds the word
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BLOCK = re.compile(r"<!-- figures: (?P<command>.+?) -->\n.*?<!-- end -->", re.DOTALL)


def machine() -> str:
    """Processor and cores of this machine, and how many programs wanted to run in the last minute."""
    cpuinfo = Path("/proc/cpuinfo")
    names = re.findall(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else []
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def printed(command: str) -> str:
    """What a command prints, with the machine it ran on below; a table stays one, other text is fenced."""
    name, *rest = shlex.split(command)
    about = machine()
    arguments = [sys.executable if name == "python" else name, *rest]
    done = subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    text = done.stdout.strip()
    body = text if text.startswith("|") else f"```\n{text}\n```"
    return f"<!-- figures: {command} -->\n`{command}`\n\n{body}\n\n*{about}*\n<!-- end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("word", nargs="?", default="", help="only commands that hold it")
    word = parser.parse_args().word
    for found in list(BLOCK.finditer(PAGE.read_text(encoding="utf-8"))):
        if word in found["command"]:
            print(found["command"], file=sys.stderr)
            block = printed(found["command"])
            text = PAGE.read_text(encoding="utf-8")  # again, because a command can take minutes
            PAGE.write_text(text.replace(found[0], block), encoding="utf-8")


if __name__ == "__main__":
    main()
