"""In what Impala, Hive and Spark differ; everything else about them is the same here."""

from __future__ import annotations

import re


class Hive:
    """HiveServer2 of Hive itself; what the others have differently is said there."""

    name = "hive"
    title = "Hive"
    #: What sessions are opened with.
    configuration: dict = {}
    #: Has many rows come part by part, instead of all of them being gathered first.
    before_many = ""
    #: Lets a session forget which files it knows of a table.
    refresh = ""
    #: Keeps the rows of an INSERT in one file, which is there or is not.
    in_one_file = ""
    #: The file that a row is in.
    file_of_row = "input__file__name"
    #: Whether a text can be taken apart into rows: else they are in VALUES.
    splits = True
    #: In which column SHOW TABLES has the names.
    shown_name = 0
    #: Whether names and comments come filled up with spaces.
    pads = True
    #: Years before which a TIMESTAMP holds nothing.
    first_year = 1

    def as_json(self, quoted: str) -> str:
        """Return what is selected of an array, a map or a struct: the server writes it as JSON."""
        return quoted

    def as_hex(self, quoted: str) -> str:
        """Return a BINARY as hexadecimal digits."""
        return f"hex({quoted})"

    def from_hex(self, expression: str) -> str:
        """Return the BINARY for hexadecimal digits."""
        return f"unhex({expression})"


class Spark(Hive):
    """Spark's HiveServer2, the Spark Thrift Server."""

    name = "spark"
    title = "Spark"
    configuration = {
        "spark.sql.session.timeZone": "UTC",
        # A backslash in a text escapes, as it does in the others.
        "spark.sql.parser.escapedStringLiterals": "false",
        # Dates and times of before 1900 as they are, without another calendar.
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
        "spark.sql.parquet.int96RebaseModeInWrite": "CORRECTED",
        # The server keeps the plans of many statements, and ours have all their rows in them.
        "spark.sql.maxPlanStringLength": "8192",
    }
    before_many = "set spark.sql.thriftServer.incrementalCollect = true"
    refresh = "refresh table {}"
    in_one_file = "/*+ coalesce(1) */ "
    file_of_row = "input_file_name()"
    shown_name = 1
    pads = False

    def as_json(self, quoted: str) -> str:
        """Return a value as JSON, its NULLs too; the server's own text is none."""
        return f"to_json({quoted}, map('ignoreNullFields', 'false'))"


class Impala(Hive):
    """Impala."""

    name = "impala"
    title = "Impala"
    configuration = {
        # What one coordinator has changed, the others know.
        "SYNC_DDL": "1",
        # A fetch ends with rows, or because there are none.
        "FETCH_ROWS_TIMEOUT_MS": "0",
    }
    refresh = "refresh {}"
    splits = False
    first_year = 1400

    def as_hex(self, quoted: str) -> str:
        """Return a BINARY as hexadecimal digits."""
        return f"hex(cast({quoted} as string))"

    def from_hex(self, expression: str) -> str:
        """Return the BINARY for hexadecimal digits."""
        return f"cast(unhex({expression}) as binary)"


DIALECTS = {each.name: each for each in (Hive(), Spark(), Impala())}


def dialect_of(version: str):
    """Return the dialect of a server, from what its ``version()`` is."""
    if "impalad" in version.lower():
        return DIALECTS["impala"]
    # Hive says 3.1.3 rUnknown, or r and a commit; Spark the commit alone.
    return DIALECTS["hive" if re.search(r"\sr\w+\s*$", version) else "spark"]
