"""The Python in a pasted text: prose is blanked out, broken lines are mended, lost line breaks are guessed."""

from __future__ import annotations

import ast
import re
import textwrap

from ...errors import ExplainError
from .code_values import at
from .scan import FULL_WIDTH, LARGEST_TEXT, Piece, calls_a_layer, expression, parsed, pieces, program, tree_of

MOST_PROSE_LINES = 2_000
DECLARED = re.compile(r"\w+ = (?:\w+\.)*Input\(")


def looks_like_code(text: str) -> bool:
    """True when `text` calls a layer of Keras or torch, or anything of their modules."""
    return calls_a_layer(text) or bool(re.search(r"\b(layers|nn|keras|torch|tf|th|self)\.\w+\s*\(", text))


def python_of(text: str) -> tuple[str, list[int], bool]:
    """The text with everything that is not Python blanked out, the numbers of the lines that were, and whether the end
    of a suite had to be guessed.

    Raises:
        ExplainError: a line that calls a layer but is not Python; its number is named.
    """
    if len(text) > LARGEST_TEXT:
        raise ExplainError(f"{len(text)} characters of code; at most {LARGEST_TEXT}. Paste the network alone.")
    if "\0" in text:
        raise ExplainError("The text holds a NUL character; it is not code.")
    lines = textwrap.dedent(text).split("\n")
    _, mark, comment = text.partition("#")
    alone = len([line for line in lines if line.strip()]) == 1
    if alone and mark and calls_a_layer(comment) and _syntax_error(text.strip()) is None:  # its line breaks are lost
        return _scanned(text)
    skipped: list[int] = []
    tried: set[int] = set()
    while (error := _syntax_error("\n".join(lines))) is not None:
        number = min(max(1, error.lineno or 1), len(lines))
        line = lines[number - 1]
        flat = not any(one.rstrip().endswith(":") for one in lines)
        if "indent" in str(error.msg) and flat and 0 not in tried:
            tried.add(0)
            lines = [one.strip() for one in lines]
        elif number not in tried and line.translate(FULL_WIDTH) != line:
            tried.add(number)
            lines[number - 1] = line.translate(FULL_WIDTH)
        elif (repaired := _repaired(line)) is not None and repaired != line:
            lines[number - 1] = repaired
        elif made := _made_of(line, text):
            lines[number - 1] = made
        elif line.strip() and not looks_like_code(line) and len(skipped) < MOST_PROSE_LINES and _is_prose(line):
            skipped.append(number)
            lines[number - 1] = ""
        elif calls_a_layer(" ".join(piece.text for piece in pieces(text))):
            return _scanned(text)
        else:
            raise at(number, f"'{line.strip()[:80]}' is not Python ({error.msg}).")
    source = "\n".join(lines)
    if calls_a_layer(text) and not calls_a_layer(re.sub(r"#[^\n]*", "", source)) and pieces(text):
        return _scanned(text)
    return source, sorted(skipped), False


def _scanned(text: str) -> tuple[str, list[int], bool]:
    """The same of text whose statements are looked for in prose."""
    source, guessed = program(_inputs_first(text))
    return source, [], guessed


def _inputs_first(text: str) -> list[Piece]:
    """The statements of a text, the inputs that it declares before what it says of them."""
    found = pieces(text)
    return found if "def " in text else sorted(found, key=lambda one: not DECLARED.match(one.text))


def _made_of(line: str, text: str) -> str:
    """A line of words that makes an object of a class of the text, which nothing else does, as code."""
    for name in [] if parsed(line.strip()) else re.findall(r"(?m)^\s*class\s+(\w+)", text):
        calls = re.findall(rf"(?<![\w.]){name}\s*\((?!nn\.|torch\.|Module)", text)
        match = re.search(rf"(?<![\w.]){name}\s*(?=\()", line)
        if match and len(calls) == 1 and (made := expression(line, match.start())) and parsed(made[1]):
            return f"net = {made[1]}"
    return ""


def _repaired(line: str) -> str | None:
    """A line that holds simple statements and more than that, as Python; None when there is nothing to save."""
    if not looks_like_code(line):
        return None
    found = _inputs_first(line)
    if not found or any(piece.kind not in {"assign", "call", "return"} for piece in found):
        return None
    repaired = line[: len(line) - len(line.lstrip())] + "; ".join(piece.text for piece in found)
    return repaired if calls_a_layer(repaired) or not calls_a_layer(line) else None


def _is_prose(line: str) -> bool:
    """True for a line that carries words rather than code: other scripts, or several words in a row."""
    return any(ord(c) > 0x2E7F for c in line) or bool(re.search(r"[A-Za-z]+ [A-Za-z]+", line)) or "=" not in line


def _syntax_error(source: str) -> SyntaxError | None:
    try:
        parse(source)
    except SyntaxError as error:
        return error
    return None


def parse(source: str) -> ast.Module:
    """The tree of code.

    Raises:
        ExplainError: it is nested too deeply, or holds what no code holds.
        SyntaxError: it is no Python.
    """
    try:
        return tree_of(source)
    except (RecursionError, MemoryError) as error:
        raise ExplainError("The code is nested too deeply to be read. Paste the network alone.") from error
    except ValueError as error:
        raise ExplainError(f"The text is not code ({error}).") from error
