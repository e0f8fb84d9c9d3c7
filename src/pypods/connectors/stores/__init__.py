"""Systems of keys, documents and messages: neither tables of SQL nor files.

Rows that are written wait as Arrow data in notes that the system itself keeps, as files do beside
their target; then they are applied in steps, each of which counts once.
"""

__all__ = [
    "store_connector",
    "described",
    "notes",
    "staging",
]
