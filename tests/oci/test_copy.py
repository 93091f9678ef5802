"""Copies between registries, folders and archives keep every digest and bring along what is said of an artifact."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from artifacts import Harbour, artifact, harbour, key
from cutting_proxy import cutting_proxy
from lying_server import Answer, lying_server
from registry_server import RegistryServer

from argosy.cli import main
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, INDEX, MANIFEST, Descriptor, Index, Manifest
from argosy.model.reference import Reference
from argosy.oci import archive
from argosy.oci.copy import copy
from argosy.oci.layout import Layout
from argosy.oci.open import open_registry
from argosy.oci.pull import check
from argosy.oci.registry import NotFoundError, Registry
from argosy.oci.remove import remove
from argosy.oci.signatures import add_signature, read_signatures
from argosy.tar import tarfile

BILL = "application/spdx+json"


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))


def place(text: str) -> Registry:
    return open_registry(Reference.parse(text), patience=5)


def refer(registry: Registry, subject: Descriptor, text: bytes = b"a bill") -> Digest:
    """Store a small manifest that refers to `subject`."""
    empty = Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2)
    layer = Descriptor(media_type=BILL, digest=Digest.of(text), size=len(text))
    registry.put_blob(empty, b"{}", lambda amount: None)
    registry.put_blob(layer, text, lambda amount: None)
    manifest = Manifest(config=empty, layers=(layer,), subject=subject, artifact_type=BILL)
    return registry.put_manifest(manifest.to_bytes(), MANIFEST, None).digest


@pytest.fixture
def port(open_server: RegistryServer, tmp_path: Path) -> Harbour:
    """A signed artifact with a bill of materials, in a registry."""
    found = harbour(tmp_path, f"{open_server.host}/from:1.0", cargo=os.urandom(200_000))
    refer(found.registry, found.registry.resolve(found.digest))
    return found


def holds_everything(registry: Registry, port: Harbour, selector: str | Digest) -> bool:
    stored = registry.manifest(selector)
    layer = Manifest.parse(stored.data).layers[0]
    file = io.BytesIO()
    registry.blob(layer, file, lambda amount: None)
    return (
        stored.descriptor.digest == port.digest
        and file.getvalue() == port.packed.wasm.read_bytes()
        and len(read_signatures(registry, port.digest)) == 1
        and [one.artifact_type for one in registry.referrers(port.digest)] == [BILL]
    )


def test_from_a_registry_into_a_folder_into_an_archive_and_back(
    open_server: RegistryServer, port: Harbour, tmp_path: Path
) -> None:
    folder = place(f"oci:{tmp_path}/layout")
    done = copy(port.registry, folder, "1.0", tag="kept")
    assert done.digest == port.digest and done.bytes > 200_000
    assert holds_everything(folder, port, "kept")
    with archive.opened(tmp_path / "all.tar", write=True) as packed:
        copy(folder, packed, "kept", tag="kept")
    back = place(f"{open_server.host}/back")
    with archive.opened(tmp_path / "all.tar", write=False) as unpacked:
        copy(unpacked, back, "kept", tag="2.0")
    assert holds_everything(back, port, "2.0")
    assert [path for path in (tmp_path / "cache" / "transfers").iterdir() if path.is_dir()] == []


def test_within_one_registry_nothing_is_sent(open_server: RegistryServer, port: Harbour) -> None:
    done = copy(port.registry, place(f"{open_server.host}/mounted"), "1.0", tag="1.0")
    assert (done.blobs, done.bytes) == (0, 0)
    assert holds_everything(place(f"{open_server.host}/mounted"), port, "1.0")


def test_a_second_copy_sends_nothing(port: Harbour, tmp_path: Path) -> None:
    folder = place(f"oci:{tmp_path}/layout")
    assert copy(port.registry, folder, "1.0", tag="a").blobs > 0
    assert copy(port.registry, folder, "1.0", tag="b").bytes == 0
    assert holds_everything(folder, port, "b")


def test_a_copy_of_the_artifact_alone_leaves_the_rest(port: Harbour, tmp_path: Path) -> None:
    folder = place(f"oci:{tmp_path}/layout")
    copy(port.registry, folder, "1.0", tag="a", companions=False)
    assert read_signatures(folder, port.digest) == [] and folder.referrers(port.digest) == []


def test_signatures_that_the_target_has_stay(port: Harbour, tmp_path: Path) -> None:
    folder = place(f"oci:{tmp_path}/layout")
    copy(port.registry, folder, "1.0", tag="a")
    for registry, name in ((folder, "theirs"), (port.registry, "ours")):
        assert add_signature(registry, identity="hpc/argo", digest=port.digest, key=key(tmp_path, name))
    copy(port.registry, folder, "1.0", tag="a")
    assert len(read_signatures(folder, port.digest)) == 3
    copy(port.registry, folder, "1.0", tag="a")
    assert len(read_signatures(folder, port.digest)) == 3


def test_a_copy_through_a_line_that_breaks_is_whole(open_server: RegistryServer, port: Harbour, tmp_path: Path) -> None:
    with cutting_proxy(open_server.host) as proxy:
        proxy.cut_down = 100_000
        folder = place(f"oci:{tmp_path}/layout")
        copy(place(f"{proxy.host}/from"), folder, "1.0", tag="a")
        assert proxy.cuts == 1 and holds_everything(folder, port, "a")


def test_an_index_is_copied_with_what_it_lists_and_cycles_end(port: Harbour, tmp_path: Path) -> None:
    entry = port.registry.resolve(port.digest)
    index = Index(manifests=(entry, entry)).to_bytes()
    stored = port.registry.put_manifest(index, INDEX, "both")
    folder = place(f"oci:{tmp_path}/layout")
    assert copy(port.registry, folder, "both", tag="both").digest == stored.digest
    assert holds_everything(folder, port, port.digest)
    deep = stored
    for _ in range(6):
        data = Index(manifests=(replace(deep, media_type=INDEX),)).to_bytes()
        deep = port.registry.put_manifest(data, INDEX, None)
    with pytest.raises(ArgosyError, match="nested too deeply"):
        copy(port.registry, folder, deep.digest, tag=None)


def test_a_source_that_lies_puts_nothing_into_the_target(tmp_path: Path) -> None:
    packed = artifact(tmp_path)

    def answer(asked: object) -> Answer:
        path = getattr(asked, "path", "")
        if "/manifests/1.0" in path:
            return Answer(headers={"Content-Type": MANIFEST}, body=packed.manifest)
        return Answer(body=b"x" * packed.layer.size) if "/blobs/" in path else Answer(status=404)

    with lying_server(answer) as server:
        folder = place(f"oci:{tmp_path}/layout")
        with pytest.raises(ArgosyError, match="bytes"):
            copy(place(f"{server.host}/argo"), folder, "1.0", tag="a")
    assert not list((tmp_path / "layout").rglob("sha256/*"))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"]


@pytest.mark.parametrize("kind", ["registry", "folder"])
def test_a_deleted_artifact_takes_along_what_was_said_of_it(
    open_server: RegistryServer, tmp_path: Path, kind: str
) -> None:
    name = f"{open_server.host}/gone" if kind == "registry" else f"oci:{tmp_path}/layout"
    port = harbour(tmp_path, f"{name}:1.0")
    bill = refer(port.registry, port.registry.resolve(port.digest))
    removed = remove(port.registry, Reference.parse(f"{name}:1.0"))
    assert port.digest in removed and bill in removed
    assert port.registry.tags() == []
    for digest in (port.digest, bill):
        with pytest.raises(NotFoundError):
            port.registry.manifest(digest)


def test_a_tag_beside_another_goes_alone(tmp_path: Path) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/layout:1.0")
    port.registry.put_manifest(port.packed.manifest, MANIFEST, "2.0")
    assert remove(port.registry, Reference.parse(f"oci:{tmp_path}/layout:1.0")) == ["1.0"]
    assert check(port.registry, Reference.parse(f"oci:{tmp_path}/layout:2.0"), port.trust, repository="layout/argo")


def test_a_folders_garbage_is_collected_and_what_is_being_stored_stays(tmp_path: Path) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/layout:1.0")
    layout = port.registry
    assert isinstance(layout, Layout)
    assert layout.collect(older_than=0) == []
    orphan = Descriptor(media_type=BILL, digest=Digest.of(b"orphan"), size=6)
    layout.put_blob(orphan, b"orphan", lambda amount: None)
    assert layout.collect(older_than=60) == []
    assert layout.collect(older_than=0) == [orphan.digest]
    remove(layout, Reference.parse(f"oci:{tmp_path}/layout:1.0"))
    assert port.packed.layer.digest in layout.collect(older_than=0)
    assert [path for path in (tmp_path / "layout" / "blobs").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("name", "kind"), [("../x", "file"), ("/etc/x", "file"), ("blobs/sha256/" + "a" * 64, "link"), ("other", "file")]
)
def test_an_archive_with_what_has_no_place_in_it_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as bad:
        member = tarfile.TarInfo(name)
        if kind == "link":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        bad.addfile(member)
    with (
        pytest.raises(ArgosyError, match="has no place"),
        archive.opened(tmp_path / "bad.tar", write=False),
    ):
        pass
    (tmp_path / "no.tar").write_bytes(b"no archive" * 100)
    with pytest.raises(ArgosyError, match="not a tar archive"), archive.opened(tmp_path / "no.tar", write=False):
        pass


def test_the_same_content_gives_the_same_archive(tmp_path: Path) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/layout:1.0")
    for name in ("a.tar", "b.tar"):
        with archive.opened(tmp_path / name, write=True) as packed:
            copy(port.registry, packed, "1.0", tag="1.0")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    port = harbour(tmp_path, f"oci:{tmp_path}/layout:1.0")
    file, one_file = tmp_path / "file", f"oci-archive:{tmp_path}/all.tar:1.0"
    file.write_text("no folder")
    assert main(["copy", "--add-policy", port.trust.policy.source, str(port.reference), one_file]) == 0
    assert main(["copy", "--save-policy", f"{file}/policy", one_file, f"oci:{tmp_path}/site"]) == 1
    assert f"cannot put the policy into {file}/policy" in capsys.readouterr().err
    monkeypatch.setenv("ARGOSY_CACHE", f"{file}/cache")
    assert main(["copy", one_file, f"oci:{tmp_path}/site"]) == 1
    assert f"cannot write {file}/cache/transfers: Not a directory" in capsys.readouterr().err


def test_the_command_carries_an_artifact_and_its_policy_to_a_site_without_a_network(
    open_server: RegistryServer, port: Harbour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = port.trust.policy.source
    source = f"{open_server.host}/from"
    one_file = f"oci-archive:{tmp_path}/hpc.tar"
    assert main(["copy", "--all", "--add-policy", policy, source, one_file]) == 0
    assert main(["copy", "--save-policy", str(tmp_path / "proposed"), f"{one_file}:1.0", f"oci:{tmp_path}/site"]) == 0
    assert (tmp_path / "proposed" / "policy.toml").read_bytes() == Path(policy).read_bytes()
    words = ["--policy", str(tmp_path / "proposed" / "policy.toml"), "--repository", source]
    assert main(["verify", *words, f"oci:{tmp_path}/site:1.0"]) == 0
    assert main(["delete", f"oci:{tmp_path}/site:1.0"]) == 0
    assert main(["verify", *words, f"oci:{tmp_path}/site:1.0"]) == 1
    assert "has no tag" in capsys.readouterr().err
    assert main(["verify", *words, one_file]) == 2
    assert "argosy copy" in capsys.readouterr().err
