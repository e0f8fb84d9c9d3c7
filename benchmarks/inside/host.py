"""A host program: opens one peer, and measures what it is told on stdin; knows nothing of pypods.

``python host.py PEER.py PLACE`` runs in the peer's own environment; PLACE is JSON, see `Place`. A
line on stdin is a JSON request, and a line on stdout its answer: what `measures` returns,
``{"cannot": reason}`` or ``{"failed": reason}``. What the peer prints goes to stderr.
"""

import importlib.util
import json
import os
import re
import sys
import traceback
from types import SimpleNamespace

import measures
from errors import CannotError


def main() -> None:
    sys.dont_write_bytecode = True
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    path, place = sys.argv[1], SimpleNamespace(**json.loads(sys.argv[2]))
    peer = None
    try:
        for line in sys.stdin:
            try:
                if peer is None:
                    made = load(path).Peer(place)
                    made.open()
                    peer = made
                answer = measures.measure(peer, json.loads(line))
            except CannotError as exc:
                answer = {"cannot": str(exc)}
            except Exception as exc:
                traceback.print_exc()
                text = re.sub(r"\x1b\[[0-9;]*m", "", str(exc)).strip() or repr(exc)
                answer = {"failed": f"{type(exc).__name__}: {' '.join(text.split())}"[:200]}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        for each in filter(None, (getattr(peer, "relay_other", None), peer)):
            each.close()


def load(path):
    """Import a peer's module by its path: it may be called like the package that it uses."""
    spec = importlib.util.spec_from_file_location("contestant", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["contestant"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
