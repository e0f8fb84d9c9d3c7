"""ADBC at both ends, a process each, joined by a pipe: ``with_two_adbc.py SPEC``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pyarrow as pa
from arrow_ends import read, schema, write

spec = json.loads(sys.argv[1])
if spec.get("reads"):
    with os.fdopen(1, "wb") as pipe, pa.ipc.new_stream(pipe, schema()) as stream:
        for batch in read(spec["source"]):
            stream.write_batch(batch)
else:
    words = [sys.executable, __file__, json.dumps({**spec, "reads": True})]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as reader:
        write(spec["target"], pa.ipc.open_stream(reader.stdout))
    sys.exit(reader.returncode)
