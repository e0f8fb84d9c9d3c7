"""A frame made by pandas 1.5 on Python 3.8, read by pandas 3 on a new one; this program has none.

It crosses as an Arrow table, from the one pod's memory to the other's. Then both read it, column by
column, and this program compares what they found.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import pypods

OLD = {"requirements": ["pandas==1.5.3", "pyarrow==17.0.0"], "python": "3.8"}
NEW = {"requirements": ["pandas>=3", "pyarrow>=20"]}


@pypods.isolated(**OLD, name="old_pandas")
def make(rows: int) -> Any:
    """Return a table of so many rows, with columns of the kinds that pandas has."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    number = np.arange(rows)
    names = pd.Series(["Ada", "Łukasz", None, "张伟"])
    frame = pd.DataFrame(
        {
            "id": number,
            "price": np.where(number % 5 == 0, np.nan, number / 8),
            "stock": pd.array(np.where(number % 3 == 0, None, number), dtype="Int64"),
            "is_new": number % 2 == 0,
            "name": names.take(number % 4).to_numpy(),
            "colour": pd.Categorical.from_codes(number % 3, ["red", "green", "blue"]),
            "seen": pd.Timestamp("2024-02-29 12:00", tz="Europe/Berlin")
            + pd.to_timedelta(number, unit="s"),
            "took": pd.to_timedelta(number * 1500, unit="us"),
        }
    )
    return pa.Table.from_pandas(frame, preserve_index=False)


def look(table: Any) -> dict[str, Any]:
    """Return what a pod's pandas finds in a table: its dtypes, and a hash of each column."""
    import hashlib
    import platform

    import pandas as pd

    frame = table.to_pandas()

    def plain(value):
        return "nothing" if pd.isna(value) else str(value)

    def fingerprint(column):
        return hashlib.sha256("\n".join(map(plain, column)).encode()).hexdigest()

    return {
        "pandas": pd.__version__,
        "python": platform.python_version(),
        "rows": len(frame),
        "dtypes": {name: str(dtype) for name, dtype in frame.dtypes.items()},
        "values": {name: fingerprint(frame[name]) for name in frame},
    }


# One function, in two environments.
look_with_old = pypods.isolated(**OLD, name="old_pandas")(look)
look_with_new = pypods.isolated(**NEW, name="new_pandas")(look)


def main() -> int:
    """Run the demo; 0 when every column came over equal, else 1."""
    parser = argparse.ArgumentParser(description="Use two versions of pandas in one program.")
    parser.add_argument("--rows", type=int, default=20_000, help="rows to make (20000)")
    rows = parser.parse_args().rows

    table = make(rows)
    old, new = look_with_old(table), look_with_new(table)
    for found in (old, new):
        print(f"pandas {found['pandas']} on Python {found['python']} has {found['rows']:,} rows")
    print()
    equal = [name for name in old["values"] if old["values"][name] == new["values"].get(name)]
    for name in old["dtypes"]:
        verdict = "equal" if name in equal else "not equal"
        print(f"{name:8} {old['dtypes'][name]:30} {new['dtypes'].get(name, '-'):30} {verdict}")
    print()
    print(f"equal: {len(equal)} of {len(old['values'])} columns")
    print(f"pandas in this program: {'yes' if 'pandas' in sys.modules else 'no'}")
    is_good = len(equal) == len(old["values"]) and old["rows"] == new["rows"] == rows
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
