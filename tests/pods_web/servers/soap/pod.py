"""A server that speaks SOAP, in an environment of its own: spyne's."""

import base64
import datetime as dt
import hashlib
import logging
import re
import threading
import warnings
from decimal import Decimal
from io import BytesIO
from wsgiref.simple_server import WSGIRequestHandler, make_server

warnings.simplefilter("ignore")  # spyne is older than this Python.
from spyne import (  # noqa: E402 - after its warnings
    Application,
    Array,
    Boolean,
    ByteArray,
    ComplexModel,
    Date,
    DateTime,
    Double,
    Duration,
    Fault,
    Float,
    Integer,
    Integer16,
    Integer32,
    Long,
    ServiceBase,
    Time,
    Unicode,
    UnsignedInteger8,
    XmlAttribute,
    rpc,
)  # fmt: skip
from spyne import Decimal as XsdDecimal  # noqa: E402 - after its warnings
from spyne.protocol.soap import Soap11  # noqa: E402 - after its warnings
from spyne.server.wsgi import WsgiApplication  # noqa: E402 - after its warnings

from .tables import Place as _Place  # noqa: E402, TID252 - after its warnings; beside it

# Nobody reads what is logged between two calls, and who writes waits once the pipe is full.
logging.disable(logging.CRITICAL)

USER, PASSWORD = "someone", "p<&>ss w\u00f6rd"
UTC = dt.UTC


class Address(ComplexModel):
    city = Unicode
    number = Integer32


class Item(ComplexModel):
    id = Long
    name = Unicode
    price = XsdDecimal
    at = DateTime
    day = Date
    time = Time
    ok = Boolean
    raw = ByteArray
    weight = Double
    small_weight = Float
    tiny = UnsignedInteger8
    short = Integer16
    number = Integer32
    big = Integer
    took = Duration
    many = Unicode(max_occurs="unbounded")
    tags = Array(Unicode)
    address = Address
    code = XmlAttribute(Unicode)


class Page(ComplexModel):
    items = Array(Item)
    next = Unicode
    more = Boolean


class Hex(Unicode):
    """Hexadecimal digits as they came; what spyne has for it does not run on this Python."""

    __type_name__ = "hexBinary"


class Customer(ComplexModel):
    id = Long(min_occurs=1)
    name = Unicode
    balance = XsdDecimal
    since = DateTime
    photo = ByteArray
    address = Address
    born = Date
    wakes = Time
    active = Boolean
    rank = Integer16
    score = Float
    digest = Hex
    tags = Array(Unicode)


def item(number):
    return Item(
        id=number, name=f"item {number}", price=Decimal(number) / 4,
        at=dt.datetime(2026, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=number),
        day=dt.date(2026, 1, 1) + dt.timedelta(days=number % 28), ok=number % 2 == 0,
        code=f"c{number}",
    )  # fmt: skip


def full():
    return Item(
        id=2**63 - 1, name=" a <b> & \u00fc ", price=Decimal("12345678901234567890.0123456789"),
        at=dt.datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC), day=dt.date(9999, 12, 31),
        time=dt.time(23, 59, 59, 999999), ok=True, raw=[bytes(range(256))], weight=0.1,
        small_weight=1.5, tiny=255, short=-32768, number=-(2**31), big=10**30,
        took=dt.timedelta(seconds=90), many=["q", "r"], tags=["x", "y"],
        address=Address(city="Delft", number=3), code="full",
    )  # fmt: skip


class State:
    """What the service has, and what was asked of it; ``reset`` says."""


class Service(ServiceBase):
    @rpc(Integer32, Integer32, DateTime, _returns=Array(Item))
    def ListItems(self, offset, limit, since):
        State.asked.append(("ListItems", offset, limit, since))
        rows = State.rows if since is None else [each for each in State.rows if each.at >= since]
        return rows[offset or 0 : (offset or 0) + (limit or 1000)]

    @rpc(Unicode, _returns=Page)
    def PageOfItems(self, cursor):
        State.asked.append(("PageOfItems", cursor))
        if cursor == "again":
            return Page(items=State.rows[:2], next="again", more=True)
        at = int(cursor or 0)
        more = at + 2 < len(State.rows)
        return Page(items=State.rows[at : at + 2], next=str(at + 2) if more else None, more=more)

    @rpc(_returns=Array(Unicode))
    def Names(self):
        return [each.name for each in State.rows]

    @rpc(_returns=Item)
    def Fails(self):
        raise Fault("Client.Wrong", f"nothing works with {PASSWORD} here")

    @rpc(Customer, Unicode, _returns=Boolean)
    def AddCustomer(self, customer, request):
        if request is not None and request in State.identities:
            return False
        if customer.name == "refuse":
            raise Fault("Client.Refused", "that name is taken")
        State.identities.append(request)
        State.customers.append(customer)
        return True


def wsgi(environ, start_response):
    """Look for a password, and fail as often as was asked for, before spyne gets it."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = BytesIO(body)
    path = environ["PATH_INFO"]
    is_call = environ["REQUEST_METHOD"] == "POST"
    if is_call and State.fail:
        status, headers, text = State.fail.pop(0)
        start_response(status, [("Content-Type", "text/xml"), *headers])
        return [text]
    if is_call and path.startswith("/basic") and not let_in_basic(environ):
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [environ.get("HTTP_AUTHORIZATION", "").encode()]
    if is_call and path.startswith("/wsse") and not let_in_wsse(body.decode()):
        start_response("500 Internal Server Error", [("Content-Type", "text/xml")])
        return [FAULT.encode()]
    found = re.match("/tables/([0-9]+)", path)
    application = _places[int(found[1])].application() if found else _application
    return application(environ, start_response)


FAULT = """<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"
  xmlns:w="http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd">
  <e:Body><e:Fault><faultcode>w:FailedAuthentication</faultcode>
  <faultstring>who is that?</faultstring></e:Fault></e:Body></e:Envelope>"""


def let_in_basic(environ):
    pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return environ.get("HTTP_AUTHORIZATION") == f"Basic {pair}"


def let_in_wsse(body):
    from xml.sax.saxutils import escape

    def text(name):
        found = re.search(rf"<(?:\w+:)?{name}(?:\s[^>]*)?>([^<]*)<", body)
        return found[1] if found else ""

    if text("Username") != USER:
        return False
    if "PasswordDigest" in body:
        raw = base64.b64decode(text("Nonce")) + text("Created").encode() + PASSWORD.encode()
        return text("Password") == base64.b64encode(hashlib.sha1(raw).digest()).decode()
    return text("Password") == escape(PASSWORD)


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass


_application = WsgiApplication(
    Application([Service], "urn:things", in_protocol=Soap11(validator="lxml"),
                out_protocol=Soap11())
)  # fmt: skip

_places = []


def start():
    """Start it, and return its address."""
    server = make_server("127.0.0.1", 0, wsgi, handler_class=Quiet)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def reset(rows):
    """Have so many items, and nothing else."""
    State.rows = [item(number) for number in range(rows)]
    State.customers, State.identities, State.asked, State.fail = [], [], [], []


def new_place():
    """Return the path of a new WSDL without any tables."""
    _places.append(_Place())
    return f"/tables/{len(_places) - 1}/"


def declare(path, number, columns):
    """Let the table of that number, of the WSDL there, have columns, {name: type of XSD}."""
    _places[int(path.split("/")[2])].declare(number, columns)


def have(**values):
    """Have one more item: that with all values, some of them others."""
    made = full()
    for name, value in values.items():
        setattr(made, name, value)
    State.rows.append(made)


def fail(status, headers=(), text=b""):
    """Answer the next call so."""
    State.fail.append((status, [tuple(each) for each in headers], text))


def asked():
    """Return the calls so far."""
    return [tuple(each) for each in State.asked]


def customers():
    """Return the customers that were added."""
    return [
        {
            "id": each.id, "name": each.name, "balance": each.balance, "since": each.since,
            "photo": None if each.photo is None else b"".join(each.photo),
            "city": each.address and each.address.city,
        }
        for each in State.customers
    ]  # fmt: skip


def values_of(name):
    """Return what the customers that were added have there."""
    values = [getattr(each, name) for each in State.customers]
    return [b"".join(each) if isinstance(each, tuple) else each for each in values]
