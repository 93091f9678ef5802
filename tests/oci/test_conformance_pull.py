"""Distribution specification 1.1, "Pull", as its conformance tests have it: our client against every registry."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from artifacts import artifact
from registry_server import RegistryServer

from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pack import Packed
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry

ABSENT = Descriptor(media_type="application/wasm", digest=Digest.of(b"absent"), size=6)


@pytest.fixture
def packed(tmp_path: Path) -> Packed:
    return artifact(tmp_path, cargo=b"to be pulled")


@pytest.fixture
def registry(each_server: RegistryServer, packed: Packed) -> Registry:
    """A repository with one artifact, `1.0`."""
    found = open_registry(Reference.parse(f"{each_server.host}/conformance/pull"), patience=5)
    push(packed, found, tag="1.0")
    return found


def fetched(registry: Registry, blob: Descriptor) -> bytes:
    file = io.BytesIO()
    registry.blob(blob, file, lambda amount: None)
    return file.getvalue()


def test_a_blob_is_seen_and_fetched(registry: Registry, packed: Packed) -> None:
    assert registry.has_blob(packed.layer)
    assert fetched(registry, packed.layer) == packed.wasm.read_bytes()


def test_the_rest_of_a_blob_is_fetched(registry: Registry, packed: Packed) -> None:
    data = packed.wasm.read_bytes()
    file, seen = io.BytesIO(data[:10]), [0]
    registry.blob(packed.layer, file, seen.append)
    assert file.getvalue() == data and sum(seen) == len(data)


def test_an_absent_blob_is_not_found(registry: Registry) -> None:
    assert not registry.has_blob(ABSENT)
    with pytest.raises(NotFoundError):
        fetched(registry, ABSENT)


def test_a_manifest_is_found_and_fetched_by_tag_and_by_digest(registry: Registry, packed: Packed) -> None:
    for selector in ("1.0", packed.digest):
        found = registry.resolve(selector)
        assert (found.digest, found.size, found.media_type) == (packed.digest, len(packed.manifest), MANIFEST)
        assert registry.manifest(selector).data == packed.manifest


def test_an_absent_manifest_is_not_found(registry: Registry) -> None:
    for selector in ("absent", ABSENT.digest):
        with pytest.raises(NotFoundError):
            registry.resolve(selector)
        with pytest.raises(NotFoundError):
            registry.manifest(selector)


def test_an_absent_repository_is_not_found(each_server: RegistryServer) -> None:
    absent = open_registry(Reference.parse(f"{each_server.host}/conformance/absent"), patience=5)
    with pytest.raises(NotFoundError):
        absent.manifest("1.0")
    assert not absent.has_blob(ABSENT)
