"""Where a check failed: its own line, and the connector's; no check is run here."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

from pypods.errors import PodCallError

__all__ = ["place_of"]

HERE = Path(__file__).parent
#: What only hands on what a check asks for.
HANDING_ON = ("subject.py", "check.py", "suite.py")
REMOTE_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')


def place_of(error: BaseException) -> str:
    """Return the last line of a check that an error came through, and of the connector's code."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if Path(each.filename).parent == HERE]
    checks = [each for each in own if Path(each.filename).name not in HANDING_ON]
    places = [f"{Path(each.filename).name}:{each.lineno}" for each in checks[-1:]]
    raised = error if isinstance(error, PodCallError) else error.__context__
    if isinstance(raised, PodCallError):
        remote = REMOTE_FRAME.findall(raised.remote_traceback)
        places += [
            f"{Path(file).name}:{line} in {function}" for file, line, function in remote[-1:]
        ]
    return ", ".join(places)
