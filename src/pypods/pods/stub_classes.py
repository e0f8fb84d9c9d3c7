"""Classes of a pod as a stub has them: values as they are, and proxies with methods of a pod."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pypods.pods.pod_source import (
    FunctionNode,
    PodSource,
    choose_definitions,
    flatten,
    last_name,
)
from pypods.pods.stub_functions import (
    Signature,
    doc_lines,
    function_class,
    indent,
    plain_function,
    read_signature,
)
from pypods.pods.stub_names import ANY, StubNames

__all__ = ["ClassStub", "is_value_class", "write_class"]

_ENUMS = frozenset({"Enum", "Flag", "IntEnum", "IntFlag", "StrEnum"})
_VALUES = _ENUMS | {"NamedTuple", "Protocol", "TypedDict"}
#: Decorators that leave a class's own ``__init__`` what it is.
_KNOWN_DECORATORS = frozenset(
    {"dataclass", "final", "runtime_checkable", "total_ordering", "unique"}
)
_PROPERTIES = frozenset({"cached_property", "property"})
_OF_CLASSES = frozenset({"classmethod", "staticmethod"})


@dataclass
class ClassStub:
    """The lines of a class, and those of its methods' classes, which stand before it."""

    lines: list[str] = field(default_factory=list)
    methods: list[str] = field(default_factory=list)


def is_value_class(node: ast.ClassDef, source: PodSource) -> bool:
    """Whether instances cross by value: dataclasses, enums, named tuples; those below them, too."""
    if any(last_name(decorator) == "dataclass" for decorator in node.decorator_list):
        return True
    for base in node.bases:
        name = last_name(base)
        above = source.statement(name)
        if name in _VALUES:
            return True
        if isinstance(above, ast.ClassDef) and above is not node and is_value_class(above, source):
            return True
    return False


def write_class(
    node: ast.ClassDef,
    source: PodSource,
    names: StubNames,
    *,
    outer: Mapping[str, str] | None = None,
) -> ClassStub:
    """Return a class's stub. `outer` has the names that the class around it renames."""
    return _ClassWriter(node, source, names, outer or {}).write()


class _ClassWriter:
    def __init__(
        self, node: ast.ClassDef, source: PodSource, names: StubNames, outer: Mapping[str, str]
    ) -> None:
        self._node = node
        self._source = source
        self._names = names
        self._path = f"{outer['Self'].partition('[')[0]}.{node.name}" if outer else node.name
        self._scope = self._path.replace(".", "_")
        own = names.declare(node, self._scope)
        self._type_parameters = [*own.values(), *self._type_variables()]
        inside = ", ".join(self._type_parameters)
        self._renamed = {
            **outer,
            **own,
            **{
                each.name: f"{self._path}.{each.name}"
                for each, _ in flatten(node.body)
                if isinstance(each, ast.ClassDef)
            },
            "Self": f"{self._path}[{inside}]" if inside else self._path,
        }
        self._is_value = is_value_class(node, source)
        self._stub = ClassStub()

    def _type_variables(self) -> list[str]:
        """Return the type variables of `Generic[T]`, `list[T]`..., in their order."""
        found: dict[str, None] = {}
        for base in self._node.bases:
            for each in ast.walk(base):
                name = last_name(each) if isinstance(each, ast.Name) else ""
                value = getattr(self._source.statement(name), "value", None)
                if isinstance(value, ast.Call) and last_name(value.func) == "TypeVar":
                    found.setdefault(name)
        return list(found)

    def write(self) -> ClassStub:
        node, names = self._node, self._names
        bases = [names.expression(base, self._renamed) for base in node.bases]
        if getattr(node, "type_params", ()):
            bases.append(f"_pypods.Generic[{', '.join(self._type_parameters)}]")
        bases += [
            f"{keyword.arg}={names.expression(keyword.value)}"
            for keyword in node.keywords
            if keyword.arg is not None and last_name(keyword.value) != "ABCMeta"
        ]
        lines = self._stub.lines
        decorators = [last_name(decorator) for decorator in node.decorator_list]
        lines += [
            f"@{names.expression(decorator)}"
            for decorator, name in zip(node.decorator_list, decorators, strict=True)
            if name in _KNOWN_DECORATORS
        ]
        lines.append(f"class {node.name}({', '.join(bases)}):" if bases else f"class {node.name}:")
        body = doc_lines(ast.get_docstring(node))
        for statement in self._members():
            body += statement
        if self._is_open() and not self._defines("__getattr__"):
            body.append(f"def __getattr__(self, name: str) -> {ANY}: ...")
        if not set(decorators) <= _KNOWN_DECORATORS and not self._defines("__init__"):
            body.append(f"def __init__(self, *args: {ANY}, **kwargs: {ANY}) -> None: ...")
        lines += indent(body or ["..."])
        return self._stub

    def _defines(self, name: str) -> bool:
        return any(getattr(each, "name", None) == name for each, _ in flatten(self._node.body))

    def _is_open(self) -> bool:
        """Whether instances may have attributes that cannot be read here."""
        return any(
            last_name(each) in ("__dict__", "setattr", "__setattr__")
            for each in ast.walk(self._node)
            if isinstance(each, ast.Name | ast.Attribute)
        )

    def _members(self) -> Iterator[list[str]]:
        functions: dict[str, list[FunctionNode]] = {}
        attributes: dict[str, str] = {}
        for statement, _ in flatten(self._node.body):
            if isinstance(statement, FunctionNode):
                functions.setdefault(statement.name, []).append(statement)
            elif isinstance(statement, ast.ClassDef):
                nested = write_class(statement, self._source, self._names, outer=self._renamed)
                self._stub.methods += nested.methods
                yield nested.lines
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                attributes[statement.target.id] = self._annotated(statement)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name) and target.id[:2] != "__":
                        attributes[target.id] = self._assigned(statement.value)
        for each in [one for group in functions.values() for one in group]:
            for name, annotation in self._set_on_self(each):
                if name not in functions and name[0] != "_":
                    attributes.setdefault(name, f": {annotation}")
        yield [name + text for name, text in attributes.items() if text]
        for name, group in functions.items():
            if name[0] != "_" or name[:2] == name[-2:] == "__":
                yield self._function(name, group)

    def _annotated(self, statement: ast.AnnAssign) -> str:
        if last_name(statement.annotation) == "Final" and isinstance(
            statement.annotation, ast.Name | ast.Attribute
        ):
            return f": {self._names.inferred(statement.value)}"
        text = f": {self._names.annotation(statement.annotation, self._renamed)}"
        if statement.value is None or not self._is_value:
            return text
        if isinstance(statement.value, ast.Call) and last_name(statement.value.func) == "field":
            return f"{text} = {self._names.expression(statement.value, self._renamed)}"
        return f"{text} = ..."

    def _assigned(self, value: ast.expr) -> str:
        if any(last_name(base) in _ENUMS for base in self._node.bases) or self._is_enum_below():
            if last_name(value) == "auto":
                return f" = {self._names.expression(value)}"
            return f" = {self._names.default(value)}"
        return f": {self._names.inferred(value)}"

    def _is_enum_below(self) -> bool:
        above = [self._source.statement(last_name(base)) for base in self._node.bases]
        return any(
            isinstance(each, ast.ClassDef) and any(last_name(base) in _ENUMS for base in each.bases)
            for each in above
        )

    def _set_on_self(self, function: FunctionNode) -> Iterator[tuple[str, str]]:
        """Yield the attributes that a method sets, with what is known of their types."""
        arguments = [*function.args.posonlyargs, *function.args.args]
        if not arguments or any(last_name(each) in _OF_CLASSES for each in function.decorator_list):
            return
        own = arguments[0].arg
        annotations = {
            each.arg: each.annotation for each in [*arguments, *function.args.kwonlyargs]
        }
        for node in ast.walk(function):
            if isinstance(node, ast.AnnAssign) and _is_set_on(own, node.target):
                yield last_name(node.target), self._type_of(node, annotations)
            elif isinstance(node, ast.Assign) and _is_set_on(own, node.targets[0]):
                yield last_name(node.targets[0]), self._type_of(node, annotations)
        for node in ast.walk(function):  # In whatever other way: one of several, a loop's...
            if _is_set_on(own, node):
                yield last_name(node), ANY

    def _type_of(
        self, node: ast.Assign | ast.AnnAssign, annotations: Mapping[str, ast.expr | None]
    ) -> str:
        if isinstance(node, ast.AnnAssign):
            return self._names.annotation(node.annotation, self._renamed)
        if isinstance(node.value, ast.Name) and node.value.id in annotations:
            return self._names.annotation(annotations[node.value.id], self._renamed)
        return self._names.inferred(node.value)

    def _function(self, name: str, group: Sequence[FunctionNode]) -> list[str]:
        decorators = [[last_name(each) for each in one.decorator_list] for one in group]
        if any(_PROPERTIES & set(each) or "setter" in each for each in decorators):
            return self._property(name, group)
        chosen = choose_definitions(group)
        kinds = sorted(_OF_CLASSES & {last_name(each) for each in chosen[0].decorator_list})
        signatures = [self._signature(each) for each in chosen]
        if self._is_value or name[:2] == "__":
            overload = ["_pypods.overload"] * (len(chosen) > 1)
            return [
                line
                for each, signature in zip(chosen, signatures, strict=True)
                for line in plain_function(name, each, signature, [*overload, *kinds])
            ]
        method = f"_{self._scope}_{name}_method"
        doc = ast.get_docstring(group[-1])
        self._stub.methods += function_class(method, signatures, doc, generic=self._type_parameters)
        kind = method
        if self._type_parameters:
            kind = f"{method}[{', '.join(self._type_parameters)}]"
        if kinds:  # Had of the class as well, where a property would be no more than that.
            return [f"{name}: {method}"]
        head = f"def {name}(self) -> {kind}:"
        body = doc_lines(doc)
        return ["@property", *([head, *indent(body)] if body else [f"{head} ..."])]

    def _property(self, name: str, group: Sequence[FunctionNode]) -> list[str]:
        lines: list[str] = []
        for each in group:
            decorators = {last_name(one) for one in each.decorator_list}
            if _PROPERTIES & decorators:
                lines += plain_function(name, each, self._signature(each), ["property"])
            elif "setter" in decorators:
                lines += plain_function(name, each, self._signature(each), [f"{name}.setter"])
        return lines

    def _signature(self, node: FunctionNode) -> Signature:
        renamed = {**self._renamed, **self._names.declare(node, f"{self._scope}_{node.name}")}
        is_static = any(last_name(each) == "staticmethod" for each in node.decorator_list)
        return read_signature(node, self._names, renamed=renamed, is_method=not is_static)


def _is_set_on(own: str, node: ast.AST) -> bool:
    """Whether it is `self.x`, where that is given a value."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == own
    )
