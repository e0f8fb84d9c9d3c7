"""A server that speaks S3, in an environment of its own: moto's."""

import logging

from moto.server import ThreadedMotoServer

# Nobody reads what is logged between two calls, and who writes waits once the pipe is full.
logging.disable(logging.CRITICAL)

_servers = []


def start():
    """Start it, and return its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _servers.append(server)
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"
