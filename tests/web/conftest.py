"""Fixtures of the tests of pages."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.web.check_page import read, upload


@pytest.fixture
def document_id(app: Flask, as_alice: FlaskClient) -> int:
    """alice's workbook, read and ready."""
    document_id = upload(as_alice)
    read(app, document_id)
    return document_id
