"""A tag may not move back: an old artifact is refused although its signature is good."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import Harbour, harbour, module

from argosy.errors import ArgosyError
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Manifest
from argosy.oci.layout import Layout
from argosy.oci.pack import Packed, pack
from argosy.oci.pull import UntrustedError, check, pull_verified
from argosy.oci.push import push
from argosy.oci.signatures import add_signature
from argosy.sign import cosign
from argosy.sign.cosign import SignatureEntry
from argosy.sign.tag_record import TagRecord
from argosy.sign.trust import load_trust


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Harbour:
    """Its artifact, version 1.0 at the tag `stable`, was signed at time 1000."""
    monkeypatch.setattr("time.time", lambda: 1000)
    made = harbour(tmp_path, f"oci:{tmp_path}/dist:stable", rules=("**",))
    monkeypatch.undo()
    monkeypatch.setenv("ARGOSY_STATE", str(tmp_path / "state"))
    return made


def release(port: Harbour, folder: Path, version: str, *, signed_at: int | None, cargo: bytes = b"new") -> Digest:
    """Push another version to the same tag, signed at `signed_at`."""
    folder.mkdir(exist_ok=True)
    packed: Packed = pack(module(folder / "argo.wasm", cargo), Description(name="argo", version=version))
    digest = push(packed, port.registry, tag="stable")
    if signed_at is not None:
        sign(port, digest, signed_at)
    return digest


def sign(port: Harbour, digest: Digest, signed_at: int) -> None:
    store(port, digest, cosign.sign(port.key, identity="layout/argo", digest=digest, signed_at=signed_at))


def store(port: Harbour, digest: Digest, entry: SignatureEntry) -> None:
    """Put it in the place of all signatures that are there."""
    made = cosign.append(None, entry)
    manifest = Manifest.parse(made.manifest)
    port.registry.put_blob(manifest.config, made.config, lambda amount: None)
    port.registry.put_blob(manifest.layers[0], made.payloads[0], lambda amount: None)
    port.registry.put_manifest(made.manifest, MANIFEST, cosign.signature_tag(digest))


def move(port: Harbour, digest: Digest) -> None:
    """What whoever has the registry can do: let the tag name anything that was there once."""
    port.registry.put_manifest(port.registry.manifest(digest).data, MANIFEST, "stable")


def pull(port: Harbour, tmp_path: Path) -> Digest:
    return pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache").manifest_digest


def test_a_tag_moves_on_and_not_back(port: Harbour, tmp_path: Path) -> None:
    assert pull(port, tmp_path) == port.digest
    new = release(port, tmp_path / "new", "1.1", signed_at=2000)
    assert pull(port, tmp_path) == new
    move(port, port.digest)
    with pytest.raises(UntrustedError, match=f"stable named {new} before, and has moved back: it is version 1.0") as no:
        pull(port, tmp_path)
    assert no.value.verdict.refused() == ("rollback",)
    assert "--accept-rollback" in no.value.advice
    move(port, new)
    assert pull(port, tmp_path) == new


def test_an_artifact_that_was_never_pulled_but_is_older_is_refused_too(port: Harbour, tmp_path: Path) -> None:
    withdrawn = release(port, tmp_path / "withdrawn", "2.0", signed_at=1500)
    new = release(port, tmp_path / "new", "1.1", signed_at=2000)
    assert pull(port, tmp_path) == new
    move(port, withdrawn)
    with pytest.raises(UntrustedError, match="it was signed 1970-01-01T00:25:00Z, the former 1970-01-01T00:33:20Z"):
        pull(port, tmp_path)


def test_a_registry_that_leaves_the_times_out_gains_nothing(port: Harbour, tmp_path: Path) -> None:
    pull(port, tmp_path)
    other = release(port, tmp_path / "other", "1.1", signed_at=None)
    payload = cosign.sign(port.key, identity="layout/argo", digest=other).payload.replace(b'"timestamp"', b'"time"')
    store(port, other, cosign.simple(payload, port.key.sign(payload)))
    with pytest.raises(UntrustedError, match="do not say when they were made"):
        pull(port, tmp_path)


def test_the_same_version_built_again_is_newer_by_its_signature(port: Harbour, tmp_path: Path) -> None:
    pull(port, tmp_path)
    again = release(port, tmp_path / "again", "1.0", signed_at=1001)
    assert pull(port, tmp_path) == again


def test_a_publisher_goes_back_by_signing_anew(port: Harbour, tmp_path: Path) -> None:
    pull(port, tmp_path)
    release(port, tmp_path / "again", "1.0", signed_at=1001)
    pull(port, tmp_path)
    move(port, port.digest)
    with pytest.raises(UntrustedError, match="moved back"):
        pull(port, tmp_path)
    assert not add_signature(port.registry, identity="layout/argo", digest=port.digest, key=port.key)
    assert add_signature(port.registry, identity="layout/argo", digest=port.digest, key=port.key, renew=True)
    assert pull(port, tmp_path) == port.digest


def test_a_digest_means_those_bytes_and_a_rule_can_allow_it(port: Harbour, tmp_path: Path) -> None:
    release(port, tmp_path / "new", "1.1", signed_at=2000)
    pull(port, tmp_path)
    move(port, port.digest)
    assert pull(replace(port, reference=port.reference.at(port.digest)), tmp_path) == port.digest
    policy = Path(port.trust.policy.source)
    policy.write_text(policy.read_text().replace("keys = [", "rollback = true\nkeys = ["))
    assert pull(replace(port, trust=load_trust(policy)), tmp_path) == port.digest


def test_verify_looks_and_does_not_record(port: Harbour, tmp_path: Path) -> None:
    first = check(port.registry, port.reference, port.trust)
    assert first.verdict.accepted and "for the first time" in first.verdict.steps[-1].text
    assert "for the first time" in check(port.registry, port.reference, port.trust).verdict.steps[-1].text
    pull(port, tmp_path)
    again = check(port.registry, port.reference, port.trust)
    assert "names what it named before" in again.verdict.steps[-1].text
    release(port, tmp_path / "new", "1.1", signed_at=2000)
    moved = check(port.registry, port.reference, port.trust)
    assert moved.verdict.accepted and f"has moved on from {port.digest}" in moved.verdict.steps[-1].text


def test_the_user_can_accept_a_step_back(port: Harbour, tmp_path: Path) -> None:
    release(port, tmp_path / "new", "1.1", signed_at=2000)
    pull(port, tmp_path)
    move(port, port.digest)
    command = [sys.executable, "-m", "argosy.cli", "verify", "--policy", port.trust.policy.source, str(port.reference)]
    refused = subprocess.run([*command, "--json"], capture_output=True, text=True)
    assert refused.returncode == 1 and json.loads(refused.stdout)["refused"] == ["rollback"]
    accepted = subprocess.run([*command, "--accept-rollback"], capture_output=True, text=True)
    assert accepted.returncode == 0 and "which is accepted" in accepted.stdout
    assert pull(port, tmp_path) == port.digest


def test_another_tag_another_folder_another_user_have_records_of_their_own(
    port: Harbour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = release(port, tmp_path / "new", "1.1", signed_at=2000)
    pull(port, tmp_path)
    port.registry.put_manifest(port.registry.manifest(port.digest).data, MANIFEST, "old")
    assert pull(replace(port, reference=port.reference.tagged("old")), tmp_path) == port.digest
    move(port, port.digest)
    monkeypatch.setenv("ARGOSY_STATE", str(tmp_path / "another"))
    assert pull(port, tmp_path) == port.digest != new


def record(port: Harbour) -> TagRecord:
    assert isinstance(port.registry, Layout)
    return TagRecord(place=str(port.registry.path.resolve()), tag="stable")


@pytest.mark.parametrize("damage", [b"", b"{}", b"[" * 70000, b'{"format": 1}', b"\xff"])
def test_a_record_that_cannot_be_read_is_not_an_absent_one(port: Harbour, tmp_path: Path, damage: bytes) -> None:
    pull(port, tmp_path)
    record(port).path.write_bytes(damage)
    with pytest.raises(ArgosyError, match=f"{record(port).path}"):
        pull(port, tmp_path)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_record_that_others_can_write_is_refused(port: Harbour, tmp_path: Path, which: str) -> None:
    pull(port, tmp_path)
    path = record(port).path if which == "file" else record(port).path.parent
    path.chmod(0o777)
    with pytest.raises(ArgosyError, match="others can write it"):
        pull(port, tmp_path)


def test_ranks_on_nodes_that_may_only_read_need_no_new_record(port: Harbour, tmp_path: Path) -> None:
    pull(port, tmp_path)
    state = record(port).path.parent
    listed = sorted(path.name for path in state.iterdir())
    (lock,) = state.glob("*.lock")
    lock.unlink()
    pull(port, tmp_path)
    assert sorted(path.name for path in state.iterdir()) == [name for name in listed if not name.endswith(".lock")]


@pytest.mark.parametrize("place", ["file", "/proc/nothing"])
def test_a_record_that_cannot_be_kept_is_told(
    port: Harbour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("ARGOSY_STATE", str(tmp_path / place))
    with pytest.raises(ArgosyError, match=r"cannot (record what stable names|read)") as told:
        pull(port, tmp_path)
    assert "$ARGOSY_STATE" in told.value.advice


def test_the_record_of_another_tag_is_none(port: Harbour, tmp_path: Path) -> None:
    pull(port, tmp_path)
    other = replace(record(port), tag="other")
    other.path.write_bytes(record(port).path.read_bytes())
    with pytest.raises(ArgosyError, match="is not the record of"):
        other.last()


_ADVANCE = """
import sys
from argosy.model.digest import Digest
from argosy.model.order import Order
from argosy.sign.tag_record import Seen, TagRecord
record = TagRecord(place="here", tag="stable")
for step in range(int(sys.argv[1]), 60, 6):
    record.advance(Seen(digest=Digest.of(str(step).encode()), order=Order(signed_at=step)))
"""


def test_processes_that_see_different_artifacts_at_once_leave_the_newest(port: Harbour) -> None:
    several = [subprocess.Popen([sys.executable, "-c", _ADVANCE, str(first)]) for first in range(6)]
    assert [one.wait(60) for one in several] == [0] * 6
    last = TagRecord(place="here", tag="stable").last()
    assert last is not None and last.order.signed_at == 59
