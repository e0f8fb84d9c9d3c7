"""A host of the original PyPods; runs in that one's environment and knows nothing of ours.

``python original_host.py POD FUNCTION``, in the folder that holds ``pods/``. Each line on stdin is
a number of calls to make; each line on stdout is a JSON list of the seconds that each one took.
"""

import json
import sys
from importlib import metadata
from time import perf_counter

# Started as a script, this folder would come before the current one, where the pods are.
sys.path[0] = ""

from pypods.pods import PodLoader  # noqa: E402 - found only now


def main() -> None:
    pod_name, function_name = sys.argv[1:]
    namespace: dict = {}
    PodLoader(pod_name, namespace).load_pod()
    function = getattr(namespace[pod_name], function_name)
    print(json.dumps({name: metadata.version(name) for name in ("pypods", "bson")}), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            began = perf_counter()
            value = function()
            seconds.append(perf_counter() - began)
            if value is not None:
                raise SystemExit(f"the null call returned {value!r}")
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
