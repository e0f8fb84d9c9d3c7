"""What stands here for a cursor of a pod's database driver; its rows are in ``cursors``."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from pypods.pods.cursors import MAX_PREFETCH_ROWS, CursorRows
from pypods.pods.proxies import SPECIAL, PodMethod
from pypods.pods.rows_ahead import END, NEXT

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "WAYS",
    "CursorIterator",
    "CursorMethod",
    "limit_prefetch",
    "rows_of",
    "special_of_cursor",
]

#: The methods by which rows come, of which a class may say that one may replace another.
WAYS = frozenset({"fetchone", "fetchmany", "fetchall", "__iter__", "__next__"})


class CursorIterator:
    """Iterates over a cursor of a pod whose driver has iterators besides; holds its proxy."""

    def __init__(self, proxy: Any, rows: CursorRows, way: int) -> None:
        self._proxy = proxy
        self._rows = rows
        self._way = way

    def __iter__(self) -> CursorIterator:
        return self

    def __next__(self) -> Any:
        row = self._rows.take(self._way)
        if row is END:
            raise StopIteration
        return row

    def __del__(self) -> None:
        self._rows.finished.append(self._way)

    def __repr__(self) -> str:
        return f"<iterator over {self._proxy!r}>"


def limit_prefetch(cursor: Any, rows: int) -> None:
    """Set how many rows of one cursor are read ahead at the most; 0 is none.

    Raises TypeError for what is no cursor of a pod, ValueError for a strange number.
    """
    known = rows_of(cursor)
    if known is None:
        raise TypeError(f"{cursor!r} is no cursor that lives in a pod and can be read ahead of")
    if not 0 <= rows <= MAX_PREFETCH_ROWS:
        raise ValueError(f"rows is between 0 (none) and {MAX_PREFETCH_ROWS}, not {rows}")
    known.limit = rows


def rows_of(value: Any) -> CursorRows | None:
    """Return what the host has of a cursor, None for anything else that stands for an object."""
    rows: CursorRows | None = getattr(value, "_pypods_rows", None)
    return rows


class CursorMethod(PodMethod):  # noqa: D101 - a docstring would hide the method's own.
    # A method of a cursor, with all the ways to call that a pod's function has.
    __doc__: Any = vars(PodMethod)["__doc__"]

    def __init__(
        self, rows: CursorRows, name: str, owner: object, timeout: float | None = None
    ) -> None:
        # The rest is set when something asks for it: most are called once, and in a loop.
        self._rows, self._name, self._timeout, self.__self__ = rows, name, timeout, owner

    def __getattr__(self, name: str) -> Any:
        if name in ("_source", "_path", "_head", "_description", "__name__", "__qualname__"):
            rows = self._rows
            path = f"#{rows.number}"
            PodMethod.__init__(self, rows.mirrors, path, self._name, self.__self__, self._timeout)
            return vars(self)[name]
        raise AttributeError(name)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the method, of which what was read ahead is a part."""
        return self._rows.call(self._name, args, kwargs, self.__self__, self._timeout)

    def _send(self, args: Any, kwargs: Any, inbox: Any = None) -> Any:
        self._rows.settle()
        return super()._send(args, kwargs, inbox)

    def map(self, /, *iterables: Any, chunksize: int = 1, ordered: bool = True) -> Any:
        """Call the method for each item, as ``PodFunction.map`` does."""
        self._rows.settle()
        return super().map(*iterables, chunksize=chunksize, ordered=ordered)

    def _with_timeout(self, timeout: float | None) -> CursorMethod:
        return CursorMethod(self._rows, self._name, self.__self__, timeout)


@cache  # As many as there are special methods.
def special_of_cursor(name: str) -> Callable[..., Any]:
    """Return a special method of a cursor's class, of which what was read ahead is a part."""
    plain = SPECIAL[name]

    def take_next(self: Any) -> Any:
        rows: CursorRows | None = self._pypods_rows
        if rows is None:
            return plain(self)
        if name not in self._pypods_ways:
            rows.settle()
            return plain(self)
        row = rows.take(NEXT)
        if row is END:
            raise StopIteration
        return row

    def use(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        rows: CursorRows | None = self._pypods_rows
        if rows is None:  # Of a class that a pod made of a cursor's, and changed.
            return plain(self, *args, **kwargs)
        if name == "__iter__":
            way = rows.begin_iteration()
            return CursorIterator(self, rows, way) if way else self
        if rows.goes_back:
            rows.settle()
        return plain(self, *args, **kwargs)

    special: Callable[..., Any] = take_next if name == "__next__" else use
    special.__name__ = special.__qualname__ = name
    return special
