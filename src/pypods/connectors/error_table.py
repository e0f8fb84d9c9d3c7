"""Which errors of a system are which of the contract's, by their numbers; no driver."""

from __future__ import annotations

from pypods.connectors.errors import ConnectorError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["ErrorTable"]


class ErrorTable:
    """Classes of the contract's errors, each with the codes that a system has for it.

    ``passing`` are the codes of what may be over when it is tried again.
    """

    def __init__(self, kinds: dict[type[ConnectorError], Any], *, passing: Any = ()) -> None:
        self._kinds = {code: kind for kind, codes in kinds.items() for code in codes}
        self._passing = frozenset(passing)

    def __contains__(self, code: Any) -> bool:
        """Whether the code is one of those that the table knows."""
        return code in self._kinds or code in self._passing

    def error(
        self, code: Any, message: str, *, otherwise: type[ConnectorError] = ConnectorError
    ) -> ConnectorError:
        """Return the error for a code; ``otherwise`` is for one that the table does not know."""
        kind = self._kinds.get(code, otherwise)
        return kind(message, retry=True) if code in self._passing else kind(message)
