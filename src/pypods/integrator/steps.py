"""Steps that fail: which one, whether it may work another time, and what may be shown of it."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from pypods.errors import IntegrationError, PodCallError, PodDiedError, PodError, PodTimeoutError

if TYPE_CHECKING:
    from pypods.integrator.secrets import Mask
    from pypods.integrator.sides import Side

__all__ = [
    "LostRowsError",
    "StepError",
    "describe_error",
    "is_worth_a_retry",
    "public_error",
    "shown_cause",
]


class StepError(Exception):
    """A step of an integration failed: which one, why, and whether it may work another time."""

    def __init__(self, what: str, side: Side, cause: BaseException) -> None:
        super().__init__(f"{what} {side.label}: {describe_error(cause)}")
        self.side = side
        self.cause = cause
        self.retry = is_worth_a_retry(cause)

    @property
    def is_conflict(self) -> bool:
        """Whether the connector says that something else was begun."""
        cause = self.cause
        return isinstance(cause, PodCallError) and cause.type_name.endswith(".ConflictError")


class LostRowsError(StepError):
    """A target has not all that it had committed: its server was killed, and forgot the last."""

    def __init__(self, side: Side, text: str) -> None:
        super().__init__("writing", side, IntegrationError(text))
        self.retry = True


def is_worth_a_retry(error: BaseException) -> bool:
    """Tell whether what failed may work another time: a pod died, or its connector says so."""
    if isinstance(error, (PodDiedError, PodTimeoutError)):
        return True
    return isinstance(error, PodCallError) and getattr(error, "retry", False) is True


def describe_error(error: BaseException) -> str:
    """Return what an error says, one of a pod by its own class."""
    if isinstance(error, PodCallError):
        return f"{error.type_name.rpartition('.')[2]}: {error}"
    if isinstance(error, (PodDiedError, PodTimeoutError, StepError)):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def public_error(error: BaseException, integration: str, mask: Mask) -> BaseException:
    """Return an error as a caller may see it: of the one tree, without a secret."""
    cause = error.cause if isinstance(error, StepError) else error
    if not isinstance(cause, Exception):
        return cause
    if isinstance(error, StepError) or not isinstance(cause, PodError):
        text = str(error) if isinstance(error, StepError) else describe_error(error)
        kind = type(cause) if isinstance(cause, IntegrationError) else IntegrationError
        return kind(mask(f"{integration}: {text}"))
    said = str(cause)
    return type(cause)(mask(said)) if mask.hides_in(said) else cause


def shown_cause(error: BaseException, mask: Mask) -> BaseException | None:
    """Return what a traceback may show as the cause: nothing in which a secret stands."""
    cause = error.cause if isinstance(error, StepError) else error.__cause__
    if cause is None or mask.hides_in("".join(traceback.format_exception(cause))):
        return None
    return cause
