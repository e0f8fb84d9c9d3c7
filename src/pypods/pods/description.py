"""What a pod says of its functions, to signatures and docstrings; calls nothing, runs nothing."""

from __future__ import annotations

import builtins
import inspect
from dataclasses import dataclass
from typing import Any

from pypods.errors import ProtocolError

__all__ = ["FunctionDescription", "description_from_document"]

_KINDS = {int(kind): kind for kind in inspect._ParameterKind}
_BUILTIN_TYPES = {
    name: value for name, value in vars(builtins).items() if isinstance(value, type)
} | {"None": None}


@dataclass(frozen=True)
class FunctionDescription:
    """A function as its pod describes it; no signature where Python itself cannot tell it."""

    name: str
    signature: inspect.Signature | None
    doc: str | None


class _SourceText:
    """Stands for a value known by its source text alone; a signature prints it as it was."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _SourceText) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def description_from_document(document: Any) -> FunctionDescription:
    """Return the description in a document. Raises ProtocolError for a document that is none."""
    try:
        parameters = document["parameters"]
        signature = None
        if parameters is not None:
            signature = inspect.Signature(
                [_parameter(each) for each in parameters],
                return_annotation=_annotation(document["returns"]),
            )
        name, doc = document["name"], document["doc"]
        if not isinstance(name, str) or not isinstance(doc, str | None):
            raise ProtocolError("a description's name or doc is no text")
        return FunctionDescription(name, signature, doc)
    except (KeyError, TypeError, ValueError) as exc:
        raise ProtocolError(f"a malformed description: {exc}") from exc


def _parameter(document: Any) -> inspect.Parameter:
    default: Any = inspect.Parameter.empty
    if "default_text" in document:
        default = _SourceText(str(document["default_text"]))
    elif "default" in document:
        default = document["default"]
    return inspect.Parameter(
        document["name"],
        _KINDS[document["kind"]],
        default=default,
        annotation=_annotation(document["annotation"]),
    )


def _annotation(text: Any) -> Any:
    """Return a builtin type by its name from the fixed table, and any other as its text."""
    if text is None:
        return inspect.Parameter.empty
    if not isinstance(text, str):
        raise ProtocolError("an annotation is no text")
    return _BUILTIN_TYPES[text] if text in _BUILTIN_TYPES else _SourceText(text)
