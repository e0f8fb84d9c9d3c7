"""pandas, over ADBC where there is a driver, in chunks: ``with_pandas.py SPEC``."""

from __future__ import annotations

import json
import sqlite3
import sys
from decimal import Decimal

import pandas as pd
from arrow_ends import schema, url
from rows import COLUMNS, DECLARED

CHUNK_ROWS = 100_000


def read(source):
    """Yield frames."""
    query = f"select {', '.join(COLUMNS)} from "
    if source["kind"] == "sqlite":
        connection, table = sqlite3.connect(source["path"]), "source"
    else:
        from sqlalchemy import create_engine

        table = f"{source['schema']}.source"
        place = source["connection"]
        address = (
            url(place).replace("postgresql:", "postgresql+psycopg:")
            if source["kind"] == "postgresql"
            else "mysql+pymysql://{user}@{host}:{port}/".format(**place)
        )
        connection = create_engine(address).connect().execution_options(stream_results=True)
    frames = pd.read_sql(query + table, connection, chunksize=CHUNK_ROWS, coerce_float=False)
    for frame in frames:
        if source["kind"] == "sqlite":
            frame["amount"] = frame["amount"].map(lambda value: Decimal(str(value)))
        frame["at"] = pd.to_datetime(frame["at"], format="ISO8601")
        frame["active"] = frame["active"].astype(bool)
        yield frame


def main():
    """Move the rows."""
    spec = json.loads(sys.argv[1])
    target = spec["target"]
    frames = read(spec["source"])
    if target["kind"] == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetWriter(target["path"], schema()) as writer:
            for frame in frames:
                writer.write_table(pa.Table.from_pandas(frame, schema(), preserve_index=False))
        return
    if target["kind"] == "sqlite":
        connection, options = sqlite3.connect(target["path"]), {}
        connection.execute(f"create table {target['table']} ({DECLARED['sqlite']})")
    else:
        import adbc_driver_postgresql.dbapi as dbapi

        connection, options = dbapi.connect(url(target["connection"])), {"schema": target["schema"]}
        with connection.cursor() as cursor:
            table = f"{target['schema']}.{target['table']}"
            cursor.execute(f"create table {table} ({DECLARED['postgresql']})")
    for frame in frames:
        if target["kind"] == "sqlite":
            frame["amount"] = frame["amount"].astype(str)
            frame["at"] = frame["at"].dt.strftime("%Y-%m-%d %H:%M:%S.%f")
        else:
            frame["id"] = frame["id"].astype("int32")
        frame.to_sql(target["table"], connection, if_exists="append", index=False, **options)
    connection.commit()


main()
