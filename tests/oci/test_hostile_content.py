"""A registry that serves a genuine artifact but for one thing: refused by name, quickly, and nothing of it is kept."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import Harbour, harbour
from lying_server import Answer, Asked, LyingServer, lying_server

from argosy.errors import ArgosyError
from argosy.model import strict_json
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.model.reference import Reference
from argosy.oci import copy as copying
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.oci.registry import Registry
from argosy.oci.signatures import add_signature
from argosy.sign.cosign import signature_tag

CARGO = b"cargo" * 2000
NAME = "/v2/layout/argo"
Lie = Callable[[Asked], Answer | None]


@pytest.fixture
def port(tmp_path: Path) -> Harbour:
    """A signed artifact in a folder, which `serve` makes a registry of."""
    return harbour(tmp_path, f"oci:{tmp_path}/dist:1.0", cargo=CARGO)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def serve(port: Harbour) -> Iterator[Callable[[Lie], LyingServer]]:
    """Starts a server that answers truly wherever the lie is silent (None)."""
    layout = port.registry
    assert isinstance(layout, Layout)

    def truth(asked: Asked) -> Answer:
        kind, _, name = asked.path.removeprefix(f"{NAME}/").partition("/")
        if kind == "manifests":
            try:
                stored = layout.manifest(Digest.parse(name) if ":" in name else name)
            except ArgosyError:
                return Answer(status=404)
            return Answer(headers={"Content-Type": stored.descriptor.media_type}, body=stored.data)
        path = layout.path / "blobs" / name.replace(":", "/")
        return Answer(body=path.read_bytes()) if kind == "blobs" and path.is_file() else Answer(status=404)

    with_lie: list[Lie] = []

    with lying_server(lambda asked: with_lie[0](asked) or truth(asked)) as server:

        def start(lie: Lie) -> LyingServer:
            with_lie[:] = [lie]
            return server

        yield start


def place(server: LyingServer) -> Registry:
    return open_registry(Reference.parse(f"{server.host}/layout/argo"), patience=0.2)


def refused(port: Harbour, server: LyingServer, tmp_path: Path, message: str) -> None:
    """Neither a pull nor a copy takes anything of it, in little time and memory."""
    reference = Reference.parse(f"{server.host}/layout/argo:1.0")
    begin = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ArgosyError, match=message):
            pull_verified(place(server), reference, port.trust, repository="layout/argo")
        with pytest.raises(ArgosyError, match=message):
            copying.copy(place(server), Layout(tmp_path / "copied"), "1.0", tag="1.0")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begin < 20 and peak < 64 << 20
    assert not list((tmp_path / "cache").rglob("*.wasm"))
    for path in (tmp_path / "copied").glob("blobs/*/*"):
        assert path.name.startswith(".") or Digest.of(path.read_bytes()).hex == path.name
    if (tmp_path / "copied" / "index.json").exists():
        assert Layout(tmp_path / "copied").tags() == []


def at(path: str, answer: Callable[[], Answer]) -> Lie:
    """Lies where the URL ends so."""
    return lambda asked: answer() if asked.path.endswith(path) else None


def blob_of(port: Harbour, name: str) -> Descriptor:
    manifest = Manifest.parse(port.packed.manifest)
    return manifest.config if name == "config" else manifest.layers[0]


@pytest.mark.parametrize("name", ["config", "layer"])
def test_other_bytes_of_the_same_length_are_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path, name: str
) -> None:
    blob = blob_of(port, name)
    server = serve(at(str(blob.digest), lambda: Answer(body=b"x" * blob.size)))
    refused(port, server, tmp_path, "bytes with digest")


@pytest.mark.parametrize("name", ["config", "layer"])
def test_a_blob_without_end_is_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path, name: str
) -> None:
    blob = blob_of(port, name)
    endless = {"Content-Length": str(1 << 40)}
    server = serve(at(str(blob.digest), lambda: Answer(headers=endless, pieces=itertools.repeat(b"x" * 65536))))
    refused(port, server, tmp_path, f"more than the {blob.size} bytes")


@pytest.mark.parametrize("name", ["config", "layer"])
@pytest.mark.parametrize("told", [-1, 1])
def test_a_wrong_length_is_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path, name: str, told: int
) -> None:
    """One byte less than there are, and one more."""
    blob = blob_of(port, name)
    assert isinstance(port.registry, Layout)
    data = port.registry.blob_path(blob).read_bytes()
    headers = {"Content-Length": str(blob.size + told)}
    server = serve(at(str(blob.digest), lambda: Answer(headers=headers, body=data)))
    refused(port, server, tmp_path, "of the .* bytes|connection broke|more than the")


def document(port: Harbour, **changes: object) -> bytes:
    return json.dumps({**json.loads(port.packed.manifest), **changes}).encode()


def bad(digest: str) -> dict[str, object]:
    return {"mediaType": "application/wasm", "digest": digest, "size": 5}


OUTSIDE = "sha256:../../x"
LARGEST = strict_json.LARGEST_DOCUMENT


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda port: document(port) + b" " * (LARGEST + 1 - len(document(port))), "more than|at most"),
        (lambda port: b'{"config":' * 200_000 + b"1" + b"}" * 200_000, "too deeply|too much|recursion"),
        (lambda port: b'{"layers":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}", "too deeply|too much"),
        (lambda port: b'{"layers":[' + b"{}," * 1_000_000 + b"{}]}", "too much"),
        (lambda port: port.packed.manifest.replace(b'{"', b'{"schemaVersion":2,"', 1), "appears twice"),
        (lambda port: port.packed.manifest.replace(b'"config":{', b'"config":{"size":1,', 1), "appears twice"),
        (lambda port: document(port, config=bad(OUTSIDE)), "not a digest"),
        (lambda port: document(port, layers=[bad(OUTSIDE)]), "not a digest"),
        (lambda port: document(port, subject=bad(OUTSIDE)), "not a digest"),
        (lambda port: document(port, layers=[bad("sha256:" + "A" * 64)]), "not a digest"),
        (lambda port: document(port, layers=[bad("md5:" + "a" * 32)]), "not a digest|sha256"),
        (lambda port: document(port, layers=[{**bad(OUTSIDE), "size": -1}]), "count of bytes"),
        (lambda port: document(port, manifests=[]), "manifests"),
        (lambda port: document(port, mediaType=INDEX), "media type|calls itself"),
        (lambda port: b"\xff" + port.packed.manifest, "not valid JSON"),
        (lambda port: port.packed.manifest[:-5], "not valid JSON"),
        (lambda port: b"[" + port.packed.manifest + b"]", "not a JSON object"),
    ],
)
def test_a_manifest_that_is_none_is_refused(
    port: Harbour,
    serve: Callable[[Lie], LyingServer],
    tmp_path: Path,
    make: Callable[[Harbour], bytes],
    message: str,
) -> None:
    body = make(port)
    server = serve(at("/manifests/1.0", lambda: Answer(headers={"Content-Type": MANIFEST}, body=body)))
    refused(port, server, tmp_path, message)


@pytest.mark.parametrize("served", [INDEX, "application/vnd.docker.distribution.manifest.v2+json", "text/html"])
def test_a_manifest_served_as_something_else_is_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path, served: str
) -> None:
    server = serve(at("/1.0", lambda: Answer(headers={"Content-Type": served}, body=port.packed.manifest)))
    refused(port, server, tmp_path, "media type|calls itself")


def test_an_index_served_as_a_manifest_is_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path
) -> None:
    index = Index(manifests=(port.registry.resolve(port.digest),)).to_bytes()
    server = serve(at("/1.0", lambda: Answer(headers={"Content-Type": MANIFEST}, body=index)))
    refused(port, server, tmp_path, "media type|calls itself")


def index_of(digest: str) -> bytes:
    entry = {"mediaType": INDEX, "digest": digest, "size": 5}
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()


def test_an_index_that_seems_to_list_itself_is_found_out(serve: Callable[[Lie], LyingServer], tmp_path: Path) -> None:
    """No index can hold its own digest: what is served under it is another document."""
    body = index_of("sha256:" + "a" * 64)
    server = serve(lambda asked: Answer(headers={"Content-Type": INDEX}, body=body))
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        copying.copy(place(server), Layout(tmp_path / "copied"), "1.0", tag="1.0")
    server = serve(lambda asked: Answer(headers={"Content-Type": INDEX}, body=index_of(OUTSIDE)))
    with pytest.raises(ArgosyError, match="not a digest"):
        copying.copy(place(server), Layout(tmp_path / "copied"), "1.0", tag="1.0")
    assert not list((tmp_path / "copied").glob("blobs/*/*"))


def test_referrers_that_refer_to_each_other_are_copied_once(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path
) -> None:
    stored = port.registry.resolve(port.digest)
    signatures = port.registry.resolve(signature_tag(port.digest))
    everything = Index(manifests=tuple(replace(one, artifact_type="x/y") for one in (stored, signatures))).to_bytes()
    server = serve(lambda asked: Answer(body=everything) if "/referrers/" in asked.path else None)
    assert copying.copy(place(server), Layout(tmp_path / "copied"), "1.0", tag="1.0").manifests == 2


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (index_of(OUTSIDE), "not a digest"),
        (b'{"manifests":' + b"[" * 1_000_000, "too deeply|too much"),
        (b'{"schemaVersion":2,"manifests":[],"manifests":[]}', "appears twice"),
        (b'{"schemaVersion":2,"layers":[]}', "layers"),
        (b" " * (LARGEST + 1), "more than|at most"),
    ],
)
def test_a_list_of_referrers_that_is_none_is_refused(
    port: Harbour, serve: Callable[[Lie], LyingServer], tmp_path: Path, body: bytes, message: str
) -> None:
    server = serve(lambda asked: Answer(body=body) if "/referrers/" in asked.path else None)
    refused(port, server, tmp_path, message)


def test_a_title_that_leads_elsewhere_names_no_file(tmp_path: Path, cache: Path) -> None:
    """A signed artifact, whose signer means no good."""
    port = harbour(tmp_path / "port", f"oci:{tmp_path}/dist:1.0", cargo=CARGO)
    manifest = Manifest.parse(port.packed.manifest)
    title = {"org.opencontainers.image.title": "../../../evil.wasm"}
    layer = replace(manifest.layers[0], annotations=title)
    data = replace(manifest, layers=(layer,), annotations={**manifest.annotations, **title}).to_bytes()
    digest = port.registry.put_manifest(data, MANIFEST, "1.0").digest
    assert add_signature(port.registry, identity="layout/argo", digest=digest, key=port.key)
    module = pull_verified(port.registry, port.reference, port.trust, repository="layout/argo")
    assert module.path == cache / "modules" / "sha256" / f"{layer.digest.hex}.wasm"
    copying.copy(port.registry, Layout(tmp_path / "copied"), "1.0", tag="1.0")
    assert not list(tmp_path.parent.rglob("*evil*"))
