"""What is installed: every file of the package that is not code is named in its configuration."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_data_file_is_packaged():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["voxfield"]
    package = ROOT / "src" / "voxfield"
    files = [path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()]
    data = [name for name in files if not name.endswith((".py", ".pyc"))]
    assert len(data) > 4
    assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []
