"""The real cosign, of versions 2 and 3, accepts what we sign and attest, and we accept what it signs and attests."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from artifacts import Harbour, artifact, harbour, key
from cosign_program import find_cosign
from needs import need
from published import yard
from registry_server import RegistryServer

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.reference import Reference
from argosy.oci.attestations import add_attestation, read_attestations
from argosy.oci.open import open_registry
from argosy.oci.pull import UntrustedError, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.signatures import add_signature, read_signatures, sign_artifact
from argosy.sign import attestation, bundle
from argosy.sign.attestation import Statement, Subject
from argosy.sign.cosign import attestation_tag, signature_tag
from argosy.sign.keys import Algorithm, generate, load_private, load_public
from argosy.sign.trust import Trust, load_trust, write_policy


@dataclass(frozen=True, kw_only=True)
class Published:
    """An artifact that a build published."""

    reference: Reference
    registry: Registry
    digest: Digest


UNLOGGED = ("--insecure-ignore-tlog=true", "--allow-http-registry")
KIND = "https://example.org/weather/v1"


@pytest.fixture(scope="session", params=[2, 3])
def program(request: pytest.FixtureRequest) -> Path:
    return find(request.param)


@pytest.fixture(scope="session")
def newest() -> Path:
    return find(3)


def find(version: int) -> Path:
    try:
        return find_cosign(version)
    except ArgosyError as error:
        need(f"cosign {version}", f"name it in $COSIGN{version} ({error.what})")
        raise


def cosign(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """cosign with an empty passphrase and a home of its own, so that it neither asks nor finds anything."""
    environment = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(folder)}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def verify(program: Path, port: Harbour | Published, key_file: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return asked(program, "verify", port, key_file, folder)


def asked(
    program: Path, question: str, port: Harbour | Published, key_file: str, folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    place = f"{port.reference.name}@{port.digest}"
    return cosign(program, folder, question, "--key", key_file, *options, *UNLOGGED, place)


def sign(program: Path, port: Harbour, folder: Path, *options: str, action: str = "sign") -> None:
    private = ("--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "-y")
    if knows_bundles(program, folder):
        private = (*private, "--use-signing-config=false")
    done = cosign(program, folder, action, *private, *options, f"{port.reference.name}@{port.digest}")
    assert done.returncode == 0, done.stderr


def knows_bundles(program: Path, folder: Path) -> bool:
    """Whether this is version 3, which writes and looks for bundles."""
    return "--use-signing-config" in cosign(program, folder, "sign", "--help").stdout


def cosign_trust(program: Path, folder: Path, *, unnamed: bool) -> Trust:
    """A trust in a key that cosign itself makes, here and now."""
    assert cosign(program, folder, "generate-key-pair").returncode == 0
    policy = folder / "cosign-trust" / "policy.toml"
    write_policy(policy, keys={"cosign": load_public(folder / "cosign.pub")}, repositories=["127.0.0.1:*/**"])
    if unnamed:
        policy.write_text(policy.read_text() + "unnamed = true\n")
    return load_trust(policy)


@pytest.fixture
def port(open_server: RegistryServer, tmp_path: Path) -> Harbour:
    return harbour(
        tmp_path, f"{open_server.host}/cosign/{tmp_path.name.replace('_', '-').strip('-')}:1.0", cargo=os.urandom(9)
    )


def test_cosign_accepts_our_signature(program: Path, port: Harbour, tmp_path: Path) -> None:
    done = verify(program, port, "mate.pub", tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(port.digest) in done.stdout and port.reference.name in done.stdout


def test_cosign_refuses_our_signature_under_another_key(program: Path, port: Harbour, tmp_path: Path) -> None:
    key(tmp_path, "pirate")
    assert verify(program, port, "pirate.pub", tmp_path).returncode != 0


def test_cosign_accepts_each_of_two_signatures(program: Path, port: Harbour, tmp_path: Path) -> None:
    captain = key(tmp_path, "captain")
    assert add_signature(port.registry, identity=port.reference.name, digest=port.digest, key=captain)
    for name in ("mate.pub", "captain.pub"):
        assert verify(program, port, name, tmp_path).returncode == 0


def test_cosign_signs_with_our_key_and_we_accept_it(newest: Path, port: Harbour, tmp_path: Path) -> None:
    imported = cosign(newest, tmp_path, "import-key-pair", "--key", "mate.key", "--output-key-prefix", "cosign")
    assert imported.returncode == 0, imported.stderr
    digest = push(artifact(tmp_path / "other", cargo=os.urandom(9)), port.registry, tag="other")
    sign(newest, replace(port, digest=digest), tmp_path, "--new-bundle-format=false")
    other = port.reference.tagged("other")
    assert pull_verified(port.registry, other, port.trust, cache=tmp_path / "cache").signers == ("mate",)


def test_cosign_accepts_our_ed25519_signature(program: Path, port: Harbour, tmp_path: Path) -> None:
    pair = generate(tmp_path / "second.key", algorithm=Algorithm.ED25519)
    key = load_private(pair.private)
    assert add_signature(port.registry, identity=port.reference.name, digest=port.digest, key=key)
    done = verify(program, port, "second.pub", tmp_path)
    assert done.returncode == 0, done.stderr


def test_we_sign_with_a_key_as_cosign_keeps_them(
    program: Path, port: Harbour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cosign(program, tmp_path, "generate-key-pair").returncode == 0
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "")
    key = load_private(tmp_path / "cosign.key")
    assert key.public.fingerprint == load_public(tmp_path / "cosign.pub").fingerprint
    assert add_signature(port.registry, identity=port.reference.name, digest=port.digest, key=key)
    assert verify(program, port, "cosign.pub", tmp_path).returncode == 0
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "grey-eyed")
    with pytest.raises(ArgosyError, match="passphrase is wrong"):
        load_private(tmp_path / "cosign.key")


def test_we_accept_what_cosign_signs(program: Path, port: Harbour, tmp_path: Path) -> None:
    trust = cosign_trust(program, tmp_path, unnamed=False)
    with pytest.raises(UntrustedError, match="made by no key"):
        pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")
    sign(program, port, tmp_path, *(["--new-bundle-format=false"] if knows_bundles(program, tmp_path) else []))
    assert len(read_signatures(port.registry, port.digest)) == 2
    module = pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")
    assert module.signers == ("cosign",) and module.identity == port.reference.name


def test_we_accept_cosigns_bundle_where_the_policy_does_without_a_name(
    newest: Path, port: Harbour, tmp_path: Path
) -> None:
    trust = cosign_trust(newest, tmp_path, unnamed=True)
    sign(newest, port, tmp_path)
    assert port.registry.referrers(port.digest, bundle.BUNDLE)
    module = pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")
    assert module.signers == ("cosign",)
    named_only = Trust(
        policy=replace(trust.policy, rules=tuple(replace(rule, unnamed=False) for rule in trust.policy.rules)),
        keys=trust.keys,
    )
    with pytest.raises(UntrustedError, match="names no repository"):
        pull_verified(port.registry, port.reference, named_only, cache=tmp_path / "cache")


@pytest.mark.parametrize("algorithm", Algorithm)
def test_cosign_accepts_our_bundle_alone(newest: Path, port: Harbour, tmp_path: Path, algorithm: Algorithm) -> None:
    signer = load_private(generate(tmp_path / "second.key", algorithm=algorithm).private)
    assert sign_artifact(port.registry, identity=port.reference.name, digest=port.digest, key=signer)
    port.registry.delete(port.registry.resolve(signature_tag(port.digest)).digest)
    done = verify(newest, port, "second.pub", tmp_path)
    assert done.returncode == 0, done.stderr
    assert str(port.digest) in done.stdout
    assert verify(newest, port, "mate.pub", tmp_path).returncode != 0


def test_cosign_accepts_our_signature_beside_anothers_bundle(program: Path, port: Harbour, tmp_path: Path) -> None:
    sign_artifact(port.registry, identity=port.reference.name, digest=port.digest, key=key(tmp_path, "stranger"))
    sign_artifact(port.registry, identity=port.reference.name, digest=port.digest, key=port.key)
    done = verify(program, port, "mate.pub", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("algorithm", Algorithm)
def test_cosign_accepts_our_attestation(program: Path, port: Harbour, tmp_path: Path, algorithm: Algorithm) -> None:
    signer = load_private(generate(tmp_path / "second.key", algorithm=algorithm).private)
    statement = Statement(subjects=(Subject(digest=port.digest),), predicate_type=KIND, predicate={"weather": "fair"})
    assert add_attestation(port.registry, digest=port.digest, statement=statement, key=signer)
    for form in ("both forms", "one form"):
        done = asked(program, "verify-attestation", port, "second.pub", tmp_path, "--type", KIND)
        assert done.returncode == 0, f"{form}: {done.stderr}"
        shown = json.loads(base64.b64decode(json.loads(done.stdout)["payload"]))
        assert shown["predicate"] == {"weather": "fair"}
        assert asked(program, "verify-attestation", port, "second.pub", tmp_path, "--type", "spdxjson").returncode != 0
        assert asked(program, "verify-attestation", port, "mate.pub", tmp_path, "--type", KIND).returncode != 0
        if knows_bundles(program, tmp_path):  # they are what it looks at, and not at the tag
            with contextlib.suppress(NotFoundError):
                port.registry.delete(port.registry.resolve(attestation_tag(port.digest)).digest)


def test_we_accept_what_cosign_attests(program: Path, port: Harbour, tmp_path: Path) -> None:
    assert cosign(program, tmp_path, "generate-key-pair").returncode == 0
    (tmp_path / "predicate.json").write_text('{"weather": "fair"}')
    sign(program, port, tmp_path, "--predicate", "predicate.json", "--type", KIND, action="attest")
    envelopes = read_attestations(port.registry, port.digest)
    assert bool(port.registry.referrers(port.digest)) is knows_bundles(program, tmp_path)
    keys = {"cosign": load_public(tmp_path / "cosign.pub")}
    [found] = attestation.verify(envelopes, digest=port.digest, keys=keys).attestations
    assert (found.signers, found.predicate_type, found.predicate) == (("cosign",), KIND, {"weather": "fair"})
    assert found.subject.name == port.reference.name
    assert not attestation.verify(envelopes, digest=port.digest, keys={"mate": port.key.public}).attestations


def test_ours_and_cosigns_attestations_live_beside_each_other(program: Path, port: Harbour, tmp_path: Path) -> None:
    assert cosign(program, tmp_path, "generate-key-pair").returncode == 0
    (tmp_path / "predicate.json").write_text('{"weather": "fair"}')
    statement = Statement(subjects=(Subject(digest=port.digest),), predicate_type=KIND, predicate={"weather": "foul"})
    add_attestation(port.registry, digest=port.digest, statement=statement, key=port.key)
    sign(program, port, tmp_path, "--predicate", "predicate.json", "--type", KIND, action="attest")
    keys = {"cosign": load_public(tmp_path / "cosign.pub"), "mate": port.key.public}
    report = attestation.verify(read_attestations(port.registry, port.digest), digest=port.digest, keys=keys)
    assert sorted(str(one.predicate["weather"]) for one in report.attestations) == ["fair", "foul"]
    for key_file in ("cosign.pub", "mate.pub"):
        done = asked(program, "verify-attestation", port, key_file, tmp_path, "--type", KIND)
        assert done.returncode == 0, done.stderr


def test_cosign_accepts_provenance_and_bill_of_materials_of_a_build(
    program: Path, tmp_path: Path, open_server: RegistryServer
) -> None:
    shipyard = yard(tmp_path)
    shipyard.build("alone")
    reference = Reference.parse(f"{open_server.host}/cosign/built-{os.getpid()}:1.0")
    done = shipyard.publish("alone", str(reference))
    port = Published(reference=reference, registry=open_registry(reference), digest=done.digest)
    assert verify(program, port, "mate.pub", tmp_path).returncode == 0
    for kind, part in (("slsaprovenance1", "buildDefinition"), ("spdxjson", "packages")):
        shown = asked(program, "verify-attestation", port, "mate.pub", tmp_path, "--type", kind)
        assert shown.returncode == 0, shown.stderr
        assert part in json.loads(base64.b64decode(json.loads(shown.stdout)["payload"]))["predicate"]
