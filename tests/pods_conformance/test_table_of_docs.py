"""docs/connectors.md has the table of what the suite found, and all connectors are in it."""

from __future__ import annotations

import conformance_results
import pytest
from conformance_results import (
    PAGE,
    TABLE_END,
    TABLE_START,
    checks_to_run,
    keep_outcome,
    page_with_table,
    read_results,
)

from pypods.conformance import Outcome, Results, list_checks, results_table
from pypods.pods.shipped import list_shipped_pods


def test_the_table_is_that_of_the_results():
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(TABLE_START) == page.count(TABLE_END) == 1
    assert page_with_table(page) == page


def test_every_shipped_connector_has_results():
    """A new one's test hands its outcomes to ``keep_outcome``, and is run once to record them."""
    assert sorted(read_results()) == [folder.name for folder in list_shipped_pods()]


def test_the_results_are_of_all_checks_that_there_are():
    """What is left out in a short run is recorded by a long one: see CONTRIBUTING.md."""
    for name, results in read_results().items():
        assert results.connector == name
        assert set(results.checks) == set(list_checks()), name
        assert "failed" not in results.checks.values(), name
        assert results.driver, name


def outcome(check, status, *notes):
    return Outcome("mydb", check, "a title", status, notes=notes)


def test_a_check_run_in_several_ways_has_the_worst_that_came_of_it(tmp_path):
    results = Results("mydb")
    results.add(outcome("types", "passed"))
    results.add(outcome("types", "failed"))
    results.add(outcome("types", "not offered"))
    results.add(
        outcome("description", "passed", "driver: d 1", "server: MyDB: 2", "verified: a double")
    )
    results.write(tmp_path / "new" / "mydb.json")
    read = Results.read(tmp_path / "new" / "mydb.json")
    assert read == results
    assert list(read.checks.items()) == [("description", "passed"), ("types", "failed")]
    assert (read.driver, read.server, read.against) == ("d 1", "MyDB: 2", "a double")


def test_verified_is_yes_no_or_words():
    for said, against in (("True", "S 1"), ("False", "not verified"), ("by hand", "by hand")):
        results = Results("mydb")
        results.add(outcome("description", "passed", "server: S 1", f"verified: {said}"))
        assert results.against == against


def test_what_was_not_passed_is_named():
    checks = dict.fromkeys(list_checks(), "passed")
    checks |= {"snapshot": "not offered", "where": "failed", "wrong_password": "not checked"}
    del checks["wide"]
    table = results_table([Results("mydb", "d 1", "S 1", True, checks)])
    row = [cell.strip() for cell in table.splitlines()[-1].strip("|").split("|")]
    assert row[:3] == ["`mydb`", "d 1", "S 1"]
    assert row[3].endswith("; not checked: `wrong_password`")
    assert row[5].endswith("; **failed**: `where`; not offered: `snapshot`")
    assert row[8].endswith("; not run: `wide`")


def test_outcomes_are_recorded_where_that_is_asked_for_and_compared_else(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text(f"before\n{TABLE_START}{TABLE_END}after\n")
    monkeypatch.setattr(conformance_results, "DOCS", tmp_path)
    monkeypatch.setattr(conformance_results, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(conformance_results, "_recorded", {})
    with pytest.raises(AssertionError, match=r"'passed' and was None when mydb\.json"):
        keep_outcome(outcome("types", "passed"))
    monkeypatch.setenv("PYPODS_RECORD_CONFORMANCE", "1")
    Results("mydb", checks={"types": "failed", "where": "passed"}).write(
        tmp_path / "conformance" / "mydb.json"
    )
    keep_outcome(outcome("types", "passed"))
    assert read_results()["mydb"].checks == {"types": "passed", "where": "passed"}
    keep_outcome(outcome("types", "not offered"))
    keep_outcome(outcome("types", "passed"))
    monkeypatch.delenv("PYPODS_RECORD_CONFORMANCE")
    keep_outcome(outcome("types", "not offered"))
    with pytest.raises(AssertionError, match="was 'not offered'"):
        keep_outcome(outcome("types", "passed"))
    lines = (tmp_path / "page.md").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("before", "after")
    assert lines[4].startswith("| `mydb` |")


def test_what_takes_long_is_run_where_that_is_asked_for(monkeypatch):
    monkeypatch.delenv("PYPODS_TEST_LONG", raising=False)
    assert set(list_checks()) - set(checks_to_run(long={"kill", "where"})) == {"kill", "where"}
    monkeypatch.setenv("PYPODS_TEST_LONG", "1")
    assert checks_to_run(long={"kill", "where"}) == list_checks()
