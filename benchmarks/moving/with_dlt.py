"""dlt with its pyarrow backend, which is its fastest: ``with_dlt.py SPEC``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

spec = json.loads(sys.argv[1])
source, target = spec["source"], spec["target"]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"

import dlt  # noqa: E402 - it reads the settings at import
import sqlalchemy  # noqa: E402 - stays with it
from arrow_ends import url  # noqa: E402 - stays with it
from dlt.sources.sql_database import sql_table  # noqa: E402 - stays with it


def keep_floats(table):
    """Let doubles be what they are; as reflected of MariaDB, they become decimals of ten digits."""
    for column in table.columns:
        if isinstance(column.type, sqlalchemy.Double):
            column.type = sqlalchemy.Double()


folder = Path(spec["folder"])
schema = source.get("schema")
if source["kind"] == "sqlite":
    address = f"sqlite:///{source['path']}"
elif source["kind"] == "postgresql":
    address = url(source["connection"]).replace("postgresql:", "postgresql+psycopg2:")
else:
    address = "mysql+pymysql://{user}@{host}:{port}/".format(**source["connection"]) + schema
rows = sql_table(
    address,
    "source",
    schema=schema,
    backend="pyarrow",
    chunk_size=100_000,
    reflection_level="full_with_precision",
    table_adapter_callback=keep_floats,
)
if target["kind"] == "postgresql":
    place = url(target["connection"]).replace("@", ":any@")  # It wants a password, used or not.
    destination, dataset = dlt.destinations.postgres(place), target["schema"]
    options = {"loader_file_format": "csv"}
elif target["kind"] == "parquet":
    path = Path(target["path"])
    destination = dlt.destinations.filesystem(f"file://{folder}/dlt")
    dataset, options = "moved", {"loader_file_format": "parquet"}
else:
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{target['path']}")
    dataset, options = "main", {}
pipeline = dlt.pipeline(
    "bench_moving",
    destination=destination,
    dataset_name=dataset,
    pipelines_dir=str(folder / "dlt_state"),
)
table = target.get("table", "moved")
done = pipeline.run(rows, table_name=table, write_disposition="replace", **options)
done.raise_on_failed_jobs()
if target["kind"] == "parquet":
    files = list((folder / "dlt" / "moved" / table).glob("*.parquet"))
    path.mkdir()
    for number, file in enumerate(files):
        file.rename(path / f"{number}.parquet")
