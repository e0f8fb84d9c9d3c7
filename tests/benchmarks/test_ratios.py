"""Aims are computed from what was measured, and from nothing else."""

from __future__ import annotations

import pytest


@pytest.fixture
def found(benchmarks):
    """Make what was found of each contestant's seconds, or the reason why there are none."""
    from comparing import Found, Variant, _Entry
    from roster import ROSTER

    def make(**taken):
        variant = Variant("", {})
        entries = {}
        for module, seconds in taken.items():
            absent = seconds if isinstance(seconds, str) else ""
            rounds = [] if absent else [(each,) for each in seconds]
            entry = _Entry(ROSTER[module], variant, {}, 3, rounds, {}, absent)
            entries[entry.label] = entry
        return Found(entries)

    return make


@pytest.mark.parametrize(("ours", "is_met"), [([2.0, 2.0, 9.0], True), ([2.1, 2.1, 2.1], False)])
def test_a_time_is_at_most_so_many_times_another(found, ours, is_met):
    from ratios import no_longer_than

    compared = no_longer_than(found(ours=ours, raw_pipe=[1.0, 1.0, 1.0]), 2.0, "raw_pipe")
    assert compared.value == ours[0]
    assert compared.is_met is is_met


def test_the_fastest_peer_is_who_we_are_compared_with_and_no_floor(found):
    from ratios import ahead_of_peers

    measured = found(ours=[2.0], loky=[6.0], rpyc=[3.0], ray=[9.0], raw_pipe=[1.0])
    compared = ahead_of_peers(measured, 2.0)
    assert compared.value == pytest.approx(1.5)
    assert "(rpyc)" in compared.what
    assert compared.is_met is False
    assert ahead_of_peers(measured, 2.0, besides=["rpyc"]).is_met is True


def test_only_rounds_that_both_took_part_in_are_compared(found):
    from ratios import times_as_fast

    compared = times_as_fast(found(ours=[1.0, 1.0, 50.0], loky=[4.0, 4.0]), 4.0, "loky")
    assert compared.value == 4.0
    assert compared.is_met is True


def test_what_failed_meets_no_aim_and_says_why(found):
    from ratios import beyond

    compared = beyond(found(ours="it broke", bare_python=[1.0]), 0.04, "bare_python", "seconds")
    assert compared.value is None
    assert compared.is_met is False
    assert compared.note == "it broke"


def test_who_was_not_asked_is_no_aim_missed(found):
    from ratios import no_longer_than

    compared = no_longer_than(found(ours=[1.0]), 2.0, "raw_pipe")
    assert compared.is_met is None
    assert compared.note == "raw pipe did not take part"
