"""What the tests need is found, skipped aloud or demanded; and nothing they start stays."""

from __future__ import annotations

from pathlib import Path

import pytest

NEEDS_REDIS = """
    def test_redis(redis):
        assert (redis.host, redis.port) == ("127.0.0.1", {port})
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return an inner pytest with this folder's conftest.py and no demands of its own."""
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text(encoding="utf-8"))
    monkeypatch.delenv("PYPODS_REQUIRE_SERVICES", raising=False)
    # The outer run measures; the inner ones only run.
    for name in ("COV_CORE_SOURCE", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    return pytester


def closed_port() -> int:
    """Return a port on which nothing listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_server_that_answers_is_handed_to_the_test(inner, monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setenv("PYPODS_TEST_REDIS", f"redis://127.0.0.1:{port}/0")
        inner.makepyfile(NEEDS_REDIS.format(port=port))
        inner.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_missing_server_is_skipped_with_the_reason(inner, monkeypatch):
    port = closed_port()
    monkeypatch.setenv("PYPODS_TEST_REDIS", f"redis://127.0.0.1:{port}/0")
    inner.makepyfile(NEEDS_REDIS.format(port=port))
    result = inner.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"*no redis at 127.0.0.1:{port} (*); set PYPODS_TEST_REDIS"])


def test_a_missing_server_is_an_error_where_all_must_be_there(inner, monkeypatch):
    port = closed_port()
    monkeypatch.setenv("PYPODS_TEST_REDIS", f"redis://127.0.0.1:{port}/0")
    monkeypatch.setenv("PYPODS_REQUIRE_SERVICES", "1")
    inner.makepyfile(NEEDS_REDIS.format(port=port))
    result = inner.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*no redis at 127.0.0.1:{port} (*PYPODS_REQUIRE_SERVICES=1*"])


def test_a_missing_interpreter_is_skipped_or_demanded(inner, monkeypatch):
    inner.makepyfile("def test_old(each_python): assert each_python.exists()")
    monkeypatch.setenv("PYPODS_TEST_PYTHONS", "2.99")
    inner.runpytest_subprocess().assert_outcomes(skipped=1)
    monkeypatch.setenv("PYPODS_REQUIRE_SERVICES", "1")
    inner.runpytest_subprocess().assert_outcomes(errors=1)


def test_a_missing_java_is_skipped_or_demanded(inner, monkeypatch, tmp_path):
    inner.makepyfile("def test_java(java): assert java")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    result = inner.runpytest_subprocess("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*no Java at *; set JAVA_HOME"])
    monkeypatch.setenv("PYPODS_REQUIRE_SERVICES", "1")
    inner.runpytest_subprocess().assert_outcomes(errors=1)


def test_a_child_left_running_is_an_error(inner, monkeypatch):
    inner.makepyfile(
        """
        import subprocess, sys
        import conftest
        conftest.LEFTOVER_GRACE_SECONDS = 0.2
        kept = []
        def test_leaves_a_child():
            kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
            assert kept
        """
    )
    result = inner.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left running by the tests:*", "*input()*"])


def test_an_orphan_in_the_session_s_folder_is_an_error(inner):
    """It is no child any more; its arguments give it away."""
    inner.makepyfile(
        """
        import subprocess, sys
        import conftest
        conftest.LEFTOVER_GRACE_SECONDS = 0.2
        def test_leaves_an_orphan(tmp_path):
            start = "import subprocess, sys; subprocess.Popen(sys.argv[1:])"
            sleep = "import os, sys, time; time.sleep(2)"
            subprocess.run(
                [sys.executable, "-c", start, sys.executable, "-c", sleep, str(tmp_path)],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        """
    )
    result = inner.runpytest_subprocess()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*left running by the tests:*", "*time.sleep(2)*"])
