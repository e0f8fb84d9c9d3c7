"""``pypods connectors test``: the suite over one connector, told line by line, and a table."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pypods.cli.exits import ExitCode, UsageError
from pypods.cli.output import output_on_stderr
from pypods.cli.pod_arguments import make_connector_loader
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table

if TYPE_CHECKING:
    from pypods.conformance import Outcome, ScratchPlace
    from pypods.conformance.subject import Subject
    from pypods.integrator.secrets import Mask
    from pypods.pods import PodLoader

__all__ = ["CALL_SECONDS", "check_connector"]

CALL_SECONDS = 300.0
MARK = "describe_connector"
SETTING = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


def check_connector(
    settings: Settings,
    name: str,
    given: list[str],
    only: list[str],
    schema: str | None,
    timeout: float,
) -> ExitCode:
    """Run the suite over a connector; return FAILED if it did not pass."""
    if importlib.util.find_spec("pyarrow") is None:
        raise UsageError("the suite needs pyarrow here: pip install pyarrow")
    from pypods.conformance import list_checks
    from pypods.integrator.secrets import Mask, masked_logging

    unknown = [each for each in only if each not in list_checks()]
    if unknown:
        raise UsageError(f"no check {unknown[0]!r}; there are: {', '.join(list_checks())}")
    mask = Mask()
    loader = make_connector_loader(settings, name)
    loader.timeout = timeout
    with masked_logging(mask, [f"pypods.pod.{name}"]), output_on_stderr(settings), loader as pod:
        if MARK not in dir(pod):
            raise UsageError(f'pod "{name}" is no connector: it has no function {MARK}()')
        described = pod.describe_connector()
        with masked_errors(mask):
            connection = read_connection(given, described, mask)
            place, about = reach(pod, connection, schema)
            told = not settings.quiet and not settings.json
            if told:
                print(f"Works in {mask(place.shown)} only.", file=sys.stderr, flush=True)
            subject, outcomes = run_checks(loader, place, only, mask, told=told)
    if place.left_over:
        print(f"pypods: {mask(place.left_over)}", file=sys.stderr)
    report(settings, name, subject, about, place, outcomes, mask)
    failed = any(each.status == "failed" for each in outcomes)
    return ExitCode.FAILED if failed else ExitCode.OK


def reach(
    pod: Any, connection: dict[str, Any], schema: str | None
) -> tuple[ScratchPlace, dict[str, Any]]:
    """Return a place to work in, and the versions of server and driver; nothing is made yet."""
    from pypods.conformance import find_scratch_place

    try:
        place = find_scratch_place(pod, connection, schema=schema)
    except ValueError as exc:
        raise UsageError(str(exc)) from exc
    about: dict[str, Any] = {}
    if place.scratch.connection == connection:  # Else it is a file or folder yet to be made.
        about = pod.check(connection)
    return place, about


def run_checks(
    loader: PodLoader, place: ScratchPlace, only: list[str], mask: Mask, *, told: bool
) -> tuple[Subject, list[Outcome]]:
    """Run the checks in the place, and remove it; with ``told``, each with a line."""
    from pypods.conformance import list_checks, run_check
    from pypods.conformance.subject import Subject

    outcomes = []
    with place as scratch:
        subject = Subject(loader, scratch)
        for check in only or list_checks():
            outcome = run_check(subject, check)
            outcomes.append(outcome)
            if told:
                print(
                    f"{outcome.status:<12} {outcome.seconds:6.1f} s  {check}: {outcome.title}",
                    file=sys.stderr,
                    flush=True,
                )
                if outcome.status == "failed":
                    print(f"{'':23}{mask(why(outcome))}", file=sys.stderr, flush=True)
    return subject, outcomes


def why(outcome: Outcome) -> str:
    """Return what there is to say of an outcome besides its status."""
    if outcome.status == "not offered":
        return f"the connector does not claim {outcome.detail}"
    return f"{outcome.detail} ({outcome.place})" if outcome.place else outcome.detail


def report(
    settings: Settings,
    name: str,
    subject: Subject,
    about: Mapping[str, Any],
    place: ScratchPlace,
    outcomes: list[Outcome],
    mask: Mask,
) -> None:
    """Print what came of all checks."""
    counts = {
        status: sum(each.status == status for each in outcomes)
        for status in ("passed", "failed", "not offered", "not checked")
    }
    driver = subject.described.get("driver", "")
    if settings.json:
        document = {
            "connector": name,
            "driver": driver,
            "server": about.get("server"),
            "place": place.shown,
            "left_over": place.left_over,
            "passed": counts["failed"] == 0,
            "outcomes": [each.as_dict() for each in outcomes],
        }
        print(json.dumps(mask.value(document)))
        return
    print_table(
        ("CHECK", "RESULT", "WHY"),
        [(each.check, each.status, mask(why(each))) for each in outcomes],
    )
    if not settings.quiet:
        said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        against = f" with {about['server']}" if about.get("server") else ""
        print(mask(f"{name} ({driver}){against}: {said}."))


@contextmanager
def masked_errors(mask: Mask) -> Iterator[None]:
    """Raise errors without the secrets that may stand in them."""
    from pypods.errors import PodCallError, PodError

    try:
        yield
    except PodCallError as exc:
        if not mask.hides_in(f"{exc} {exc.remote_traceback}"):
            raise
        hidden = PodCallError(mask(str(exc)))
        hidden.pod_name, hidden.type_name = exc.pod_name, exc.type_name
        raise hidden from None
    except PodError as exc:
        if not mask.hides_in(str(exc)):
            raise
        raise type(exc)(mask(str(exc))) from None


# --- the connection -----------------------------------------------------------------------------


def read_connection(given: list[str], described: Mapping[str, Any], mask: Mask) -> dict[str, Any]:
    """Return the settings of files and of ``name=value``, later ones first; secrets resolved."""
    from pypods.integrator.secrets import resolve_secrets

    kinds = {each["name"]: each["type"] for each in described["settings"]}
    found: dict[str, Any] = {}
    for each in given:
        setting = SETTING.fullmatch(each)
        if setting is None:
            found.update(read_settings_file(Path(each)))
        else:
            found[setting[1]] = read_value(setting[2], kinds.get(setting[1], "text"), setting[1])
    connection: dict[str, Any] = resolve_secrets(found, mask, place="--connection")
    secret = [each["name"] for each in described["settings"] if each["secret"]]
    mask.add_settings(connection, secret)
    return connection


def read_value(text: str, kind: str, name: str) -> Any:
    """Return a setting's value of the command line in its type."""
    if kind in ("text", "path"):
        return text
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise UsageError(f"--connection {name}: the setting is {kind}") from exc


def read_settings_file(path: Path) -> dict[str, Any]:
    """Return the settings that a YAML or JSON file holds."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(
            f"--connection {path} is neither NAME=VALUE nor a file that can be read ({exc})"
        ) from exc
    except yaml.YAMLError as exc:
        raise UsageError(f"--connection {path} is no YAML: {exc}") from exc
    if not isinstance(found, dict):
        raise UsageError(f"--connection {path} holds no settings, as in: host: 127.0.0.1")
    return found
