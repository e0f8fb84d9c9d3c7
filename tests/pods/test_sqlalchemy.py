"""SQLAlchemy, pandas and polars of this environment on drivers that only pods have."""

from __future__ import annotations

import datetime as dt
import importlib.util
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql
from tests.pods.sqlalchemy_drivers import (
    DRIVERS,
    PYMYSQL_OLD,
    Author,
    Base,
    Book,
    Driver,
    PlaceOf,
    PodOf,
)

from pypods.errors import PodCallError

# The first run fetches the drivers.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=DRIVERS, ids=str)
def driver(request: pytest.FixtureRequest) -> Driver:
    """Run the test on each driver."""
    driver: Driver = request.param
    return driver


@pytest.fixture(scope="module")
def make_engine(
    pod_of: PodOf, place_of: PlaceOf, driver: Driver
) -> Iterator[Callable[..., sa.Engine]]:
    """Return a function that makes an engine on the driver, while ``import`` gives the pod's."""
    pod = pod_of(driver)
    place = place_of(driver, pod)
    engines: list[sa.Engine] = []

    def make(**options: Any) -> sa.Engine:
        engines.append(sa.create_engine(place.url, connect_args=place.connect_args, **options))
        return engines[-1]

    with pod.imports(driver.module, shadow=driver.module == "sqlite3"):
        yield make
        for engine in engines:
            engine.dispose()


@pytest.fixture(scope="module")
def shared_engine(make_engine: Callable[..., sa.Engine]) -> sa.Engine:
    return make_engine()


@pytest.fixture
def engine(shared_engine: sa.Engine) -> Iterator[sa.Engine]:
    """Return an engine on empty tables."""
    Base.metadata.create_all(shared_engine)
    yield shared_engine
    Base.metadata.drop_all(shared_engine)


@pytest.fixture
def books(engine: sa.Engine) -> sa.Engine:
    """Return an engine on tables with 60 authors of 3 books each."""
    with orm.Session(engine) as session, session.begin():
        for i in range(60):
            titles = [Book(title=f"t{i}.{j}", price=Decimal("1.25") * j) for j in range(3)]
            session.add(Author(name=f"a{i}", books=titles))
    return engine


def test_the_drivers_are_of_pods(engine, driver):
    if driver.module != "sqlite3":
        assert importlib.util.find_spec(driver.module).origin == f'pod "{driver.pod}"'
    assert f"in pod '{driver.pod}'" in repr(engine.dialect.dbapi)
    with engine.connect() as connection:
        assert f"in pod '{driver.pod}'" in repr(connection.connection.dbapi_connection)


def test_objects_are_stored_and_loaded(books):
    with orm.Session(books) as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Book)) == 180
        chosen = sa.select(Author).options(orm.selectinload(Author.books))
        author = session.scalars(chosen.where(Author.name == "a7")).one()
        assert sorted(book.price for book in author.books) == [0, Decimal("1.25"), Decimal("2.50")]
        author.name = "renamed"
        session.delete(author.books.pop())
        session.commit()
    with books.connect() as connection:
        assert connection.scalar(sa.select(Author.id).where(Author.name == "renamed"))
        assert connection.scalar(sa.select(sa.func.count()).select_from(Book)) == 179


def test_transactions_are_committed_and_rolled_back(engine):

    def lose() -> None:
        with engine.begin() as connection:
            connection.execute(sa.insert(Author), {"name": "lost"})
            raise KeyError

    with pytest.raises(KeyError):
        lose()
    with engine.begin() as connection:
        connection.execute(sa.insert(Author), {"name": "kept"})
    with engine.connect() as connection:
        connection.execute(sa.insert(Author), {"name": "not committed"})
    with engine.connect() as connection:
        assert connection.scalars(sa.select(Author.name)).all() == ["kept"]


def test_savepoints(engine):
    with engine.begin() as connection:
        inner = connection.begin_nested()
        connection.execute(sa.insert(Author), {"name": "inside"})
        inner.rollback()
        connection.execute(sa.insert(Author), {"name": "one"})
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(sa.insert(Author), {"name": "one"})
        connection.execute(sa.insert(Author), {"name": "two"})
    with engine.connect() as connection:
        assert set(connection.scalars(sa.select(Author.name))) == {"one", "two"}


def test_errors_are_those_of_sqlalchemy_and_of_the_driver(books, driver):
    module = books.dialect.dbapi
    with pytest.raises(sa.exc.IntegrityError) as caught, books.begin() as connection:
        connection.execute(sa.insert(Author), {"name": "a1"})
    original = caught.value.orig
    assert isinstance(original, module.IntegrityError)
    assert isinstance(original, PodCallError)
    assert not isinstance(original, module.OperationalError)
    if driver.server == "postgresql":
        assert type(original).__name__ == "UniqueViolation"
        assert original.diag.constraint_name == "author_name_key"
    if driver.module == "pymysql":
        assert original.args[0] == 1062
    for sql in ("SELECT * FROM nowhere", "SELEC 1"):
        with pytest.raises(sa.exc.DBAPIError) as caught, books.connect() as connection:
            connection.execute(sa.text(sql))
        assert isinstance(caught.value.orig, module.Error)
        assert not caught.value.connection_invalidated


def test_types_come_back_as_they_were(engine, driver):
    values: dict[str, tuple[Any, Any]] = {
        "whole": (sa.BigInteger, 2**62),
        "exact": (sa.Numeric(20, 6), Decimal("-123456.789000")),
        # PyMySQL 0.9.3 writes 15 digits of a float.
        "ratio": (sa.Double, 0.25 if driver is PYMYSQL_OLD else 1 / 3),
        "flag": (sa.Boolean, True),
        "text": (sa.String(50), "žluťoučký 🐎 'quoted' %s \\ :x"),
        "binary": (sa.LargeBinary(2**20), bytes(range(256)) * 300),
        "day": (sa.Date, dt.date(2024, 2, 29)),
        "clock": (sa.Time, dt.time(23, 59, 58)),
        "moment": (sa.DateTime, dt.datetime(2024, 2, 29, 12, 30, 1)),
        "document": (sa.JSON, {"a": [1, None, {"b": "ü"}], "c": 1.5}),
        "kind": (sa.Enum("a", "b", name="kind_of_types"), "b"),
        # PyMySQL 0.9.3 cannot write a UUID object, in a pod or not.
        "key": (sa.Uuid(native_uuid=driver is not PYMYSQL_OLD), uuid.uuid4()),
    }
    if driver.server == "postgresql":
        now = dt.datetime(2024, 1, 1, 1, 2, 3, 4, tzinfo=dt.UTC)
        values |= {
            "numbers": (postgresql.ARRAY(sa.Integer), [1, None, -3]),
            "texts": (postgresql.ARRAY(sa.String), ["", None, 'a,"b"\\{}']),
            "better": (postgresql.JSONB, {"k": [1, True]}),
            "span": (sa.Interval, dt.timedelta(days=-1, seconds=3, microseconds=7)),
            "zoned": (sa.DateTime(timezone=True), now),
            "range": (postgresql.INT4RANGE, postgresql.Range(1, 5)),
        }
    columns = [sa.Column(name, kind) for name, (kind, _) in values.items()]
    table = sa.Table(
        "types", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True), *columns
    )
    table.create(engine)
    try:
        row = {name: value for name, (_, value) in values.items()}
        with engine.begin() as connection:
            connection.execute(table.insert(), [row, dict.fromkeys(row)])
        with engine.connect() as connection:
            first, second = connection.execute(sa.select(*table.c).order_by(table.c.id)).mappings()
            where = table.c.key == row["key"]
            assert connection.scalar(sa.select(sa.func.count()).where(where)) == 1
        for name, value in row.items():
            assert (first[name], type(first[name])) == (value, type(value)), name
        assert {second[name] for name in row} == {None}
        reflected = sa.Table("types", sa.MetaData(), autoload_with=engine)
        assert list(reflected.c.keys()) == ["id", *row]
    finally:
        table.drop(engine)


def test_a_database_is_reflected(engine):
    inspector = sa.inspect(engine)
    assert {"author", "book"} <= set(inspector.get_table_names())
    assert [each["column_names"] for each in inspector.get_unique_constraints("author")] == [
        ["name"]
    ]
    (key,) = inspector.get_foreign_keys("book")
    assert (key["referred_table"], key["constrained_columns"]) == ("author", ["author_id"])
    metadata = sa.MetaData()
    metadata.reflect(engine, only=["book"])
    assert isinstance(metadata.tables["book"].c.price.type, sa.Numeric)
    assert metadata.tables["book"].c.author_id.references(metadata.tables["author"].c.id)


def test_results_are_streamed(books, driver):
    options = {"stream_results": True, "max_row_buffer": 20}
    with books.connect().execution_options(**options) as connection:
        result = connection.execute(sa.select(Book.id).order_by(Book.id))
        cursor = result.cursor
        if driver.server:
            name = {"psycopg2": "cursor", "psycopg": "ServerCursor", "pymysql": "SSCursor"}
            assert type(cursor).__name__ == name[driver.module]
        if driver.module == "psycopg2":
            assert cursor.name
        sizes = [len(part) for part in result.partitions(50)]
    assert sizes == [50, 50, 50, 30]


def test_many_rows_are_inserted_and_their_keys_returned(engine):
    names = [{"name": f"m{i}"} for i in range(2500)]
    with engine.begin() as connection:
        if engine.dialect.insert_executemany_returning:
            statement = sa.insert(Author).returning(Author.id, sort_by_parameter_order=True)
            keys = connection.scalars(statement, names).all()
            assert keys == sorted(set(keys))
            assert len(keys) == 2500
        else:
            connection.execute(sa.insert(Author), names)
    with engine.begin() as connection:
        changed = sa.update(Author).where(Author.name.like("m1%")).values(name=Author.name + "x")
        if engine.dialect.name == "mysql":
            changed = changed.values(name=sa.func.concat(Author.name, "x"))
        assert connection.execute(changed).rowcount == 1111
        assert connection.scalar(sa.select(sa.func.count()).select_from(Author)) == 2500


def test_isolation_levels(engine, driver):
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.insert(Author), {"name": "at once"})
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        assert connection.get_isolation_level() == "SERIALIZABLE"
        assert connection.scalars(sa.select(Author.name)).all() == ["at once"]
    if driver.server:
        with engine.connect() as connection:
            assert connection.get_isolation_level() == connection.default_isolation_level
            assert connection.default_isolation_level != "SERIALIZABLE"


def test_threads_share_a_pool(make_engine, books):
    engine = make_engine(pool_size=3, max_overflow=2)

    def use(i: int) -> Any:
        with engine.connect() as connection:
            return connection.scalar(sa.select(Author.name).where(Author.name == f"a{i}"))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(40))) == [f"a{i}" for i in range(40)]
    assert engine.pool.checkedout() == 0
    assert 1 <= engine.pool.checkedin() <= 5


ASK_AND_END = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mariadb": ("SELECT connection_id()", "KILL {}"),
}


@pytest.mark.parametrize("pre_ping", [False, True], ids=["used", "pinged"])
def test_a_connection_that_the_server_ended_is_replaced(make_engine, books, driver, pre_ping):
    if not driver.server:
        return  # There is nobody who could end it.
    ask, end = ASK_AND_END[driver.server]
    engine = make_engine(pool_pre_ping=pre_ping)
    with engine.connect() as connection:
        number = connection.scalar(sa.text(ask))
    with books.connect() as other:
        other.execute(sa.text(end.format(number)))
    if not pre_ping:
        connection = engine.connect()
        with pytest.raises(sa.exc.DBAPIError) as caught:
            connection.execute(sa.text("SELECT 1"))
        assert caught.value.connection_invalidated
        connection.close()
    with engine.connect() as connection:
        assert connection.scalar(sa.text(ask)) != number


# --- frames -------------------------------------------------------------------------------------


def test_pandas_reads_and_writes(books):
    with books.connect() as connection:
        frame = pd.read_sql(sa.select(Book).order_by(Book.id), connection)
        parts = list(pd.read_sql("SELECT * FROM book", connection, chunksize=70))
    assert frame.shape == (180, 4)
    assert frame["price"].sum() == 60 * 3.75
    assert frame["title"].tolist()[:2] == ["t0.0", "t0.1"]
    assert [len(part) for part in parts] == [70, 70, 40]
    try:
        frame.to_sql("written", books, index=False)
        with books.connect() as connection:
            again = pd.read_sql("SELECT * FROM written ORDER BY id", connection)
        pd.testing.assert_frame_equal(again, frame)
    finally:
        with books.begin() as connection:
            connection.execute(sa.text("DROP TABLE IF EXISTS written"))


def test_polars_reads(books, driver):
    query = "SELECT id, title, price FROM book ORDER BY id"
    with books.connect() as connection:
        frame = pl.read_database(query, connection)
        parts = list(pl.read_database(query, connection, iter_batches=True, batch_size=70))
    assert frame.shape == (180, 3)
    assert frame["title"].to_list()[:2] == ["t0.0", "t0.1"]
    assert float(frame["price"].sum()) == 60 * 3.75
    assert sum(len(part) for part in parts) == 180
    assert pl.concat(parts).equals(frame)
    if driver.module == "pymysql":
        return  # Of its own cursors polars takes none, in a pod or not.
    with closing(books.raw_connection()) as raw:
        assert pl.read_database(query, raw.dbapi_connection).equals(frame)
