"""Reads pasted Python statement by statement, the way a careful person would, without running any of it.

The tree that `ast` gives is walked with values of our own (`code_values`): literals, arithmetic on them, loops over
literal lists and ranges, functions and classes defined in the code itself, and calls of layers, which are handed to
`calls`. Everything else is either ignorable (`model.summary()`), missing until something needs it, or an error that
names its line. Work is bounded: so many steps, so deep, numbers and lists only so large.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import ExplainError
from ..phrases import NAMES
from .code_builtins import ARITHMETIC, BUILTINS, COMPARISONS, ELEMENTWISE, HOME, LARGEST_NUMBER, LONGEST_LIST, builtin
from .code_values import Chain, Class, Free, Function, Instance, Layer, Method, Missing, Super, Tensor, at, number_of

if TYPE_CHECKING:
    from .code_calls import CodeCalls

MOST_STEPS = 200_000
DEEPEST_CALL = 40
UNKNOWN_SIZE = "depends on a size that is not known. Give the whole input shape with --input."


class ReturnedSignal(Exception):  # noqa: N818
    def __init__(self, value: Any) -> None:
        self.value = value


class LoopSignal(Exception):  # noqa: N818
    """Raised with True where a loop ends, with False where its next turn begins."""


class Interpreter:
    """Walks one module; `scope` holds the names of the code being read, `calls` knows the layers."""

    def __init__(self, calls: CodeCalls) -> None:
        self.calls = calls
        self.scopes: list[dict[str, Any]] = [{"__name__": "pasted"}]
        self.known: dict[str, Any] = {}  # what the code uses and does not define
        self._steps = 0

    @property
    def scope(self) -> dict[str, Any]:
        return self.scopes[-1]

    # statements

    def run(self, body: Sequence[ast.stmt]) -> None:
        """Reads statements in order."""
        for node in body:
            self._step(node.lineno)
            self._statement(node)

    def know(self, source: str) -> None:
        """Reads functions that the code may use; they are none of its own."""
        self.scopes.append(self.known)
        self.run(ast.parse(source).body)
        self.scopes.pop()

    def _step(self, line: int) -> None:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise at(line, f"the code takes more than {MOST_STEPS} steps to read; paste the network alone.")

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global() | ast.Assert():
                return
            case ast.Expr(value=ast.Call(func=ast.Name("print"))):
                with suppress(ExplainError):  # what cannot be read changes no network
                    self.value(node.value)
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    self.calls.statement(self.value(node.value), node.value)
            case ast.Assign():
                value = self.value(node.value)
                for target in node.targets:
                    self.assign(target, value)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.value(node.value))
                elif isinstance(node.annotation, ast.Call):  # a sentence, a colon, and a layer
                    self.calls.statement(self.value(node.annotation), node.annotation)
            case ast.AugAssign():
                joined = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
                self.assign(node.target, self.value(joined))
            case ast.FunctionDef():
                self.scope[node.name] = Function(node, around=self.scope)
            case ast.ClassDef():
                methods = {m.name: m for m in node.body if isinstance(m, ast.FunctionDef)}
                bases = [self.value(base) for base in node.bases]
                parent = next((base for base in bases if isinstance(base, Class)), None)
                layer = next((base for base in bases if self.calls.is_layer(base)), parent and parent.layer)
                self.scope[node.name] = Class(node, methods, parent, layer, self._fields(node.body))
            case ast.For():
                self._loop(node)
            case ast.If():
                self.run(node.body if self.truth(self.value(node.test), node.lineno) else node.orelse)
            case ast.With() | ast.Try():
                self.run(node.body)
            case ast.Return():
                raise ReturnedSignal(None if node.value is None else self.value(node.value))
            case ast.Break():
                raise LoopSignal(True)
            case ast.Continue():
                raise LoopSignal(False)
            case _:
                first = ast.unparse(node).splitlines()[0][:60]
                raise at(node.lineno, f"'{first}' cannot be read without running it; paste the layers.")

    def _fields(self, body: Sequence[ast.stmt]) -> dict[str, Any]:
        """What the body of a class sets: `expansion = 4`, `channels: int = 48`."""
        found: dict[str, Any] = {}
        for node in body:
            match node:
                case ast.Assign([ast.Name(name)], value):
                    found[name] = self.value(value)
                case ast.AnnAssign(ast.Name(name), _, value):
                    found[name] = Missing(name, node.lineno) if value is None else self.value(value)
        return found

    def _loop(self, node: ast.For) -> None:
        for value in self.items(self.value(node.iter), node.lineno):
            self.assign(node.target, value)
            try:
                self.run(node.body)
            except LoopSignal as signal:
                if signal.args[0]:
                    return
        self.run(node.orelse)

    def assign(self, target: ast.expr, value: Any) -> None:
        """Binds a name, an attribute, an item or a tuple of them."""
        match target:
            case ast.Name():
                self.scope[target.id] = named(value, target.id)
                self.calls.bound(value, target.id, target.lineno)
            case ast.Tuple() | ast.List():
                values = self.items(value, target.lineno)
                if len(values) != len(target.elts) or any(isinstance(t, ast.Starred) for t in target.elts):
                    raise at(target.lineno, f"{len(values)} values for {len(target.elts)} names.")
                for one, part in zip(target.elts, values, strict=True):
                    self.assign(one, part)
            case ast.Attribute():
                owner = self.value(target.value)
                if isinstance(owner, Free) and owner.what == "self":
                    owner = self.scope["self"] = Instance(None)
                self.calls.bound(value, target.attr, target.lineno)
                if isinstance(owner, Instance):
                    self.member(owner, target.attr, target.lineno, value)
            case ast.Subscript():
                owner, key = self.value(target.value), self.value(target.slice)
                if isinstance(owner, dict) or (isinstance(owner, list) and isinstance(key, int) and key < len(owner)):
                    owner[key] = value
                elif not isinstance(owner, Missing):
                    raise at(target.lineno, "assigning into a tensor cannot be followed.")
            case _:
                raise at(target.lineno, f"'{ast.unparse(target)}' cannot be assigned to here.")

    def member(self, owner: Instance, name: str, line: int, *value: Any) -> Any:
        """An attribute of an object; set where a value is given."""
        if not value:
            return self._attribute(owner, name, line)
        owner.attributes[name] = named(value[0], f"{owner.name}." * bool(owner.name) + name)
        return None

    # expressions

    def value(self, node: ast.expr) -> Any:
        """What an expression stands for."""
        self._step(node.lineno)
        match node:
            case ast.Constant():
                return self._checked(node.value, node.lineno)
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(self.value(node.value), node.attr, node.lineno)
            case ast.Call():
                return self._call(node)
            case ast.Tuple():
                return tuple(self._elements(node.elts))
            case ast.List() | ast.Set():
                return self._elements(node.elts)
            case ast.Dict():
                return {
                    self.value(key): self.value(item)
                    for key, item in zip(node.keys, node.values, strict=True)
                    if key is not None
                }
            case ast.BinOp():
                return self._binary(node)
            case ast.UnaryOp():
                return self._unary(node)
            case ast.BoolOp():
                return self._bool(node)
            case ast.Compare():
                return self._compare(node)
            case ast.IfExp():
                return self.value(node.body if self.truth(self.value(node.test), node.lineno) else node.orelse)
            case ast.Subscript():
                return self._subscript(node)
            case ast.ListComp() | ast.GeneratorExp():
                return self._comprehension(node)
            case ast.JoinedStr():
                return "".join(self._text(part) for part in node.values)
            case ast.Lambda():
                return Function(node, around=self.scope)
            case ast.NamedExpr():
                found = self.value(node.value)
                self.assign(node.target, found)
                return found
            case _:
                raise at(node.lineno, f"'{ast.unparse(node)[:60]}' cannot be read without running it.")

    def _name(self, node: ast.Name) -> Any:
        scope: Mapping[str, Any] | None = self.scope
        while scope is not None:
            if node.id in scope:
                return scope[node.id]
            scope = scope[HOME].around if HOME in scope else None
        for scope in (self.scopes[0], self.known):
            if node.id in scope:
                return scope[node.id]
        return self.calls.stated(node.id, node.lineno)

    def _attribute(self, owner: Any, name: str, line: int) -> Any:
        if isinstance(owner, Instance):
            if name in owner.attributes:
                return owner.attributes[name]
            if name == "training":  # what is explained is the network at work
                return False
            if name in NAMES["registers"] or name in NAMES["asked_of_modules"]:
                return Method(owner, name)
            method = None if owner.owner is None else owner.owner.method(name, owner)
            if method is not None:
                return method
            if owner.layer is not None:
                return self.calls.attribute(owner.layer, name, line)
            return Free(f"self.{name}", line)
        if isinstance(owner, Free):
            if name in NAMES["asked_of_tensors"] and owner.what not in NAMES["modules"] and "." not in owner.what:
                return self.calls.attribute(self.calls.tensor(owner, line), name, line)
            return Free(f"{owner.what}.{name}", line)
        if isinstance(owner, Missing):
            return owner
        if isinstance(owner, Super):
            found = owner.parent.method(name, owner.self_) if isinstance(owner.parent, Class) else Method(owner, name)
            return found or Missing(f"super().{name}", line)
        return self.calls.attribute(owner, name, line)

    def _elements(self, nodes: Sequence[ast.expr]) -> list[Any]:
        found: list[Any] = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                found.extend(self.items(self.value(node.value), node.lineno))
            else:
                found.append(self.value(node))
        return found

    def _call(self, node: ast.Call) -> Any:
        function = self.value(node.func)
        args = self._elements(node.args)
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.value(keyword.value)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, dict):
                keywords.update(value)
            else:
                raise at(node.lineno, "**arguments that are not written out cannot be read.")
        if isinstance(function, Free) and function.what in BUILTINS:
            return builtin(self, function.what, args, node.lineno)
        return self.calls.call(function, args, keywords, node.lineno)

    def enter(self, function: Function, args: list[Any], keywords: Mapping[str, Any], line: int) -> Any:
        """What a function defined in the code returns for these arguments."""
        if len(self.scopes) > DEEPEST_CALL:
            raise at(line, f"'{function.name}' calls itself more than {DEEPEST_CALL} deep.")
        scope = self.bind(function, args, keywords, line)
        self.scopes.append(scope)
        try:
            if isinstance(function.node, ast.Lambda):
                return self.value(function.node.body)
            self.run(function.node.body)
        except ReturnedSignal as returned:
            return returned.value
        finally:
            self.scopes.pop()
        return None

    def bind(self, function: Function, args: list[Any], keywords: Mapping[str, Any], line: int) -> dict[str, Any]:
        """The names of a call; a parameter nobody gave stays a free name."""
        spec = function.node.args
        params = [*spec.posonlyargs, *spec.args]
        given = ([function.self_] if function.self_ is not None else []) + args
        if len(given) > len(params) and spec.vararg is None:
            raise at(line, f"'{function.name}' takes {len(params)} arguments; {len(given)} were given.")
        scope = {p.arg: value for p, value in zip(params, given, strict=False)}
        scope[HOME] = function
        if spec.vararg is not None:
            scope[spec.vararg.arg] = tuple(given[len(params) :])
        known = {p.arg for p in (*params, *spec.kwonlyargs)}
        rest: dict[str, Any] = {}
        for name, value in keywords.items():
            if name not in known and spec.kwarg is None:
                raise at(line, f"'{function.name}' has no parameter called '{name}'.")
            (scope if name in known else rest)[name] = value
        if spec.kwarg is not None:
            scope[spec.kwarg.arg] = rest
        for p, default in zip(params[len(params) - len(spec.defaults) :], spec.defaults, strict=True):
            if p.arg not in scope:
                scope[p.arg] = self.value(default)
        for p, other in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
            if p.arg not in scope and other is not None:
                scope[p.arg] = self.value(other)
        for p in (*params, *spec.kwonlyargs):
            scope.setdefault(p.arg, Free(p.arg, getattr(function.node, "lineno", line)))
        return scope

    def _binary(self, node: ast.BinOp) -> Any:
        left, right, line = self.value(node.left), self.value(node.right), node.lineno
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            if isinstance(node.op, ast.MatMult):
                return self.calls.join("matmul", [left, right], line)
            function = ELEMENTWISE.get(type(node.op))
            if function is None:
                raise at(line, f"'{ast.unparse(node)[:60]}' is not an operation on tensors that can be read.")
            return self.calls.join(function, [left, right], line)
        if isinstance(left, Missing) or isinstance(right, Missing):
            return left.followed() if isinstance(left, Missing) else right.followed()
        if isinstance(node.op, ast.Add) and isinstance(left, Layer | Chain) and isinstance(right, Layer | Chain):
            return Chain([left, right], left.framework, line)  # nn.Conv2d(...) + nn.BatchNorm2d(...) of a sentence
        if isinstance(node.op, ast.Add) and left is None and isinstance(right, str):
            return right.lstrip("_")  # `name + "_conv"` where nobody gave the name
        if left is None or right is None:
            raise at(line, f"'{ast.unparse(node)[:60]}' {UNKNOWN_SIZE}")
        if isinstance(node.op, ast.Mult) and (isinstance(left, list | tuple | str) or isinstance(right, list | tuple)):
            sequence, times = (left, right) if isinstance(left, list | tuple | str) else (right, left)
            if not isinstance(times, int) or len(sequence) * max(0, times) > LONGEST_LIST:
                raise at(line, f"'{ast.unparse(node)[:60]}' makes a list that is too long.")
        try:
            if isinstance(node.op, ast.Pow):
                if not number_of(left) or not number_of(right) or abs(right) > 64 or abs(left) > 10**6:
                    raise at(line, f"'{ast.unparse(node)[:60]}' is too large.")
                return self._checked(left**right, line)
            return self._checked(ARITHMETIC[type(node.op)](left, right), line)
        except ExplainError:
            raise
        except (TypeError, KeyError, ZeroDivisionError, ValueError) as error:
            raise at(line, f"'{ast.unparse(node)[:60]}' cannot be worked out ({error}).") from error

    def _checked(self, value: Any, line: int) -> Any:
        if number_of(value) and not -LARGEST_NUMBER < value < LARGEST_NUMBER:
            raise at(line, "a number beyond anything a layer has.")
        if isinstance(value, list | tuple | str) and len(value) > LONGEST_LIST:
            raise at(line, f"a list of more than {LONGEST_LIST} entries.")
        return value

    def _unary(self, node: ast.UnaryOp) -> Any:
        value = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not self.truth(value, node.lineno)
        if isinstance(value, Tensor):
            return self.calls.join("negative", [value], node.lineno)
        if isinstance(value, Missing):
            return value.followed()
        if not isinstance(value, int | float):
            raise at(node.lineno, f"'{ast.unparse(node)[:60]}' cannot be worked out.")
        return -value if isinstance(node.op, ast.USub) else +value

    def _bool(self, node: ast.BoolOp) -> Any:
        value: Any = None
        for part in node.values:
            value = self.value(part)
            if self.truth(value, node.lineno) != isinstance(node.op, ast.And):
                return value
        return value

    def _compare(self, node: ast.Compare) -> Any:
        left = self.value(node.left)
        for kind, part in zip(node.ops, node.comparators, strict=True):
            right = self.value(part)
            for side in (left, right):
                if isinstance(side, Missing):
                    return side.followed()
            if isinstance(kind, ast.Eq | ast.NotEq) and _undecided(left, right, part):
                raise at(node.lineno, f"'{ast.unparse(node)[:60]}' {UNKNOWN_SIZE}")
            try:
                if not COMPARISONS[type(kind)](left, right):
                    return False
            except TypeError as error:
                raise at(node.lineno, f"'{ast.unparse(node)[:60]}' cannot be decided ({error}).") from error
            left = right
        return True

    def truth(self, value: Any, line: int) -> bool:
        """Whether a condition holds."""
        if isinstance(value, Missing):
            raise at(line, f"the condition depends on '{value.what}', which is not defined in the code.")
        return bool(value)

    def _subscript(self, node: ast.Subscript) -> Any:
        owner = self.value(node.value)
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else []  # of arrays alone: `..., ::2` or `:, 0`
        sliced = any(isinstance(key, ast.Slice) or getattr(key, "value", None) is Ellipsis for key in keys)
        if isinstance(owner, Free) and self.calls.takes(owner.what) and sliced:
            owner = self.calls.tensor(owner, node.lineno)
        if isinstance(owner, Tensor):
            parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return self.calls.cut(owner, [self._key(part) for part in parts], node.lineno)
        if isinstance(owner, Missing):
            return owner.followed()
        key = self._key(node.slice)
        owner = owner if isinstance(owner, dict | str | tuple) else self.items(owner, node.lineno)
        try:
            return owner[key]
        except (TypeError, KeyError, IndexError, ValueError) as error:
            raise at(node.lineno, f"'{ast.unparse(node)[:60]}' does not exist.") from error

    def _key(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Slice):
            parts = (node.lower, node.upper, node.step)
            ends = [None if part is None else self.value(part) for part in parts]
            if any(end is not None and not isinstance(end, int) for end in ends):
                raise at(node.lineno, f"the ends of '{ast.unparse(node)}' must be whole numbers.")
            opened = [part is not None and end is None for part, end in zip(parts, ends, strict=True)]
            if opened[0] or opened[2]:
                raise at(node.lineno, f"'{ast.unparse(node)}' {UNKNOWN_SIZE}")
            return slice(ends[0], Missing("a size", node.lineno) if opened[1] else ends[1], ends[2])
        return self.value(node)

    def _comprehension(self, node: ast.ListComp | ast.GeneratorExp) -> list[Any]:
        found: list[Any] = []

        def go(depth: int) -> None:
            if depth == len(node.generators):
                found.append(self.value(node.elt))
                return
            generator = node.generators[depth]
            for item in self.items(self.value(generator.iter), node.lineno):
                self.assign(generator.target, item)
                if all(self.truth(self.value(test), node.lineno) for test in generator.ifs):
                    go(depth + 1)

        go(0)
        return found

    def items(self, value: Any, line: int) -> list[Any]:
        """The entries of a list, a tuple, a dict or a chain of layers."""
        if isinstance(value, Chain):
            return list(value.layers)
        if isinstance(value, Iterable) and not isinstance(value, str | bytes):
            return list(value)
        if isinstance(value, Missing):
            raise at(line, f"'{value.what}' is not defined in the code, so its entries are not known.")
        raise at(line, "a list was expected here.")

    def _text(self, node: ast.expr) -> str:
        if isinstance(node, ast.FormattedValue):
            return str(self.value(node.value))[:200]
        return str(node.value) if isinstance(node, ast.Constant) else "?"


def _undecided(left: Any, right: Any, part: ast.expr) -> bool:
    """True where two sizes, or two shapes, are compared of which some are not known."""
    pairs = [(left, right)]
    if isinstance(left, list | tuple) and isinstance(right, list | tuple) and len(left) == len(right):
        pairs = list(zip(left, right, strict=True))
    sizes = all(one is None or number_of(one) for pair in pairs for one in pair)
    open_ = any(None in pair for pair in pairs) and not any(None not in pair and pair[0] != pair[1] for pair in pairs)
    return sizes and open_ and not (isinstance(part, ast.Constant) and part.value is None)


def named(value: Any, name: str) -> Any:
    """A layer takes the first name it is bound to; those in a chain or a list have their place behind it."""
    inside: Sequence[Any] = ()
    if isinstance(value, Layer | Instance | Chain) and value.name is None:
        value.name = name
        inside = value.layers if isinstance(value, Chain) else ()
    elif isinstance(value, list) and all(isinstance(one, Layer | Instance | Chain) for one in value):
        inside = value
    for i, layer in enumerate(inside):
        named(layer, f"{name}.{i}")
    return value
