"""Functions whose source the host sends: read as text, made when first called; nothing is sent.

The host reads a function by the same rules before it sends it, so both see the same code.
"""

from __future__ import annotations

import ast
from _thread import allocate_lock

from pypods.wire.documents import decode_document

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any, Callable, Union

    Definition = Union[ast.FunctionDef, ast.AsyncFunctionDef]

__all__ = ["SentFunction", "compile_definition", "read_definition"]


def read_definition(source: str, file: str, line: int) -> Definition:
    """Return the ``def`` that a source text is, with the file's own line numbers.

    The text may be indented, as in a function or under an ``if``. Its decorators, annotations and
    defaults go: they belong to the place where it was written. Raises SyntaxError.
    """
    # Blank lines put it where it stands in its file. A block around it keeps its indentation, and
    # so what stands in texts over several lines; dedenting would change those.
    before = "\n" * (line - 1)
    if source[:1] in (" ", "\t"):
        before = before[1:] + "if 1:\n"
    tree: Any = ast.parse(before + source, file)
    statement = tree.body[0]
    definition: Any = statement.body[0] if isinstance(statement, ast.If) else statement
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
        raise SyntaxError("it is no def")
    definition.decorator_list = []
    definition.returns = None
    arguments = definition.args
    for argument in [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        *filter(None, (arguments.vararg, arguments.kwarg)),
    ]:
        argument.annotation = None
    arguments.defaults = [_nothing(each) for each in arguments.defaults]
    arguments.kw_defaults = [
        None if each is None else _nothing(each) for each in arguments.kw_defaults
    ]
    return definition


def _nothing(place: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Constant(value=None, kind=None), place)


def compile_definition(definition: Definition, file: str, future: int) -> CodeType:
    """Compile a definition as if it stood in a module; ``future`` holds its compiler flags."""
    module = ast.Module(body=[definition], type_ignores=[])
    code: CodeType = compile(module, file, "exec", flags=future, dont_inherit=True)
    return code


class SentFunction:
    """A function that the host sent; the same object stays when it is sent once more."""

    def __init__(self, module_name: str, classes: Any) -> None:
        self._module_name = module_name
        self._classes = classes
        self._making = allocate_lock()
        self._document: dict[str, Any] = {}
        self._function: Callable[..., Any] | None = None

    def take(self, document: dict[str, Any]) -> None:
        """Be the function of this ``define`` from the next call on."""
        self._document, self._function = document, None

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call it; where its source is none in this Python, that is raised."""
        function = self._function
        if function is None:
            with self._making:
                function = self._function
                if function is None:
                    function = self._function = self._make(self._document)
        return function(*args, **kwargs)

    def _make(self, document: dict[str, Any]) -> Callable[..., Any]:
        file, line, source = document["file"], document["line"], document["source"]
        _remember_lines(file, line, source)
        definition = read_definition(source, file, line)
        values = decode_document(document["values"], self._classes)
        # The module of that name is empty and the same for all; dataclasses and the like look it
        # up by name. What a function sees as its globals is its own.
        namespace = {"__name__": self._module_name, "__file__": file, **values["globals"]}
        code = compile_definition(definition, file, document["future"])
        exec(code, namespace)  # noqa: S102 - this is the pod, and the host its master
        function: Any = namespace[definition.name]
        function.__defaults__ = values["defaults"]
        function.__kwdefaults__ = values["kwdefaults"]
        made: Callable[..., Any] = function
        return made


def _remember_lines(file: str, line: int, source: str) -> None:
    """Let tracebacks show the lines that were sent: the file may change, or be none."""
    import linecache

    known = linecache.cache.get(file)
    # Those of other functions of this file; what linecache read itself has a time of change.
    lines = list(known[2]) if known is not None and len(known) == 4 and known[1] is None else []
    sent = source.splitlines(True)
    lines += ["\n"] * (line - 1 + len(sent) - len(lines))
    lines[line - 1 : line - 1 + len(sent)] = sent
    linecache.cache[file] = (sum(map(len, lines)), None, lines, file)
