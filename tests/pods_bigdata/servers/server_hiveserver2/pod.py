"""The HiveServer2 of Spark, from the wheel of pyspark, with a metastore of its own."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pyspark

START_SECONDS = 400
_CLASS = "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2"

_running: list = []


def find_java():
    """Return the home of a Java that this Spark runs with, or None."""
    homes = [os.environ.get("JAVA_HOME", "")]
    homes += sorted(map(str, Path("/usr/lib/jvm").glob("*17*")))
    java = shutil.which("java")
    if java:
        homes.append(str(Path(java).resolve().parent.parent))
    return next((home for home in homes if home and Path(home, "bin", "java").is_file()), None)


def start():
    """Start it, and return its port once it answers."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="hiveserver2-", dir=memory)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = Path(pyspark.__file__).parent
    settings = {
        "spark.ui.enabled": "false",
        "spark.log.level": "ERROR",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.local.dir": f"{folder}/local",
        "spark.hadoop.javax.jdo.option.ConnectionURL":
            f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        # Small and quick: what runs here are statements over a few rows.
        "spark.driver.extraJavaOptions":
            f"-Dderby.system.home={folder} -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": str(port),
    }  # fmt: skip
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    environment = {
        **os.environ,
        "JAVA_HOME": find_java() or "",
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    process = subprocess.Popen(
        [
            str(home / "bin" / "spark-submit"), "--master", "local[1]", "--driver-memory", "900m",
            "--class", _CLASS, *options, "spark-internal",
        ],
        cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _running.append((process, folder))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return port
    stop()
    raise RuntimeError("Spark's HiveServer2 did not start")


def stop() -> None:
    """End what was started, and remove what it kept."""
    while _running:
        process, folder = _running.pop()
        process.send_signal(signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
