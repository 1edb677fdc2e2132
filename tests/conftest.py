"""What the tests share: the service over the real data, every answer held to openapi.yaml."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

from service.api.build import Catalogs
from service.app import create_app
from tests.support.contract import CheckedClient

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def app() -> Flask:
    made = create_app()
    made.test_client_class = CheckedClient
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def catalogs(app: Flask) -> Catalogs:
    found: Catalogs = app.extensions["catalog_watch"].catalogs
    return found
