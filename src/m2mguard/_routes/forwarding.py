"""Does a function of the user's always go on to what it is around? Reads its source; runs nothing.

A middleware, hook or decorator above a guard that can answer by itself answers without a token.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Collection, Iterator, Sequence
from types import CellType
from typing import Any

_EMPTY = CellType()
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def always_calls(function: Any, names: Collection[str], *, raises: bool = False) -> bool:
    """Whether a function calls what is inside it before it can return. False where its source cannot be read.

    Args:
        function: of the user's.
        names: how it may write what is inside it, such as "self.app".
        raises: what is inside raises to refuse a request: then the function must not catch that.
    """
    parsed = _parsed(function)
    return parsed is not None and _Calls(names, raises=raises).before_the_end_of(parsed.body) is True


def with_methods(kind: type, names: Collection[str]) -> list[str]:
    """The names, and how a class writes those of its own methods that always call one of them, such as "self.__acall__"."""
    methods = [
        f"self.{name}" for name, one in vars(kind).items() if inspect.isfunction(one) and always_calls(one, names)
    ]
    return [*names, *methods]


def returns_nothing(function: Any) -> bool:
    """Whether a function can return nothing but None, such as a hook that never answers. False where its source cannot be read."""
    parsed = _parsed(function)
    return parsed is not None and all(
        one.value is None or (isinstance(one.value, ast.Constant) and one.value.value is None)
        for one in _evaluated(parsed.body)
        if isinstance(one, ast.Return)
    )


def free_variables(function: Any) -> dict[str, Any]:
    """The variables of a function that belong to the function around it, such as what a decorator decorates; with their values."""
    code = getattr(function, "__code__", None)
    cells = getattr(function, "__closure__", None) or ()
    found = zip(code.co_freevars, cells, strict=True) if code is not None else ()
    return {name: cell.cell_contents for name, cell in found if cell != _EMPTY}


def inner_functions(function: Any) -> list[_Function]:
    """The functions that a function defines, as they are parsed, for `always_calls`."""
    parsed = _parsed(function)
    return [one for one in ast.walk(parsed) if isinstance(one, _Function) and one is not parsed] if parsed else []


def _parsed(function: Any) -> _Function | None:
    if isinstance(function, _Function):
        return function
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return None
    try:
        parsed = ast.parse(textwrap.dedent(inspect.getsource(code))).body[0]
    except (OSError, SyntaxError, IndexError):
        return None
    return parsed if isinstance(parsed, _Function) else None


def _evaluated(nodes: Sequence[ast.AST]) -> Iterator[ast.AST]:
    """The nodes of a function itself, without those of functions and classes in it."""
    for node in nodes:
        if not isinstance(node, ast.Lambda | ast.ClassDef | _Function):
            yield node
            yield from _evaluated(list(ast.iter_child_nodes(node)))


class _Calls:
    """Follows each path through a function. True: it calls; False: it may return before; None: it goes on without a call."""

    def __init__(self, names: Collection[str], *, raises: bool) -> None:
        self._names = names
        self._raises = raises

    def before_the_end_of(self, body: Sequence[ast.stmt]) -> bool | None:
        return next((found for found in map(self._statement, body) if found is not None), None)

    def _statement(self, node: ast.stmt) -> bool | None:
        if isinstance(node, ast.Raise):
            return True
        if isinstance(node, ast.If):
            return self._is_certain(node.test) or self._branches(node.body, node.orelse)
        if isinstance(node, ast.With | ast.AsyncWith):
            suppresses = any("suppress" in ast.unparse(one) for one in node.items)
            return None if suppresses and self._raises else self.before_the_end_of(node.body)
        if isinstance(node, ast.Try):
            return self._tried(node)
        if isinstance(node, ast.For | ast.AsyncFor | ast.While | ast.Match):
            return False if any(isinstance(one, ast.Return) for one in _evaluated([node])) else None
        if isinstance(node, ast.ClassDef | _Function):
            return None
        return self._is_certain(node) or (False if isinstance(node, ast.Return) else None)

    def _branches(self, *bodies: Sequence[ast.stmt]) -> bool | None:
        found = [self.before_the_end_of(body) for body in bodies]
        return False if False in found else all(found) or None

    def _tried(self, node: ast.Try) -> bool | None:
        handled = [self.before_the_end_of(handler.body) for handler in node.handlers]
        if (self._raises and node.handlers) or any(isinstance(one, ast.Return) for one in _evaluated(node.finalbody)):
            return False
        if False in handled and not self._is_certain(node.body[0]):  # what comes before the call may raise
            return False
        tried = self.before_the_end_of([*node.body, *node.orelse])
        return tried if tried is not None else self.before_the_end_of(node.finalbody)

    def _is_certain(self, node: ast.AST) -> bool | None:
        """True if a call of what is inside is evaluated in any case, else None."""
        if isinstance(node, ast.Call) and ast.unparse(node.func) in self._names:
            return True
        if isinstance(node, ast.IfExp):
            both = self._is_certain(node.body) and self._is_certain(node.orelse)
            return self._is_certain(node.test) or both
        if isinstance(node, ast.BoolOp):
            return self._is_certain(node.values[0])
        if isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
            return None
        return any(self._is_certain(one) for one in ast.iter_child_nodes(node)) or None
