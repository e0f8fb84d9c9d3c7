"""Names for the shell's Tab key: pods by their folders, functions by reading pod.py.

Nothing of a pod is run, and nothing here may fail or print: a completion that goes wrong
offers no names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

import typer

#: A name to complete, and what it is.
Completion = tuple[str, str]


def complete_pods(context: typer.Context, incomplete: str) -> list[Completion]:
    """Offer the pods in the pods directory that are not on the command line yet."""
    from pypods.pods.folder import list_pod_folders

    try:
        folders = list_pod_folders(pods_directory=completion_directory(context))
    except (OSError, ValueError):
        return []
    given = context.params.get("names") or ()
    return [
        (folder.name, str(folder.path))
        for folder in folders
        if folder.name.startswith(incomplete) and folder.name not in given
    ]


def complete_functions(context: typer.Context, incomplete: str) -> list[Completion]:
    """Offer the functions of the pod already named on the command line."""
    from pypods.errors import PodError
    from pypods.pods.folder import find_pod_folder

    try:
        folder = find_pod_folder(
            str(context.params.get("name")), pods_directory=completion_directory(context)
        )
        offered = functions_in_source(folder.pod_file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, PodError):
        return []
    return [(name, doc) for name, doc in offered.items() if name.startswith(incomplete)]


def completion_directory(context: typer.Context) -> Path:
    """Return the pods directory of a half-typed command line."""
    level: typer.Context | None = context
    while level is not None:
        directory = level.params.get("pods_directory")
        if directory:
            return Path(directory)
        level = level.parent  # type: ignore[assignment]  # typer types it as its own base class
    return Path("pods")


def functions_in_source(source: str) -> dict[str, str]:
    """Return what ``pod.py`` seems to offer: names, each with its first doc line.

    Raises SyntaxError. Imported names are offered too, as they may be functions, and so are those
    into which what a call returns is taken apart; ``__all__`` narrows them where it is written out.
    """
    offered: dict[str, str] = {}
    narrowed: list[str] | None = None
    for statement in top_level(ast.parse(source).body):
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            lines = (ast.get_docstring(statement) or "").splitlines()
            offered[statement.name] = lines[0] if lines else ""
        elif isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            for alias in statement.names:
                offered[alias.asname or alias.name] = f"from {statement.module or '.'}"
        elif isinstance(statement, ast.Assign) and names_all(statement.targets):
            narrowed = literal_names(statement.value)
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            offered |= dict.fromkeys(unpacked_names(statement.targets), "")
    if narrowed is not None:
        return {name: offered.get(name, "") for name in narrowed}
    return {name: doc for name, doc in offered.items() if name.isidentifier() and name[0] != "_"}


def top_level(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of the global scope, those within ``if`` and ``try`` too."""
    for statement in statements:
        if isinstance(statement, ast.If):
            if not is_script_block(statement.test):
                yield from top_level(statement.body)
            yield from top_level(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from top_level(statement.body)
            for handler in statement.handlers:
                yield from top_level(handler.body)
            yield from top_level([*statement.orelse, *statement.finalbody])
        else:
            yield statement


def is_script_block(test: ast.expr) -> bool:
    """Tell whether ``test`` is the one of ``if __name__ == "__main__":``."""
    return any(isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(test))


def names_all(targets: Iterable[ast.expr]) -> bool:
    """Tell whether ``__all__`` is assigned."""
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def unpacked_names(targets: Iterable[ast.expr]) -> Iterator[str]:
    """Yield the names that get one part each of what is assigned."""
    for target in targets:
        if isinstance(target, (ast.Tuple, ast.List)):
            yield from (each.id for each in target.elts if isinstance(each, ast.Name))


def literal_names(value: ast.expr) -> list[str] | None:
    """Return the names of a written-out list or tuple, or None."""
    if not isinstance(value, (ast.List, ast.Tuple)):
        return None
    return [
        item.value
        for item in value.elts
        if isinstance(item, ast.Constant) and isinstance(item.value, str)
    ]
