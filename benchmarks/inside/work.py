"""What is called in a worker; runs in any environment, and imports what it needs only then."""

import os

_made = {}


def nothing():
    return None


def add(a, b):
    return a + b


def pid():
    return os.getpid()


def echo(value):
    return value


def take(value):
    return len(value)


def spin(steps):
    total = 0
    for i in range(steps):
        total += i * i % 7
    return total


def count(n):
    """Yield small items."""
    yield from range(n)


# --- rows ---------------------------------------------------------------------------------------


def rows(n, as_text=False):
    """Return n rows of ten columns, the same each time; they are made only once.

    `as_text` gives the points of time as text, for who cannot pass on a datetime.
    """
    if ("rows", n, as_text) not in _made:
        _made["rows", n, as_text] = _make_rows(n, as_text)
    return _made["rows", n, as_text]


def _make_rows(n, as_text):
    from datetime import datetime, timedelta

    start = datetime(2024, 1, 1)
    cities = ("Aachen", "Bergen", "Córdoba", "Dunedin", "Esbjerg")
    made = []
    for i in range(n):
        when = start + timedelta(seconds=i * 61, microseconds=i)
        made.append(
            {
                "id": i,
                "account": 10**12 + i * 7919,
                "name": f"customer {i}",
                "city": cities[i % 5],
                "price": i * 0.37,
                "rating": 1.0 / (i + 1),
                "quantity": i % 97,
                "active": i % 3 == 0,
                "note": None if i % 4 else f"order {i} was changed",
                "created": when.isoformat() if as_text else when,
            }
        )
    return made


def table(n):
    """Return the same rows as an Arrow table."""
    if ("table", n) not in _made:
        import pyarrow

        _made["table", n] = pyarrow.Table.from_pylist(_make_rows(n, False))
    return _made["table", n]


def table_as_ipc(n):
    """Return the table in Arrow's own format, as bytes."""
    import pyarrow

    whole = table(n)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return sink.getvalue().to_pybytes()


# --- from one worker to another -----------------------------------------------------------------
# A batch is a million rows of two columns, 16 MB, or the same number of bytes. A producer has four,
# which it gives in turns, so that it measures the way of a batch and not its making.

BATCH_ROWS = 2**20
BATCH_BYTES = BATCH_ROWS * 16


def batch(i, kind):
    """Return a batch: an Arrow table, an array of NumPy or bytes."""
    i %= 4
    if (kind, i) not in _made:
        _made[kind, i] = _MAKERS[kind](i)
    return _made[kind, i]


def _make_array(i):
    import numpy

    return numpy.arange(BATCH_ROWS * 2, dtype="f8") + i


def _make_table(i):
    import pyarrow

    halves = _make_array(i).reshape(2, BATCH_ROWS)
    return pyarrow.table({"a": halves[0], "b": halves[1]})


_MAKERS = {
    "table": _make_table,
    "array": _make_array,
    "bytes": lambda i: _make_array(i).tobytes(),
}


def produce(batches, kind):
    for i in range(batches):
        yield batch(i, kind)


def consume(batches, read=False):
    """Take batches from an iterator; return how many there were and what identifies them."""
    seen = 0
    total = 0.0
    for each in batches:
        total += look(each, read)
        seen += 1
    return seen, total


def look(value, read=False):
    """Return the sum of a batch's first and last number, or of all of them if it is to be read."""
    if hasattr(value, "__arrow_c_stream__"):
        import pyarrow

        whole = pyarrow.table(value)
        parts = [chunk.to_numpy() for name in ("a", "b") for chunk in whole.column(name).chunks]
    else:
        import numpy

        parts = [numpy.frombuffer(value, dtype="f8")]
    if read:
        return float(sum(part.sum() for part in parts))
    return float(parts[0][0] + parts[-1][-1])


# --- a database's cursor --------------------------------------------------------------------------

LOOKUP = "select name, price from orders where id = ?"
ALL = "select * from orders"


def open_table(rows):
    """Return a connection of sqlite3 to a table in memory."""
    import sqlite3

    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.execute("create table orders (id integer primary key, name, price, note)")
    values = ((i, f"order {i}", i * 0.5, None if i % 4 else "changed") for i in range(rows))
    connection.executemany("insert into orders values (?, ?, ?, ?)", values)
    connection.commit()
    return connection


def time_lookups(connection, times, rows):
    """Look up one row after another; return the seconds of each, and whether all were right."""
    from time import perf_counter

    cursor = connection.cursor()
    seconds = []
    right = True
    for i in range(times):
        began = perf_counter()
        cursor.execute(LOOKUP, (i % rows,))
        row = cursor.fetchone()
        seconds.append(perf_counter() - began)
        right = right and tuple(row) == (f"order {i % rows}", i % rows * 0.5)
    return seconds, right


def time_fetchall(connection, times, rows, by_value=lambda found: found):
    """Fetch all rows again and again; return the same."""
    from time import perf_counter

    cursor = connection.cursor()
    seconds = []
    right = True
    for _ in range(times):
        began = perf_counter()
        cursor.execute(ALL)
        found = by_value(cursor.fetchall())
        seconds.append(perf_counter() - began)
        right = right and len(found) == rows and found[-1][0] == rows - 1
        del found
    return seconds, right


def time_cursor(what, times, rows):
    """Return the same, all in this process."""
    time_it = {"lookups": time_lookups, "fetchall": time_fetchall}[what]
    if ("connection", rows) not in _made:
        _made["connection", rows] = open_table(rows)
    return time_it(_made["connection", rows], times, rows)
