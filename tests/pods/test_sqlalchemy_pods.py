"""SQLAlchemy on several drivers at once; locks, deaths and functions of the program."""

from __future__ import annotations

import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql
from tests.pods.sqlalchemy_drivers import (
    PSYCOPG,
    PSYCOPG2_NEW,
    PSYCOPG2_OLD,
    PYMYSQL_NEW,
    PYMYSQL_OLD,
    SQLITE_NEW,
    SQLITE_OLD,
    Author,
    Base,
    fill,
)

from pypods.errors import PodDiedError

# The first run fetches the drivers.
pytestmark = pytest.mark.timeout(600)


# --- several drivers, locks, deaths -------------------------------------------------------------


def test_two_versions_of_a_driver_are_used_at_once(pod_of, place_of):
    engines = {}
    for each in (PSYCOPG2_OLD, PSYCOPG2_NEW):
        pod = pod_of(each)
        place = place_of(each, pod)
        with pod.imports("psycopg2"):
            engine = sa.create_engine(
                place.url, connect_args=place.connect_args, isolation_level="READ COMMITTED"
            )
            engine.connect().close()  # The dialect imports the rest when it connects.
        engines[each] = engine
    assert importlib.util.find_spec("psycopg2") is None
    old, new = engines.values()
    assert old.dialect.dbapi.__version__.startswith("2.8.6 ")
    assert new.dialect.dbapi.__version__.startswith("2.9.13 ")
    assert old.dialect.dbapi.IntegrityError is not new.dialect.dbapi.IntegrityError
    Base.metadata.create_all(old)
    Base.metadata.create_all(new)
    with orm.Session(old) as source, orm.Session(new) as target:
        source.add_all([Author(name=f"a{i}") for i in range(20)])
        source.flush()
        for author in source.scalars(sa.select(Author)):
            target.merge(Author(id=author.id, name=author.name))
        source.commit()
        target.commit()
        assert target.scalars(sa.select(Author.name).order_by(Author.id)).all() == [
            f"a{i}" for i in range(20)
        ]
    for engine in engines.values():
        with pytest.raises(sa.exc.IntegrityError) as caught, engine.begin() as connection:
            connection.execute(sa.insert(Author), {"name": "a1"})
        assert isinstance(caught.value.orig, engine.dialect.dbapi.IntegrityError)
        engine.dispose()


@pytest.mark.parametrize("driver", [SQLITE_OLD, PYMYSQL_OLD, PYMYSQL_NEW], ids=str)
def test_a_module_of_a_pod_is_given_to_an_engine(pod_of, place_of, driver):
    """Without a word in the import system, where the dialect imports nothing else."""
    pod = pod_of(driver)
    place = place_of(driver, pod)
    engine = sa.create_engine(place.url, module=getattr(pod, driver.module))
    fill(engine, "x")
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT name FROM moved")) == "x"
    engine.dispose()


@pytest.mark.parametrize("driver", [PSYCOPG2_OLD, SQLITE_NEW], ids=str)
def test_connections_of_one_pod_wait_for_each_other_s_locks(pod_of, place_of, driver):
    """In a pod with threads; one that takes one call at a time could not take the commit."""
    pod = pod_of(driver, threads=4)
    place = place_of(driver, pod)
    with pod.imports(driver.module, shadow=driver.module == "sqlite3"):
        engine = sa.create_engine(place.url, connect_args=place.connect_args)
        fill(engine, "one")
        change_one = sa.text("UPDATE moved SET name = 'one' WHERE name = 'one'")

        def change(i: int) -> None:
            with engine.begin() as connection:
                connection.execute(change_one)
                connection.execute(sa.text("INSERT INTO moved VALUES ('more')"))

        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(change, range(12))) == [None] * 12
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT count(*) FROM moved")) == 13
        engine.dispose()


def test_an_engine_survives_its_pod(pod_of, place_of):
    """As ``handle_error`` can say that the connections of a pod that died are no more."""
    pod = pod_of(PSYCOPG2_NEW, workers=1)
    place = place_of(PSYCOPG2_NEW, pod)
    with pod.imports("psycopg2"):
        engine = sa.create_engine(place.url, connect_args=place.connect_args)

        @sa.event.listens_for(engine, "handle_error")
        def note_a_death(context: sa.engine.ExceptionContext) -> None:
            context.is_disconnect |= isinstance(context.original_exception, PodDiedError)

        fill(engine, "kept")
        with pytest.raises(PodDiedError):
            pod.import_module("os")._exit(3)
        with pytest.raises(sa.exc.StatementError) as caught, engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
        assert isinstance(caught.value.orig, PodDiedError)
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SELECT name FROM moved")) == "kept"
        with pytest.raises(sa.exc.ProgrammingError), engine.connect() as connection:
            connection.execute(sa.text("SELECT * FROM nowhere"))
        engine.dispose()


# --- functions of the program that a driver keeps ------------------------------------------------


@pytest.mark.parametrize("driver", [SQLITE_OLD, SQLITE_NEW], ids=str)
def test_functions_of_the_program_are_called_by_sqlite(pod_of, place_of, driver):
    pod = pod_of(driver)
    place = place_of(driver, pod)
    engine = sa.create_engine(place.url, module=pod.sqlite3)

    @sa.event.listens_for(engine, "connect")
    def add_a_function(connection: Any, record: Any) -> None:
        connection.create_function("twice", 1, lambda value: value * 2)

    fill(engine, "word")
    name = sa.literal_column("name")
    with engine.connect() as connection:
        matches = sa.select(name.regexp_match("^w.r")).select_from(sa.table("moved"))
        assert connection.scalar(matches) == 1
        assert connection.scalar(sa.text("SELECT twice(name) FROM moved")) == "wordword"
    engine.dispose()


@pytest.mark.parametrize("driver", [PSYCOPG2_OLD, PSYCOPG2_NEW, PSYCOPG], ids=str)
def test_functions_of_the_program_read_and_write_json(pod_of, place_of, driver):
    pod = pod_of(driver)
    place = place_of(driver, pod)
    seen = []

    def load(text: Any) -> Any:
        seen.append("load")
        return {"loaded": json.loads(text)}

    def dump(value: Any) -> str:
        seen.append("dump")
        return json.dumps({"dumped": value})

    with pod.imports(driver.module):
        engine = sa.create_engine(
            place.url,
            connect_args=place.connect_args,
            json_deserializer=load,
            json_serializer=dump,
        )
        table = sa.Table("documents", sa.MetaData(), sa.Column("j", postgresql.JSONB))
        with engine.begin() as connection:
            table.create(connection)
            connection.execute(table.insert(), {"j": [1]})
        with engine.connect() as connection:
            assert connection.scalar(sa.select(table.c.j)) == {"loaded": {"dumped": [1]}}
        assert seen == ["dump", "load"]
        engine.dispose()


def test_notices_of_the_server_reach_the_program(pod_of, place_of, caplog):
    pod = pod_of(PSYCOPG)
    place = place_of(PSYCOPG, pod)
    with pod.imports("psycopg"):
        engine = sa.create_engine(place.url, connect_args=place.connect_args)
        with caplog.at_level("INFO", "sqlalchemy.dialects.postgresql"), engine.connect() as it:
            it.execute(sa.text("DO $$ BEGIN RAISE WARNING 'look here'; END $$"))
        engine.dispose()
    assert "look here" in caplog.text
