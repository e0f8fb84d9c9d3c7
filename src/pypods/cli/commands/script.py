"""``pypods script``: a pod's pod.py as a script, its input and output passed through."""

from __future__ import annotations

import sys

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

    For a pod.py with a block under if __name__ == "__main__". What comes in on stdin
    is handed to it whole (one BSON document, for PodListener), and what it writes
    comes out. The exit code is the script's own; 128 + N where signal N ended it.
    """
    from pypods.pods import run_script

    folder = find_folder(settings, name)
    build_environment(settings, folder)
    document = None if sys.stdin.isatty() else sys.stdin.buffer.read()
    result = run_script(folder, document)
    sys.stdout.buffer.write(result.stdout)
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(result.stderr)
    sys.stderr.buffer.flush()
    status = int(result.returncode)
    return status if status >= 0 else SIGNAL_BASE - status
