"""Signatures inside the module: as the specification writes them, and worth nothing once anything was changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime
from cryptography.hazmat.primitives import serialization

from argosy.errors import ArgosyError
from argosy.model import wasm_signature
from argosy.model.digest import Digest
from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.policy import KeyFile, Policy, Revoked, Rule
from argosy.model.wasm import append_custom_section, custom_section
from argosy.model.wasm_cursor import WasmError
from argosy.model.wasm_signature import Encoding
from argosy.sign import embedded
from argosy.sign.keys import Algorithm, PrivateKey, generate, load_private
from argosy.sign.trust import Trust
from argosy.sign.verdict import Verdict

HEADER = b"\0asm\1\0\0\0"
CODE = bytes(wasmtime.wat2wasm('(module (memory 1) (func (export "_start")))'))[8:]
MODULE = append_custom_section(
    HEADER + CODE, RECIPE_SECTION, RecipeNote(name="tiny", version="1.0", numerics="fast").encoded()
)


@pytest.fixture(scope="module", params=Algorithm)
def mate(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    pair = generate(tmp_path_factory.mktemp("keys") / "mate.key", algorithm=request.param)
    return load_private(pair.private)


@pytest.fixture(scope="module")
def captain(tmp_path_factory: pytest.TempPathFactory) -> PrivateKey:
    pair = generate(tmp_path_factory.mktemp("keys") / "captain.key", algorithm=Algorithm.ED25519)
    return load_private(pair.private)


def trust(*, match: str = "layout/*", threshold: int = 1, unnamed: bool = False, **keys: PrivateKey) -> Trust:
    rule = Rule(match=match, keys=tuple(keys), threshold=threshold, unnamed=unnamed)
    files = tuple(KeyFile(name=name, file=f"{name}.pub") for name in keys)
    policy = Policy(source="policy.toml", keys=files, rules=(rule,))
    return Trust(policy=policy, keys={name: key.public for name, key in keys.items()})


def judged(module: bytes, folder: Path, trusted: Trust, repository: str | None = None) -> Verdict:
    path = folder / "it.wasm"
    path.write_bytes(module)
    return embedded.verify_file(path, trusted, repository=repository)


@pytest.mark.parametrize("encoding", Encoding)
def test_a_signed_module_is_accepted_and_still_a_module(
    mate: PrivateKey, captain: PrivateKey, tmp_path: Path, encoding: Encoding
) -> None:
    signed = embedded.embed(MODULE, mate, encoding=encoding)
    wasmtime.Module.validate(wasmtime.Engine(), signed)
    verdict = judged(signed, tmp_path, trust(mate=mate))
    assert verdict.accepted, verdict.reason
    assert (verdict.identity, verdict.signers, verdict.digest) == ("layout/tiny", ("mate",), Digest.of(signed))
    assert embedded.embed(MODULE, mate, encoding=encoding) == embedded.embed(signed, mate) == signed
    assert embedded.bare_digest(signed, source="it") == Digest.of(MODULE)
    assert judged(signed, tmp_path, trust(captain=captain)).refused() == ("key",)
    assert judged(MODULE, tmp_path, trust(mate=mate)).refused() == ("unsigned",)


def test_the_bytes_are_those_of_the_specification(captain: PrivateKey) -> None:
    """Appendix A, "Signatures for the entire module", and the message that the specification has signed."""
    hashes = hashlib.sha256(MODULE[8:]).digest()
    raw = captain.public.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    identifier = hashlib.sha256(raw).digest()
    signature = captain.key.sign(b"wasmsig\1\1\1" + hashes)  # type: ignore[call-arg]
    record = b"\x20" + identifier + b"\x01" + b"\x40" + signature
    document = b"\1\1\1" + b"\1" + b"\1" + hashes + b"\1" + record
    content, bare = wasm_signature.split(embedded.embed(MODULE, captain), source="it")
    assert (content, bare) == (document, MODULE)
    # What wasmsign2 writes and reads: a length before each set of hashes, and before each signature.
    framed = b"\1" + hashes + b"\1" + bytes([len(record)]) + record
    tool = b"\1\1\1" + b"\1" + bytes([len(framed) & 0x7F | 0x80, len(framed) >> 7]) + framed
    content, _ = wasm_signature.split(embedded.embed(MODULE, captain, encoding=Encoding.WASMSIGN2), source="it")
    assert content == tool


def test_a_change_of_any_byte_is_refused(mate: PrivateKey, tmp_path: Path) -> None:
    signed = embedded.embed(MODULE, mate)
    identifier = signed.index(bytes.fromhex(mate.public.fingerprint.hex))  # of the key: nobody relies on it
    for place in range(8, len(signed)):
        changed = bytearray(signed)
        changed[place] ^= 0x01
        try:
            verdict = judged(bytes(changed), tmp_path, trust(mate=mate))
        except ArgosyError:
            continue
        assert not verdict.accepted or identifier <= place < identifier + 32, place


def test_what_was_added_taken_away_or_exchanged_is_refused(mate: PrivateKey, tmp_path: Path) -> None:
    signed = embedded.embed(MODULE, mate)
    section = signed[8 : len(signed) - len(MODULE) + 8]
    for other in (
        signed + custom_section("more", b"x"),
        HEADER + section + MODULE[8 : len(HEADER + CODE)],
        HEADER
        + section
        + custom_section("argosy.recipe", RecipeNote(name="x", version="1", numerics="fast").encoded()),
        HEADER + section + custom_section("first", b"x") + MODULE[8:],
    ):
        assert judged(other, tmp_path, trust(mate=mate)).refused() == ("payload",)


def test_a_signature_that_is_not_first_or_not_alone_is_an_error(mate: PrivateKey, tmp_path: Path) -> None:
    signed = embedded.embed(MODULE, mate)
    section = signed[8 : len(signed) - len(MODULE) + 8]
    for ambiguous in (MODULE + section, HEADER + section + section + MODULE[8:]):
        with pytest.raises(WasmError, match="not the one at the beginning"):
            judged(ambiguous, tmp_path, trust(mate=mate))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\2\1\1\0",
        b"\1\2\1\0",
        b"\1\1\2\0",
        b"\1\1\1\1",
        b"\1\1\1\xff\xff\xff\xff\x0f",
        b"\1\1\1\1\0\x41",
        b"\1\1\1\0x",
    ],
)
def test_a_section_that_says_something_else_is_an_error(mate: PrivateKey, tmp_path: Path, content: bytes) -> None:
    with pytest.raises(WasmError):
        judged(wasm_signature.join(content, MODULE), tmp_path, trust(mate=mate))


def test_two_sign_and_both_count_once(mate: PrivateKey, captain: PrivateKey, tmp_path: Path) -> None:
    both = embedded.embed(embedded.embed(MODULE, mate, encoding=Encoding.WASMSIGN2), captain)
    twice = embedded.embed(both, mate)
    for signed in (both, twice):
        assert judged(signed, tmp_path, trust(threshold=2, mate=mate, captain=captain)).signers == ("mate", "captain")
    assert (
        "not enough"
        in judged(embedded.embed(MODULE, mate), tmp_path, trust(threshold=2, mate=mate, captain=captain)).reason
    )


def test_parts_are_signed_with_what_comes_before_them(captain: PrivateKey, tmp_path: Path) -> None:
    parts = HEADER + CODE + custom_section("signature_delimiter", bytes(16)) + MODULE[len(HEADER + CODE) :]
    parts += custom_section("signature_delimiter", bytes(range(16)))
    signed = embedded.embed(parts, captain)
    content, bare = wasm_signature.split(signed, source="it")
    assert content is not None
    [one] = wasm_signature.parse(content, source="it")[0]
    first = len(CODE + custom_section("signature_delimiter", bytes(16)))
    assert one.hashes == (hashlib.sha256(bare[8 : 8 + first]).digest(), hashlib.sha256(bare[8:]).digest())
    assert judged(signed, tmp_path, trust(captain=captain)).accepted
    assert judged(
        signed[: -len(custom_section("signature_delimiter", bytes(16)))], tmp_path, trust(captain=captain)
    ).refused() == ("payload",)


def test_the_name_that_a_file_stands_for_is_signed_with_it(mate: PrivateKey, tmp_path: Path) -> None:
    signed = embedded.embed(MODULE, mate)
    assert judged(signed, tmp_path, trust(match="layout/tiny", mate=mate)).accepted
    assert judged(signed, tmp_path, trust(match="layout/other", mate=mate)).refused() == ("rule",)
    elsewhere = trust(match="registry.example/*", mate=mate)
    assert judged(signed, tmp_path, elsewhere, "registry.example/tiny").refused() == ("repository", "threshold")
    nameless = embedded.embed(HEADER + CODE, mate)
    assert "--repository" in judged(nameless, tmp_path, trust(mate=mate)).reason
    assert judged(nameless, tmp_path, trust(unnamed=True, mate=mate), "layout/x").accepted


def test_a_revoked_module_is_refused_with_and_without_its_signature(mate: PrivateKey, tmp_path: Path) -> None:
    signed = embedded.embed(MODULE, mate)
    whole = trust(mate=mate)
    for digest in (Digest.of(signed), Digest.of(MODULE)):
        policy = replace(whole.policy, revoked=(Revoked(digest=digest, reason="it leaks"),))
        assert "it leaks" in judged(signed, tmp_path, replace(whole, policy=policy)).reason


def test_a_module_that_another_one_was_signed_for_is_not_signed_again(mate: PrivateKey) -> None:
    signed = embedded.embed(MODULE, mate)
    with pytest.raises(ArgosyError, match="signature of another module"):
        embedded.embed(signed + custom_section("more", b"x"), mate)
