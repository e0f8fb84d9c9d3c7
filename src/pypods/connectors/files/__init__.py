"""What the connectors of files share."""

__all__ = [
    "file_connector",
    "access",
    "format",
    "source",
    "streams",
    "store",
    "s3_store",
    "staging",
    "finish",
    "builder",
    "keys",
    "ledger",
    "bad_rows",
]
