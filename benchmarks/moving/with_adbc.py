"""ADBC at both ends, in one process: ``with_adbc.py SPEC``."""

from __future__ import annotations

import json
import sys

from arrow_ends import read, write

spec = json.loads(sys.argv[1])
write(spec["target"], read(spec["source"]))
