"""What every test may ask for. Its presence also lets a test import the helpers in this folder."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from needs import need, program
from registry_server import KINDS, RegistryServer, registry_server

__all__ = ["need", "program"]

# What is started in the background of a script ignores these, and so would all that the tests start and then interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry that asks nobody who they are."""
    with registry_server(tmp_path_factory.mktemp("open-registry")) as server:
        yield server


@pytest.fixture(scope="session")
def locked_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """A registry with a password (registry_server.USER and PASSWORD)."""
    with registry_server(tmp_path_factory.mktemp("locked-registry"), passwords=True) as server:
        yield server


@pytest.fixture(scope="session", params=KINDS, ids=lambda kind: kind.name)
def each_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    """Every kind of registry in turn, asking nobody who they are."""
    with registry_server(tmp_path_factory.mktemp(request.param.name), kind=request.param) as server:
        yield server


@pytest.fixture(autouse=True)
def nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Credentials and policies of the person who runs the tests play no part in them."""
    for name in (
        "ARGOSY_USERNAME",
        "ARGOSY_PASSWORD",
        "ARGOSY_POLICY",
        "ARGOSY_KEY_PASSWORD",
        "ARGOSY_BUILDER",
        "ARGOSY_CACHE_LIMIT",
        "SOURCE_DATE_EPOCH",
    ):
        monkeypatch.delenv(name, raising=False)
    empty = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("DOCKER_CONFIG", str(empty))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(empty))
    monkeypatch.setenv("ARGOSY_SITE_CACHE", "")  # nor does what this machine's administrator has compiled
    # Each test sees its tags for the first time.
    monkeypatch.setenv("ARGOSY_STATE", str(tmp_path_factory.mktemp("state")))
