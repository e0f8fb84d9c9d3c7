"""``pypods list``: the pods there are, and how their environments are."""

from __future__ import annotations

import json
import sys

from pypods.cli.command import command
from pypods.cli.environments import examine
from pypods.cli.pod_arguments import shown_path
from pypods.cli.settings import Settings
from pypods.cli.tables import print_table


@command(
    "list",
    examples=(
        "pypods list",
        "pypods list --pods-directory /srv/pods --json",
    ),
)
def list_pods(settings: Settings) -> None:
    """List the pods and the state of their environments.

    Ready: as asked for. Missing, stale: made or mended by the next call, or now by
    "pypods sync". Broken: "pypods doctor" says why.
    """
    from pypods.pods.folder import list_pod_folders

    folders = list_pod_folders(pods_directory=settings.pods_directory)
    states = [examine(settings, folder) for folder in folders]
    if settings.json:
        print(json.dumps([state.document() for state in states]))
    elif states:
        print_table(
            ("NAME", "ENVIRONMENT", "PYTHON", "FOLDER"),
            [
                (state.name, state.status, state.python or "", shown_path(state.path))
                for state in states
            ],
        )
    elif not settings.quiet:
        directory = shown_path(settings.pods_directory.absolute())
        print(f'No pods in {directory}/; run "pypods create NAME" to make one.', file=sys.stderr)
