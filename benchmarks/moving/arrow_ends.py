"""Sources and targets over ADBC and pyarrow, for the programs that join two of them."""

from __future__ import annotations

from rows import COLUMNS, DECLARED


def schema():
    """Return the Arrow schema of the rows."""
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.int32()), ("big", pa.int64()), ("price", pa.float64()),
            ("amount", pa.decimal128(18, 4)), ("name", pa.string()), ("active", pa.bool_()),
            ("at", pa.timestamp("us")), ("note", pa.string()),
        ]
    )  # fmt: skip


def url(connection):
    """Return the address of a PostgreSQL server's database."""
    return "postgresql://{user}@{host}:{port}/{dbname}".format(**connection)


def typed(batch):
    """Return a batch with the types of the schema; SQLite's driver knows no bool and no time."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = []
    for field, column in zip(schema(), batch.columns, strict=True):
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        if pa.types.is_timestamp(field.type) and pa.types.is_string(column.type):
            column = pc.cast(column, field.type)
        elif pa.types.is_boolean(field.type) and pa.types.is_integer(column.type):
            column = pc.not_equal(column, 0)
        elif pa.types.is_decimal(field.type) and pa.types.is_floating(column.type):
            column = pc.round(column, 4).cast(pa.decimal128(38, 4), safe=False)
        columns.append(column.cast(field.type, safe=False))
    return pa.RecordBatch.from_arrays(columns, schema=schema())


def read(source):
    """Yield typed batches of SQLite or PostgreSQL."""
    names = ", ".join(COLUMNS)
    if source["kind"] == "sqlite":
        import adbc_driver_sqlite.dbapi as dbapi

        connection = dbapi.connect(source["path"])
        table = "source"
    else:
        import adbc_driver_postgresql.dbapi as dbapi

        connection = dbapi.connect(url(source["connection"]))
        table = f"{source['schema']}.source"
    with connection, connection.cursor() as cursor:
        if source["kind"] == "sqlite":
            cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": 65_536})
        cursor.execute(f"select {names} from {table}")
        for batch in cursor.fetch_record_batch():
            yield typed(batch)


def write(target, batches):
    """Write batches to PostgreSQL, SQLite or a Parquet file."""
    import pyarrow as pa

    if target["kind"] == "parquet":
        import pyarrow.parquet as pq

        with pq.ParquetWriter(target["path"], schema()) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return
    if target["kind"] == "sqlite":
        import adbc_driver_sqlite.dbapi as dbapi

        connection = dbapi.connect(target["path"])
        create = f"create table {target['table']} ({DECLARED['sqlite']})"
        batches = map(for_sqlite, batches)
        reader = None
    else:
        import adbc_driver_postgresql.dbapi as dbapi

        connection = dbapi.connect(url(target["connection"]))
        create = f"create table {target['schema']}.{target['table']} ({DECLARED['postgresql']})"
        reader = pa.RecordBatchReader.from_batches(schema(), batches)
    with connection, connection.cursor() as cursor:
        cursor.execute(create)
        if reader is not None:
            options = {"db_schema_name": target["schema"], "mode": "append"}
            cursor.adbc_ingest(target["table"], reader, **options)
        else:
            for batch in batches:
                cursor.adbc_ingest(target["table"], batch, mode="append")
        connection.commit()


def for_sqlite(batch):
    """Return a batch with the types that SQLite's driver takes."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    columns["amount"] = columns["amount"].cast(pa.string())
    columns["active"] = columns["active"].cast(pa.int64())
    columns["at"] = pc.strftime(columns["at"], "%Y-%m-%d %H:%M:%S")
    return pa.RecordBatch.from_pydict(columns)
