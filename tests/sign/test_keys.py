"""Keys are made once, kept from others, and read only in the one form."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448

from argosy.errors import ArgosyError, UsageError
from argosy.sign.keys import Algorithm, generate, load_private, load_public

PKCS8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_the_private_key_signs_the_public_key_accepts(tmp_path: Path, algorithm: Algorithm) -> None:
    pair = generate(tmp_path / "mate.key", algorithm=algorithm)
    private, public = load_private(pair.private), load_public(pair.public)
    signature = private.sign(b"cargo")
    assert public.accepts(signature, b"cargo")
    assert not public.accepts(signature, b"other cargo")
    assert not public.accepts(signature[:-1], b"cargo")
    assert not public.accepts(b"", b"cargo")
    assert public.fingerprint == pair.fingerprint == private.public.fingerprint
    assert public.algorithm is algorithm


def test_a_key_of_one_kind_accepts_nothing_of_another(tmp_path: Path) -> None:
    pairs = [generate(tmp_path / f"{kind.value}.key", algorithm=kind) for kind in Algorithm]
    (first, second) = ((load_private(pair.private), load_public(pair.public)) for pair in pairs)
    assert not first[1].accepts(second[0].sign(b"cargo"), b"cargo")
    assert not second[1].accepts(first[0].sign(b"cargo"), b"cargo")


def test_ci_gives_the_key_by_a_variable_or_an_open_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = generate(tmp_path / "mate.key")
    monkeypatch.setenv("SIGNING_KEY", pair.private.read_text())
    assert load_private(Path("env:SIGNING_KEY")).public.fingerprint == pair.fingerprint
    with pair.private.open() as file:
        assert load_private(Path(f"fd:{file.fileno()}")).public.fingerprint == pair.fingerprint
    with pytest.raises(ArgosyError, match="is not set"):
        load_private(Path("env:NO_SUCH_KEY"))
    with pytest.raises(ArgosyError, match="fd:999"):
        load_private(Path("fd:999"))


def test_openssl_reads_the_keys(tmp_path: Path) -> None:
    pair = generate(tmp_path / "mate.key")
    text = subprocess.run(["openssl", "pkey", "-in", pair.private, "-pubout"], capture_output=True, check=True).stdout
    assert text == pair.public.read_bytes()


def test_only_the_owner_can_reach_the_private_key(tmp_path: Path) -> None:
    pair = generate(tmp_path / "new" / "mate.key")
    assert pair.private.stat().st_mode & 0o777 == 0o600
    pair.private.chmod(0o640)
    with pytest.raises(ArgosyError, match="chmod 600"):
        load_private(pair.private)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    pair = generate(tmp_path / "mate.key")
    before = pair.private.read_bytes()
    with pytest.raises(UsageError, match="never overwritten"):
        generate(pair.private)
    pair.private.unlink()
    with pytest.raises(UsageError, match="never overwritten"):
        generate(pair.private)
    assert not pair.private.exists()
    assert b"BEGIN PRIVATE KEY" in before


def test_a_passphrase_protects_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = generate(tmp_path / "mate.key", password="wine-dark")
    assert b"ENCRYPTED" in pair.private.read_bytes()
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "wine-dark")
    assert load_private(pair.private).public.fingerprint == pair.fingerprint
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "grey-eyed")
    with pytest.raises(ArgosyError, match="passphrase is wrong") as refusal:
        load_private(pair.private)
    assert "grey-eyed" not in str(refusal.value)


def test_without_a_terminal_the_missing_passphrase_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = generate(tmp_path / "mate.key", password="wine-dark")
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(ArgosyError, match="ARGOSY_KEY_PASSWORD"):
            load_private(pair.private)


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), ed448.Ed448PrivateKey.generate()])
def test_keys_of_another_kind_are_refused_by_name(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | ed448.Ed448PrivateKey
) -> None:
    private, public = tmp_path / "x.key", tmp_path / "x.pub"
    private.write_bytes(key.private_bytes(*PKCS8))
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(ArgosyError, match="P-256"):
        load_private(private)
    with pytest.raises(ArgosyError, match="P-256"):
        load_public(public)


def test_a_private_key_where_a_public_one_belongs_is_told(tmp_path: Path) -> None:
    pair = generate(tmp_path / "mate.key")
    with pytest.raises(ArgosyError, match="private key where a public one belongs"):
        load_public(pair.private)


@pytest.mark.parametrize(
    "content", [b"", b"ssh-rsa AAAA", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ArgosyError, match="no private key"):
        load_private(path)


def test_an_absent_key_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ArgosyError, match="argosy keys generate"):
        load_private(tmp_path / "absent.key")
