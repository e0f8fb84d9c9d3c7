"""Web services that speak SOAP, as a source and a target of rows."""

from .soap_connector import SoapConnector as _SoapConnector

(
    describe_connector, check, streams, schema, partitions, release_partitions, read, count,
    checksum, truncate, execute, prepare, write, finish, abandon, state, write_all,
) = _SoapConnector().functions()  # fmt: skip
