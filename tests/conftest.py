"""What the tests share: the service over the real data."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from service.api.build import Catalogs
from service.app import create_app


@pytest.fixture(scope="session")
def app() -> Flask:
    return create_app()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def catalogs(app: Flask) -> Catalogs:
    found: Catalogs = app.extensions["catalogs"]
    return found
