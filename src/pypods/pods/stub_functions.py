"""Functions of a pod as a stub has them: what a call takes and returns, in each way to call."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pypods.pods.pod_source import FunctionNode, last_name
from pypods.pods.stub_names import ANY, StubNames

__all__ = ["Signature", "doc_lines", "function_class", "indent", "plain_function", "read_signature"]

_ITERATED = frozenset(
    {"AsyncGenerator", "AsyncIterable", "AsyncIterator", "Generator", "Iterable", "Iterator"}
)
#: Of these nothing but a generator can be meant, wherever it is made.
_GENERATORS = frozenset({"AsyncGenerator", "Generator"})
_CONTEXT_MANAGERS = {
    "asynccontextmanager": "_pypods.AbstractAsyncContextManager",
    "contextmanager": "_pypods.AbstractContextManager",
}
#: An annotation with one of these takes None already, or what takes it is not seen here.
_TAKE_NONE = frozenset({"Any", "None", "Optional", "object"})


@dataclass(frozen=True)
class Signature:
    """One way to call a function, as text: `parameters` and `mapped` (for `map`) without self."""

    parameters: tuple[str, ...]
    mapped: tuple[str, ...]
    returns: str


def read_signature(
    node: FunctionNode,
    names: StubNames,
    *,
    renamed: Mapping[str, str] | None = None,
    is_method: bool = False,
) -> Signature:
    """Return what a call from the host takes and returns; a method's without its first."""
    renamed = renamed or {}
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    defaults = [None] * (len(positional) - len(args.defaults)) + list(args.defaults)
    skipped = 1 if is_method and positional else 0
    parameters, mapped = [], []
    for index, (each, default) in enumerate(zip(positional, defaults, strict=True)):
        if index >= skipped:
            parameters.append(_parameter(each, default, names, renamed))
            mapped.append(_mapped(each, default, names, renamed))
            if index + 1 == len(args.posonlyargs):
                parameters.append("/")
    if mapped:
        mapped.append("/")
    if args.vararg is not None:
        is_unpacked = _is_unpacked(args.vararg.annotation)
        items = ANY if is_unpacked else names.annotation(args.vararg.annotation, renamed)
        mapped.append(f"*{args.vararg.arg}: _pypods.Iterable[{items}]")
        kind = names.annotation(args.vararg.annotation, renamed)
        parameters.append(f"*{args.vararg.arg}: {kind}")
    else:
        mapped.append("*")
        parameters += ["*"] * bool(args.kwonlyargs)
    for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        parameters.append(_parameter(each, default, names, renamed))
    if args.kwarg is not None:
        kind = names.annotation(args.kwarg.annotation, renamed)
        parameters.append(f"**{args.kwarg.arg}: {kind}")
    mapped += ["chunksize: int = 1", "ordered: bool = True"]
    return Signature(tuple(parameters), tuple(mapped), _returns(node, names, renamed))


def _parameter(
    each: ast.arg, default: ast.expr | None, names: StubNames, renamed: Mapping[str, str]
) -> str:
    annotation = names.annotation(each.annotation, renamed)
    if default is None:
        return f"{each.arg}: {annotation}"
    if _lacks_none(each.annotation, default):
        annotation = f"{annotation} | None"
    return f"{each.arg}: {annotation} = {names.default(default)}"


def _mapped(
    each: ast.arg, default: ast.expr | None, names: StubNames, renamed: Mapping[str, str]
) -> str:
    items = names.annotation(each.annotation, renamed)
    if default is not None and _lacks_none(each.annotation, default):
        items = f"{items} | None"
    return f"{each.arg}: _pypods.Iterable[{items}]" + (" = ..." if default is not None else "")


def _lacks_none(annotation: ast.expr | None, default: ast.expr) -> bool:
    """Whether a parameter takes None by its default alone, as was the custom once."""
    if annotation is None or not isinstance(default, ast.Constant) or default.value is not None:
        return False
    written = ast.unparse(annotation)
    return not any(name in written for name in _TAKE_NONE)


def _is_unpacked(annotation: ast.expr | None) -> bool:
    """Whether it is `*Ts`, or the `args` of a ParamSpec."""
    return isinstance(annotation, ast.Starred) or last_name(annotation) in ("args", "Unpack")


def _returns(node: FunctionNode, names: StubNames, renamed: Mapping[str, str]) -> str:
    """Return what arrives on the host: a generator's stream, and what a coroutine returns."""
    returns = _unquoted(node.returns)
    kind = last_name(returns)
    arguments: Sequence[ast.expr] = ()
    if isinstance(returns, ast.Subscript):
        inside = returns.slice
        arguments = inside.elts if isinstance(inside, ast.Tuple) else [inside]
    item = names.annotation(arguments[0] if arguments else None, renamed)
    for decorator in node.decorator_list:
        manager = _CONTEXT_MANAGERS.get(last_name(decorator))
        if manager is not None:
            return f"{manager}[{item if kind in _ITERATED else ANY}]"
    if _yields(node) or kind in _GENERATORS:
        return f"_pypods.Stream[{item if kind in _ITERATED else ANY}]"
    if kind in ("Awaitable", "Coroutine") and not isinstance(node, ast.AsyncFunctionDef):
        return names.annotation(arguments[-1] if arguments else None, renamed)
    return names.annotation(returns, renamed)


def _unquoted(annotation: ast.expr | None) -> ast.expr | None:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return ast.parse(annotation.value.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return annotation
    return annotation


def _yields(node: FunctionNode) -> bool:
    """Whether a function is a generator: it yields, and not only in functions within it."""
    nodes: list[ast.AST] = list(node.body)
    while nodes:
        each = nodes.pop()
        if isinstance(each, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(each, FunctionNode | ast.Lambda | ast.ClassDef):
            nodes += ast.iter_child_nodes(each)
    return False


def function_class(
    name: str, signatures: Sequence[Signature], doc: str | None, *, generic: Sequence[str] = ()
) -> list[str]:
    """Return the lines of a class whose instances are called as the function is, in all ways."""
    bases = ["_pypods.PodFunction"]
    if generic:
        bases.append(f"_pypods.Generic[{', '.join(generic)}]")
    lines = [f"class {name}({', '.join(bases)}):"]
    overload = ["    @_pypods.overload"] * (len(signatures) > 1)
    for way, result in (
        ("def __call__", "{}"),
        ("def submit", "_pypods.Future[{}]"),
        ("async def aio", "{}"),
        ("def map", "_pypods.Iterator[{}]"),
    ):
        for each in signatures:
            taken = each.mapped if way == "def map" else each.parameters
            head = f"    {way}({', '.join([_self_for(taken), *taken])})"
            head += f" -> {result.format(each.returns)}:"
            body = doc_lines(doc) if way == "def __call__" else []
            lines += overload + ([head, *indent(body, 2)] if body else [f"{head} ..."])
    return lines


def plain_function(
    name: str, node: FunctionNode, signature: Signature, decorators: Sequence[str]
) -> list[str]:
    """Return the lines of a method that is no more than that, `self` included."""
    args = node.args
    first = [each.arg for each in [*args.posonlyargs, *args.args]][:1]
    taken = list(signature.parameters)
    if "staticmethod" not in decorators:
        taken = [*first, *taken]
        if len(args.posonlyargs) == 1:
            taken.insert(1, "/")
    # What is entered and left by the host itself is awaited there too.
    way = "async def" if isinstance(node, ast.AsyncFunctionDef) and name[:2] == "__" else "def"
    head = f"{way} {name}({', '.join(taken)}) -> {signature.returns}:"
    body = doc_lines(ast.get_docstring(node))
    lines = [f"@{decorator}" for decorator in decorators]
    return lines + ([head, *indent(body)] if body else [f"{head} ..."])


def _self_for(taken: Sequence[str]) -> str:
    """Return a name for self that no parameter has."""
    name = "self"
    while any(each.lstrip("*").partition(":")[0] == name for each in taken):
        name = f"_{name}"
    return name if "/" in taken else f"{name}, /"


def doc_lines(doc: str | None) -> list[str]:
    """Return a docstring's lines in quotes; none without one."""
    if not doc:
        return []
    text = doc.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if text.endswith('"'):
        text = f'{text[:-1]}\\"'
    lines = text.splitlines()
    tail = ['"""'] if len(lines) > 1 else []
    lines[0] = f'"""{lines[0]}'
    if not tail:
        lines[-1] += '"""'
    return lines + tail


def indent(lines: Sequence[str], levels: int = 1) -> list[str]:
    """Return the lines further in."""
    return [f"{'    ' * levels}{line}" if line else "" for line in lines]
