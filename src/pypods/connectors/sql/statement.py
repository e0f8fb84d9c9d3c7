"""SQL as pieces: texts on the one hand, values to bind on the other; none becomes the other."""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterable

__all__ = ["Statement", "Value", "join"]


class Value:
    """A value to bind; ``field`` is the Arrow field of the column that it is compared with."""

    __slots__ = ("field", "value")

    def __init__(self, value: Any, field: Any = None) -> None:
        self.value = value
        self.field = field

    def __repr__(self) -> str:
        return f"Value({self.value!r})"


class Statement:
    """A statement, or a part of one, from texts, values and other statements."""

    def __init__(self, *pieces: Any) -> None:
        self.pieces: list[Any] = []
        for piece in pieces:
            if isinstance(piece, Statement):
                self.pieces += piece.pieces
            elif isinstance(piece, (str, Value)):
                self.pieces.append(piece)
            else:
                raise TypeError(f"a statement has no {type(piece).__name__} in it")

    def __add__(self, other: Any) -> Statement:
        return Statement(self, other)

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def render(self, style: str, bind: Any = None) -> tuple[str, list[Any]]:
        """Return the text and the values, for a driver of that DB-API ``paramstyle``.

        Styles: qmark ``?``, format ``%s``, numeric ``:1``, dollar ``$1``. ``bind`` turns a Value
        into what the driver takes. A driver of style format reads no marks, and no doubled ``%``,
        where it is given no values.
        """
        text: list[str] = []
        values: list[Any] = []
        doubles = style == "format" and any(isinstance(piece, Value) for piece in self.pieces)
        for piece in self.pieces:
            if isinstance(piece, Value):
                values.append(piece.value if bind is None else bind(piece))
                text.append(_MARKS[style].format(len(values)))
            else:
                text.append(piece.replace("%", "%%") if doubles else piece)
        return "".join(text), values

    def __repr__(self) -> str:
        return f"Statement({', '.join(map(repr, self.pieces))})"


_MARKS = {"qmark": "?", "format": "%s", "numeric": ":{}", "dollar": "${}"}


def join(separator: str, parts: Iterable[Any]) -> Statement:
    """Return statements, texts or values one after the other, with a text between them."""
    pieces: list[Any] = []
    for part in parts:
        if pieces:
            pieces.append(separator)
        pieces.append(part)
    return Statement(*pieces)
