"""A system: what it is called, how a session with it begins and ends, whose errors are whose."""

from __future__ import annotations

from abc import ABC, abstractmethod

from pypods.connectors.errors import ConnectorError, without_secrets

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any, Callable, ContextManager, TypeVar

    from pypods.connectors.settings import Settings

    Result = TypeVar("Result")

__all__ = ["CAPABILITIES", "System"]

#: What a connector can do unless it says otherwise: have all its rows read.
CAPABILITIES: dict[str, Any] = {
    "read": True,
    "query": False,
    "where": False,
    "order": False,
    "after": False,
    "partition": False,
    "snapshot": False,
    "write": [],
    "atomic": False,
    "resume": False,
    "schema": True,
    "execute": False,
    "truncate": False,
    "count": True,
    "rows": False,
    "parallel_write": False,
}


class System(ABC):
    """The half of ``Connector`` that every call goes through.

    A session is what the system is spoken to through: a database's connection, a client, a folder.
    """

    name = ""
    title = ""
    settings: Settings
    capabilities: dict[str, Any] = CAPABILITIES
    #: Whether the connector was tried with the system itself.
    verified: bool | str = True

    @abstractmethod
    def driver(self) -> str:
        """Return the driver and its version."""

    @abstractmethod
    def open(self, settings: dict[str, Any], *, writing: bool = False) -> ContextManager[Any]:
        """Return a session, as a context manager that ends it. Raises the driver's errors."""

    @abstractmethod
    def translate(self, error: Exception, settings: dict[str, Any]) -> ConnectorError | None:
        """Return what a driver's error is for everybody; None for what is no driver's."""

    @abstractmethod
    def server(self, session: Any) -> str:
        """Return the system and its version, having made sure that it answers."""

    def check_settings(self, connection: Any) -> dict[str, Any]:
        """Return the settings with their defaults. Raises SettingsError."""
        return self.settings.check(connection)

    def using(
        self,
        connection: Any,
        work: Callable[[Any, dict[str, Any]], Result],
        *,
        writing: bool = False,
    ) -> Result:
        """Return what work does with a session and the checked settings."""
        settings = self.check_settings(connection)

        def do() -> Result:
            with self.open(settings, writing=writing) as session:
                return work(session, settings)

        return self.guard(settings, do)

    def guard(self, settings: dict[str, Any], work: Callable[[], Result]) -> Result:
        """Do the work; what the driver raises becomes an error of the contract.

        That one is raised outside of the handler, so that the driver's own error, which may have
        the password in its text, is not linked to it.
        """
        try:
            return work()
        except ConnectorError as exc:
            error: Any = exc
        except Exception as exc:
            error = self.translate(exc, settings)
            if error is None:
                raise
        error.__cause__ = error.__context__ = None
        secrets = self.settings.secrets(settings)
        error.args = (without_secrets(str(error), secrets), *error.args[1:])
        raise error
