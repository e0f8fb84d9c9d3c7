"""``pypods cache``: the environments without a pod's folder, shown and removed."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pypods.cli.command import command
from pypods.cli.commands.remove import can_ask
from pypods.cli.exits import ExitCode, UsageError
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table

if TYPE_CHECKING:
    from pypods.pods.cache import CacheEntry

DAY_SECONDS = 86_400.0
DEFAULT_DAYS = 30.0


class Action(StrEnum):
    """What is done with the cache."""

    list = "list"
    prune = "prune"
    dir = "dir"


ActionName = Annotated[
    Action,
    typer.Argument(metavar="list|prune|dir", help="What to do.", show_default=False),
]
Days = Annotated[
    float | None,
    typer.Option(
        "--older-than", metavar="DAYS", help="Prune what was not used for so long; else 30 days."
    ),
]
All = Annotated[bool, typer.Option("--all", help="Prune whatever is not in use.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and leave it.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@command(
    "cache",
    examples=(
        "pypods cache list",
        "pypods cache prune --older-than 7",
        "pypods cache prune --all --dry-run",
        "pypods cache dir",
    ),
)
def cache(
    settings: Settings,
    action: ActionName,
    days: Days = None,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> int:
    """Show or remove the environments of pods without a folder.

    "pypods run" and @pypods.isolated share them; those of the connectors that came
    with pypods are there too. list: what each was made for, its size, its last use.
    prune: remove those not used for 30 days, after asking; one in use is never
    removed. dir: where they are.
    """
    if action is not Action.prune and (days is not None or everything or dry_run or yes):
        raise UsageError(
            f'"cache {action.value}" takes none of --older-than, --all, --dry-run and --yes; '
            'they are for "cache prune"'
        )
    if action is Action.dir:
        return print_directory(settings)
    if action is Action.list:
        return print_entries(settings)
    if everything and days is not None:
        raise UsageError("--all and --older-than contradict each other; give one of them")
    if days is not None and not days >= 0:
        raise UsageError(f"--older-than is a number of days, not {days}")
    seconds = 0.0 if everything else (DEFAULT_DAYS if days is None else days) * DAY_SECONDS
    return prune(settings, seconds, dry_run=dry_run, yes=yes)


def print_directory(settings: Settings) -> int:
    """Print where the cache is, there or not."""
    from pypods.pods.cache import cache_directory

    path = str(cache_directory())
    print(json.dumps({"path": path}) if settings.json else path)
    return ExitCode.OK


def print_entries(settings: Settings) -> int:
    """Print a row for each environment."""
    from pypods.pods.cache import cache_directory, list_cache

    entries = list_cache()
    if settings.json:
        print(json.dumps([entry_document(entry) for entry in entries]))
    elif entries:
        print_entry_table(entries)
    elif not settings.quiet:
        print(f"The cache in {cache_directory()} is empty.", file=sys.stderr)
    return ExitCode.OK


def prune(settings: Settings, unused_seconds: float, *, dry_run: bool, yes: bool) -> int:
    """Remove what was not used for so long, after asking."""
    from pypods.pods.cache import list_cache, prune_entry

    entries = list_cache()
    now = time.time()
    going = [e for e in entries if not e.in_use and now - e.last_used >= unused_seconds]
    kept = len(entries) - len(going)
    if not dry_run and going and not yes:
        if settings.json or not can_ask():
            raise UsageError(
                f"nobody to ask whether to remove {count_of(going)}; "
                "to remove them unasked, give --yes, to see them, --dry-run"
            )
        print_entry_table(going)
        if not typer.confirm(f"Remove {count_of(going)}?", err=True):
            typer.echo("Nothing removed.", err=True)
            return ExitCode.FAILED
    removed = going
    if not dry_run:
        removed = [each for each in going if prune_entry(each, unused_seconds=unused_seconds)]
        kept = len(entries) - len(removed)
    if settings.json:
        print(
            json.dumps(
                {
                    "removed": [entry_document(each) for each in removed],
                    "kept": kept,
                    "dry_run": dry_run,
                }
            )
        )
    elif not settings.quiet:
        if dry_run and removed:
            print_entry_table(removed)
        verb = "Would remove" if dry_run else "Removed"
        print(f"{verb} {count_of(removed)}; {kept} {'stays' if kept == 1 else 'stay'}.")
    return ExitCode.OK


def count_of(entries: list[CacheEntry]) -> str:
    """Return how many environments these are, and how large."""
    if not entries:
        return "nothing"
    noun = "environment" if len(entries) == 1 else "environments"
    return f"{len(entries)} {noun} ({shown_size(sum(each.size for each in entries))})"


def print_entry_table(entries: list[CacheEntry]) -> None:
    """Print environments as rows."""
    print_table(
        ("ASKED FOR", "PYTHON", "SIZE", "LAST USE", "NAME"),
        [
            (
                asked_for(entry),
                shown_python(entry),
                shown_size(entry.size),
                "in use" if entry.in_use else shown_age(time.time() - entry.last_used),
                entry.folder.path.name,
            )
            for entry in entries
        ],
    )


def asked_for(entry: CacheEntry) -> str:
    """Return what an environment was made for."""
    asked = ", ".join(entry.requirements) or "nothing"
    return asked if entry.connector is None else f"connector {entry.connector}: {asked}"


def entry_document(entry: CacheEntry) -> dict[str, Any]:
    """Return an environment as a JSON object."""
    return {
        "name": entry.folder.path.name,
        "path": str(entry.folder.path),
        "connector": entry.connector,
        "requirements": list(entry.requirements),
        "asked_python": entry.asked_python,
        "python": entry.python,
        "size": entry.size,
        "last_used": datetime.fromtimestamp(entry.last_used, UTC).isoformat(timespec="seconds"),
        "in_use": entry.in_use,
    }


def shown_python(entry: CacheEntry) -> str:
    """Return the version it has, and what was asked for where that says something else."""
    if entry.python is None:
        return "not made"
    asked = entry.asked_python
    return (
        entry.python
        if asked is None or entry.python.startswith(asked)
        else f"{entry.python} ({asked})"
    )


def shown_size(size: int) -> str:
    """Return a number of bytes as people read it."""
    value, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"


def shown_age(seconds: float) -> str:
    """Return a time that has passed in its largest unit."""
    for unit, length in (("day", DAY_SECONDS), ("hour", 3600.0), ("minute", 60.0)):
        count = int(seconds / length)
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "now"
