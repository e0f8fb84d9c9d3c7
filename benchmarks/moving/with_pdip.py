"""pdip, which has a connector for MariaDB and none for SQLite's files: ``with_pdip.py SPEC``."""

from __future__ import annotations

import json
import sys

from pdip.base import Pdi
from pdip.integrator.base import Integrator
from pdip.integrator.connection.domain.authentication.basic import ConnectionBasicAuthentication
from pdip.integrator.connection.domain.base import ConnectionColumnBase
from pdip.integrator.connection.domain.enums import ConnectionTypes, ConnectorTypes
from pdip.integrator.connection.domain.server.base import ConnectionServer
from pdip.integrator.connection.domain.types.sql.base import ConnectionSqlBase
from pdip.integrator.connection.domain.types.sql.configuration.base import (
    SqlConnectionConfiguration,
)
from pdip.integrator.integration.domain.base import IntegrationBase, IntegrationConnectionBase
from pdip.integrator.operation.domain import OperationBase, OperationIntegrationBase
from rows import COLUMNS, DECLARED


def end(place, connector, database, table):
    """Return one end of the integration."""
    configuration = SqlConnectionConfiguration(
        Name=connector.name,
        ConnectionType=ConnectionTypes.Sql,
        ConnectorType=connector,
        Server=ConnectionServer(Host=place["connection"]["host"], Port=place["connection"]["port"]),
        Database=database,
        BasicAuthentication=ConnectionBasicAuthentication(
            User=place["connection"]["user"], Password=""
        ),
    )
    return IntegrationConnectionBase(
        ConnectionName=connector.name,
        ConnectionType=ConnectionTypes.Sql,
        Sql=ConnectionSqlBase(Connection=configuration, Schema=place["schema"], ObjectName=table),
        Columns=[ConnectionColumnBase(Name=name) for name in COLUMNS],
    )


def main():
    """Move the rows."""
    import psycopg2

    spec = json.loads(sys.argv[1])
    source, target = spec["source"], spec["target"]
    connection = psycopg2.connect(**target["connection"])
    with connection, connection.cursor() as cursor:
        table = f"{target['schema']}.{target['table']}"
        # It hands on MariaDB's 0 and 1, which PostgreSQL takes for no boolean.
        columns = DECLARED["postgresql"].replace("active boolean", "active smallint")
        cursor.execute(f"create table {table} ({columns})")
    integration = IntegrationBase(
        SourceConnections=end(source, ConnectorTypes.MYSQL, source["schema"], "source"),
        TargetConnections=end(
            target, ConnectorTypes.POSTGRESQL, target["connection"]["dbname"], target["table"]
        ),
        IsTargetTruncate=True,
    )
    part = OperationIntegrationBase(
        Id=1, Name="moved", Order=1, Limit=100_000, ProcessCount=1, Integration=integration
    )
    operation = OperationBase(Id=1, Name="moving", Integrations=[part])
    pdi = Pdi()
    pdi.get(Integrator).integrate(operation, execution_id=1)
    pdi.cleanup()


if __name__ == "__main__":
    main()
