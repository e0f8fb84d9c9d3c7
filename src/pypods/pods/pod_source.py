"""``pod.py`` read and not run: its global names, and which of them the pod offers."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from keyword import iskeyword

__all__ = ["Binding", "FunctionNode", "PodSource", "last_name", "read_source"]

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

#: Whoever reads these names may bind others, which nobody sees who does not run the code.
_BINDING_CALLS = frozenset({"exec", "globals", "locals", "setattr", "vars"})
#: What is imported from here says how code is written, and is of no use on the other side.
_FOR_WRITING = frozenset(
    {"__future__", "abc", "collections.abc", "dataclasses", "enum", "typing", "typing_extensions"}
)
#: What has statements or names of its own.
_OTHER_SCOPES = (ast.stmt, ast.ExceptHandler, ast.Lambda, ast.comprehension)
_FOR_TYPES = frozenset({"NewType", "ParamSpec", "TypeVar", "TypeVarTuple"})


@dataclass(frozen=True)
class Binding:
    """A statement that gives a global name its meaning, perhaps for type checkers only."""

    statement: ast.AST
    for_checkers_only: bool = False


@dataclass
class PodSource:
    """What the source says. `is_open` tells that the pod may offer more than can be read."""

    doc: str | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    star_imports: list[ast.ImportFrom] = field(default_factory=list)
    #: The names in `__all__`; None without one, or with one that is not written out.
    narrowed: list[str] | None = None
    is_open: bool = False

    @property
    def offered(self) -> list[str]:
        """The names that a pod of this source offers, as far as they can be read."""
        if self.narrowed is not None:
            names = dict.fromkeys(self.narrowed)
            return [
                each
                for each in names
                if each.isidentifier() and not iskeyword(each) and each[0] != "_"
            ]
        return [name for name in self.bindings if name[0] != "_" and self._is_offered(name)]

    def statement(self, name: str) -> ast.AST | None:
        """Return the statement that gives a name its meaning; the last one, if there are more."""
        bindings = self.bindings.get(name)
        if not bindings:
            return None
        at_run_time = [each for each in bindings if not each.for_checkers_only]
        return (at_run_time or bindings)[-1].statement

    def functions(self, name: str) -> list[FunctionNode]:
        """Return the definitions of a function: its overloads, or the one there is; else none."""
        return choose_definitions(
            [each.statement for each in self.bindings.get(name, ()) if not each.for_checkers_only]
        )

    def _is_offered(self, name: str) -> bool:
        if all(each.for_checkers_only for each in self.bindings[name]):
            return False
        statement = self.statement(name)
        if isinstance(statement, ast.ImportFrom):
            return statement.module not in _FOR_WRITING or statement.level > 0
        value = getattr(statement, "value", None)
        return not (isinstance(value, ast.Call) and last_name(value.func) in _FOR_TYPES)


def read_source(source: bytes) -> PodSource:
    """Read the text of a `pod.py`. Raises SyntaxError, or ValueError for what is no text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Those of pod.py are for whoever runs it.
        tree = ast.parse(source)
    found = PodSource(doc=ast.get_docstring(tree))
    _collect(found, tree.body)
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            for name in node.names:
                found.bindings.setdefault(name, [Binding(node)])
        elif isinstance(node, ast.Call) and last_name(node.func) in _BINDING_CALLS:
            found.is_open = True
    return found


def last_name(node: ast.AST | None) -> str:
    """Return ``c`` of ``c``, ``a.b.c``, ``a.b.c[...]`` and ``a.b.c(...)``; "" of all else."""
    if isinstance(node, (ast.Call, ast.Subscript)):
        return last_name(node.func if isinstance(node, ast.Call) else node.value)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def choose_definitions(statements: Iterable[ast.AST]) -> list[FunctionNode]:
    """Return the overloads among the definitions of one name, or the last definition."""
    functions = [each for each in statements if isinstance(each, FunctionNode)]
    overloads = [
        each
        for each in functions
        if any(last_name(decorator) == "overload" for decorator in each.decorator_list)
    ]
    # A single overload is a mistake that a type checker would find in pod.py.
    return overloads if len(overloads) > 1 else functions[-1:]


def flatten(statements: Iterable[ast.stmt]) -> Iterator[tuple[ast.stmt, bool]]:
    """Yield the statements of one scope, and whether type checkers alone see them.

    Each comes before those within it; those of functions and classes are theirs.
    """
    for statement in statements:
        yield statement, False
        if isinstance(statement, ast.If):
            tested = {last_name(node) for node in ast.walk(statement.test)}
            if "__name__" not in tested:
                for each, for_checkers_only in flatten(statement.body):
                    yield each, for_checkers_only or "TYPE_CHECKING" in tested
            yield from flatten(statement.orelse)
        elif not isinstance(statement, FunctionNode | ast.ClassDef):
            for node in ast.iter_child_nodes(statement):
                if isinstance(node, ast.stmt):
                    yield from flatten([node])
                elif isinstance(node, ast.ExceptHandler | ast.match_case):
                    yield from flatten(node.body)


def _collect(found: PodSource, statements: list[ast.stmt]) -> None:
    for statement, for_checkers_only in flatten(statements):
        binding = Binding(statement, for_checkers_only)
        if isinstance(statement, ast.Delete):
            for target in statement.targets:
                found.bindings.pop(last_name(target), None)
        elif isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            found.star_imports.append(statement)
            found.is_open = True
        else:
            for name in _names_bound(statement):
                found.bindings.setdefault(name, []).append(binding)
            if "__all__" in found.bindings:
                _narrow(found, statement)


def _names_bound(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement itself binds, without those within it do."""
    if isinstance(statement, FunctionNode | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is None:
        return  # It says what a name would be, and binds nothing.
    else:
        nodes: list[ast.AST] = [statement]
        while nodes:
            node = nodes.pop(0)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
                yield node.name
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.match_case):
                    nodes.append(child.pattern)
                elif not isinstance(child, _OTHER_SCOPES):
                    nodes.append(child)


def _narrow(found: PodSource, statement: ast.stmt) -> None:
    """Take over what a statement says of `__all__`, if it is one that does."""
    if hasattr(statement, "body"):
        return  # What is within comes by itself.
    if not any(last_name(node) == "__all__" for node in ast.walk(statement)):
        return
    names = _written_out(getattr(statement, "value", None))
    if isinstance(statement, ast.Assign | ast.AnnAssign) and names is not None:
        found.narrowed = names
    elif isinstance(statement, ast.AugAssign) and names and found.narrowed is not None:
        found.narrowed += names
    else:
        found.narrowed = None
        found.is_open = True


def _written_out(value: ast.expr | None) -> list[str] | None:
    if not isinstance(value, ast.List | ast.Tuple):
        return None
    names = [each.value if isinstance(each, ast.Constant) else None for each in value.elts]
    return [name for name in names if isinstance(name, str)] if None not in names else None
