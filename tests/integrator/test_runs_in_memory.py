"""What goes wrong at the ends of an integration; its connectors are objects of this program."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pypods.errors import IntegrationError, PodCallError, VerificationError
from pypods.integrator import Integrator, Memory, Operation

TABLE = pa.table({"id": [1, 2, 3, 4], "name": ["a", "b", None, "d"]})


def error_of_a_pod(text, kind="UnreachableError", *, retry=False):
    """Return what arrives of an error that a connector's pod raised."""
    error = PodCallError(text)
    error.text, error.type_name, error.retry = text, f"pypods.connectors.errors.{kind}", retry
    return error


class Failing(Memory):
    """A connector of whose functions some raise errors, one each time, and do nothing then."""

    def __init__(self, tables=None, **errors):
        super().__init__(tables)
        self.errors = {name: list(each) for name, each in errors.items()}
        self.calls = []

    def _fail(self, name):
        self.calls.append(name)
        if self.errors.get(name):
            raise self.errors[name].pop(0)

    def schema(self, *args, **options):
        self._fail("schema")
        return super().schema(*args, **options)

    def read(self, *args, **options):
        self._fail("read")
        for batch in super().read(*args, **options):
            yield batch
            self._fail("batch")

    def prepare(self, *args, **options):
        self._fail("prepare")
        return super().prepare(*args, **options)

    def write(self, *args, **options):
        self._fail("write")
        return super().write(*args, **options)

    def finish(self, *args, **options):
        self._fail("finish")
        return super().finish(*args, **options)

    def abandon(self, *args, **options):
        self._fail("abandon")
        return super().abandon(*args, **options)


class Summing(Memory):
    """A connector with checksums."""

    def checksum(self, connection, stream, *, schema, columns, where=None):
        rows = [row for batch in self.read(connection, stream, where=where, columns=columns)
                for row in batch.to_pylist()]  # fmt: skip
        return {"rows": len(rows), "sum": str(hash(frozenset(map(repr, rows))))}


@pytest.fixture
def move(tmp_path, monkeypatch):
    """Return a function that moves the table "a" of one memory to "b" of another."""
    monkeypatch.chdir(tmp_path)
    integrator = Integrator()

    def run(source, target, *, verify=False, dry_run=False, reading=None, **settings):
        integration = {
            "name": "one", "retries": {"seconds": 0.001, "attempts": 2},
            "source": {"connector": "memory", "memory": source, "stream": "a", **(reading or {})},
            "target": {"connector": "memory", "memory": target, "stream": "b"},
            **settings,
        }  # fmt: skip
        operation = Operation.model_validate({"name": "test", "integrations": [integration]})
        (report,) = integrator.integrate(operation, verify=verify, dry_run=dry_run).integrations
        return report

    yield run
    integrator.history.close()


# --- what may work another time -----------------------------------------------------------------


@pytest.mark.parametrize("step", ["schema", "prepare", "write", "finish"])
def test_a_step_is_done_again_where_the_connector_says_so(move, step):
    ends = {"source": Failing({"a": TABLE}), "target": Failing()}
    at = "source" if step == "schema" else "target"
    ends[at].errors[step] = [error_of_a_pod("busy", retry=True)]
    report = move(**ends)
    assert (report.status, report.rows_written, report.retries) == ("finished", 4, 1)
    assert ends["target"].tables["b"].equals(TABLE)


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ({"schema": [error_of_a_pod("gone")]}, "memory a: UnreachableError: gone"),
        ({"schema": [error_of_a_pod("busy", retry=True)] * 3}, "UnreachableError: busy"),
        ({"read": [error_of_a_pod("gone")]}, "reading memory a: UnreachableError: gone"),
        ({"batch": [ValueError("torn")]}, "reading memory a: ValueError: torn"),
    ],
)
def test_a_source_that_fails_is_named(move, errors, says):
    target = Failing()
    with pytest.raises(IntegrationError, match=f"one: .*{says}"):
        move(Failing({"a": TABLE}, **errors), target)
    assert "b" not in target.tables


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        ({"prepare": [error_of_a_pod("gone")]}, "memory b: UnreachableError: gone"),
        ({"write": [error_of_a_pod("full", "DataError")]}, "writing memory b: DataError: full"),
        ({"write": [ValueError("x")]}, "writing memory b: ValueError: x"),
        ({"finish": [error_of_a_pod("gone")]}, "memory b: UnreachableError: gone"),
    ],
)
def test_a_target_that_fails_is_named(move, errors, says):
    target = Failing(**errors)
    with pytest.raises(IntegrationError, match=f"one: .*{says}"):
        move(Memory({"a": TABLE}), target)
    assert "b" not in target.tables


def test_a_run_that_somebody_began_otherwise_is_begun_anew(move):
    target = Failing(prepare=[error_of_a_pod("another schema", "ConflictError")])
    assert move(Memory({"a": TABLE}), target).status == "finished"
    assert target.calls[:3] == ["prepare", "abandon", "prepare"]


def test_rows_that_cannot_be_gone_on_with_are_moved_anew(move):
    class Breaking(Memory):
        """Fails after it has kept the rows: there is no order in which to go on after them."""

        failures = 1

        def write(self, *args, **options):
            done = super().write(*args, **options)
            if self.failures:
                self.failures -= 1
                raise error_of_a_pod("busy", retry=True)
            return done

    target = Breaking()
    assert move(Memory({"a": TABLE}), target).rows_in_target == 4
    assert target.tables["b"].equals(TABLE)


def test_it_is_not_begun_anew_for_ever(move):
    class Breaking(Memory):
        def write(self, *args, **options):
            super().write(*args, **options)
            raise error_of_a_pod("busy", retry=True)

    target = Breaking()
    with pytest.raises(IntegrationError, match="writing memory b: UnreachableError: busy"):
        move(Memory({"a": TABLE}), target)
    assert target.tables == {}


@pytest.mark.parametrize("errors", [{}, {"abandon": [error_of_a_pod("gone")]}])
def test_what_failed_first_is_told_whatever_becomes_of_the_cleaning_up(move, errors, caplog):
    target = Failing(finish=[error_of_a_pod("full", "DataError")], **errors)
    with pytest.raises(IntegrationError, match="DataError: full"):
        move(Memory({"a": TABLE}), target, on_failure="abandon")
    assert target.calls[-1] == "abandon"
    assert ("one: UnreachableError: gone" in caplog.messages) == bool(errors)


def test_a_rehearsal_that_fails_says_what_is_wrong(move):
    with pytest.raises(IntegrationError, match="no table 'a' in memory; there are: none"):
        move(Memory(), Memory(), dry_run=True)


def test_a_rehearsal_leaves_nothing(move):
    target = Failing()
    report = move(Memory({"a": TABLE}), target, dry_run=True)
    assert (report.status, report.changes) == ("planned", ["new table b"])
    assert target.calls == ["prepare", "abandon"]
    assert target.tables == {}


# --- connectors that do not keep to the contract ------------------------------------------------


def test_a_target_that_loses_rows_is_found_out(move):
    class Losing(Memory):
        def write(self, connection, stream, batches, **options):
            kept = [batch.slice(1) for batch in batches]
            return super().write(connection, stream, iter(kept), **options)

    target = Losing()
    with pytest.raises(IntegrationError, match="4 rows were read and 3 written; the connector"):
        move(Memory({"a": TABLE}), target)
    assert "b" not in target.tables


def test_a_target_that_forgets_rows_is_found_out(move):
    class Forgetting(Memory):
        prepared = 0

        def prepare(self, *args, **options):
            found = super().prepare(*args, **options)
            self.prepared += 1
            if self.prepared > 1:
                found["parts"] = {}
            return found

    target = Forgetting()
    with pytest.raises(IntegrationError, match="4 rows were written and 0 are staged in memory b"):
        move(Memory({"a": TABLE}), target)
    assert "b" not in target.tables


def test_a_target_that_has_fewer_rows_in_as_many_batches_is_found_out(move):
    class Miscounting(Memory):
        def prepare(self, *args, **options):
            found = super().prepare(*args, **options)
            for part in found["parts"].values():
                part["rows"] -= 1
            return found

    target = Miscounting()
    with pytest.raises(IntegrationError, match="4 rows were written and 3 are staged in memory b"):
        move(Memory({"a": TABLE}), target)
    assert "b" not in target.tables


# --- verifying ----------------------------------------------------------------------------------


def test_equal_sides_are_verified(move):
    report = move(Summing({"a": TABLE}), Summing(), verify=True)
    assert (report.verification.equal, report.verification.target_rows) == (True, 4)


def test_a_source_that_gets_rows_meanwhile_differs(move):
    class Growing(Summing):
        def checksum(self, *args, **options):
            found = super().checksum(*args, **options)
            return {**found, "rows": found["rows"] + 1, "sum": "1"}

    with pytest.raises(VerificationError, match="has 5 rows and memory b 4; was the source"):
        move(Growing({"a": TABLE}), Summing(), verify=True)


@pytest.mark.parametrize(
    ("ends", "options", "says"),
    [
        ((Summing, Summing), {"limit": 2}, "only a part of the source was read"),
        ((Memory, Summing), {}, "the connector memory has no checksums"),
        ((Summing, Memory), {}, "the connector memory has no checksums"),
    ],
)
def test_what_need_not_be_equal_is_not_compared(move, ends, options, says):
    source, target = ends[0]({"a": TABLE}), ends[1]()
    report = move(source, target, verify=True, **options)
    assert report.verification.equal is None
    assert report.verification.note == f"not compared: {says}"


def test_sides_are_not_compared_where_columns_were_left_out(move):
    target = Summing({"b": TABLE.select(["id"]).slice(0, 0)})
    report = move(Summing({"a": TABLE}), target, verify=True, drift="discard")
    assert report.changes == ["column name is left out"]
    assert report.verification.note == "not compared: columns were left out"
