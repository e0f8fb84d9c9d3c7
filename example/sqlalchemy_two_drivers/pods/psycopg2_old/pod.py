# /// script
# requires-python = ">=3.8,<3.9"
# ///
"""psycopg2 2.8.6, of 2020; its wheels end with Python 3.8."""

import psycopg2  # noqa: F401 - what the pod offers
