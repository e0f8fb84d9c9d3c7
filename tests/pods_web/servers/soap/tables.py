"""Tables as a SOAP service, their columns as somebody declares them: each place has its own WSDL.

A table has an operation that adds a row, and one that puts a row at its key. The one that lists the
rows is there once there were some: so a table can be missing.
"""

import threading

from spyne import (
    Application,
    Array,
    Boolean,
    ComplexModel,
    Date,
    DateTime,
    Decimal,
    Double,
    Float,
    Integer8,
    Integer16,
    Integer32,
    Integer64,
    ServiceBase,
    Time,
    Unicode,
    UnsignedInteger8,
    UnsignedInteger16,
    UnsignedInteger32,
    UnsignedInteger64,
    rpc,
)
from spyne.protocol.soap import Soap11
from spyne.server.wsgi import WsgiApplication

NAMESPACE = "urn:tables"


class Bytes(Unicode):
    """Base64 as it came: spyne has no bytes for what is empty."""

    __type_name__ = "base64Binary"


#: spyne counts digits, and a sign as one.
ROOM = {"max_str_len": 100}
TYPES = {
    "boolean": Boolean, "byte": Integer8(**ROOM), "short": Integer16(**ROOM),
    "int": Integer32(**ROOM), "long": Integer64(**ROOM),
    "unsignedByte": UnsignedInteger8, "unsignedShort": UnsignedInteger16,
    "unsignedInt": UnsignedInteger32, "unsignedLong": UnsignedInteger64, "decimal": Decimal,
    "float": Float, "double": Double, "string": Unicode, "base64Binary": Bytes, "date": Date,
    "time": Time, "dateTime": DateTime,
}  # fmt: skip


class Table:
    """One table: its columns' types by name, rows as dicts, the calls that it has had."""

    def __init__(self, number):
        self.number = number
        self.columns = {}
        self.rows = []
        self.calls = set()

    def add(self, row):
        """Add a row."""
        self.rows.append(row)

    def put(self, row, key):
        """Change the values that a row has, where its key is; else add it."""
        for there in self.rows:
            if all(there.get(name) == row.get(name) for name in key):
                there.update((name, value) for name, value in row.items() if value is not None)
                return
        self.rows.append(row)

    def operations(self, place):
        """Return the operations by name, for the columns that there are."""
        number, columns = self.number, list(self.columns)
        model = ComplexModel.produce(
            NAMESPACE, f"Row{number}", [(name, TYPES[self.columns[name]]) for name in columns]
        )

        def values(row):
            return {name: getattr(row, name) for name in columns}

        def add(_, row, request):
            return place.change(self, request, self.add, values(row))

        def put(_, row, key, request):
            return place.change(self, request, self.put, values(row), key)

        def list_rows(_, offset, limit):
            return [model(**row) for row in self.rows[offset or 0 :][:limit]]

        keys = Unicode(max_occurs="unbounded")
        steps = [(f"Add{number}", add, (model, Unicode), Boolean),
                 (f"Put{number}", put, (model, keys, Unicode), Boolean)]  # fmt: skip
        if self.rows:
            listing = (f"List{number}", list_rows, (Integer32, Integer32), Array(model))
            steps.append(listing)
        operations = {}
        for name, step, arguments, result in steps:
            step.__name__ = name  # What spyne tells them apart by.
            operations[name] = rpc(*arguments, _returns=result)(step)
        return operations


class Place:
    """Tables that one WSDL has."""

    def __init__(self):
        self.tables = {}
        self.lock = threading.RLock()
        self._application = None

    def declare(self, number, columns):
        """Let a table have these columns, beside those that it has."""
        with self.lock:
            table = self.tables.setdefault(number, Table(number))
            new = {name: kind for name, kind in columns.items() if name not in table.columns}
            table.columns.update(new)
            if new:
                self._application = None

    def change(self, table, request, step, *arguments):
        """Do a step once for each identity of a call; return whether it was done."""
        with self.lock:
            if request is not None and request in table.calls:
                return False
            if not table.rows:
                self._application = None  # Its rows can be listed now.
            step(*arguments)
            table.calls.add(request)
            return True

    def application(self):
        """Return what answers for the tables as they are."""
        with self.lock:
            if self._application is None:
                operations = {"Ping": rpc(_returns=Boolean)(_ping)}
                for table in self.tables.values():
                    operations.update(table.operations(self))
                service = type(ServiceBase)("Tables", (ServiceBase,), operations)
                self._application = WsgiApplication(
                    Application([service], NAMESPACE, in_protocol=Soap11(validator="lxml"),
                                out_protocol=Soap11())
                )  # fmt: skip
            return self._application


def _ping(_):
    return True
