"""The pages of an endpoint, one after the other; a server that goes round in circles is told so."""

from __future__ import annotations

import re
from hashlib import blake2b

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.records.json_text import MISSING, dump_json, put_at, value_at

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["read_pages"]

_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^;,=\s]+\s*(?:=\s*(?:\"[^\"]*\"|[^;,\"]*))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^;,\"\s]*))", re.IGNORECASE)


def read_pages(
    client: Any, endpoint: Any, params: dict[str, Any], *, max_pages: int
) -> Iterator[list[Any]]:
    """Yield the records of each page. Raises DataError, SettingsError and what ``client`` does."""
    pager = _PAGERS[endpoint.pagination["kind"]](endpoint, client)
    step: Any = pager.first()
    number = 0
    while step is not None:
        number += 1
        if number > max_pages:
            raise SettingsError(
                f"{endpoint.name} has more than {max_pages} pages; raise max_pages if it may"
            )
        url, further = step
        asked = {**endpoint.params, **params, **further} if url is None else {}
        answer = _ask(client, endpoint, url, asked)
        document = answer.json()
        records = _records(endpoint, answer, document)
        yield records
        step = pager.next(answer, document, records)


def _ask(client: Any, endpoint: Any, url: str | None, asked: dict[str, Any]) -> Any:
    if endpoint.body is None and endpoint.method == "GET":
        return client.read("GET", url or endpoint.path, params=asked)
    # A copy: what is asked for further pages is not part of what was declared.
    body: dict[str, Any] = dict(endpoint.body or {})
    for name, value in asked.items():
        put_at(body, [name], value)
    return client.read("POST", url or endpoint.path, body=dump_json(body))


def _records(endpoint: Any, answer: Any, document: Any) -> list[Any]:
    found = value_at(document, endpoint.records)
    where = ".".join(endpoint.records)
    if found is None and endpoint.records:
        return []  # As some write no records.
    if endpoint.single and isinstance(found, dict):
        return [found]
    if isinstance(found, list):
        return found
    there = ""
    if isinstance(document, dict):
        arrays = [name for name, value in document.items() if isinstance(value, list)]
        there = f"; arrays are at {', '.join(arrays) or 'none of its names'}"
    what = "nothing" if found is MISSING else f"a {type(found).__name__} and no array"
    raise DataError(
        f"{answer.shown} has {what} at {where!r}{there}; correct 'records' of endpoint "
        f"{endpoint.name!r}"
    )


class _NoPages:
    """One page, and that is all."""

    def __init__(self, endpoint: Any, client: Any) -> None:
        self.endpoint = endpoint
        self.client = client
        self.about = endpoint.pagination
        size = self.about.get("size")
        self.size = {} if size is None else {self.about["size_param"]: size}

    def first(self) -> Any:
        return None, dict(self.size)

    def next(self, answer: Any, document: Any, records: list[Any]) -> Any:
        return None

    def has_more(self, document: Any, default: bool) -> bool:
        """Whether the page says that there are more, where it is declared that it does."""
        if not self.about["more"]:
            return default
        more = value_at(document, self.about["more"])
        if more is MISSING or not isinstance(more, (bool, type(None))):
            raise DataError(
                f"a page of {self.endpoint.name} has no true or false at "
                f"{'.'.join(self.about['more'])!r}; correct 'more' of its pagination"
            )
        return bool(more)


class _Numbers(_NoPages):
    """Numbers of pages, to the first one that is empty: a short one may be the server's limit."""

    def __init__(self, endpoint: Any, client: Any) -> None:
        super().__init__(endpoint, client)
        self.at = self.about.get("start")
        if self.at is None:
            self.at = self.first_number
        self.last = b""

    first_number = 1

    def first(self) -> Any:
        return None, {**self.size, self.about["param"]: self.at}

    def next(self, answer: Any, document: Any, records: list[Any]) -> Any:
        if not self.has_more(document, bool(records)):
            return None
        digest = blake2b(dump_json(records).encode("utf-8", "surrogatepass")).digest()
        if digest == self.last and records and not self.about.get("same_pages"):
            raise DataError(
                f"{self.endpoint.name} answered {self.about['param']}={self.at} with the page "
                f"before: it does not know that parameter, or really has the same rows again "
                f"(then declare same_pages)"
            )
        self.last = digest
        self.at = self.following(records)
        return self.first()

    def following(self, records: list[Any]) -> int:
        return int(self.at) + 1


class _Offsets(_Numbers):
    """Offsets that go on by as many records as came."""

    first_number = 0

    def following(self, records: list[Any]) -> int:
        return int(self.at) + len(records)


class _Cursors(_NoPages):
    """A cursor that each page has for the next one."""

    def __init__(self, endpoint: Any, client: Any) -> None:
        super().__init__(endpoint, client)
        self.seen: set[bytes] = set()

    def next(self, answer: Any, document: Any, records: list[Any]) -> Any:
        cursor = value_at(document, self.about["cursor"])
        if not self.has_more(document, True):
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
                f"{self.endpoint.name} answered with the {what} {text!r} a second time, and would "
                f"go round in circles"
            )
        self.seen.add(digest)


class _Links(_Cursors):
    """The header Link with rel=next (RFC 8288)."""

    def next(self, answer: Any, document: Any, records: list[Any]) -> Any:
        link = _next_link(answer.headers.get("link") or "")
        return self.linked(answer, link)

    def linked(self, answer: Any, link: str | None) -> Any:
        if not link:
            return None
        url = self.client.follow(answer, link)
        self.remember(link, "link")
        return url, {}


class _NextUrls(_Links):
    """A link to the next page in the body."""

    def next(self, answer: Any, document: Any, records: list[Any]) -> Any:
        link = value_at(document, self.about["url"])
        if link is MISSING or link is None or link == "":
            return None
        if not isinstance(link, str):
            raise DataError(f"{self.endpoint.name} has a next link that is {link!r}")
        return self.linked(answer, link)


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
