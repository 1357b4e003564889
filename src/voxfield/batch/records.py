"""Rows to be done and what became of them as Parquet, the way they travel through Ray Data."""

import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

from voxfield.batch.manifest import Row
from voxfield.batch.work import Outcome, Todo, files_of, written
from voxfield.files import written_whole

_KINDS: dict[Any, str] = {bytes: "binary", int: "int64", str: "string", float: "float64", float | None: "float64"}


def _columns(kind: type, *without: str) -> dict[str, str]:
    """The columns that hold the fields of a class, and their types."""
    return {name: _KINDS[hint] for name, hint in get_type_hints(kind).items() if name not in without}


_TODO = _columns(Todo, "row") | _columns(Row)
_OUTCOME = _columns(Outcome, "todo", "files", "notes", "values")
_LISTS = {"files": "string", "notes": "string"}  # a line each


def todo_of(values: dict[str, Any]) -> Todo:
    """The row to be done of a row of a table."""
    row = Row(*(values[name] for name in Row._fields))
    return Todo(values["key"], row, values["known"], values["there"])


def write_todo(path: Path, todo: Sequence[Todo]) -> None:
    """Write rows to be done."""
    _write(path, _table([_values(one) for one in todo], _TODO))


def table(outcomes: Sequence[Outcome]) -> Any:
    """What became of rows, without values, as an Arrow table."""
    rows = [
        {
            **_values(one.todo),
            **{name: getattr(one, name) for name in _OUTCOME},
            "files": written(one.files),
            "notes": "\n".join(one.notes),
        }
        for one in outcomes
    ]
    return _table(rows, _TODO | _OUTCOME | _LISTS)


def read(path: Path) -> Iterator[Outcome]:
    """What became of the rows of a record."""
    import pyarrow.parquet

    for values in pyarrow.parquet.read_table(path).to_pylist():
        lists: dict[str, Any] = {
            "files": files_of(values["files"]),
            "notes": tuple(filter(None, values["notes"].split("\n"))),
        }
        yield Outcome(todo_of(values), **lists, **{name: values[name] for name in _OUTCOME})


def sink(folder: Path) -> Any:
    """Where Ray Data writes tables of outcomes: a record a block, each written whole."""
    from ray.data import Datasink

    class Records(Datasink):  # type: ignore[misc,type-arg,unused-ignore]
        """Writes each block to a file of its own."""

        def write(self, blocks: Any, ctx: Any) -> None:
            for block in blocks:
                _write(folder / f"{secrets.token_hex(8)}.parquet", block)

    return Records()


def _values(todo: Todo) -> dict[str, Any]:
    return {"key": todo.key, **todo.row._asdict(), "known": todo.known, "there": todo.there}


def _table(rows: Sequence[dict[str, Any]], columns: dict[str, str]) -> Any:
    import pyarrow

    schema = pyarrow.schema([(name, pyarrow.type_for_alias(kind)) for name, kind in columns.items()])
    return pyarrow.Table.from_pylist(list(rows), schema=schema)


def _write(path: Path, content: Any) -> None:
    import pyarrow.parquet

    with written_whole(path) as partial:
        pyarrow.parquet.write_table(content, partial)
