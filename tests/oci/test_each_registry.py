"""An artifact's whole life in every kind of registry: pushed, signed, attested, listed, pulled, copied, deleted."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from artifacts import Harbour, harbour, key
from needs import program
from registry_programs import crane
from registry_server import RegistryServer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST
from argosy.model.reference import Reference
from argosy.oci.attestations import add_attestation, read_attestations
from argosy.oci.copy import copy
from argosy.oci.fallback import referrers_tag
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.remove import remove
from argosy.oci.signatures import add_signature, read_signatures
from argosy.sign import attestation, cosign
from argosy.sign.attestation import Statement, Subject

KIND = "https://example.org/weather/v1"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def port(each_server: RegistryServer, tmp_path: Path) -> Harbour:
    """An artifact, signed and attested, in a repository of its own."""
    name = tmp_path.name.replace("_", "-").strip("-").lower()
    found = harbour(tmp_path, f"{each_server.host}/life/{name}:1.0", cargo=os.urandom(50_000))
    said = Statement(subjects=(Subject(digest=found.digest),), predicate_type=KIND, predicate={"weather": "fair"})
    assert add_attestation(found.registry, digest=found.digest, statement=said, key=found.key)
    return found


def is_whole(registry: Registry, port: Harbour, signatures: int = 1) -> bool:
    """The artifact can be pulled, with its signatures and its attestation."""
    report = attestation.verify(
        read_attestations(registry, port.digest), digest=port.digest, keys={"mate": port.key.public}
    )
    module = pull_verified(registry, port.reference, port.trust)
    return (
        module.path.read_bytes() == port.packed.wasm.read_bytes()
        and [one.predicate["weather"] for one in report.attestations] == ["fair"]
        and report.refused == ()
        and len(read_signatures(registry, port.digest)) == signatures
    )


def artifact_tags(registry: Registry) -> list[str]:
    return [tag for tag in registry.tags() if not cosign.is_companion_tag(tag)]


def test_what_is_pushed_signed_and_attested_is_listed_and_pulled(
    port: Harbour, each_server: RegistryServer, tmp_path: Path
) -> None:
    assert is_whole(port.registry, port)
    assert add_signature(port.registry, identity=port.reference.name, digest=port.digest, key=key(tmp_path, "captain"))
    assert is_whole(port.registry, port, signatures=2)
    port.registry.put_manifest(port.packed.manifest, MANIFEST, "latest")
    assert [tag for tag in artifact_tags(port.registry) if tag != referrers_tag(port.digest)] == ["1.0", "latest"]
    kinds = [one.artifact_type for one in port.registry.referrers(port.digest)]
    assert kinds and port.registry.referrers(port.digest, kinds[0]) and not port.registry.referrers(port.digest, "x")
    # An index beside the referrers API would be one that nobody keeps right.
    assert (referrers_tag(port.digest) in port.registry.tags()) is not each_server.kind.referrers


def test_copies_within_it_and_by_way_of_a_folder_are_the_same(
    port: Harbour, each_server: RegistryServer, tmp_path: Path
) -> None:
    beside, back = (
        open_registry(Reference.parse(f"{port.reference.name}-{name}"), patience=5) for name in ("beside", "back")
    )
    folder = Layout(tmp_path / "folder")
    done = copy(port.registry, beside, "1.0", tag="1.0")
    assert done.digest == port.digest and (done.blobs == 0 or not each_server.kind.mounts)
    copy(beside, folder, "1.0", tag="1.0")
    copy(folder, back, "1.0", tag="1.0")
    for place in (beside, folder, back):
        assert is_whole(place, port)
    assert copy(folder, back, "1.0", tag="1.0").bytes == 0


def test_a_tag_goes_alone_or_the_registry_says_that_it_does_not(port: Harbour, each_server: RegistryServer) -> None:
    port.registry.put_manifest(port.packed.manifest, MANIFEST, "2.0")
    second = port.reference.tagged("2.0")
    if each_server.kind.deletes_tags:
        assert remove(port.registry, second) == ["2.0"]
        assert artifact_tags(port.registry) == ["1.0"]
    else:
        with pytest.raises(ArgosyError, match=r"cannot delete .*2\.0: .*answered 400"):
            remove(port.registry, second)
    assert is_whole(port.registry, port)


def test_a_deleted_artifact_is_gone_with_every_tag_and_all_that_was_said_of_it(port: Harbour) -> None:
    port.registry.put_manifest(port.packed.manifest, MANIFEST, "2.0")
    said = [one.digest for one in port.registry.referrers(port.digest)]
    removed = remove(port.registry, Reference.parse(f"{port.reference.name}@{port.digest}"))
    assert port.digest in removed and set(said) <= set(removed)
    for gone in (port.digest, *said, "1.0", "2.0", *cosign.companion_tags(port.digest)):
        with pytest.raises(NotFoundError):
            port.registry.manifest(gone)
    assert port.registry.referrers(port.digest) == []
    assert tags_left(port.registry) == []


def tags_left(registry: Registry) -> list[str]:
    try:
        return registry.tags()
    except NotFoundError:  # of a repository that has nothing in it any more
        return []


@pytest.mark.parametrize("client", ["skopeo", "crane"])
def test_other_clients_copy_what_is_there_without_changing_a_digest(
    port: Harbour, open_server: RegistryServer, tmp_path: Path, client: str
) -> None:
    target = f"{open_server.host}/{client}/{port.reference.repository}"
    tags = set(port.registry.tags())
    if client == "skopeo":
        tags.discard(referrers_tag(port.digest))  # version 1.9 drops artifactType from an index that it copies
    for tag in sorted(tags):
        source = f"{port.reference.name}:{tag}"
        if client == "skopeo":
            words = ["copy", "-q", "--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
            command = [
                program("skopeo", "apt-get install skopeo"),
                *words,
                f"docker://{source}",
                f"docker://{target}:{tag}",
            ]
        else:
            command = [crane(), "copy", "--insecure", source, f"{target}:{tag}"]
        subprocess.run(command, check=True, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True)
        copied = open_registry(Reference.parse(target)).resolve(tag).digest
        assert copied == port.registry.resolve(tag).digest
    module = pull_verified(open_registry(Reference.parse(target)), port.reference, port.trust)
    assert Digest.of(module.read()) == port.packed.layer.digest
