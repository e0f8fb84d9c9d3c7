"""The settings of a connection: declared once, checked, filled with their defaults."""

from __future__ import annotations

from pypods.connectors.errors import SettingsError

TYPE_CHECKING = False  # As typing has it, without importing typing into every worker.
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Settings", "setting"]

_TYPES: dict[str, Any] = {
    "text": (str,),
    "path": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "mapping": (dict,),
}


def setting(
    name: str,
    type: str,  # noqa: A002 - as the contract calls it
    doc: str,
    *,
    required: bool = False,
    secret: bool = False,
    default: Any = None,
) -> dict[str, Any]:
    """Return one setting as ``describe_connector`` gives it."""
    return {
        "name": name,
        "type": type,
        "required": required,
        "secret": secret,
        "default": default,
        "doc": doc,
    }


class Settings:
    """What a connector takes as ``connection``."""

    def __init__(self, connector: str, *settings: dict[str, Any]) -> None:
        self.connector = connector
        self.settings = list(settings)

    def check(self, connection: Any) -> dict[str, Any]:
        """Return the settings with defaults. Raises SettingsError; it never shows a value."""
        if not isinstance(connection, dict):
            raise SettingsError(
                f"a connection to {self.connector} is a dict of settings, "
                f"not {type(connection).__name__}"
            )
        known = {each["name"]: each for each in self.settings}
        for name in connection:
            if name not in known:
                raise SettingsError(
                    f"{self.connector} has no setting {name!r}; it has {', '.join(known)}"
                )
        checked = {}
        for name, each in known.items():
            value = connection.get(name)
            if value is None:
                if each["required"]:
                    raise SettingsError(
                        f"{self.connector} needs the setting {name!r}: {each['doc']}"
                    )
                value = each["default"]
            else:
                value = self._check_type(each, value)
            checked[name] = value
        return checked

    def _check_type(self, each: dict[str, Any], value: Any) -> Any:
        if each["type"] == "path" and hasattr(value, "__fspath__"):
            value = value.__fspath__()
        wanted = _TYPES[each["type"]]
        is_bool = isinstance(value, bool)
        if not isinstance(value, wanted) or is_bool != (bool in wanted):
            raise SettingsError(
                f"setting {each['name']!r} of {self.connector} is {each['type']}, "
                f"not {type(value).__name__}"
            )
        if isinstance(value, str) and "\0" in value:
            raise SettingsError(f"setting {each['name']!r} of {self.connector} has a NUL in it")
        return value

    def secrets(self, connection: dict[str, Any]) -> list[str]:
        """Return the values that no message may show."""
        return [
            str(connection[each["name"]])
            for each in self.settings
            if each["secret"] and connection.get(each["name"])
        ]
