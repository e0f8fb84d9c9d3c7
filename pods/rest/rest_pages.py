"""The pages of an endpoint, one after the other."""

from __future__ import annotations

from pypods.connectors.errors import DataError, SettingsError
from pypods.connectors.records.json_text import MISSING, dump_json, put_at, value_at
from pypods.connectors.records.paging import Page, make_pager

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Iterator

__all__ = ["read_pages"]


def read_pages(
    client: Any, endpoint: Any, params: dict[str, Any], *, max_pages: int
) -> Iterator[list[Any]]:
    """Yield the records of each page. Raises DataError, SettingsError and what ``client`` does."""
    pager = make_pager(endpoint.name, endpoint.pagination, follow=client.follow)
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
        step = pager.next(Page(answer, document, records))


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
