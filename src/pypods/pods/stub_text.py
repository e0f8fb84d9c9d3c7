"""The source of a pod to the text of its stub; reads no file but ``pod.py``'s, and runs nothing.

It is also run by a newer Python than the host's (``main``), for a ``pod.py`` that the host's own
cannot read; so nothing here needs more than the standard library.
"""

from __future__ import annotations

import ast
import sys

from pypods.pods.pod_source import FunctionNode, PodSource, last_name, read_source
from pypods.pods.stub_classes import write_class
from pypods.pods.stub_functions import (
    doc_lines,
    function_class,
    indent,
    read_signature,
)
from pypods.pods.stub_names import ANY, StubNames

__all__ = ["HEADER", "POD_BASE", "SILENCE", "main", "stub_text"]

#: How a file begins that `pypods stubs` has written, and may write again.
HEADER = '# Written by "pypods stubs"'
#: What stubs override and cannot resolve is no mistake of the project's.
SILENCE = """\
# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false
# pyright: reportAttributeAccessIssue=false, reportUndefinedVariable=false
# pyright: reportIncompatibleMethodOverride=false, reportIncompatibleVariableOverride=false
# pyright: reportGeneralTypeIssues=false, reportInvalidTypeForm=false, reportAssignmentType=false
# pyright: reportRedeclaration=false, reportInconsistentOverload=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportIndexIssue=false, reportInvalidTypeVarUse=false
# pyright: reportInvalidTypeArguments=false, reportFunctionMemberAccess=false
# pyright: reportReturnType=false, reportAbstractUsage=false, reportNoOverloadImplementation=false
# ruff: noqa
# fmt: off
"""
#: What the class of the pod is of, and nothing else in a stub.
POD_BASE = "_pypods.Pod"


def stub_text(name: str, source: bytes, siblings: frozenset[str] = frozenset()) -> str:
    """Return the stub of a pod. `siblings` are the modules beside its `pod.py`.

    Raises SyntaxError or ValueError for a source that this Python cannot read.
    """
    return _PodWriter(name, read_source(source), siblings).write()


def main() -> int:
    """Write the stub of the source on stdin to stdout; arguments: the pod's name, siblings.

    Of a source that cannot be read it writes the line and what is wrong to stderr, and returns 1.
    """
    try:
        text = stub_text(sys.argv[1], sys.stdin.buffer.read(), frozenset(sys.argv[2:]))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as exc:
        sys.stderr.write(f"{getattr(exc, 'lineno', None) or 0} {getattr(exc, 'msg', exc)}")
        return 1
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace"))
    return 0


class _PodWriter:
    def __init__(self, name: str, source: PodSource, siblings: frozenset[str]) -> None:
        self._name = name
        self._source = source
        self._siblings = siblings
        self._names = StubNames(source)
        self._offered = source.offered
        #: By global name of pod.py, so that no order of work shows in the stub.
        self._imports: list[str] = []
        self._aliases: list[str] = []
        self._functions: list[str] = []
        self._classes: list[str] = []
        self._written: set[str] = set()

    def write(self) -> str:
        class_name = "Pod"
        while class_name in self._source.bindings:
            class_name += "_"
        members: list[str] = []
        for name in self._offered:
            members += self._member(name)
        self._define_what_is_needed()
        for star in self._source.star_imports:
            if not self._is_sibling(star):
                self._imports.append(ast.unparse(star))
        lines = [
            f"{HEADER} for the pod {self._name}; what it says comes from pod.py.",
            *SILENCE.splitlines(),
            "import pypods.pods.stub_types as _pypods",
            *sorted(set(self._imports)),
            "",
            *self._names.parameters,
            *self._aliases,
            *self._classes,
            *self._functions,
            "",
            f"class {class_name}({POD_BASE}):",
        ]
        body = doc_lines(self._source.doc)
        if not self._source.is_open:
            # Else what the pod does not offer would be Any, as of a pod that nobody has read.
            body.append("__getattr__: None")
        lines += indent(body + members or ["..."])
        return "\n".join(lines) + "\n"

    # What the pod offers -----------------------------------------------------------------------

    def _member(self, name: str) -> list[str]:
        functions = self._source.functions(name)
        statement = self._source.statement(name)
        if functions and (len(functions) > 1 or statement is functions[0]):
            return self._function(name)
        if isinstance(statement, ast.ClassDef):
            self._names.needed.setdefault(name)
            self._aliases.append(f"_{name}_class = {name}")
            return [f"{name} = _{name}_class"]
        if isinstance(statement, ast.Import):
            return [f"{name}: _pypods.ModuleType"]
        if isinstance(statement, ast.ImportFrom):
            return self._imported(name, statement)
        return self._value(name, statement)

    def _function(self, name: str) -> list[str]:
        functions = self._source.functions(name)
        signatures = [
            read_signature(each, self._names, renamed=self._names.declare(each, name))
            for each in functions
        ]
        if any(last_name(each) == "no_type_check" for each in functions[0].decorator_list):
            return [f"{name}: {ANY}"]
        # Of an overloaded function the implementation, the last, has the docstring.
        whole = [each.statement for each in self._source.bindings[name]]
        docs = [ast.get_docstring(each) for each in whole if isinstance(each, FunctionNode)]
        doc = next((each for each in reversed(docs) if each), None)
        self._functions += function_class(f"_{name}_function", signatures, doc)
        return _property(name, f"_{name}_function", doc)

    def _imported(self, name: str, statement: ast.ImportFrom) -> list[str]:
        if self._is_sibling(statement):
            return [f"{name}: {ANY}"]
        original = next(each for each in statement.names if (each.asname or each.name) == name)
        self._imports.append(f"from {statement.module} import {original.name} as _{name}_imported")
        return [
            f"@_pypods.imported(_{name}_imported)",
            "@_pypods.anything",
            f"def {name}(self) -> {ANY}: ...",
        ]

    def _value(self, name: str, statement: ast.AST | None) -> list[str]:
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.AnnAssign) and last_name(statement.annotation) != "TypeAlias":
            is_bare = isinstance(statement.annotation, ast.Name | ast.Attribute)
            if not (is_bare and last_name(statement.annotation) == "Final"):
                text = self._names.annotation(statement.annotation)
                self._aliases.append(f"_{name}_type: _pypods.TypeAlias = {text}")
                return [f"{name}: _{name}_type"]
        if not isinstance(statement, ast.Assign | ast.AnnAssign):
            return [f"{name}: {ANY}"]
        if isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name):
            return [f"{name}: {ANY}"]  # One of several that are taken apart.
        if isinstance(value, ast.Lambda):
            return self._lambda(name, value)
        if isinstance(value, ast.Name) and value.id in self._source.bindings and value.id != name:
            return self._other_name(name, value.id)
        if isinstance(value, ast.Call) and last_name(value.func) in ("partial", "namedtuple"):
            is_partial = last_name(value.func) == "partial"
            return [f"{name}: {'_pypods.PodFunction' if is_partial else ANY}"]
        text = self._names.inferred(value)
        if text != ANY:
            self._aliases.append(f"_{name}_type: _pypods.TypeAlias = {text}")
            return [f"{name}: _{name}_type"]
        return [f"{name}: {ANY}"]

    def _lambda(self, name: str, value: ast.Lambda) -> list[str]:
        function = ast.parse(f"def {name}(): ...").body[0]
        assert isinstance(function, ast.FunctionDef)
        function.args = value.args
        signature = read_signature(function, self._names)
        self._functions += function_class(f"_{name}_function", [signature], None)
        return _property(name, f"_{name}_function", None)

    def _other_name(self, name: str, other: str) -> list[str]:
        """Return what `name = other` is, where the other is a function or a class."""
        functions = self._source.functions(other)
        if functions:
            signatures = [
                read_signature(each, self._names, renamed=self._names.declare(each, name))
                for each in functions
            ]
            doc = ast.get_docstring(functions[-1])
            self._functions += function_class(f"_{name}_function", signatures, doc)
            return _property(name, f"_{name}_function", doc)
        if isinstance(self._source.statement(other), ast.ClassDef):
            self._names.needed.setdefault(other)
            self._aliases.append(f"_{name}_class = {other}")
            return [f"{name} = _{name}_class"]
        return [f"{name}: {ANY}"]

    # What that needs ---------------------------------------------------------------------------

    def _define_what_is_needed(self) -> None:
        while True:
            missing = [name for name in self._names.needed if name not in self._written]
            if not missing:
                return
            for name in missing:
                self._written.add(name)
                self._define(name)

    def _define(self, name: str) -> None:
        statement = self._source.statement(name)
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.ClassDef):
            stub = write_class(statement, self._source, self._names)
            self._classes += stub.lines
            self._functions += stub.methods
        elif isinstance(statement, ast.Import):
            self._define_modules(name)
        elif isinstance(statement, ast.ImportFrom) and not self._is_sibling(statement):
            original = next(each for each in statement.names if (each.asname or each.name) == name)
            as_name = f" as {name}" if original.asname else ""
            self._imports.append(f"from {statement.module} import {original.name}{as_name}")
        elif type(statement).__name__ == "TypeAlias":
            assert statement is not None
            called = self._names.declare(statement, name)
            text = self._names.annotation(value, called)
            self._aliases.append(f"{name}: _pypods.TypeAlias = {text}")
        elif isinstance(statement, ast.Assign | ast.AnnAssign) and _is_type(value):
            text = (
                self._names.expression(value)
                if isinstance(value, ast.Call)
                else self._names.annotation(value)
            )
            self._aliases.append(f"{name} = {text}")
        else:
            self._aliases.append(f"{name} = {ANY}")

    def _define_modules(self, name: str) -> None:
        """Import all the modules that are known by this name: `a.b` and `a.c` by `a`."""
        for binding in self._source.bindings[name]:
            if not isinstance(binding.statement, ast.Import):
                continue
            for alias in binding.statement.names:
                first = alias.name.partition(".")[0]
                if (alias.asname or first) != name:
                    continue
                if first in self._siblings:
                    self._aliases.append(f"{name}: {ANY}")
                    continue
                as_name = f" as {name}" if alias.asname else ""
                self._imports.append(f"import {alias.name}{as_name}")

    def _is_sibling(self, statement: ast.ImportFrom) -> bool:
        """Whether it is of the pod's own folder, where the project's checkers do not look."""
        first = (statement.module or "").partition(".")[0]
        return statement.level > 0 or first in self._siblings or first == "pods"


def _property(name: str, kind: str, doc: str | None) -> list[str]:
    head = f"def {name}(self) -> {kind}:"
    body = doc_lines(doc)
    # By a name that is no function of any pod.
    return ["@_pypods.property", *([head, *indent(body)] if body else [f"{head} ..."])]


def _is_type(value: ast.expr | None) -> bool:
    """Whether a value may be a type's other name, or a type variable."""
    if isinstance(value, ast.Call):
        return last_name(value.func) in {
            "Enum", "IntEnum", "NamedTuple", "NewType", "ParamSpec", "TypedDict", "TypeVar",
            "TypeVarTuple", "namedtuple",
        }  # fmt: skip
    if isinstance(value, ast.BinOp):
        return isinstance(value.op, ast.BitOr) and _is_type(value.left)
    if isinstance(value, ast.Constant):
        return value.value is None or isinstance(value.value, str)
    return isinstance(value, ast.Name | ast.Attribute | ast.Subscript)
