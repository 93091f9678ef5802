"""Small artifacts and keys for the tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pack import Packed, pack
from argosy.oci.push import push
from argosy.oci.registry import Registry
from argosy.oci.signatures import add_signature, signed_name
from argosy.sign.keys import PrivateKey, generate, load_private
from argosy.sign.trust import Trust, load_trust, write_policy


def module(path: Path, cargo: bytes = b"cargo") -> Path:
    """A core module with nothing but a custom section, `cargo`, of any length."""
    content = b"\x05cargo" + cargo
    size = len(content)
    length = bytearray()
    while True:
        size, low = size >> 7, size & 0x7F
        length.append(low | (0x80 if size else 0))
        if not size:
            break
    path.write_bytes(b"\0asm\1\0\0\0\0" + bytes(length) + content)
    return path


def artifact(folder: Path, *, cargo: bytes = b"cargo", name: str = "argo") -> Packed:
    folder.mkdir(parents=True, exist_ok=True)
    description = Description(
        name=name, version="1.0", licence="MIT", numerics="exact", imports=("argosy_mpi_1.MPI_Init",)
    )
    return pack(module(folder / f"{name}.wasm", cargo), description)


def key(folder: Path, name: str) -> PrivateKey:
    pair = generate(folder / f"{name}.key")
    return load_private(pair.private)


@dataclass(frozen=True, kw_only=True)
class Harbour:
    """A place with one signed artifact in it, and the trust that accepts it."""

    reference: Reference
    registry: Registry
    packed: Packed
    digest: Digest
    key: PrivateKey
    trust: Trust


def harbour(folder: Path, text: str, *, cargo: bytes = b"cargo", rules: tuple[str, ...] = ("**",)) -> Harbour:
    """Publish a small artifact at the reference `text` and sign it by the key `mate`."""
    reference = Reference.parse(text)
    registry = open_registry(reference, patience=2)
    packed = artifact(folder, cargo=cargo)
    digest = push(packed, registry, tag=reference.tag)
    signer = key(folder, "mate")
    identity = signed_name(reference, registry.manifest(digest))
    assert add_signature(registry, identity=identity, digest=digest, key=signer)
    policy = folder / "trust" / "policy.toml"
    write_policy(policy, keys={"mate": signer.public}, repositories=rules)
    return Harbour(
        reference=reference, registry=registry, packed=packed, digest=digest, key=signer, trust=load_trust(policy)
    )
