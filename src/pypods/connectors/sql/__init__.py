"""What the connectors of SQL systems share."""

__all__ = [
    "sql_connector",
    "database",
    "session",
    "statement",
    "select",
    "key_ranges",
    "staging",
    "journaled_database",
    "journaled_staging",
    "part_writer",
    "one_ahead",
    "ledger",
    "bad_rows",
    "untransacted",
]
