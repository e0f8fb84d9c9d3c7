"""Work that goes on while the next piece of it is fetched; one piece at a time."""

from __future__ import annotations

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable

__all__ = ["OneAhead"]


class OneAhead:
    """Does one piece of work on a thread of its own, while the caller's thread fetches the next.

    What a piece raises is raised where the next one is started, or at the end of the block. The
    block ends when no piece is under way, whatever it ends with.
    """

    def __init__(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pypods-write")
        self._under_way: Any = None

    def start(self, work: Callable[[], Any]) -> None:
        """Start a piece, once the one before is done. Raises what that one raised."""
        self._finish()
        self._under_way = self._executor.submit(work)

    def _finish(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def __enter__(self) -> OneAhead:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._executor.shutdown(wait=True)
