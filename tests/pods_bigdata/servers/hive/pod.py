"""Spark's HiveServer2 in a JVM of its own, with all it keeps in a folder; and a proxy before it.

The proxy counts the statements that pass, and kills whom it was asked to when one too many comes.
"""

import os
import shutil
import signal
import socket
import struct
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from pyspark import SparkContext
from pyspark.sql import SparkSession

NOBODY_LISTENS = 1
#: How a call begins in Thrift's binary protocol, without SASL around it.
_STATEMENT = struct.pack("!Ii", 0x80010001, 16) + b"ExecuteStatement"

#: Each thread that is new to the metastore has it read all of its settings first.
_SETTINGS = {
    "hive.server2.async.exec.threads": "2",
    "hive.server2.async.exec.keepalive.time": "3600s",
}

_running: dict = {}
#: Whom to kill, and what with: how many statements may pass before, or words of one that may not.
_victim: dict = {}


def start() -> dict:
    """Start it, and return its ports: ``open`` lets everybody in, ``closed`` nobody.

    What goes through ``counted`` ends at the one that is open.
    """
    # Thousands of small files: some disks take minutes to remove them.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="hive-", dir=memory)
    _running["folder"] = folder
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["SPARK_LOCAL_DIRS"] = folder
    builder = SparkSession.builder.master("local[2]").enableHiveSupport()
    for name, value in {
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder} -Dderby.system.home={folder} "
        "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Of little data: nothing is compiled for it, and nothing split.
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        "spark.hadoop.hive.stats.autogather": "false",
        "spark.hadoop.hive.warehouse.subdir.inherit.perms": "false",
        "spark.hadoop.hive.exec.scratchdir": f"{folder}/scratch",
        "spark.hadoop.hive.exec.local.scratchdir": f"{folder}/local",
        "spark.hadoop.hive.server2.logging.operation.enabled": "false",
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    _running["session"] = session
    ports = {
        "open": _listen(session, {"hive.server2.authentication": "NOSASL"}),
        "closed": _listen(
            session,
            {
                "hive.server2.authentication": "LDAP",
                "hive.server2.authentication.ldap.url": f"ldap://127.0.0.1:{NOBODY_LISTENS}",
            },
        ),
    }
    ports["counted"] = _start_proxy(ports["open"])
    return ports


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _listen(session, settings) -> int:
    port = _free_port()
    for name, value in {**_SETTINGS, **settings, "hive.server2.thrift.port": str(port)}.items():
        session._jvm.java.lang.System.setProperty(name, value)
    server = session._jvm.org.apache.spark.sql.hive.thriftserver.HiveThriftServer2
    # A thread of the JVM's that has started one keeps that one's settings.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(server.startWithContext, session._jsparkSession.sqlContext()).result()
    return port


def stop() -> None:
    """End it with its JVM, and remove what it kept."""
    if "proxy" in _running:
        _running["proxy"].close()
    gateway = SparkContext._gateway
    if gateway is not None:
        if "session" in _running:
            _running["session"].stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
    shutil.rmtree(_running["folder"], ignore_errors=True)


def tables(database) -> list:
    """Return the names of all that is in a database."""
    rows = _running["session"].sql(f"show tables in {database}").collect()
    return sorted(row.tableName for row in rows)


# --- the proxy ----------------------------------------------------------------------------------


def kill_after(pid, statements) -> None:
    """Kill a process when it has had so many more statements executed, and wants another one."""
    _victim.update(pid=pid, statements=statements)


def kill_before(pid, words) -> None:
    """Kill a process when it wants a statement executed in which these words are."""
    _victim.update(pid=pid, words=words.encode())


def spare() -> None:
    """Kill nobody."""
    _victim.clear()


def _start_proxy(port) -> int:
    listener = socket.create_server(("127.0.0.1", 0))
    _running["proxy"] = listener
    threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
    return listener.getsockname()[1]


def _accept(listener, port) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        server = socket.create_connection(("127.0.0.1", port))
        for one, other, watched in ((client, server, True), (server, client, False)):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_hand_on, args=(one, other, watched), daemon=True).start()


def _hand_on(source, target, watched) -> None:
    """Send what comes from one side to the other, until either is gone."""
    seen = b""
    with suppress(OSError):
        while True:
            data = source.recv(2**16)
            if not data:
                break
            if watched:
                # A call may begin at the end of what has come.
                seen = seen[1 - len(_STATEMENT) :] + data
                if _STATEMENT in seen and _is_last(seen):
                    os.kill(_victim["pid"], signal.SIGKILL)
                    _victim.clear()
                    break
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def _is_last(call) -> bool:
    if not _victim:
        return False
    if "words" in _victim and _victim["words"] not in call:
        return False
    if "statements" in _victim:
        _victim["statements"] -= 1
        return _victim["statements"] < 0
    return True
