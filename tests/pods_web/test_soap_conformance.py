"""The connector for SOAP passes the suite, over a service that gets operations for each stream.

What an operation takes stands in the WSDL. So the server makes one with the columns of each stream
that a check is about to write, as somebody would who has a place for those rows.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pytest
from conformance_results import checks_to_run, keep_outcome
from record_suite import NOT_OFFERED

from pypods.conformance import Scratch, run_check
from pypods.conformance.subject import Subject
from pypods.connectors.types import SchemaError, field_from_text, kind_of, normal_field, text_of

SECRET = "a-secret-that-nobody-sees"
#: A thousand rows are a thousand calls: what takes more than some seconds.
LONG = {"kill", "where"}
XSD = {
    "bool": "boolean", "int8": "byte", "int16": "short", "int32": "int", "int64": "long",
    "uint8": "unsignedByte", "uint16": "unsignedShort", "uint32": "unsignedInt",
    "uint64": "unsignedLong", "float32": "float", "float64": "double", "utf8": "string",
    "binary": "base64Binary", "date": "date", "time(us)": "time",
    "timestamp(us, UTC)": "dateTime",
}  # fmt: skip
PAGES = {"kind": "offset", "param": "offset", "size": 400, "size_param": "limit"}


def declaration_of(field):
    """Return a column's type of XSD, and its declaration where XSD leaves the type open."""
    text = text_of(field)
    if text in XSD:
        return XSD[text], None
    if pa.types.is_decimal(field.type):
        return "decimal", text
    if pa.types.is_timestamp(field.type):
        return "dateTime", "timestamp(us, UTC)" if field.type.tz else "timestamp"
    if pa.types.is_fixed_size_binary(field.type) and not kind_of(field):
        return "base64Binary", None
    try:
        field_from_text("", text)
    except SchemaError:
        return "string", "json"
    return "string", text


class Declaring:
    """Has the service make operations for a stream, and declares them in a connection.

    ``apart``: each stream in a WSDL of its own, which is read sooner than one that has them all.
    """

    def __init__(self, service, connection, *, apart):
        self.service = service
        self.connection = connection
        self.apart = apart
        self.numbers = {}
        self.new_place()

    def new_place(self):
        self.path = self.service.new_place()
        self.connection["wsdl"] = f"{self.service.address}{self.path}?wsdl"

    def __call__(self, stream, schema, key):
        name = ".".join(stream)
        if self.apart and name not in self.numbers:
            self.new_place()
        number = self.numbers.setdefault(name, len(self.numbers) + 1)
        into = {"into": "row", "identity": "request", "columns": {}}
        declared = self.connection["operations"].setdefault(
            name,
            {
                "operation": f"List{number}", "result": f"List{number}Result.Row{number}",
                "pagination": PAGES, "columns": {},
                "write": {"operation": f"Add{number}", **into},
                "upsert": {"operation": f"Put{number}", **into},
            },
        )  # fmt: skip
        types = {}
        for field in map(normal_field, schema):
            element = self.element(declared, field.name)
            types[element], text = declaration_of(field)
            column = {"type": text} if text else {}
            if element != field.name:
                column["path"] = [element]
                declared["write"]["columns"][field.name] = ["row", element]
            if column:
                declared["columns"].setdefault(field.name, column)
        if key:
            elements = [self.element(declared, each) for each in key]
            declared["upsert"]["arguments"] = {"key": elements}
        self.service.declare(self.path, number, types)

    def element(self, declared, name):
        """Return the name of a column's element: its own, if XML can have that."""
        if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            return name
        odd = declared["write"]["columns"]
        return odd[name][-1] if name in odd else f"c{len(odd)}"


@pytest.mark.parametrize("name", checks_to_run(long=LONG))
def test_it_passes(load_connector, soap_service, tmp_path, name):
    soap_service.reset(1)
    connection = {"ledger": str(tmp_path), "operations": {}}
    declaring = Declaring(soap_service, connection, apart=name in ("types", "names"))
    scratch = Scratch(
        connection=connection,
        unreachable={"wsdl": "http://127.0.0.1:9/?wsdl"},
        wrong_password={
            "wsdl": f"{soap_service.address}/?wsdl", "address": f"{soap_service.address}/basic/",
            "auth": "basic", "user": "someone", "password": SECRET, "check_stream": "Names",
        },
        secret=SECRET,
        declare=declaring,
    )  # fmt: skip
    outcome = run_check(Subject(load_connector("soap"), scratch), name)
    keep_outcome(outcome)
    if name in NOT_OFFERED:
        assert (outcome.status, outcome.detail) == ("not offered", NOT_OFFERED[name])
    else:
        assert outcome.status == "passed", outcome.detail
