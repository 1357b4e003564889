"""Statements of Python found in text that is not Python: glued to a question, or a whole function on one line.

Pages lose line breaks, put comments and sentences right behind code, and use full-width punctuation. What can begin
a statement (`name =`, `def`, `return`, the call of a known layer ...) is looked for; from there an expression is read
with balanced parentheses, as far as it is one. What lies between is prose. Nothing is run, and nothing but the text's
own characters is put together again; where the end of a suite is lost with its line breaks, a guess is made and said.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from ...errors import ExplainError
from ..phrases import patterns
from .layer_kinds import KERAS_NAMES, LAYERS, WITHOUT_RULE

FULL_WIDTH = str.maketrans("（），：＝［］｛｝；．“”‘’＋－＊／＃＿", "(),:=[]{};.\"\"''+-*/#_")
RESNET = ("block1", "stack1")  # functions of keras.applications, read as if they were layers
KNOWN = KERAS_NAMES | {*LAYERS["torch"], *WITHOUT_RULE["torch"], "Sequential", "Input", "InputLayer", "Model", *RESNET}
CLOSING = {"(": ")", "[": "]", "{": "}"}
LARGEST_TEXT = 500_000
LONGEST_EXPRESSION, LONGEST_LIST = 20_000, 1_000
DEEPEST_BRACKETS = 200  # Python itself reads no more

_P = patterns("scan")
START, _NAME, _STRING = _P["start"], _P["word"].pattern, _P["string"]
_FUNCTIONS = r"\b(?:F|functional)\."


@dataclass(frozen=True)
class Piece:
    """One statement (or the head of a compound one) with its place in the text."""

    kind: str  # a group of START, "docstring" aside
    text: str
    start: int
    end: int


def calls_a_layer(text: str) -> bool:
    """True when `text` calls a layer of Keras or torch by name."""
    called = re.findall(rf"(?<![A-Za-z0-9_])((?:{_FUNCTIONS})?{_NAME})\s?\(", text.translate(FULL_WIDTH))
    return any(name in KNOWN or name.startswith(("F.conv", "functional.conv")) for name in called)


def pieces(text: str) -> list[Piece]:
    """The statements in `text`, in order."""
    plain = text.translate(FULL_WIDTH)
    found: list[Piece] = []
    at, inside = 0, False
    while match := START.search(plain, at):
        kind = str(match.lastgroup)
        if quoted := _string_before(plain, at, match.start()):
            at = quoted
            continue
        piece = _piece(plain, match, kind, inside)
        if piece is None:
            at = match.start() + 1 if kind == "call" and "." in match[0] else match.end()
            continue
        inside = inside or kind in {"def", "class"}
        found.append(piece)
        at = piece.end
    return found


def _string_before(text: str, start: int, stop: int) -> int | None:
    """The end of a triple-quoted string that begins between two places: a docstring."""
    places = [p for quote in ('"""', "'''") if (p := text.find(quote, start, stop + 3)) >= 0]
    if not places:
        return None
    first = min(places)
    end = text.find(text[first : first + 3], first + 3)
    return len(text) if end < 0 else end + 3


def _piece(text: str, match: re.Match[str], kind: str, inside: bool) -> Piece | None:
    """The statement that begins at a match; None when it is not one after all."""
    start, end = match.start(), match.end()
    if start and kind != "assign" and re.match(r"[A-Za-z0-9_]", text[start - 1]):
        return None  # the tail of a longer word
    head = re.sub(r"\s+", " ", match[0]).strip()
    if kind in {"def", "class"}:
        closed = balanced(text, end) if text[end : end + 1] == "(" else (end, "")
        colon = re.compile(r"\s*(->[^:]*)?:").match(text, closed[0])
        return None if colon is None else Piece(kind, f"{head}{closed[1]}:", start, colon.end())
    if kind == "else":
        return Piece(kind, "else:", start, text.index(":", end) + 1)
    if kind in {"if", "elif", "for", "with"}:
        body = expression(text, end, words=True) if inside or kind == "for" else None
        colon = re.compile(r"\s*:").match(text, body[0]) if body else None
        return None if body is None or colon is None else Piece(kind, f"{head} {body[1]}:", start, colon.end())
    if kind == "return":
        body = expression(text, end, commas=True) if inside else None
        return None if body is None else Piece(kind, f"return {body[1]}", start, body[0])
    if kind == "call":
        name = re.sub(r"\s", "", match[0])
        if name.rsplit(".", 1)[-1] not in KNOWN and not re.search(
            rf"\.(add|append|build)$|{_FUNCTIONS}(?:pad|conv\w*)$", name
        ):
            return None
        body = expression(text, start)
        return None if body is None or parsed(body[1]) is None else Piece(kind, body[1], start, body[0])
    target = match[0].rstrip("=+-* ").strip()
    if "self." in target and not target.startswith("self."):  # `encoderself.encoder`: a comment without its line break
        target = target[target.index("self.") :]
    operator = match[0][len(match[0].rstrip("=+-*")) :]
    body = expression(text, end, commas="," in target)
    if body is not None and re.fullmatch(r"[\d.]+", body[1]):  # `16 kHz audio, hop_length=160` gives one name a value
        target = target.rpartition(",")[2].strip()
    whole = None if body is None else f"{target} {operator} {body[1]}"
    return None if body is None or whole is None or parsed(whole) is None else Piece(kind, whole, start, body[0])


def tree_of(code: str) -> ast.Module:
    """The tree of some code. Python's own warnings about it are nobody's concern."""
    with warnings.catch_warnings(action="ignore"):
        return ast.parse(code)


def parsed(code: str) -> ast.Module | None:
    """The tree of some code; None for what is none."""
    try:
        return tree_of(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def expression(text: str, at: int, *, words: bool = False, commas: bool = False) -> tuple[int, str] | None:
    """(its end, its text) of the longest expression that begins at a place.

    Args:
        words: `and`, `or`, `in` ... join too; outside of a condition they are more likely to be prose.
        commas: a tuple without parentheses is one expression.
    """
    found = _joined(text, at, words)
    if found is None:
        return None
    end, code = found
    while choice := _P["ternary"].match(text, end):
        test = _joined(text, choice.end(), True)
        other = _P["other"].match(text, test[0]) if test else None
        rest = _joined(text, other.end(), words) if other else None
        if test is None or rest is None:
            break
        end, code = rest[0], f"{code} if {test[1]} else {rest[1]}"
    while commas and (comma := re.compile(r"\s*,\s*").match(text, end)):
        more = _joined(text, comma.end(), words)
        if more is None:
            break
        end, code = more[0], f"{code}, {more[1]}"
    return end, code


def _joined(text: str, at: int, words: bool) -> tuple[int, str] | None:
    found = _operand(text, at)
    if found is None:
        return None
    end, code = found
    while joint := _P["operator"].match(text, end) or (_P["word_operator"].match(text, end) if words else None):
        more = _operand(text, joint.end())
        if more is None:
            break
        end, code = more[0], f"{code} {joint[1]} {more[1]}"
    return end, code


def _operand(text: str, at: int) -> tuple[int, str] | None:
    """A name, number, string or bracket, and every call, index and attribute behind it."""
    at += len(text[at : at + 200]) - len(text[at : at + 200].lstrip())
    if negated := re.compile(r"not\s+").match(text, at):
        inner = _operand(text, negated.end())
        return None if inner is None else (inner[0], f"not {inner[1]}")
    if quote := _STRING.match(text, at):
        end = text.find(quote[1], quote.end())
        if end < 0:
            return None
        end, code = end + len(quote[1]), text[at : end + len(quote[1])]
    elif text[at : at + 1] in CLOSING:
        end, code = balanced(text, at)
    elif atom := _P["atom"].match(text, at):
        end, code = atom.end(), atom[0]
    else:
        return None
    while True:
        if text[end : end + 1] and text[end] in "([":
            end, more = balanced(text, end)
        elif text[end : end + 1] == " " and text[end + 1 : end + 2] in {"(", "["} and not code[-1:].isdigit():
            end, more = balanced(text, end + 1)
        elif attribute := _P["attribute"].match(text, end):
            end, more = attribute.end(), re.sub(r"\s", "", attribute[0])
        else:
            return end, code
        code += more


def balanced(text: str, at: int) -> tuple[int, str]:
    """A bracket and all that is in it; what was cut off at the end of the text is closed.

    Raises:
        ExplainError: more than DEEPEST_BRACKETS of them in each other.
    """
    stack: list[str] = []
    parts: list[str] = []
    i = at
    while i < min(len(text), at + LONGEST_EXPRESSION):
        c = text[i]
        if quote := _STRING.match(text, i) if c in "\"'" else None:
            end = text.find(quote[1], quote.end())
            stop = len(text) if end < 0 else end + len(quote[1])
            parts.append(text[i:stop])
            i = stop
            continue
        if c == "#":  # a comment: to the end of its line, or to the next layer where line breaks were lost
            i = _comment_end(text, i)
            continue
        if c in CLOSING:
            stack.append(CLOSING[c])
            if len(stack) > DEEPEST_BRACKETS:
                raise ExplainError("The code is nested too deeply to be read. Paste the network alone.")
        elif stack and c == stack[-1]:
            stack.pop()
        parts.append(c)
        i += 1
        if not stack:
            break
    return i, "".join(parts).replace("\n", " ") + "".join(reversed(stack))


def _comment_end(text: str, at: int) -> int:
    line = text.find("\n", at)
    line = len(text) if line < 0 else line
    for match in re.compile(rf"(?:{_NAME}\.)*({_NAME})\(|[)\]]").finditer(text, at, line):
        if match[1] is None or match[1] in KNOWN:
            return match.start()
    return line


def program(found: Iterable[Piece]) -> tuple[str, bool]:
    """(Python text of some statements, True when the end of a suite had to be guessed)."""
    lines: list[str] = []
    flat = list(found)
    guessed = False

    def statements(start: int, stop: int, depth: int) -> None:
        nonlocal guessed
        i = start
        while i < stop:
            piece = flat[i]
            lines.append("    " * depth + piece.text)
            i += 1
            if piece.kind not in {"if", "elif", "else", "for", "with"}:
                continue
            end = _suite_end(flat, i, stop, piece)
            guessed = guessed or piece.kind in {"else", "for"} or end == i + 1
            if end > i:
                statements(i, end, depth + 1)
            else:
                lines.append("    " * (depth + 1) + "pass")
            i = end

    owner = i = 0
    while i < len(flat):
        piece = flat[i]
        end = next((j for j in range(i + 1, len(flat)) if flat[j].kind in {"def", "class"}), len(flat))
        if piece.kind == "class":
            owner, i = 1, i + 1
            lines += [piece.text, *(["    pass"] if i == len(flat) or flat[i].kind != "def" else [])]
        elif piece.kind == "def":
            owner = owner if re.search(r"\(\s*self\b", piece.text) else 0
            owned = {j + 1 for j in range(i + 1, end) if flat[j].kind in {"if", "elif", "else"}}  # by an `if` or `else`
            last = next((j for j in range(i + 1, end) if flat[j].kind == "return" and j not in owned), end - 1)
            lines += ["    " * owner + piece.text, *(["    " * (owner + 1) + "pass"] if last == i else [])]
            statements(i + 1, last + 1, owner + 1)
            i = last + 1
        else:
            statements(i, end, 0)
            i = end
    return "\n".join(lines), guessed


def _suite_end(flat: list[Piece], start: int, stop: int, head: Piece) -> int:
    """Where a suite without line breaks ends: before its `else`, or after one statement; a loop's goes on as long as
    its variable is used."""
    if head.kind in {"if", "elif"}:
        nested = 0
        for i in range(start, stop):
            if flat[i].kind == "if":
                nested += 1
            elif flat[i].kind in {"else", "elif"}:
                if not nested:
                    return i
                nested -= flat[i].kind == "else"
    one = min(stop, start + 1)
    if head.kind == "for":
        names = re.findall(_NAME, head.text.partition(" in ")[0])[1:]
        used = [i for i in range(start, stop) if any(re.search(rf"\b{n}\b", flat[i].text) for n in names)]
        run = start
        while run in used:
            run += 1
        return max(one, run)
    return one


def triples_in(text: str) -> list[tuple[int, int, int]]:
    """All (channels, kernel, stride) of lists such as `[(512, 10, 5)] + [(512, 3, 2)] * 4`."""
    found: list[tuple[int, int, int]] = []
    at = 0
    text = _P["triples"].sub(lambda rows: f"[{','.join(_P['triple'].findall(rows[0]))}]", text)
    while match := _P["list"].search(text, at):
        read = expression(text, match.start())
        at = match.end() if read is None else read[0]
        tree = None if read is None else parsed(read[1])
        values = _value(tree.body[0].value) if tree and isinstance(tree.body[0], ast.Expr) else None
        for one in values if isinstance(values, list) else []:
            if isinstance(one, tuple) and len(one) == 3 and all(isinstance(n, int) and 0 < n < 10**6 for n in one):
                found.append((one[0], one[1], one[2]))
    return found


def _value(node: ast.expr) -> object:
    """A literal, or lists joined and repeated; None for anything else."""
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
            return (left + right)[:LONGEST_LIST]
        if isinstance(node.op, ast.Mult) and isinstance(left, list) and isinstance(right, int):
            return (left * min(max(right, 0), LONGEST_LIST))[:LONGEST_LIST]
        return None
    try:
        found: object = ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return None
    return found
