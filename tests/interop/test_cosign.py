"""The real cosign accepts what we sign, and we accept what it signs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import Harbour, artifact, harbour, key
from cosign_program import find_cosign
from needs import need
from registry_server import RegistryServer

from argosy.errors import ArgosyError
from argosy.oci.pull import UntrustedError, pull_verified
from argosy.oci.push import push
from argosy.oci.signatures import add_signature, read_signatures
from argosy.sign.keys import Algorithm, generate, load_private, load_public
from argosy.sign.trust import Trust, load_trust, write_policy


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return find_cosign()
    except ArgosyError as error:
        need("cosign", f"put it on PATH or name it in $COSIGN ({error.what})")
        raise


def cosign(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """cosign with an empty passphrase and a home of its own, so that it neither asks nor finds anything."""
    environment = {**os.environ, "COSIGN_PASSWORD": "", "HOME": str(folder)}
    return subprocess.run([program, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def verify(program: Path, port: Harbour, key_file: str, folder: Path) -> subprocess.CompletedProcess[str]:
    options = ("--insecure-ignore-tlog=true", "--allow-http-registry")
    return cosign(program, folder, "verify", "--key", key_file, *options, f"{port.reference.name}@{port.digest}")


def sign(program: Path, port: Harbour, folder: Path, *options: str) -> None:
    private = ("--key", "cosign.key", "--tlog-upload=false", "--allow-http-registry", "-y")
    if "--use-signing-config" in cosign(program, folder, "sign", "--help").stdout:
        private = (*private, "--use-signing-config=false")
    done = cosign(program, folder, "sign", *private, *options, f"{port.reference.name}@{port.digest}")
    assert done.returncode == 0, done.stderr


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


def test_cosign_signs_with_our_key_and_we_accept_it(program: Path, port: Harbour, tmp_path: Path) -> None:
    imported = cosign(program, tmp_path, "import-key-pair", "--key", "mate.key", "--output-key-prefix", "cosign")
    assert imported.returncode == 0, imported.stderr
    digest = push(artifact(tmp_path / "other", cargo=os.urandom(9)), port.registry, tag="other")
    sign(program, replace(port, digest=digest), tmp_path, "--new-bundle-format=false")
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
    sign(program, port, tmp_path, "--new-bundle-format=false")
    assert len(read_signatures(port.registry, port.digest)) == 2
    module = pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")
    assert module.signers == ("cosign",) and module.identity == port.reference.name


def test_we_accept_cosigns_bundle_where_the_policy_does_without_a_name(
    program: Path, port: Harbour, tmp_path: Path
) -> None:
    trust = cosign_trust(program, tmp_path, unnamed=True)
    sign(program, port, tmp_path)
    if len(read_signatures(port.registry, port.digest)) == 2 and not port.registry.referrers(port.digest):
        pytest.skip("this cosign (before version 3) makes no bundles by itself")
    module = pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")
    assert module.signers == ("cosign",)
    named_only = Trust(
        policy=replace(trust.policy, rules=tuple(replace(rule, unnamed=False) for rule in trust.policy.rules)),
        keys=trust.keys,
    )
    with pytest.raises(UntrustedError, match="names no repository"):
        pull_verified(port.registry, port.reference, named_only, cache=tmp_path / "cache")
