"""Where in a value that is which cannot cross, as its user writes it; nothing of bytes."""

from __future__ import annotations

from pypods.errors import ValueTransferError
from pypods.wire.stand_ins import Record
from pypods.wire.values import shown

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["place_in_kind", "why_too_deep"]


def place_in_kind(error: ValueTransferError, kind: bytes, content: Any) -> ValueTransferError:
    """Turn the place in a kind's content into the place in the value."""
    if kind == b"P":
        from pypods.wire.pandas_values import named_step

        return named_step(error, content)
    if type(content) is dict:
        return _named_step(error)
    return _mapping_step(error, content) if kind in b"mo" else error


def _named_step(error: ValueTransferError) -> ValueTransferError:
    """Turn the content's place into the value's: ``["fields"]["conn"]`` is ``.conn``."""
    place = error.place
    for wrapping in ('["fields"]', '["values"]', '["value"]'):
        if place.startswith(wrapping):
            place = place[len(wrapping) :]
            if wrapping == '["fields"]' and place.startswith('["'):
                name, _, rest = place[2:].partition('"]')
                place = f".{name}{rest}"
    return ValueTransferError(error.reason, place)


def _mapping_step(error: ValueTransferError, flat: list[Any]) -> ValueTransferError:
    """Turn an index into the flat list of keys and values into the key it belongs to."""
    index_text, _, rest = error.place[1:].partition("]")
    index = int(index_text)
    step = f"[{shown(flat[index - 1])}]" if index % 2 else f".key({shown(flat[index])})"
    return ValueTransferError(error.reason, step + rest)


def why_too_deep(document: Any, limit: int) -> tuple[str, str]:
    """Say whether a value contains itself, and where, or is merely nested too deeply."""
    too_deep = f"is nested deeper than {limit} levels"
    pending: list[Any] = [iter(document.items())]
    trail: list[tuple[str, int]] = []
    while pending:
        entry = next(pending[-1], None)
        if entry is None:
            pending.pop()
            if trail:
                trail.pop()
            continue
        step, value = entry
        children = list(_children(value))
        if not children:
            continue
        if any(seen == id(value) for _, seen in trail):
            names = [*(name for name, _ in trail), step]
            return "a container that contains itself cannot cross by value", "".join(names)
        if len(trail) >= limit:
            return too_deep, "".join(name for name, _ in trail[:3]) + "…"
        trail.append((step, id(value)))
        pending.append(iter(children))
    return too_deep, ""


def _children(value: Any) -> Any:
    """Yield what a value contains, each with the step that leads to it."""
    cls = type(value)
    if issubclass(cls, dict):
        for key, child in dict.items(value):
            yield (f'["{key}"]' if type(key) is str else f"[{shown(key)}]"), child
    elif issubclass(cls, (list, tuple, set, frozenset)):
        for index, child in enumerate(cls.__iter__(value)):
            yield f"[{index}]", child
    elif cls is slice:
        for name in ("start", "stop", "step"):
            yield f".{name}", getattr(value, name)
    elif cls is Record:
        for name, child in value.fields.items():
            yield f".{name}", child
    elif hasattr(cls, "__dataclass_fields__"):
        for name in cls.__dataclass_fields__:
            yield f".{name}", getattr(value, name, None)
