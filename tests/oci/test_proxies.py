"""Registries behind a proxy are asked by way of it, and this machine itself never is."""

from __future__ import annotations

import pytest
from lying_server import Answer, lying_server

from argosy.errors import ArgosyError
from argosy.model.reference import Reference
from argosy.oci.open import open_registry

TAGS = Answer(body=b'{"tags":["1.0"]}')


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def tags(host: str) -> list[str]:
    return open_registry(Reference.parse(f"{host}/argo"), plain_http=True, patience=2).tags()


def test_a_registry_is_asked_by_way_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with lying_server(lambda asked: TAGS) as proxy:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        assert tags("registry.invalid:5000") == ["1.0"]
        assert [one.path.partition("?")[0] for one in proxy.asked] == ["http://registry.invalid:5000/v2/argo/tags/list"]


def test_a_registry_with_tls_is_reached_through_a_tunnel(monkeypatch: pytest.MonkeyPatch) -> None:
    with lying_server(lambda asked: Answer(status=403)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.host}")
        with pytest.raises(ArgosyError, match=r"the proxy does not answer|connection broke"):
            open_registry(Reference.parse("registry.invalid/argo"), patience=0).tags()
        assert [(one.method, one.path) for one in proxy.asked] == [("CONNECT", "registry.invalid:443")]


def test_what_no_proxy_names_is_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with lying_server(lambda asked: TAGS) as proxy, lying_server(lambda asked: TAGS) as registry:
        monkeypatch.setenv("http_proxy", f"http://{proxy.host}")
        assert tags(registry.host) == ["1.0"]  # this machine
        monkeypatch.setenv("no_proxy", "registry.invalid")
        with pytest.raises(ArgosyError, match="no such host"):
            tags("registry.invalid:5000")
        assert proxy.asked == []
