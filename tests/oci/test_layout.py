"""An image-layout folder is a registry: tags move, bytes are checked, writers do not lose each other's work."""

from __future__ import annotations

import io
import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import pytest
from artifacts import artifact

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import EMPTY, MANIFEST, Descriptor, Manifest
from argosy.oci.layout import Layout
from argosy.oci.push import push
from argosy.oci.registry import NotFoundError


def test_what_is_pushed_is_found_by_tag_and_by_digest(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    digest = push(packed, layout, tag="1.0")
    assert digest == packed.digest
    for selector in ("1.0", digest, None):
        stored = layout.manifest(selector)
        assert stored.data == packed.manifest
        assert layout.resolve(selector) == stored.descriptor
    file = io.BytesIO()
    layout.blob(packed.layer, file, lambda amount: None)
    assert file.getvalue() == packed.wasm.read_bytes()


def test_pushing_again_changes_nothing(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    push(packed, layout, tag="1.0")
    before = {path: path.read_bytes() for path in (tmp_path / "dist").rglob("*") if path.is_file()}
    push(packed, layout, tag="1.0")
    assert {path: path.read_bytes() for path in (tmp_path / "dist").rglob("*") if path.is_file()} == before


def test_a_tag_moves_and_the_old_artifact_stays_by_digest(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    old = push(artifact(tmp_path, cargo=b"old"), layout, tag="latest")
    new = push(artifact(tmp_path, cargo=b"new"), layout, tag="latest")
    push(artifact(tmp_path, cargo=b"new"), layout, tag="2.0")
    assert layout.resolve("latest").digest == new
    assert layout.resolve(old).digest == old
    assert layout.tags() == ["2.0", "latest"]
    listed = json.loads((tmp_path / "dist" / "index.json").read_text())["manifests"]
    assert [entry["digest"] for entry in listed].count(str(old)) == 1


def test_an_artifact_without_a_tag_is_found_until_there_are_two(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    first = push(artifact(tmp_path, cargo=b"1"), layout, tag=None)
    assert layout.resolve(None).digest == first
    push(artifact(tmp_path, cargo=b"2"), layout, tag=None)
    with pytest.raises(ArgosyError, match="several artifacts"):
        layout.resolve(None)
    push(artifact(tmp_path, cargo=b"1"), layout, tag="x")
    assert layout.resolve(None).digest == first


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such folder"):
        Layout(tmp_path / "absent").manifest("1.0")
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    push(packed, layout, tag="1.0")
    with pytest.raises(NotFoundError, match=r"no tag '2.0'\n.*it has: 1.0"):
        layout.manifest("2.0")
    with pytest.raises(NotFoundError):
        layout.manifest(Digest.of(b"absent"))
    absent = Descriptor(media_type=EMPTY, digest=Digest.of(b"absent"), size=6)
    assert not layout.has_blob(absent)
    with pytest.raises(NotFoundError):
        layout.blob(absent, io.BytesIO(), lambda amount: None)


def test_a_manifest_whose_blobs_are_absent_is_not_taken(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    with pytest.raises(NotFoundError, match="which the new manifest names"):
        layout.put_manifest(artifact(tmp_path).manifest, MANIFEST, "1.0")


def test_changed_bytes_are_refused(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    digest = push(packed, layout, tag="1.0")
    blobs = tmp_path / "dist" / "blobs" / "sha256"
    (blobs / packed.layer.digest.hex).write_bytes(packed.wasm.read_bytes()[:-1] + b"X")
    with pytest.raises(ArgosyError, match="bytes with digest"):
        layout.blob(packed.layer, io.BytesIO(), lambda amount: None)
    (blobs / packed.layer.digest.hex).write_bytes(packed.wasm.read_bytes()[:-1])
    with pytest.raises(ArgosyError, match="cut short"):
        layout.blob(packed.layer, io.BytesIO(), lambda amount: None)
    (blobs / digest.hex).write_bytes(packed.manifest.replace(b"argo.wasm", b"orga.wasm"))
    with pytest.raises(ArgosyError, match="gave a manifest with digest"):
        layout.manifest("1.0")


def test_a_damaged_blob_is_put_right_by_pushing_again(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    packed = artifact(tmp_path)
    push(packed, layout, tag="1.0")
    (tmp_path / "dist" / "blobs" / "sha256" / packed.layer.digest.hex).write_bytes(b"")
    push(packed, layout, tag="1.0")
    layout.blob(packed.layer, io.BytesIO(), lambda amount: None)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("")
    with pytest.raises(ArgosyError, match="other things"):
        push(artifact(tmp_path), Layout(tmp_path / "home"), tag="1.0")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("text", ['{"imageLayoutVersion":"2.0.0"}', "{}", "no json"])
def test_a_layout_of_another_version_is_refused(tmp_path: Path, text: str) -> None:
    layout = Layout(tmp_path / "dist")
    push(artifact(tmp_path), layout, tag="1.0")
    (tmp_path / "dist" / "oci-layout").write_text(text)
    with pytest.raises(ArgosyError, match=r"oci-layout|version"):
        layout.tags()


def test_what_refers_to_an_artifact_is_listed_by_type(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "dist")
    digest = push(artifact(tmp_path), layout, tag="1.0")
    subject = layout.resolve(digest)
    empty = Descriptor(media_type=EMPTY, digest=Digest.of(b"{}"), size=2)
    layout.put_blob(empty, b"{}", lambda amount: None)
    bill = Manifest(config=empty, layers=(empty,), subject=subject, artifact_type="application/spdx+json")
    stored = layout.put_manifest(bill.to_bytes(), MANIFEST, None)
    assert [one.digest for one in layout.referrers(digest)] == [stored.digest]
    assert [one.digest for one in layout.referrers(digest, "application/spdx+json")] == [stored.digest]
    assert layout.referrers(digest, "application/other") == []
    assert layout.referrers(stored.digest) == []


def _push_many(folder: Path, writer: int) -> None:
    layout = Layout(folder / "dist")
    for number in range(8):
        push(artifact(folder / str(writer), cargo=f"{writer}-{number}".encode()), layout, tag=f"w{writer}-{number}")


def test_writers_at_the_same_time_all_keep_their_tags(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_push_many, args=(tmp_path, writer)) for writer in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    layout = Layout(tmp_path / "dist")
    assert layout.tags() == sorted(f"w{writer}-{number}" for writer in range(3) for number in range(8))
    for tag in layout.tags():
        layout.manifest(tag)


def test_a_folder_is_opened_without_what_http_takes() -> None:
    code = (
        "import sys\n"
        "from argosy.model.reference import Reference\n"
        "from argosy.oci import copy, pull\n"
        "from argosy.oci.open import open_registry\n"
        "open_registry(Reference.parse('oci:folder'))\n"
        "assert not {'requests', 'urllib3'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
