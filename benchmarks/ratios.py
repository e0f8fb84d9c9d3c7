"""Aims, as one contestant's time against another's; measures nothing."""

from __future__ import annotations

from collections.abc import Iterable

from axis import Comparison
from comparing import OUR_MODULE, Found
from roster import ROSTER
from rounds import Series, divide, subtract

__all__ = ["ahead_of_peers", "beyond", "no_longer_than", "times_as_fast"]


def no_longer_than(
    found: Found, aim: float, other: str, variant: str = "", *, of: float = 1.0, what: str = ""
) -> Comparison:
    """Compare our time with `of` times another's: at most `aim` times as long."""
    return _divide(found, other, variant, variant, aim=aim, of=of, what=what, more_is_better=False)


def times_as_fast(
    found: Found, aim: float | None, other: str, variant: str = "", *, ours: str | None = None
) -> Comparison:
    """Compare our speed with another's: at least `aim` times as fast."""
    our_variant = variant if ours is None else ours
    return _divide(
        found, other, variant, our_variant, aim=aim, of=1.0, what="", more_is_better=True
    )


def _divide(
    found: Found,
    other: str,
    variant: str,
    our_variant: str,
    *,
    aim: float | None,
    of: float,
    what: str,
    more_is_better: bool,
) -> Comparison:
    how = "speed" if more_is_better else "time"
    if variant == our_variant:
        text = what or f"{how} of pypods / that of {ROSTER[other].title}"
        text += _name(variant)
    else:
        text = (
            f"{how} of pypods{_name(our_variant)} / that of {ROSTER[other].title}{_name(variant)}"
        )
    mine, theirs = found.of(OUR_MODULE, our_variant), found.of(other, variant)
    if mine is None or theirs is None:
        missing = (OUR_MODULE, our_variant) if mine is None else (other, variant)
        return _missing(found, text, "times", aim, more_is_better, missing)
    mine, theirs = _common(mine, theirs)
    value = divide(theirs, mine) if more_is_better else divide(mine, theirs) / of
    return Comparison(text, value, "times", aim, more_is_better)


def ahead_of_peers(
    found: Found, aim: float | None = None, variant: str = "", *, besides: Iterable[str] = ()
) -> Comparison:
    """Compare our speed with that of the fastest peer."""
    besides = tuple(besides)
    best = found.best_peer(variant, besides=besides)
    but = " but " + ", ".join(ROSTER[each].title for each in besides) if besides else ""
    if best is None:
        text = f"speed of pypods / that of the fastest peer{but}{_name(variant)}"
        return Comparison(text, None, "times", note="no peer was measured")
    compared = times_as_fast(found, aim, best, variant)
    title = ROSTER[best].title
    text = f"speed of pypods / that of the fastest peer{but} ({title}){_name(variant)}"
    return Comparison(text, compared.value, "times", aim, True, compared.note)


def beyond(found: Found, aim: float, other: str, unit: str, variant: str = "") -> Comparison:
    """Compare by difference: at most `aim` more than the other."""
    text = f"pypods - {ROSTER[other].title}{_name(variant)}"
    mine, theirs = found.of(OUR_MODULE, variant), found.of(other, variant)
    if mine is None or theirs is None:
        missing = (OUR_MODULE if mine is None else other, variant)
        return _missing(found, text, unit, aim, False, missing)
    return Comparison(text, subtract(*_common(mine, theirs)), unit, aim)


def _missing(
    found: Found,
    text: str,
    unit: str,
    aim: float | None,
    more_is_better: bool,
    missing: tuple[str, str],
) -> Comparison:
    if not found.has(*missing):
        return Comparison(text, None, unit, note=f"{ROSTER[missing[0]].title} did not take part")
    return Comparison(text, None, unit, aim, more_is_better, found.why_not(*missing))


def _common(one: Series, other: Series) -> tuple[Series, Series]:
    """Return both without the rounds that only one of them took part in."""
    rounds = min(len(one.rounds), len(other.rounds))
    return Series(one.rounds[:rounds]), Series(other.rounds[:rounds])


def _name(variant: str) -> str:
    return f", {variant}" if variant else ""
