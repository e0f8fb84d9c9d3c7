"""SQLAlchemy on two versions of psycopg2 at once: each stores objects and loads the other's.

Everything is stored in a schema with a random name, which is dropped at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pypods.errors import PodError
from pypods.pods import PodLoader

try:
    import sqlalchemy
    from shop import Item, Shop, find_differences, make_shops
    from sqlalchemy import event, exc, orm
except ModuleNotFoundError as error:
    sys.exit(f"this program needs SQLAlchemy 2 ({error}): python -m pip install sqlalchemy")

PODS = Path(__file__).resolve().parent / "pods"
DEFAULT_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
CONNECT_TIMEOUT_SECONDS = 3.0


@dataclass
class Line:
    """What one driver did: a row of the table at the end."""

    driver: str
    python: str
    pid: int
    stored: int = 0
    loaded: int = 0
    equal: int = 0
    error: str = ""
    seconds: float = 0.0


def main() -> int:
    """Run the example; 0 when every object came back equal, else 1."""
    options = parse_options()
    url = sqlalchemy.make_url(options.url).set(drivername="postgresql+psycopg2")
    missing = find_no_server(url)
    if missing:
        print(missing, file=sys.stderr)
        return 1
    place = f"pypods_{uuid.uuid4().hex[:12]}"
    try:
        with ExitStack() as stack:
            old, old_line = stack.enter_context(connect("psycopg2_old", url, place))
            new, new_line = stack.enter_context(connect("psycopg2_new", url, place))
            use_both(old, old_line, new, new_line, place, options.objects)
    except (PodError, exc.SQLAlchemyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    lines = [old_line, new_line]
    is_good = all(each.equal == each.loaded == each.stored == options.objects for each in lines)
    is_good = is_good and all(each.error == "UniqueViolation, its own" for each in lines)
    if options.json:
        print(
            json.dumps(
                {"drivers": list(map(asdict, lines)), "place": place, "is_good": is_good}, indent=2
            )
        )
    else:
        show(lines)
    return 0 if is_good else 1


def parse_options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description="Use SQLAlchemy on two versions of psycopg2.")
    url = os.environ.get("POSTGRESQL_URL") or DEFAULT_URL
    parser.add_argument("--url", default=url, help=f"or POSTGRESQL_URL; now {url}")
    parser.add_argument("--objects", type=int, default=1_000, help="per driver (1000)")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON, only that")
    options = parser.parse_args()
    if options.objects < 1:
        parser.error("--objects must be 1 or more")
    return options


def find_no_server(url: sqlalchemy.URL) -> str:
    """Return what is to be said where nothing listens; nothing where something does."""
    where = (url.host or "127.0.0.1", url.port or 5432)
    try:
        socket.create_connection(where, CONNECT_TIMEOUT_SECONDS).close()
    except OSError as error:
        return f"no PostgreSQL at {where[0]}:{where[1]} ({error}); name one with --url URL"
    return ""


@contextmanager
def connect(name: str, url: sqlalchemy.URL, place: str) -> Iterator[tuple[sqlalchemy.Engine, Line]]:
    """Give an engine on the driver of a pod."""
    loader = PodLoader(name, pods_directory=PODS)
    with loader as pod:
        with pod.imports("psycopg2"):
            # Here, "import psycopg2" gives the pod's. SQLAlchemy imports some of it only when it
            # connects, or when it is told of an isolation level.
            engine = sqlalchemy.create_engine(
                url,
                connect_args={"options": f"-c search_path={place}"},
                isolation_level="READ COMMITTED",
            )
            engine.connect().close()

        @event.listens_for(engine, "handle_error")
        def note_a_death(context: sqlalchemy.engine.ExceptionContext) -> None:
            # With a pod go its connections: the pool is to make new ones.
            if isinstance(context.original_exception, PodError):
                context.is_disconnect = True

        version = engine.dialect.dbapi.__version__.split()[0]
        hello = loader.hello
        assert hello is not None
        try:
            yield engine, Line(f"psycopg2 {version}", hello.python, hello.pid)
        finally:
            engine.dispose()


def use_both(
    old: sqlalchemy.Engine,
    old_line: Line,
    new: sqlalchemy.Engine,
    new_line: Line,
    place: str,
    count: int,
) -> None:
    """Let each driver store objects, load those of the other, and fail in its own way."""
    with new.begin() as connection:
        connection.execute(sqlalchemy.schema.CreateSchema(place))
    try:
        Shop.metadata.create_all(new)
        store(old, old_line, "old", count)
        store(new, new_line, "new", count)
        load(old, old_line, "new", count)
        load(new, new_line, "old", count)
        for engine, line, other in ((old, old_line, new), (new, new_line, old)):
            line.error = fail(engine, other)
    finally:
        with new.begin() as connection:
            connection.execute(sqlalchemy.schema.DropSchema(place, cascade=True))


def store(engine: sqlalchemy.Engine, line: Line, who: str, count: int) -> None:
    """Store so many objects in one transaction."""
    began = time.perf_counter()
    with orm.Session(engine) as session, session.begin():
        session.add_all(make_shops(who, count))
    line.stored = count
    line.seconds += time.perf_counter() - began


def load(engine: sqlalchemy.Engine, line: Line, who: str, count: int) -> None:
    """Load the objects that somebody stored and compare them."""
    began = time.perf_counter()
    with orm.Session(engine) as session:
        chosen = sqlalchemy.select(Shop).where(Shop.who == who).order_by(Shop.number)
        found = session.scalars(chosen.options(orm.selectinload(Shop.items))).all()
        line.loaded = len(found)
        line.equal = count - find_differences(found, make_shops(who, count))
    line.seconds = round(line.seconds + time.perf_counter() - began, 2)


def fail(engine: sqlalchemy.Engine, other: sqlalchemy.Engine) -> str:
    """Break a constraint; return the error's name and whose it is."""
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.insert(Item).values(id=1, shop_id=1, name="again"))
    except exc.IntegrityError as error:
        original = error.orig
        is_own = isinstance(original, engine.dialect.dbapi.IntegrityError)
        is_others = isinstance(original, other.dialect.dbapi.Error)
        whose = "its own" if is_own and not is_others else "of the other driver"
        return f"{type(original).__name__}, {whose}"
    return "none"


def show(lines: list[Line]) -> None:
    """Print the table."""
    rows = [list(asdict(lines[0])), *([*map(str, asdict(each).values())] for each in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


if __name__ == "__main__":
    sys.exit(main())
