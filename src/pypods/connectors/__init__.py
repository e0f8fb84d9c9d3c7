"""What connectors share; it runs in pods, beside the code of the pod.

Standard library only at import, Python 3.8 and later. pyarrow is imported inside the functions
that work on batches: a pod that calls them has it.
"""

__all__ = [
    # saying what went wrong
    "errors",
    # what a connector is told
    "settings",
    "names",
    # rows
    "types",
    "batches",
    "rows",
    "json_values",
    "checksum",
    # SQL
    "statement",
    "select",
    "session",
    "database",
    "drift",
    "ledger",
    "staging",
    "part_writer",
    "one_ahead",
    "bad_rows",
    "sql",
    # files
    "file_connector",
    "file_access",
    "file_format",
    "file_source",
    "file_streams",
    "file_store",
    "s3_store",
    "file_staging",
    "file_finish",
    "file_builder",
    "file_ledger",
    "file_keys",
    "file_bad_rows",
    "row_filter",
    "sorting",
    "text_forms",
]
