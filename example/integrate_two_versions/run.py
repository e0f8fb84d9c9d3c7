"""A table moves from MariaDB to PostgreSQL twice, in one operation: by PyMySQL 0.9.3, and by now's.

Both copies are compared, in the end, by PostgreSQL itself. Everything is made in a database and a
schema with a random name, which are removed again, also after a failure.
"""

from __future__ import annotations

import argparse
import os
import sys
import uuid
from typing import Any
from urllib.parse import unquote, urlsplit

from pypods.integrator import ExecutionReport, Integration, Integrator, Operation, Source, Target
from pypods.pods import PodLoader

ROWS = 20_000
MARIADB = "mariadb://root@127.0.0.1:3306"
POSTGRESQL = "postgresql://postgres@127.0.0.1:5432/postgres"
ORDERS = f"""
    create table orders (
        id bigint unsigned primary key, customer varchar(40) not null, amount decimal(30, 10),
        paid boolean not null, state enum('new', 'sent', 'lost') not null, note text,
        stamp varbinary(8), ordered datetime(6) not null, seen timestamp(3) null, weight float
    ) select
        18446744073709551615 - seq as id, concat('Käufer 漢 ', seq) as customer,
        if(seq % 7 = 0, null, seq * 123456789012345 / 10000000000) as amount, seq % 3 = 0 as paid,
        elt(1 + seq % 3, 'new', 'sent', 'lost') as state,
        if(seq % 4 = 0, concat('said\\t"', seq, '"\\n\\\\'), null) as note,
        unhex(lpad(hex(seq), 8, '0')) as stamp,
        '2024-01-01' + interval seq * 1234567 microsecond as ordered,
        if(seq % 5 = 0, null, '2024-01-01' + interval seq second) as seen, seq / 10 as weight
    from seq_1_to_{ROWS}"""


def read_url(url: str, **settings: Any) -> dict[str, Any]:
    """Return a connector's settings from ``scheme://user:password@host:port/database``."""
    parts = urlsplit(url)
    given = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
        "database": parts.path.lstrip("/"),
    }
    return {**{name: value for name, value in given.items() if value}, **settings}


def make_operation(source: dict[str, Any], target: dict[str, Any], schema: str) -> Operation:
    """Return the operation: the same table, by a pod with each of the versions."""
    return Operation(
        name="two versions",
        integrations=[
            Integration(
                name=name,
                source=Source(connector=connector, connection=source, stream="orders"),
                target=Target(
                    connector="postgresql", connection=target, stream=[schema, f"orders_by_{name}"]
                ),
                mode="replace",
                key=["id"],
            )
            for name, connector in (("old", "mysql_old"), ("new", "mysql"))
        ],
    )


def move(source: dict[str, Any], target: dict[str, Any]) -> tuple[ExecutionReport, int]:
    """Make the table, move it both ways, and return the report and how many rows are equal."""
    name = f"pypods_{uuid.uuid4().hex[:12]}"
    start = {**source, "database": "information_schema"}
    with PodLoader("mysql") as mysql, PodLoader("postgresql") as postgresql:
        mysql.execute(start, f"create database {name}")
        postgresql.execute(target, f"create schema {name}")
        try:
            source = {**source, "database": name}
            mysql.execute(source, ORDERS)
            integrator = Integrator()
            report = integrator.integrate(make_operation(source, target, name), verify=True)
            integrator.history.close()
            both = (
                f"select * from {name}.orders_by_old intersect select * from {name}.orders_by_new"
            )
            return report, postgresql.count(target, "", query=both)
        finally:
            postgresql.execute(target, f"drop schema {name} cascade")
            mysql.execute(start, f"drop database {name}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--mariadb", metavar="URL", default=os.environ.get("MARIADB_URL", MARIADB))
    parser.add_argument(
        "--postgresql", metavar="URL", default=os.environ.get("POSTGRESQL_URL", POSTGRESQL)
    )
    options = parser.parse_args()
    for connector in ("mysql_old", "mysql", "postgresql"):
        with PodLoader(connector) as pod:
            print(f"{connector:10}  {pod.describe_connector()['driver']}")
    report, equal = move(read_url(options.mariadb), read_url(options.postgresql))
    for each in report.integrations:
        found = each.verification
        print(f"{each.name}: {each.rows_written} rows, source and target equal: {found.equal}")
    print(f"equal in both copies: {equal} of {ROWS}")
    is_good = equal == ROWS and all(each.verification.equal for each in report.integrations)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
