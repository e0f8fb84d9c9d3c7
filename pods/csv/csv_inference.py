"""Types of CSV columns found by looking at every value of all files.

A type is one that all values of a column are, and that writes them as they were:

- ``true`` and ``false``, in capitals or not, are bool.
- Integers are int64; with zeros in front or a plus sign they are text, as telephone numbers are.
- Other numbers, with a point or an exponent, are float64 if a float has all their digits, decimal
  if not, as long as 38 digits do.
- ``2026-11-21`` is a date, ``14:05:00`` a time, and both together, with a space or a T between
  them, a timestamp; one of UTC with a Z or +00:00 at the end of each.
- All else is text, and so is a column without values.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from pypods.connectors.errors import DataError
from pypods.connectors.text_forms import array_from_text
from pypods.connectors.types import field_from_text

from .csv_reading import read_texts

__all__ = ["infer"]

_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?"
#: Types and what all their values look like, each before those that would take its values too.
_FORMS = {
    "bool": r"^(?i:true|false)$",
    "int64": r"^(0|-?[1-9][0-9]{0,18})$",
    "number": r"^(-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?|nan|-?inf)$",
    "date": f"^{_DAY}$",
    "time": r"^[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$",
    "timestamp": f"^{_DAY}[ T]{_CLOCK}$",
    "timestamp(us, UTC)": rf"^{_DAY}[ T]{_CLOCK}(Z|\+00:00)$",
}
#: Digits that every float64 has.
FLOAT_DIGITS = 15
FLOAT_INTEGERS = 2**53
DECIMAL_DIGITS = 38
_MATCHERS = {name: re.compile(form) for name, form in _FORMS.items()}
#: What was found in files that have not changed since.
_found: OrderedDict = OrderedDict()
KEPT = 64


def infer(source, names):
    """Return a field for each of these columns of a source."""
    if not names:
        return {}
    settings = {k: v for k, v in source.settings.items() if not k.endswith(("key", "token"))}
    about = [[file.path, *file.mark] for file in source.files]
    key = json.dumps([source.store.shown, about, names, settings], sort_keys=True, default=str)
    if key not in _found:
        guesses = {name: Guess() for name in names}
        for file in source.files:
            for batch in read_texts(source, {"path": file.path}, names):
                for name in names:
                    guesses[name].look(batch.column(name))
        _found[key] = {name: guess.text for name, guess in guesses.items()}
        while len(_found) > KEPT:
            _found.popitem(last=False)
    return {name: field_from_text(name, text) for name, text in _found[key].items()}


def _all_match(texts, name):
    return pc.all(pc.match_substring_regex(texts, _FORMS[name])).as_py()


class Guess:
    """What a column may be, after the values seen so far."""

    def __init__(self):
        self.left = list(_FORMS)
        self.seen = False
        self.has_number = False
        self.float_is_exact = True
        self.has_exponent = False
        self.whole_digits = self.scale = 0

    def look(self, texts):
        """Rule out what these values are not."""
        texts = texts.drop_null()
        if not len(texts) or not self.left:
            self.seen = self.seen or bool(len(texts))
            return
        self.seen = True
        first = texts[0].as_py()
        left = [name for name in self.left if _MATCHERS[name].match(first)]
        if "int64" in left and not self._takes_integers(texts):
            left.remove("int64")
        if "int64" not in left:
            left = [name for name in left if self._takes(name, texts)]
        self.left = left

    def _takes_integers(self, texts):
        """Whether these are integers; if so, what there is to know of them as other numbers."""
        if not _all_match(texts, "int64"):
            return False
        try:
            numbers = array_from_text(texts, field_from_text("", "int64"))
        except DataError:
            return False
        largest = max(abs(each.as_py()) for each in (pc.min(numbers), pc.max(numbers)))
        self.has_number = True
        self.whole_digits = max(self.whole_digits, len(str(largest)))
        self.float_is_exact = self.float_is_exact and largest < FLOAT_INTEGERS
        return True

    def _takes(self, name, texts):
        if not _all_match(texts, name):
            return False
        if name == "number":
            self._measure(texts)
            return True
        try:
            array_from_text(texts, field_from_text("", name))
        except DataError:
            return False
        return True

    def _measure(self, texts):
        """Note how many digits numbers have, and whether a float has them all."""
        if pc.any(pc.match_substring(texts, "n")).as_py():
            texts = texts.filter(pc.invert(pc.match_substring(texts, "n")))  # nan and inf
            # A decimal is neither.
            self.has_exponent = True
        if not len(texts):
            return
        self.has_number = True
        # No decimal has the sign of -0, and none is written with an exponent.
        odd = pc.match_substring_regex(texts, "[eE]|^-0$")
        self.has_exponent = self.has_exponent or bool(pc.any(odd).as_py())
        lengths = pc.utf8_length(texts)
        points = pc.find_substring(texts, ".")
        whole = pc.if_else(pc.less(points, 0), lengths, points)
        after = pc.subtract(pc.subtract(lengths, whole), 1)
        self.whole_digits = max(self.whole_digits, pc.max(whole).as_py())
        self.scale = max(self.scale, pc.max(after).as_py())
        if self.float_is_exact:
            many = texts.filter(pc.greater(lengths, FLOAT_DIGITS))
            # As a float is written, it has all digits; else it may still have.
            other = many.filter(pc.not_equal(many.cast(pa.float64()).cast(pa.utf8()), many))
            self.float_is_exact = all(
                Decimal(each) == Decimal(repr(float(each))) for each in other.to_pylist()
            )

    @property
    def text(self):
        """The type's text."""
        if not self.seen or not self.left:
            return "utf8"
        if self.left[0] != "number":
            return self.left[0]
        if self.has_number and self.float_is_exact and (self.scale or self.has_exponent):
            return "float64"
        digits = self.whole_digits + self.scale
        if not self.has_number or self.has_exponent or digits > DECIMAL_DIGITS:
            return "utf8"
        return f"decimal({digits},{self.scale})"
