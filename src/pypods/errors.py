"""The one error tree; no behaviour beyond carrying what went wrong.

::

    PodError
    ├── PodNotFoundError          no such pod in the pods directory
    ├── PodEnvironmentError       the pod's environment cannot be made, or is broken
    │   └── InterpreterNotFoundError   no Python of the kind asked for
    ├── PodStartError             the pod's process or its pod.py did not come up
    ├── PodCallError              a function in the pod raised (also the builtin type it raised)
    ├── HostCallError             in a pod: a function of the host that it called raised (likewise)
    ├── PodDiedError              the pod's process ended during a call
    ├── PodTimeoutError           a call took longer than it was given (also TimeoutError)
    ├── ProtocolError             what arrived is not the protocol
    ├── ValueTransferError        a value cannot cross (also TypeError)
    ├── OperationError            an operation is not written as one (also ValueError)
    └── IntegrationError          an integration failed
        └── VerificationError          source and target differ afterwards

Runs in pods too: standard library only, Python 3.8 and later.
"""

from __future__ import annotations

__all__ = [
    "HostCallError",
    "IntegrationError",
    "InterpreterNotFoundError",
    "OperationError",
    "PodCallError",
    "PodDiedError",
    "PodEnvironmentError",
    "PodError",
    "PodNotFoundError",
    "PodStartError",
    "PodTimeoutError",
    "ProtocolError",
    "ValueTransferError",
    "VerificationError",
]


class PodError(Exception):
    """Root of everything pypods raises on its own account."""


class PodNotFoundError(PodError, LookupError):
    """No pod of that name in the pods directory."""


class PodEnvironmentError(PodError):
    """The pod's environment cannot be made, or is broken."""


class InterpreterNotFoundError(PodEnvironmentError):
    """No Python of the kind asked for was found."""


class PodStartError(PodError):
    """The pod's process, or its ``pod.py``, did not come up."""


class PodCallError(PodError):
    """A function in the pod raised.

    Where the pod raised a builtin exception, the instance is of that type as well, so
    ``except ValueError`` and ``except PodCallError`` both catch it. ``args`` and ``str()`` are
    the original's.
    """

    #: Name of the pod that raised.
    pod_name: str = ""
    #: Qualified name of the original exception's class, as ``module.Class``.
    type_name: str = ""
    #: The traceback as the pod printed it.
    remote_traceback: str = ""
    #: What ``str()`` gave in the pod, and gives here.
    text: str = ""

    def __str__(self) -> str:
        return self.text or super().__str__()


class HostCallError(PodError):
    """A function of the host, passed to a pod and called there, raised.

    Seen by the pod's own code. As with PodCallError, the instance is of the builtin type as well.
    """

    pod_name: str = ""
    #: Qualified name of the original exception's class, as ``module.Class``.
    type_name: str = ""
    #: The traceback as the host would print it.
    remote_traceback: str = ""
    #: What ``str()`` of the original says.
    text: str = ""


class PodDiedError(PodError):
    """The pod's process ended while it was needed.

    ``exit_status`` is the process's return code (negative: the signal that ended it) and
    ``last_output`` the last lines it printed. ``delivered`` says whether the pod may have begun
    with the call.
    """

    exit_status: int | None = None
    last_output: str = ""
    delivered: bool = True


class PodTimeoutError(PodError, TimeoutError):
    """A call took longer than it was given."""


class ProtocolError(PodError):
    """What arrived is not the protocol: a broken, foreign or hostile pod."""


class ValueTransferError(PodError, TypeError):
    """A value cannot cross; ``place`` says which one, as ``args[0]["conn"]``."""

    #: Whether it could, if it were smaller: such a value does not cross as a reference either.
    is_too_large = False

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(reason, place)
        self.reason = reason
        self.place = place

    def within(self, step: str) -> ValueTransferError:
        """Return the same error, one container further out."""
        return type(self)(self.reason, step + self.place)

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}" if self.place else self.reason


class OperationError(PodError, ValueError):
    """An operation, or the file that holds one, is not written as it has to be."""


class IntegrationError(PodError):
    """An integration failed; the target is as it was, or as the last finished run left it.

    ``report`` is the execution's report, where an execution failed.
    """

    report: object = None


class VerificationError(IntegrationError):
    """What is in the target is not what is in the source."""
