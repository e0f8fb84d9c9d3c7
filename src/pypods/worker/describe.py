"""Functions to descriptions: signature and docstring as a document; calls nothing."""

from __future__ import annotations

import inspect

from pypods.errors import ValueTransferError
from pypods.wire.context import current
from pypods.wire.documents import encode_field

TYPE_CHECKING = False  # As typing has it.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["describe_function"]


def describe_function(name: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return name, doc and parameters of a function.

    ``parameters`` is None where Python cannot tell them (some functions written in C). A default
    that cannot cross by value is given as its source text under ``default_text``.
    """
    try:
        signature = inspect.signature(function)
        parameters = [_describe_parameter(p) for p in signature.parameters.values()]
        returns = _annotation_text(signature.return_annotation)
    except Exception:  # noqa: BLE001 - ValueError, or whatever a repr of the pod's raises
        parameters, returns = None, None
    doc = inspect.getdoc(function)
    return {
        "name": name,
        "doc": doc if isinstance(doc, str) else None,
        "parameters": parameters,
        "returns": returns,
    }


def _describe_parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": parameter.name,
        "kind": int(parameter.kind),
        "annotation": _annotation_text(parameter.annotation),
    }
    if parameter.default is not inspect.Parameter.empty:
        try:
            _check_copies(parameter.default)
        except ValueTransferError:
            document["default_text"] = repr(parameter.default)
        else:
            document["default"] = parameter.default
    return document


def _check_copies(value: Any) -> None:
    """Raise ValueTransferError for what cannot cross by value."""
    refer, export = current.refer, current.export
    current.refer = current.export = None
    try:
        encode_field("default", value)
    finally:
        current.refer, current.export = refer, export


def _annotation_text(annotation: Any) -> str | None:
    """Return an annotation as it would be written, or None where there is none."""
    if annotation is inspect.Signature.empty:
        return None
    if isinstance(annotation, str):
        return annotation
    return inspect.formatannotation(annotation)
