"""``pypods script``: a pod's pod.py as a script, its input and output passed through."""

from __future__ import annotations

from pypods.cli.command import command
from pypods.cli.environments import build_environment
from pypods.cli.exits import SIGNAL_BASE
from pypods.cli.pod_arguments import PodName, find_folder
from pypods.cli.settings import Settings


@command(
    "script",
    examples=(
        "pypods script mydb",
        "pypods script mydb < call.bson > result.bson",
    ),
)
def script(settings: Settings, name: PodName) -> int:
    """Run pod.py as a script in the pod's environment.

    For a pod.py with a block under if __name__ == "__main__". It reads this
    command's stdin and writes to its stdout (one BSON document each, for
    PodListener). The exit code is the script's own; 128 + N where signal N ended it.
    """
    from pypods.pods import run_script

    folder = find_folder(settings, name)
    build_environment(settings, folder)
    status = run_script(folder, installer=settings.installer).returncode
    return status if status >= 0 else SIGNAL_BASE - status
