"""What connectors share; it runs in pods, beside the code of the pod.

Standard library only at import, Python 3.8 and later. pyarrow is imported inside the functions
that work on batches: a pod that calls them has it.
"""

__all__ = [
    # saying what went wrong
    "errors",
    "error_table",
    # what a connector is told
    "settings",
    "names",
    # rows
    "types",
    "batches",
    "rows",
    "conditions",
    "row_filter",
    "sorting",
    "json_values",
    "text_forms",
    "checksum",
    "drift",
    "bad_rows",
    # what every connector offers, and the steps of writing
    "connector",
    "system",
    "staging",
    # one folder for each family
    "sql",
    "files",
    "records",
]
