"""Programs with cursors, each run in the pod's own interpreter and from the host; sqlite3 in both.

A program gets ``db``, in which ``connect`` and what it needs is, and notes what it sees. This is
also a part of the pod's own ``pod.py``, so it is Python 3.8.
"""


def fill(db, rows=100):
    connection = db.connect()
    cursor = connection.cursor()
    cursor.execute("create table t (a integer primary key, b text)")
    cursor.executemany("insert into t values (?, ?)", [(i, "b%d" % i) for i in range(rows)])
    connection.commit()
    return connection


def attempt(note, function, *args):
    try:
        value = function(*args)
        note(type(value).__name__ if type(value).__name__ == "Cursor" else value)
    except Exception as exc:
        note([type(exc).__name__, str(exc)])


def broken_off_and_fetched(db, note):
    cursor = fill(db).cursor()
    cursor.execute("select a, b from t order by a")
    for row in cursor:
        note(row)
        if row[0] == 9:
            break
    note(cursor.fetchone())
    note(cursor.fetchmany(2))
    note(cursor.fetchmany())
    cursor.arraysize = 3
    note(cursor.fetchmany())
    note(next(cursor))
    note(cursor.fetchmany(size=2))
    note(cursor.fetchall())
    note(cursor.fetchone())
    note(cursor.fetchall())
    note(cursor.fetchmany(3))
    note(list(cursor))


def fetched_one_by_one(db, note):
    cursor = fill(db, 40).cursor()
    cursor.execute("select a from t order by a")
    for _ in range(20):
        note(cursor.fetchone())
    note(cursor.fetchmany(100))
    cursor.execute("select a from t order by a")
    while True:
        row = cursor.fetchone()
        note(row)
        if row is None:
            break
    note(cursor.fetchone())


def executed_anew(db, note):
    cursor = fill(db).cursor()
    for end in (3, 17, 40):
        cursor.execute("select a from t where a >= ? order by a", (end,))
        for row in cursor:
            if row[0] > end + 10:
                break
        note(row)
    note(cursor.execute("select b from t order by a desc") is cursor)
    note(cursor.fetchmany(2))


def executed_wrongly(db, note):
    cursor = fill(db).cursor()
    cursor.execute("select a from t order by a")
    note([next(cursor) for _ in range(10)])
    attempt(note, cursor.execute, "select nonsense from nowhere")
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchall)


def looked_up_many_times(db, note):
    cursor = fill(db).cursor()
    for i in range(30):
        cursor.execute("select b from t where a = ?", (i * 7,))
        note(cursor.fetchone())
    for i in range(10):
        cursor.execute("select a from t where a >= ? order by a", (i,))
        note([cursor.fetchone(), cursor.fetchone(), cursor.fetchall()[-1]])


def closed(db, note):
    connection = fill(db)
    cursor = connection.cursor()
    cursor.execute("select a from t order by a")
    note([next(cursor) for _ in range(10)])
    cursor.close()
    attempt(note, cursor.fetchone)
    attempt(note, next, cursor)
    attempt(note, cursor.fetchall)
    cursor.close()


def connection_closed(db, note):
    connection = fill(db)
    cursor = connection.cursor()
    cursor.execute("select a from t order by a")
    note([next(cursor) for _ in range(10)])
    connection.close()
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchmany, 3)
    attempt(note, cursor.fetchall)
    attempt(note, next, cursor)


def fetched_many_of_what_is_closed(db, note):
    for use in ("fetchmany", "fetchall"):
        connection = fill(db)
        cursor = connection.cursor()
        cursor.execute("select a from t order by a")
        note([next(cursor) for _ in range(10)])
        connection.close()
        attempt(note, getattr(cursor, use))
        attempt(note, getattr(cursor, use))


def rolled_back(db, note):
    connection = fill(db)
    for end in ("commit", "rollback"):
        cursor = connection.cursor()
        cursor.execute("select a from t order by a")
        note([next(cursor) for _ in range(10)])
        connection.execute("insert into t values (?, 'more')", (1000 + len(end),))
        getattr(connection, end)()
        attempt(note, cursor.fetchone)
        attempt(note, cursor.fetchone)
    note(connection.execute("select count(*) from t").fetchone())


def an_error_among_the_rows(db, note):
    connection = fill(db)
    connection.execute("update t set b = cast(x'ff' as text) where a = 50")
    for _ in range(2):
        cursor = connection.cursor()
        cursor.execute("select a, b from t order by a")
        try:
            for row in cursor:
                note(row)
        except Exception as exc:
            note([type(exc).__name__, isinstance(exc, db.sqlite3.OperationalError)])
    cursor.execute("select a, b from t order by a")
    for _ in range(49):
        cursor.fetchone()
    for _ in range(3):
        attempt(note, cursor.fetchone)


def attributes_between(db, note):
    cursor = fill(db).cursor()
    note([cursor.description, cursor.rowcount, cursor.lastrowid])
    for i in range(5):
        cursor.execute("insert into t (b) values ('x')")
        note([cursor.description, cursor.rowcount, cursor.lastrowid])
        cursor.execute("update t set b = 'y' where a < ?", (i,))
        note([cursor.description, cursor.rowcount, cursor.lastrowid])
        cursor.execute("select a, b as %s from t" % "bcdefg"[i])
        note([cursor.description, cursor.rowcount, cursor.fetchone(), cursor.description])
        note(cursor.rowcount)


def changed_while_iterated(db, note):
    connection = fill(db, 20)
    cursor = connection.cursor()
    cursor.execute("select a from t order by a")
    for (a,) in cursor:
        connection.execute("update t set b = ? where a = ?", ("c%d" % a, a + 1))
        note([a, connection.execute("select b from t where a = ?", (a,)).fetchone()])
    connection.commit()


def two_cursors_in_turns(db, note):
    connection = fill(db)
    one, other = connection.cursor(), connection.cursor()
    one.execute("select a from t order by a")
    other.execute("select a from t order by a desc")
    for pair in zip(one, other):
        note(pair)
        if pair[0][0] == 30:
            break
    note([one.fetchone(), other.fetchone(), len(one.fetchall()), len(list(other))])


def used_wrongly(db, note):
    connection = fill(db)
    cursor = connection.cursor()
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchall)
    attempt(note, cursor.fetchmany, 4)
    cursor.execute("insert into t values (500, 'x')")
    attempt(note, cursor.fetchone)
    attempt(note, cursor.fetchone, 1)
    attempt(note, cursor.execute)
    attempt(note, cursor.execute, "select 1", 5)
    attempt(note, cursor.executemany, "select 1", [()])
    attempt(note, cursor.fetchmany, "x")
    attempt(note, connection.execute, "select ?", (1, 2))


def written_from_iterators(db, note):
    connection = db.connect()
    cursor = connection.cursor()
    cursor.executescript("create table t (a, b); create table u (c);")
    cursor.executemany("insert into t values (?, ?)", ((i, str(i)) for i in range(50)))
    note(cursor.rowcount)
    cursor.execute("select * from t")
    note([next(cursor) for _ in range(10)])
    cursor.executemany("insert into u values (?)", [(i,) for i in range(3)])
    attempt(note, cursor.fetchone)
    note(connection.execute("select sum(c) from u").fetchall())


def rows_of_another_shape(db, note):
    connection = fill(db)
    db.make_dicts(connection)
    cursor = connection.execute("select a, b from t order by a")
    for row in cursor:
        note(row)
        if row["a"] == 20:
            break
    note(cursor.fetchmany(2))
    db.make_objects(connection)
    cursor = connection.execute("select a, b from t order by a")
    note([row.a for row in cursor][:30])


PROGRAMS = [
    broken_off_and_fetched,
    fetched_one_by_one,
    executed_anew,
    executed_wrongly,
    looked_up_many_times,
    closed,
    connection_closed,
    fetched_many_of_what_is_closed,
    rolled_back,
    an_error_among_the_rows,
    attributes_between,
    changed_while_iterated,
    two_cursors_in_turns,
    used_wrongly,
    written_from_iterators,
    rows_of_another_shape,
]
