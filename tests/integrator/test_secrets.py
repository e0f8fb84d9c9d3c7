"""Secrets by reference, and masked wherever they might be shown."""

from __future__ import annotations

import logging
import re
from threading import Event, Thread

import pytest

from pypods.errors import OperationError
from pypods.integrator.secrets import MASK, Mask, masked_logging, resolve_secrets


def test_references_are_replaced_at_any_depth(tmp_path, monkeypatch):
    monkeypatch.setenv("PW", "top secret")
    (tmp_path / "file").write_text("line\n")
    mask = Mask()
    connection = {
        "password": "${env:PW}", "url": "http://u:${env:PW}@h/${file:%s}" % (tmp_path / "file"),
        "port": 5, "more": {"list": ["x", "${env:PW}"]},
    }  # fmt: skip
    assert resolve_secrets(connection, mask, place="p") == {
        "password": "top secret", "url": "http://u:top secret@h/line",
        "port": 5, "more": {"list": ["x", "top secret"]},
    }  # fmt: skip
    assert mask("as top secret, line and top%20secret") == "as ***, *** and ***"


def test_only_references_are_references(monkeypatch):
    mask = Mask()
    for text in ("$PW", "${PW}", "${other:PW}", "$env:PW", "%s"):
        assert resolve_secrets(text, mask, place="p") == text


@pytest.mark.parametrize("reference", ["${env:NO_SUCH_VARIABLE}", "${file:/no/such/file}"])
def test_what_is_not_there(reference):
    with pytest.raises(OperationError, match=r"p\.a\[0\]: .*(is not set|No such file)"):
        resolve_secrets({"a": [reference]}, Mask(), place="p")


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ("hunter2", "user:hunter2@host", "user:***@host"),
        ("p@ss/w", "postgres://u:p%40ss%2Fw@h", "postgres://u:***@h"),
        ("a b+c", "x=a+b%2Bc", "x=***"),
        ('say "hi"', '{"p": "say \\"hi\\""}', '{"p": "***"}'),
        ("päss", '"p\\u00e4ss"', '"***"'),
        ("it's", "\"it's\" and 'it\\'s'", "\"***\" and '***'"),
        ("back\\slash", "'back\\\\slash'", "'***'"),
        ("first line\nsecond line", "second line", "***"),
        ("ab", "ab cab ab.", "*** cab ***."),
        ("", "nothing", "nothing"),
    ],
)
def test_a_secret_is_masked_however_it_is_written(secret, text, masked):
    mask = Mask()
    mask.add(secret)
    assert mask(text) == masked


def test_settings_are_secret_by_their_name_or_their_connectors_word():
    mask = Mask()
    mask.add_settings(
        {"password": "pw-1234", "user": "anna", "api_key": "key-1234", "phrase": "phrase-1",
         "options": {"sslpassword": "ssl-1234", "sslmode": "require"}, "token": 12345678},
        ["phrase"],
    )  # fmt: skip
    text = mask("pw-1234 anna key-1234 phrase-1 ssl-1234 require 12345678")
    assert text == "*** anna *** *** *** require ***"


def test_values_are_masked_too():
    mask = Mask()
    mask.add("hidden")
    assert mask.value({"a": ["is hidden", 1, {"b": ("hidden",)}]}) == {
        "a": ["is ***", 1, {"b": ["***"]}]
    }
    assert mask.hides_in("hidden")
    assert not mask.hides_in("seen")
    assert not Mask().hides_in("anything")


def test_logs_are_masked_while_it_runs(caplog):
    mask = Mask()
    mask.add("hidden")
    logger = logging.getLogger("pypods.pod.masked")
    with caplog.at_level(logging.INFO), masked_logging(mask, ["pypods.pod.masked"]):
        logger.info("value %s of %d", "hidden", 5)
        logger.info("nothing")
    assert caplog.messages == ["value *** of 5", "nothing"]
    assert logger.filters == []


def test_secrets_that_two_threads_tell_at_once_are_both_masked(monkeypatch):
    mask, told = Mask(), Event()

    def compile_slowly(pattern):
        if "second" not in pattern:
            told.wait(0.3)  # Till the other one has told its own, if it can.
        return compile_now(pattern)

    compile_now = re.compile
    monkeypatch.setattr("pypods.integrator.secrets.re.compile", compile_slowly)
    first = Thread(target=mask.add, args=("first secret",))
    first.start()
    mask.add("second secret")
    told.set()
    first.join()
    assert mask("first secret, second secret") == f"{MASK}, {MASK}"
