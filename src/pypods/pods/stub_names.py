"""Annotations of ``pod.py`` as text for a stub, and the global names that they need there."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping

from pypods.pods.pod_source import PodSource, last_name

__all__ = ["ANY", "StubNames", "scoped_names"]

#: How a stub spells what is not known.
ANY = "_pypods.Any"
#: Containers that `list`, `dict`... make of whatever they are given.
_BUILTIN_CALLS = frozenset(
    {
        "bool",
        "bytearray",
        "bytes",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "set",
        "str",
        "tuple",
    }
)
_LONGEST_DEFAULT = 40


class StubNames:
    """Writes expressions, and collects the names that the stub has to define for them."""

    def __init__(self, source: PodSource) -> None:
        self._source = source
        #: Global names of pod.py that what was written needs, in the order in which they came.
        self.needed: dict[str, None] = {}
        #: Lines that define the type parameters of PEP 695, which older checkers cannot read.
        self.parameters: list[str] = []

    def annotation(self, node: ast.expr | None, renamed: Mapping[str, str] | None = None) -> str:
        """Return an annotation's text; `Any` for none, and for a text that is no annotation."""
        if node is None:
            return ANY
        return self._write(_Unquote(renamed or {}).visit(_copy(node)))

    def expression(self, node: ast.expr, renamed: Mapping[str, str] | None = None) -> str:
        """Return the text of an expression, in which texts are texts."""
        return self._write(_Rename(renamed or {}).visit(_copy(node)))

    def _write(self, node: ast.expr) -> str:
        for each in ast.walk(node):
            if isinstance(each, ast.Name) and each.id in self._source.bindings:
                self.needed.setdefault(each.id)
        return ast.unparse(node)

    def inferred(self, value: ast.expr | None) -> str:
        """Return the type that a value's expression shows; `Any` where it shows none."""
        if isinstance(value, ast.Constant):
            return self._of_constant(value)
        if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Constant):
            return "bool" if isinstance(value.op, ast.Not) else self._of_constant(value.operand)
        if isinstance(value, ast.JoinedStr):
            return "str"
        if isinstance(value, ast.List | ast.Set):
            return f"{type(value).__name__.lower()}[{self._common(value.elts)}]"
        if isinstance(value, ast.Dict):
            keys = [key for key in value.keys if key is not None]
            whole = len(keys) == len(value.keys)
            values = self._common(value.values) if whole else ANY
            return f"dict[{self._common(keys) if whole else ANY}, {values}]"
        if isinstance(value, ast.Tuple):
            if any(isinstance(each, ast.Starred) for each in value.elts):
                return f"tuple[{ANY}, ...]"
            inside = ", ".join(self.inferred(each) for each in value.elts)
            return f"tuple[{inside or '()'}]"
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            return self._of_call(value.func)
        return ANY

    def _of_constant(self, value: ast.Constant) -> str:
        if value.value is None or value.value is ...:
            return ANY  # None is what something else is before it is there.
        return type(value.value).__name__

    def _of_call(self, function: ast.Name) -> str:
        if isinstance(self._source.statement(function.id), ast.ClassDef):
            return self.annotation(function)
        known = function.id in _BUILTIN_CALLS and function.id not in self._source.bindings
        return function.id if known else ANY

    def _common(self, values: Iterable[ast.expr]) -> str:
        kinds = {self.inferred(value) for value in values}
        return kinds.pop() if len(kinds) == 1 else ANY

    def default(self, node: ast.expr) -> str:
        """Return a default's text: a short number or text as it is, all else as `...`."""
        operand = node.operand if isinstance(node, ast.UnaryOp) else node
        if isinstance(operand, ast.Constant) and not isinstance(node, ast.BinOp):
            text = ast.unparse(node)
            if len(text) <= _LONGEST_DEFAULT and text.isprintable() and text.isascii():
                return text
        return "..."

    def declare(self, node: ast.AST, scope: str) -> dict[str, str]:
        """Define the type parameters of `def f[T]`, `class C[T]`; return what they are called.

        Each scope has its own, as a stub's are global.
        """
        called = scoped_names(node, scope)
        for each in getattr(node, "type_params", ()):
            name = called[each.name]
            words = [repr(name)]
            bound = getattr(each, "bound", None)
            if isinstance(bound, ast.Tuple):
                words += [self.annotation(one, called) for one in bound.elts]
            elif bound is not None:
                words.append(f"bound={self.annotation(bound, called)}")
            default = getattr(each, "default_value", None)
            if default is not None:
                words.append(f"default={self.annotation(default, called)}")
            self.parameters.append(f"{name} = _pypods.{type(each).__name__}({', '.join(words)})")
        return called


def scoped_names(node: ast.AST, scope: str) -> dict[str, str]:
    """Return the type parameters of PEP 695 that a statement has, with their names in a stub."""
    return {each.name: f"_{scope}_{each.name}" for each in getattr(node, "type_params", ())}


def _copy(node: ast.expr) -> ast.expr:
    from copy import deepcopy

    return deepcopy(node)


class _Rename(ast.NodeTransformer):
    """Gives names that mean something else in the stub their name there."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        self._renamed = renamed

    def visit_Name(self, node: ast.Name) -> ast.expr:
        new = self._renamed.get(node.id)
        return node if new is None else ast.parse(new, mode="eval").body

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        # typing.Self, by whatever name typing is known.
        if node.attr == "Self" and "Self" in self._renamed:
            return ast.parse(self._renamed["Self"], mode="eval").body
        return self.generic_visit(node)


class _Unquote(_Rename):
    """Reads what an annotation has as text, too."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if not isinstance(node.value, str):
            return node
        try:
            quoted = ast.parse(node.value.strip(), mode="eval")
        except (SyntaxError, ValueError):
            quoted = ast.parse(ANY, mode="eval")
        return self._visited(quoted.body)

    def _visited(self, node: ast.expr) -> ast.AST:
        found: ast.AST = self.visit(node)
        return found

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        name = last_name(node.value)
        if name == "Literal":
            node.value = self.visit(node.value)
            return node  # Its texts are values.
        if name == "Annotated" and isinstance(node.slice, ast.Tuple) and node.slice.elts:
            return self._visited(node.slice.elts[0])  # The rest is for whoever runs the code.
        return self.generic_visit(node)
