"""A module in an ordinary image comes back as the same module, or not at all."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import Harbour, harbour, module

from argosy.errors import ArgosyError
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import MANIFEST, Descriptor, Manifest
from argosy.model.policy import Revoked
from argosy.oci.pack import Packed, pack
from argosy.oci.pull import UntrustedError, pull_verified
from argosy.oci.push import push
from argosy.oci.registry import Registry
from argosy.oci.signatures import add_signature


def image(folder: Path, cargo: bytes = b"cargo") -> Packed:
    folder.mkdir(parents=True, exist_ok=True)
    description = Description(name="argo", version="1.0", numerics="exact")
    return pack(module(folder / "argo.wasm", cargo), description, image_folder=folder)


@pytest.fixture
def port(tmp_path: Path) -> Harbour:
    """Its tag names an image."""
    made = harbour(tmp_path, f"oci:{tmp_path}/dist:1.0", rules=("layout/*",))
    packed = image(tmp_path / "image", os.urandom(100_000))
    return replace(made, packed=packed, digest=signed(made, packed))


def signed(port: Harbour, packed: Packed) -> Digest:
    digest = push(packed, port.registry, tag="1.0")
    add_signature(port.registry, identity="layout/argo", digest=digest, key=port.key)
    return digest


def test_it_comes_back_as_the_module_that_went_in(port: Harbour, tmp_path: Path) -> None:
    pulled = pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache")
    assert pulled.read() == port.packed.wasm.read_bytes()
    assert pulled.digest == port.packed.module == Digest.of(port.packed.wasm.read_bytes())
    assert (pulled.manifest_digest, pulled.numerics) == (port.digest, "exact")
    assert [path.suffix for path in (tmp_path / "cache/modules/sha256").iterdir()] == [".wasm"]


def test_every_media_type_is_one_of_images(port: Harbour) -> None:
    manifest = Manifest.parse(port.packed.manifest)
    assert manifest.config.media_type == "application/vnd.oci.image.config.v1+json"
    assert [layer.media_type for layer in manifest.layers] == ["application/vnd.oci.image.layer.v1.tar"]
    with tarfile.open(port.packed.file) as archive:
        assert [(one.name, one.mtime, one.uid) for one in archive] == [("argo.wasm", 0, 0)]


def test_the_same_module_gives_the_same_image(tmp_path: Path) -> None:
    one, two = image(tmp_path / "one"), image(tmp_path / "two")
    assert one.digest == two.digest
    assert one.module == pack(one.wasm, Description(name="argo")).module


def test_a_module_that_is_in_the_cache_is_not_fetched_again(port: Harbour, tmp_path: Path) -> None:
    pulled = pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache")
    (tmp_path / "dist/blobs/sha256" / port.packed.layer.digest.hex).unlink()
    again = pull_verified(port.registry, port.reference, port.trust, cache=tmp_path / "cache")
    assert again.path == pulled.path


def test_the_modules_digest_can_be_revoked(port: Harbour, tmp_path: Path) -> None:
    revoked = (Revoked(digest=port.packed.module, reason="wrong results"),)
    trust = replace(port.trust, policy=replace(port.trust.policy, revoked=revoked))
    with pytest.raises(UntrustedError, match="is revoked: wrong results"):
        pull_verified(port.registry, port.reference, trust, cache=tmp_path / "cache")


def members(*entries: tuple[str, bytes, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, data in entries:
            member = tarfile.TarInfo(name)
            member.type, member.size = kind, len(data)
            member.linkname = "/etc/passwd"
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


GOOD = b"\0asm\1\0\0\0"


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (members(("argo.wasm", tarfile.REGTYPE, GOOD + b"\0")), "digest"),
        (members(), "something else than one module"),
        (members(("a.wasm", tarfile.REGTYPE, GOOD), ("b.wasm", tarfile.REGTYPE, GOOD)), "something else"),
        (members(("argo.wasm", tarfile.SYMTYPE, b"")), "something else"),
        (members(("argo.wasm", tarfile.FIFOTYPE, b"")), "something else"),
        (members(("../../../escaped.wasm", tarfile.REGTYPE, GOOD)), ""),  # a name is not used for anything
        (members(("argo.wasm", tarfile.REGTYPE, GOOD))[:514], "unexpected end of data"),
        (b"\x1f\x8b gzip", "not a tar file"),
        (b"", "not a tar file"),
    ],
)
def test_a_signed_layer_that_holds_something_else_is_refused_and_leaves_nothing(
    port: Harbour, tmp_path: Path, layer: bytes, reason: str
) -> None:
    registry: Registry = port.registry
    kept = Manifest.parse(port.packed.manifest)
    blob = Descriptor(media_type=kept.layers[0].media_type, digest=Digest.of(layer), size=len(layer))
    config = port.packed.config.replace(str(kept.layers[0].digest).encode(), str(blob.digest).encode())
    new = replace(kept.config, digest=Digest.of(config), size=len(config))
    annotations = {**kept.annotations, "dev.argosy.module": str(Digest.of(GOOD))}
    for one, data in ((blob, layer), (new, config)):
        registry.put_blob(one, data, lambda amount: None)
    manifest = replace(kept, layers=(blob,), config=new, annotations=annotations).to_bytes()
    digest = registry.put_manifest(manifest, MANIFEST, "1.0").digest
    add_signature(registry, identity="layout/argo", digest=digest, key=port.key)
    if not reason:
        assert pull_verified(registry, port.reference, port.trust, cache=tmp_path / "cache").read() == GOOD
        assert not list(tmp_path.rglob("escaped*"))
        return
    with pytest.raises(ArgosyError, match=reason):
        pull_verified(registry, port.reference, port.trust, cache=tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
