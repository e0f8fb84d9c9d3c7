"""Systems of records: neither tables of SQL nor files. JSON records to Arrow and back, in steps.

A connector of this family is a ``RecordConnector``. Its targets commit nothing at once: what has
been sent is noted in a ledger beside.
"""

__all__ = [
    "declarations",
    "inference",
    "json_columns",
    "json_text",
    "json_writing",
    "repeating",
    "paging",
    "record_connector",
    "request_settings",
    "sending",
]
