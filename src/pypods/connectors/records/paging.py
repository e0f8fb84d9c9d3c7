"""From one page of a stream to the next: numbers, offsets, cursors, links; nothing is asked here.

A pager says what to ask for: a link, or None and parameters. It ends where the system says so, or
with the first empty page; a system that goes round in circles is an error.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.records.json_text import MISSING, dump_json, parse_path, value_at

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["PAGINATIONS", "Page", "check_pagination", "make_pager"]

#: What each kind is told beside ``kind``; the first ones are needed.
PAGINATIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "page": ("param", "start", "more", "same_pages"),
    "offset": ("param", "start", "more", "same_pages"),
    "cursor": ("param", "cursor", "more"),
    "link": (),
    "next": ("url",),
}
_NEEDED = {"page": ("param",), "offset": ("param",), "cursor": ("param", "cursor"),
           "next": ("url",)}  # fmt: skip
_SIZES = ("size", "size_param")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^;,=\s]+\s*(?:=\s*(?:\"[^\"]*\"|[^;,\"]*))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^;,\"\s]*))", re.IGNORECASE)


def check_pagination(shown: str, declared: Any, kinds: Any = tuple(PAGINATIONS)) -> dict[str, Any]:
    """Return a declaration with its paths taken apart. Raises SettingsError; ``shown`` is whose."""
    kind = declared.get("kind")
    if kind not in kinds:
        raise SettingsError(f"{shown}: pagination kind is one of {', '.join(kinds)}, not {kind!r}")
    known = (*PAGINATIONS[kind], *_SIZES)
    for name in declared:
        if name != "kind" and name not in known:
            raise SettingsError(
                f"{shown}: pagination {kind} has no {name!r}; it has {', '.join(known)}"
            )
    made = dict(declared)
    for name in _NEEDED.get(kind, ()):
        if not made.get(name):
            raise SettingsError(f"{shown}: pagination {kind} needs {name!r}")
    for name in ("start", "size"):
        value = made.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise SettingsError(f"{shown}: pagination's {name!r} is a number")
    if (made.get("size") is None) != (made.get("size_param") is None):
        raise SettingsError(f"{shown}: pagination's 'size' and 'size_param' go together")
    for name in ("cursor", "url", "more"):
        made[name] = parse_path(made.get(name))
    return made


def make_pager(
    name: str,
    about: dict[str, Any],
    *,
    look: Callable[[Any, list[str]], Any] = value_at,
    follow: Callable[[Any, str], str] | None = None,
) -> Any:
    """Return what goes through the pages of a stream once.

    ``look`` finds what lies at a path of a page, or MISSING; ``follow`` makes a link that an answer
    has a whole one.
    """
    return _PAGERS[about["kind"]](name, about, look, follow)


class Page:
    """An answer as it came, what it says, and the records in it."""

    def __init__(self, answer: Any, document: Any, records: list[Any]) -> None:
        self.answer = answer
        self.document = document
        self.records = records


class _NoPages:
    """One page, and that is all."""

    def __init__(self, name: str, about: dict[str, Any], look: Any, follow: Any) -> None:
        self.name = name
        self.about = about
        self.look = look
        self.follow = follow
        size = self.about.get("size")
        self.size = {} if size is None else {self.about["size_param"]: size}

    def first(self) -> Any:
        """Return what to ask for first."""
        return None, dict(self.size)

    def next(self, page: Page) -> Any:
        """Return what to ask for after a page; None at the end."""
        del page
        return None

    def has_more(self, page: Page, default: bool) -> bool:
        """Whether the page says that there are more, where it is declared that it does."""
        if not self.about["more"]:
            return default
        more = self.look(page.document, self.about["more"])
        if isinstance(more, str):
            more = _TRUTH.get(more.lower(), more)
        if more is not None and not isinstance(more, bool):
            raise DataError(
                f"a page of {self.name} has no true or false at "
                f"{'.'.join(self.about['more'])!r}; correct 'more' of its pagination"
            )
        return bool(more)


class _Numbers(_NoPages):
    """Numbers of pages, to the first one that is empty: a short one may be the server's limit."""

    def __init__(self, name: str, about: dict[str, Any], look: Any, follow: Any) -> None:
        super().__init__(name, about, look, follow)
        self.at: int = self.about.get("start", self.first_number)
        self.last = b""

    first_number = 1

    def first(self) -> Any:
        """Return what to ask for at this number."""
        return None, {**self.size, self.about["param"]: self.at}

    def next(self, page: Page) -> Any:
        if not self.has_more(page, bool(page.records)):
            return None
        digest = blake2b(dump_json(page.records).encode("utf-8", "surrogatepass")).digest()
        if digest == self.last and not self.about.get("same_pages"):
            raise DataError(
                f"{self.name} answered {self.about['param']}={self.at} with the page "
                f"before: it does not know that parameter, or really has the same rows again "
                f"(then declare same_pages)"
            )
        self.last = digest
        self.at = self.following(page.records)
        return self.first()

    def following(self, _: list[Any]) -> int:
        """Return the next number."""
        return self.at + 1


class _Offsets(_Numbers):
    """Offsets that go on by as many records as came."""

    first_number = 0

    def following(self, records: list[Any]) -> int:
        """Return the number of records so far."""
        return self.at + len(records)


class _Cursors(_NoPages):
    """A cursor that each page has for the next one."""

    def __init__(self, name: str, about: dict[str, Any], look: Any, follow: Any) -> None:
        super().__init__(name, about, look, follow)
        self.seen: set[bytes] = set()

    def next(self, page: Page) -> Any:
        cursor = self.look(page.document, self.about["cursor"])
        if not self.has_more(page, True):
            return None
        if cursor is MISSING or cursor is None or cursor in ("", False):
            return None
        if not isinstance(cursor, (str, int)):
            cursor = dump_json(cursor)
        self.remember(str(cursor), "cursor")
        return None, {**self.size, self.about["param"]: cursor}

    def remember(self, text: str, what: str) -> None:
        """Raise DataError for a cursor, or a link, that was there before."""
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if digest in self.seen:
            raise DataError(
                f"{self.name} answered with the {what} {text!r} a second time, and would "
                f"go round in circles"
            )
        self.seen.add(digest)


class _Links(_Cursors):
    """The header Link with rel=next (RFC 8288)."""

    def next(self, page: Page) -> Any:
        link = _next_link(page.answer.headers.get("link") or "")
        return self.linked(page, link)

    def linked(self, page: Page, link: str | None) -> Any:
        """Return a link as what to ask for."""
        if not link:
            return None
        url = self.follow(page.answer, link)
        self.remember(link, "link")
        return url, {}


class _NextUrls(_Links):
    """A link to the next page in the body."""

    def next(self, page: Page) -> Any:
        link = self.look(page.document, self.about["url"])
        if link is MISSING or link is None or link == "":
            return None
        if not isinstance(link, str):
            raise DataError(f"{self.name} has a next link that is {link!r}")
        return self.linked(page, link)


def _next_link(header: str) -> str | None:
    for link, parameters in _LINK.findall(header):
        for quoted, plain in _REL.findall(parameters):
            if "next" in (quoted or plain).lower().split():
                return str(link)
    return None


_PAGERS = {
    "none": _NoPages,
    "page": _Numbers,
    "offset": _Offsets,
    "cursor": _Cursors,
    "link": _Links,
    "next": _NextUrls,
}
