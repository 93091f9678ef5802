"""A registry that takes only media types that are on its list, as GitLab's does: a proxy before a real one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import requests
from lying_server import Answer, Asked, LyingServer, lying_server

# Of the list that GitLab documents ("Supported Media Types"), what matters here.
KNOWN = frozenset(
    {
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.empty.v1+json",
        "application/vnd.dev.cosign.simplesigning.v1+json",
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dsse.envelope.v1+json",
        "application/vnd.in-toto+json",
        "application/spdx+json",
        "application/octet-stream",
    }
)


@contextlib.contextmanager
def choosy_registry(behind: str) -> Iterator[LyingServer]:
    """The registry at `behind` (host:port) through a door-keeper who knows these types and no others."""

    def answer(asked: Asked) -> Answer:
        if asked.method == "PUT" and "/manifests/" in asked.path:
            unknown = [kind for kind in _types(json.loads(asked.body)) if kind not in KNOWN]
            if unknown:
                error = {"code": "MANIFEST_INVALID", "message": "manifest invalid", "detail": "unknown media type"}
                return Answer(status=400, body=json.dumps({"errors": [error]}).encode())
        headers = {name: text for name, text in asked.headers.items() if name != "Connection"}
        with requests.request(
            asked.method, f"http://{behind}{asked.path}", headers=headers, data=asked.body, stream=True, timeout=30
        ) as response:
            body = response.raw.read()
            kept = {name: text for name, text in response.headers.items() if name.lower() != "connection"}
            return Answer(status=response.status_code, headers=kept, body=body)

    with lying_server(answer) as server:
        yield server


def _types(manifest: dict[str, object]) -> Iterator[str]:
    """Every media type in a manifest, and its artifact type."""
    for value in (manifest, manifest.get("config"), *_list(manifest, "layers"), *_list(manifest, "manifests")):
        if isinstance(value, dict):
            yield from (str(value[key]) for key in ("mediaType", "artifactType") if key in value)


def _list(manifest: dict[str, object], key: str) -> list[object]:
    listed = manifest.get(key, [])
    assert isinstance(listed, list)
    return listed
