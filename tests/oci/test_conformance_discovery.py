"""Distribution specification 1.1, "Content Discovery", as its conformance tests have it: our client, every registry."""

from __future__ import annotations

from pathlib import Path

import pytest
from artifacts import artifact
from registry_server import RegistryServer

from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, MANIFEST, Descriptor, Manifest
from argosy.model.reference import Reference
from argosy.oci import remote
from argosy.oci.fallback import referrers_tag
from argosy.oci.open import open_registry
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry

TAGS = [f"t{number}" for number in range(7)]
KINDS = ("application/spdx+json", "application/vnd.in-toto+json")


@pytest.fixture
def registry(each_server: RegistryServer, tmp_path: Path) -> Registry:
    """A repository of its own with an artifact under each of TAGS."""
    name = tmp_path.name.replace("_", "-").strip("-").lower()
    found = open_registry(Reference.parse(f"{each_server.host}/conformance/discovery/{name}"), patience=5)
    for tag in TAGS:
        push(artifact(tmp_path), found, tag=tag)
    return found


def refer(registry: Registry, subject: Descriptor, kind: str, note: str) -> Digest:
    empty = Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2)
    registry.put_blob(empty, b"{}", lambda amount: None)
    manifest = Manifest(
        config=empty, layers=(empty,), subject=subject, artifact_type=kind, annotations={"org.example.note": note}
    )
    return registry.put_manifest(manifest.to_bytes(), MANIFEST, None).digest


def test_tags_are_listed(registry: Registry) -> None:
    assert registry.tags() == TAGS


@pytest.mark.parametrize("page", [1, 2, 3, 7, 8])
def test_tags_are_listed_page_by_page(registry: Registry, monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    """Also where the registry has no pages, and where it cuts them off and does not say so."""
    monkeypatch.setattr(remote, "PAGE", page)
    assert registry.tags() == TAGS


def test_an_absent_repository_has_no_tags(each_server: RegistryServer) -> None:
    with pytest.raises(NotFoundError):
        open_registry(Reference.parse(f"{each_server.host}/conformance/absent"), patience=5).tags()


def test_referrers_are_listed_of_all_types_and_of_one(registry: Registry, each_server: RegistryServer) -> None:
    subject = registry.resolve("t0")
    expected = {kind: {refer(registry, subject, kind, note) for note in ("one", "two")} for kind in KINDS}
    found = registry.referrers(subject.digest)
    assert {one.digest for one in found} == expected[KINDS[0]] | expected[KINDS[1]]
    assert {one.annotations["org.example.note"] for one in found} == {"one", "two"}
    for kind in KINDS:
        assert {one.digest for one in registry.referrers(subject.digest, kind)} == expected[kind]
    assert (referrers_tag(subject.digest) in registry.tags()) is not each_server.kind.referrers


def test_what_nothing_refers_to_has_no_referrers(registry: Registry) -> None:
    assert registry.referrers(registry.resolve("t0").digest) == []
    assert registry.referrers(Digest.of(b"absent")) == []
