"""The connectors of files that are staged and published alike."""

from __future__ import annotations

import file_connectors as files
import pytest


@pytest.fixture(params=["csv", "parquet"])
def kind(request):
    return request.param


@pytest.fixture
def connector(kind):
    return files.load(kind)
