"""Programs with cursors of servers; run in a pod's own interpreter and on the host. Python 3.8.

Each notes what it sees, as text.
"""


def run_all(driver, spec):
    """Return what each program notes, by its name."""
    return {name: run(driver, spec, program) for name, program in PROGRAMS.items()}


def run(driver, spec, program):
    """Return what a program notes."""
    noted = []
    connections = []

    def connect():
        connections.append(driver.connect(**spec["kwargs"]))
        return connections[-1]

    def note(*values):
        noted.append(", ".join(map(show, values)))

    try:
        program(connect, KINDS[spec["kind"]](driver), note)
    except Exception as exc:
        note("ended by", type(exc).__name__, str(exc).partition("\n")[0])
    finally:
        for connection in connections:
            try:
                connection.close()
            except driver.Error:
                pass
    return noted


def show(value):
    if isinstance(value, dict):
        return "{" + ", ".join("%s: %r" % item for item in value.items()) + "}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(show, value)) + "]"
    name = type(value).__name__
    if name in ("DictRow", "RealDictRow"):
        return show(list(value))
    return repr(value)


def attempt(note, function, *args, **kwargs):
    try:
        note(function(*args, **kwargs))
    except Exception as exc:
        note(type(exc).__name__, str(exc).partition("\n")[0])


def in_psycopg2(**options):
    return lambda driver: lambda connection: connection.cursor(**options)


def in_pymysql(name):
    return lambda driver: lambda connection: connection.cursor(getattr(driver.cursors, name))


KINDS = {
    "psycopg2": in_psycopg2(),
    "psycopg2, named": in_psycopg2(name="program"),
    "psycopg2, named, with scroll": in_psycopg2(name="program", scrollable=True),
    "psycopg2, named, with hold": in_psycopg2(name="program", withhold=True),
    "PyMySQL": in_pymysql("Cursor"),
    "PyMySQL, DictCursor": in_pymysql("DictCursor"),
    "PyMySQL, SSCursor": in_pymysql("SSCursor"),
    "PyMySQL, SSDictCursor": in_pymysql("SSDictCursor"),
}
#: A hundred rows, without a table.
ROWS = " union all ".join("select %d as n, 'row %d' as t" % (i, i) for i in range(100))


def fetched_in_all_ways(connect, make, note):
    cursor = make(connect())
    attempt(note, cursor.fetchone)
    _fetch_in_all_ways(cursor, note)


def fetched_in_all_ways_without_an_error_before(connect, make, note):
    """What failed before may hold the cursor, of which no rows are read ahead then."""
    _fetch_in_all_ways(make(connect()), note)


def _fetch_in_all_ways(cursor, note):
    cursor.execute(ROWS)
    for _ in range(10):
        note(cursor.fetchone(), cursor.rownumber)
    note(cursor.fetchmany(3), cursor.rownumber)
    for _ in range(10):
        note(cursor.fetchone())
    note(cursor.fetchmany(size=2))
    cursor.arraysize = 4
    note(cursor.fetchmany(), cursor.rownumber)
    note(cursor.fetchall(), cursor.rownumber)
    note(cursor.fetchone(), cursor.fetchall(), cursor.fetchmany(2))
    note([each[0] for each in cursor.description])


def iterated_and_broken_off(connect, make, note):
    cursor = make(connect())
    cursor.execute(ROWS)
    for number, row in enumerate(cursor):
        note(row, cursor.rownumber)
        if number == 20:
            break
    rest = list(cursor)
    note(len(rest), rest)
    note(cursor.fetchall())


def with_a_row_count(connect, make, note):
    cursor = make(connect())
    cursor.execute(ROWS)
    note(cursor.rowcount)
    for _ in range(30):
        cursor.fetchone()
        note(cursor.rowcount, cursor.rownumber)


def moved(connect, make, note):
    cursor = make(connect())
    cursor.execute(ROWS)
    for _ in range(10):
        cursor.fetchone()
    cursor.scroll(1)
    note(cursor.fetchone(), cursor.rownumber)
    for _ in range(5):
        cursor.fetchone()
    cursor.scroll(40)
    note(cursor.fetchone())
    for _ in range(5):
        cursor.fetchone()
    cursor.scroll(70, mode="absolute")
    note(cursor.fetchone())


def moved_to_each_row(connect, make, note):
    connection = connect()
    for row in [*range(17, 36), 16]:
        cursor = make(connection)
        cursor.execute(ROWS)
        for _ in range(16):
            cursor.fetchone()
        cursor.scroll(row, mode="absolute")
        note(cursor.fetchone())
        cursor.close()


def ended_by(end):
    def program(connect, make, note):
        connection = connect()
        cursor = make(connection)
        cursor.execute(ROWS)
        for _ in range(10):
            note(cursor.fetchone())
        getattr(connection, end)()
        for _ in range(2):
            attempt(note, cursor.fetchone)
        attempt(note, cursor.fetchmany, 2)

    return program


def closed(connect, make, note):
    cursor = make(connect())
    cursor.execute(ROWS)
    for _ in range(10):
        note(cursor.fetchone())
    cursor.close()
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchall)


def executed_anew(connect, make, note):
    cursor = make(connect())
    cursor.execute(ROWS)
    for _ in range(10):
        note(cursor.fetchone())
    attempt(note, cursor.execute, "select nonsense from nowhere")
    attempt(note, cursor.fetchone)
    attempt(note, cursor.execute, "select 5")
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchone)


def looked_up_many_times(connect, make, note):
    connection = connect()
    for i in range(20):
        cursor = make(connection)
        cursor.execute("select %s + 1, 'x'", (i,))
        note(cursor.fetchone(), cursor.description[0][0])
        cursor.close()
    cursor = make(connection)
    for i in range(20):
        attempt(note, cursor.execute, "select %s + 1 as a", (i,))
        attempt(note, cursor.fetchone)


PROGRAMS = {
    "fetched in all ways": fetched_in_all_ways,
    "fetched in all ways without an error before": fetched_in_all_ways_without_an_error_before,
    "iterated and broken off": iterated_and_broken_off,
    "with a row count": with_a_row_count,
    "moved": moved,
    "moved to each row": moved_to_each_row,
    "committed": ended_by("commit"),
    "rolled back": ended_by("rollback"),
    "connection closed": ended_by("close"),
    "closed": closed,
    "executed anew": executed_anew,
    "looked up many times": looked_up_many_times,
}
