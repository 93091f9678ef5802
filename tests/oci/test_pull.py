"""Nothing that the policy has not accepted is fetched; what is fetched is what was accepted."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest
from artifacts import Harbour, artifact, harbour, key

from argosy.errors import ArgosyError
from argosy.files import sha256_of
from argosy.model.content import content
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor, Manifest
from argosy.model.reference import Reference
from argosy.oci.layout import Layout
from argosy.oci.pull import UntrustedError, check, fetch, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import Advance
from argosy.oci.signatures import add_signature, read_signatures, signed_name
from argosy.sign import cosign
from argosy.sign.trust import load_trust, write_policy


@pytest.fixture
def port(tmp_path: Path) -> Harbour:
    return harbour(tmp_path, f"oci:{tmp_path}/dist:1.0", rules=("layout/*",))


class Watched(Layout):
    """A layout that tells which blobs were asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[Digest] = []

    def blob(self, descriptor: Descriptor, file: IO[bytes], advance: Advance) -> None:
        self.asked.append(descriptor.digest)
        super().blob(descriptor, file, advance)


def pull(port: Harbour, cache: Path, **changes: object) -> Path:
    wanted = replace(port, **changes)  # type: ignore[arg-type]
    return pull_verified(wanted.registry, wanted.reference, wanted.trust, cache=cache).path


def test_a_signed_artifact_is_pulled_by_tag_and_by_digest(port: Harbour, tmp_path: Path) -> None:
    module = pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache")
    assert module.path.read_bytes() == port.packed.wasm.read_bytes()
    assert module.path == tmp_path / "cache" / "modules" / "sha256" / f"{port.packed.layer.digest.hex}.wasm"
    assert (module.digest, module.manifest_digest) == (port.packed.layer.digest, port.digest)
    assert (module.signers, module.identity, module.numerics) == (("mate",), "layout/argo", "exact")
    assert module.description.licence == "MIT"
    by_digest = pull_verified(port.registry, port.reference.at(port.digest), port.trust, cache=tmp_path / "cache")
    assert by_digest.path == module.path


def test_the_layer_is_not_fetched_before_the_policy_accepts(port: Harbour, tmp_path: Path) -> None:
    write_policy(tmp_path / "none" / "policy.toml", keys={"x": key(tmp_path, "x").public}, repositories=["layout/*"])
    watched = Watched(tmp_path / "dist")
    with pytest.raises(UntrustedError, match="made by no key"):
        pull(port, tmp_path / "cache", registry=watched, trust=load_trust(tmp_path / "none" / "policy.toml"))
    assert port.packed.layer.digest not in watched.asked
    assert not (tmp_path / "cache").exists()
    pull(port, tmp_path / "cache", registry=watched)
    assert watched.asked[-1] == port.packed.layer.digest


def test_an_unsigned_artifact_is_refused_and_says_what_to_do(port: Harbour, tmp_path: Path) -> None:
    push(artifact(tmp_path, cargo=b"unsigned"), port.registry, tag="1.0")
    with pytest.raises(UntrustedError, match="has no signature") as refusal:
        pull(port, tmp_path / "cache")
    assert "argosy verify" in str(refusal.value)
    assert [step.held for step in refusal.value.verdict.steps] == [False]


def test_another_artifacts_signature_does_not_help(port: Harbour, tmp_path: Path) -> None:
    other = push(artifact(tmp_path, cargo=b"forged"), port.registry, tag="1.0")
    for entry in read_signatures(port.registry, port.digest):
        stolen = cosign.append(None, entry)
        manifest = Manifest.parse(stolen.manifest)
        port.registry.put_blob(manifest.config, stolen.config, lambda amount: None)
        port.registry.put_blob(manifest.layers[0], stolen.payloads[0], lambda amount: None)
        port.registry.put_manifest(stolen.manifest, MANIFEST, cosign.signature_tag(other))
    with pytest.raises(UntrustedError, match=f"is for another artifact: {port.digest}"):
        pull(port, tmp_path / "cache")


def test_a_changed_layer_is_refused_and_leaves_nothing(port: Harbour, tmp_path: Path) -> None:
    blob = tmp_path / "dist" / "blobs" / "sha256" / port.packed.layer.digest.hex
    data = blob.read_bytes()
    for changed in (data[:-1] + b"X", data[:-1], data + b"X"):
        blob.write_bytes(changed)
        with pytest.raises(ArgosyError, match=r"digest|cut short|more than"):
            pull(port, tmp_path / "cache")
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_a_changed_manifest_is_refused(port: Harbour, tmp_path: Path) -> None:
    path = tmp_path / "dist" / "blobs" / "sha256" / port.digest.hex
    path.write_bytes(path.read_bytes().replace(b"exact", b"fast!"))
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        pull(port, tmp_path / "cache")


def test_a_config_that_names_another_layer_is_refused(port: Harbour, tmp_path: Path) -> None:
    two = artifact(tmp_path / "two", cargo=b"two")
    mixed = Manifest.parse(port.packed.manifest)
    mixed = replace(mixed, config=Manifest.parse(two.manifest).config)
    push(two, port.registry, tag="two")
    digest = port.registry.put_manifest(mixed.to_bytes(), MANIFEST, "1.0").digest
    add_signature(port.registry, identity="layout/argo", digest=digest, key=port.key)
    with pytest.raises(ArgosyError, match="different layers"):
        pull(port, tmp_path / "cache")


def test_a_file_in_the_cache_is_hashed_again_before_it_is_used(port: Harbour, tmp_path: Path) -> None:
    path = pull(port, tmp_path / "cache")
    path.write_bytes(b"\0asm evil")
    again = pull(port, tmp_path / "cache")
    assert again == path
    assert sha256_of(path) == port.packed.layer.digest.hex


def test_a_module_in_the_cache_is_not_fetched_again(port: Harbour, tmp_path: Path) -> None:
    watched = Watched(tmp_path / "dist")
    pull(port, tmp_path / "cache", registry=watched)
    pull(port, tmp_path / "cache", registry=watched)
    assert watched.asked.count(port.packed.layer.digest) == 1


def test_what_a_folder_should_hold_can_be_said(port: Harbour, tmp_path: Path) -> None:
    right = pull_verified(port.registry, port.reference, port.trust, repository="layout/argo", cache=tmp_path / "cache")
    assert right.identity == "layout/argo"
    with pytest.raises(UntrustedError, match="for another repository: layout/argo"):
        pull_verified(port.registry, port.reference, port.trust, repository="layout/other", cache=tmp_path / "cache")


def test_a_verdict_can_be_asked_for_without_pulling(port: Harbour) -> None:
    accepted = check(port.registry, port.reference, port.trust)
    assert accepted.verdict.accepted
    refused = check(port.registry, port.reference, port.trust, repository="elsewhere.org/argo")
    assert not refused.verdict.accepted and "no rule" in refused.verdict.reason


def test_signing_twice_with_the_same_key_adds_nothing(port: Harbour, tmp_path: Path) -> None:
    stored = port.registry.manifest("1.0")
    identity = signed_name(port.reference, stored)
    assert not add_signature(port.registry, identity=identity, digest=port.digest, key=port.key)
    assert add_signature(port.registry, identity=identity, digest=port.digest, key=key(tmp_path, "captain"))
    assert len(read_signatures(port.registry, port.digest)) == 2


def test_more_signatures_than_anybody_needs_are_not_read(port: Harbour, tmp_path: Path) -> None:
    entry = read_signatures(port.registry, port.digest)[0]
    manifest = Manifest.parse(cosign.append(None, entry).manifest)
    many = replace(manifest, layers=manifest.layers * 65)
    port.registry.put_manifest(many.to_bytes(), MANIFEST, cosign.signature_tag(port.digest))
    with pytest.raises(ArgosyError, match="65 signatures"):
        pull(port, tmp_path / "cache")


def test_an_artifact_without_a_title_must_be_named_to_be_signed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    nameless = replace(Manifest.parse(packed.manifest), annotations={}).to_bytes()
    push(packed, layout, tag="1.0")
    layout.put_manifest(nameless, MANIFEST, "nameless")
    reference = Reference.parse(f"oci:{tmp_path}/dist:nameless")
    with pytest.raises(ArgosyError, match="no title"):
        signed_name(reference, layout.manifest("nameless"))
    assert signed_name(reference, layout.manifest("nameless"), "registry.example.org/a") == "registry.example.org/a"


_PULL = """
import sys
from pathlib import Path
from argosy.errors import ArgosyError
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.sign.trust import load_trust
reference = Reference.parse(sys.argv[1])
try:
    pull_verified(open_registry(reference), reference, load_trust(Path(sys.argv[2])), cache=Path(sys.argv[3]))
except ArgosyError as error:
    print(error)
    sys.exit(error.status)
"""


def test_a_full_disk_is_told_and_leaves_no_half_of_a_module(tmp_path: Path) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/dist:1.0", cargo=os.urandom(300_000))
    cache = tmp_path / "cache"

    def small_files() -> None:
        # Writing beyond the limit fails as on a full disk (EFBIG for ENOSPC) once the signal is ignored.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    arguments = [sys.executable, "-c", _PULL, str(port.reference), port.trust.policy.source, str(cache)]
    full = subprocess.run(arguments, capture_output=True, text=True, preexec_fn=small_files)
    assert full.returncode == 1, full.stderr
    assert f"cannot write {cache}" in full.stdout and "free some space" in full.stdout
    assert [path for path in cache.rglob("*") if path.is_file()] == []
    assert subprocess.run(arguments).returncode == 0


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """A folder that this process may not enter; root becomes nobody for as long."""
    folder = tmp_path / "forbidden"
    folder.mkdir(mode=0o000)
    root = os.geteuid() == 0
    if root:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)


def test_a_cache_that_may_not_be_entered_is_told(port: Harbour, forbidden: Path) -> None:
    held = content(Manifest.parse(port.packed.manifest), "it")
    with pytest.raises(ArgosyError, match=rf"cannot use the cache {forbidden}.*denied") as refusal:
        fetch(port.registry, held, port.reference, cache=forbidden)
    assert "ARGOSY_CACHE" in refusal.value.advice


def test_a_layout_that_may_not_be_entered_is_told(forbidden: Path) -> None:
    layout = Layout(forbidden / "dist")
    blob = Descriptor(media_type="application/wasm", digest=Digest.of(b"x"), size=1)
    for attempt in (
        lambda: layout.tags(),
        lambda: layout.has_blob(blob),
        lambda: layout.put_blob(blob, b"x", lambda amount: None),
        lambda: layout.put_manifest(b"{}", "application/other", None),
    ):
        with pytest.raises(ArgosyError, match="denied"):
            attempt()
