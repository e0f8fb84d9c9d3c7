"""psycopg2 2.9.13."""

import psycopg2  # noqa: F401 - what the pod offers
