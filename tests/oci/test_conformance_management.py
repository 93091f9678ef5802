"""Distribution specification 1.1, "Content Management", as its conformance tests have it: our client, every registry.

Blobs are never deleted by our client, for another manifest may need them: that is the registry's garbage collection.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from artifacts import artifact
from registry_server import RegistryServer
from test_conformance_discovery import KINDS, refer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry


@pytest.fixture
def registry(each_server: RegistryServer, tmp_path: Path) -> Registry:
    name = tmp_path.name.replace("_", "-").strip("-").lower()
    return open_registry(Reference.parse(f"{each_server.host}/conformance/management/{name}"), patience=5)


def test_a_manifest_is_deleted_by_its_digest(registry: Registry, tmp_path: Path) -> None:
    kept, gone = (push(artifact(tmp_path / name, cargo=os.urandom(9)), registry, tag=name) for name in ("kept", "gone"))
    registry.delete(gone)
    with pytest.raises(NotFoundError):
        registry.manifest(gone)
    assert registry.resolve("kept").digest == kept


def test_a_tag_is_deleted_and_its_manifest_stays(
    registry: Registry, each_server: RegistryServer, tmp_path: Path
) -> None:
    digest = push(artifact(tmp_path, cargo=os.urandom(9)), registry, tag="gone")
    if not each_server.kind.deletes_tags:
        with pytest.raises(ArgosyError, match=r"cannot delete .*:gone: .*answered 400"):
            registry.delete("gone")
        assert registry.resolve("gone").digest == digest
        return
    registry.delete("gone")
    with pytest.raises(NotFoundError):
        registry.resolve("gone")
    assert registry.resolve(digest).digest == digest


def test_what_is_absent_cannot_be_deleted(registry: Registry, tmp_path: Path) -> None:
    push(artifact(tmp_path), registry, tag="1.0")
    with pytest.raises(NotFoundError):
        registry.delete(Digest.of(b"absent"))


def test_a_referrer_that_is_deleted_is_listed_no_more(registry: Registry, tmp_path: Path) -> None:
    push(artifact(tmp_path, cargo=os.urandom(9)), registry, tag="1.0")
    subject = registry.resolve("1.0")
    first, second = (refer(registry, subject, KINDS[0], note) for note in ("first", "second"))
    registry.delete(first)
    assert [one.digest for one in registry.referrers(subject.digest)] == [second]
