"""Checks of the first contact: what a connector says of itself, and who does not get in."""

from __future__ import annotations

import traceback
from typing import Any

from pypods.conformance.check import NotCheckedError, check, demand
from pypods.conformance.subject import Subject, expect_error

CAPABILITIES = {
    "read", "query", "where", "order", "after", "partition", "snapshot", "write", "atomic",
    "resume", "schema", "execute", "truncate", "count", "rows",
}  # fmt: skip
SETTING = {"name", "type", "required", "secret", "default", "doc"}


@check("says what it is and what it can")
def check_description(subject: Subject) -> None:
    """The description is complete."""
    described = subject.described
    for name in ("name", "title", "driver", "settings", "capabilities", "verified"):
        demand(name in described, f"describe_connector says nothing of {name!r}")
    missing = CAPABILITIES - set(described["capabilities"])
    demand(not missing, f"capabilities are not said: {sorted(missing)}")
    for setting in described["settings"]:
        demand(set(setting) >= SETTING, f"setting {setting!r} lacks {SETTING - set(setting)}")
        demand(bool(setting["doc"]), f"setting {setting['name']!r} has no words")
    said = subject.pod.check(subject.connection)
    demand(bool(said["server"]) and bool(said["driver"]), f"check said {said!r}")
    # Of a file that is not there yet, no version is known.
    if subject.offers("write"):
        subject.fill(
            subject.scratch.new_stream(), _one_row(), mode=subject.capabilities["write"][0]
        )
        said = subject.pod.check(subject.connection)
    # A folder, which is all that a connector for files says, is not what others have too.
    server = described["title"] if said["server"] in subject.connection.values() else said["server"]
    subject.notes += [
        f"driver: {said['driver']}", f"server: {server}", f"verified: {described['verified']}"
    ]  # fmt: skip


@check("refuses settings that it does not take")
def check_settings(subject: Subject) -> None:
    """A setting that is none, or of another type, is a SettingsError."""
    with expect_error("SettingsError", doing="a setting that is none"):
        subject.pod.check({**subject.connection, "no_such_setting": 1})
    name = next(each["name"] for each in subject.described["settings"] if each["required"])
    with expect_error("SettingsError", doing=f"a {name!r} that is a list"):
        subject.pod.check({**subject.connection, name: [1]})
    without = {key: value for key, value in subject.connection.items() if key != name}
    with expect_error("SettingsError", doing=f"no {name!r}"):
        subject.pod.check(without)


@check("tells a server that nobody reaches")
def check_unreachable(subject: Subject) -> None:
    """An unreachable server is an UnreachableError."""
    if subject.scratch.unreachable is None:
        raise NotCheckedError("the scratch place has no connection that nobody reaches")
    with expect_error("UnreachableError", doing="an unreachable server"):
        subject.pod.check(subject.scratch.unreachable)


@check("tells a wrong password, and never shows it")
def check_wrong_password(subject: Subject) -> None:
    """A wrong password is an AuthenticationError in which the password does not stand."""
    if subject.scratch.wrong_password is None:
        raise NotCheckedError("the scratch place has no connection that is refused")
    with expect_error("AuthenticationError", doing="a wrong password") as caught:
        subject.pod.check(subject.scratch.wrong_password)
    shown = "".join(traceback.format_exception(caught.error)) + repr(vars(caught.error))
    demand(
        not subject.scratch.secret or subject.scratch.secret not in shown,
        "the error shows the password",
    )


@check("tells a stream that is not there", "read")
def check_missing_stream(subject: Subject) -> None:
    """A stream that is not there is a StreamNotFoundError, for each function."""
    stream: list[str] = subject.scratch.new_stream()
    pod: Any = subject.pod
    calls: dict[str, Any] = {
        "schema": lambda: pod.schema(subject.connection, stream),
        "read": lambda: list(pod.read(subject.connection, stream)),
    }
    for name in ("count", "truncate"):
        if subject.offers(name):
            calls[name] = lambda name=name: getattr(pod, name)(subject.connection, stream)
    if subject.offers("write"):
        subject.fill(
            subject.scratch.new_stream(), _one_row(), mode=subject.capabilities["write"][0]
        )
    for name, call in calls.items():
        with expect_error("StreamNotFoundError", doing=f"{name} of no stream"):
            call()


def _one_row() -> Any:
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]

    return pa.table({"id": [1]})
