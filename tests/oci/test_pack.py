"""An artifact's digest is a function of what is in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from artifacts import artifact, module

from argosy.errors import ArgosyError, UsageError
from argosy.model.artifact import Description
from argosy.model.content import content
from argosy.model.digest import Digest
from argosy.model.manifest import Manifest
from argosy.oci.pack import pack


def test_the_same_module_gives_the_same_artifact_anywhere_and_anytime(tmp_path: Path) -> None:
    one = artifact(tmp_path / "one")
    moved = tmp_path / "two" / "renamed.wasm"
    moved.parent.mkdir()
    shutil.copy(one.wasm, moved)
    os.utime(moved, (1, 1))
    manifest = Manifest.parse(one.manifest)
    two = pack(moved, Description.from_annotations(manifest.annotations))
    assert two.digest == one.digest
    assert artifact(tmp_path / "three", cargo=b"other").digest != one.digest


def test_the_artifact_has_the_layout_of_the_wasm_working_group(tmp_path: Path) -> None:
    packed = artifact(tmp_path)
    manifest = Manifest.parse(packed.manifest)
    layer = content(manifest, "it").layer
    assert layer.digest == Digest.of(packed.wasm.read_bytes())
    assert layer.size == packed.wasm.stat().st_size
    assert manifest.artifact_type is None
    assert manifest.config.digest == Digest.of(packed.config)
    config = json.loads(packed.config)
    assert config == {
        "created": "1970-01-01T00:00:00Z",
        "author": None,
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [str(layer.digest)],
        "component": None,
    }
    written = json.loads(packed.manifest)
    assert set(written) == {"schemaVersion", "mediaType", "config", "layers", "annotations"}
    assert written["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert written["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert [one["mediaType"] for one in written["layers"]] == ["application/wasm"]


def test_the_time_of_creation_is_the_one_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert json.loads(artifact(tmp_path).config)["created"] == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        artifact(tmp_path)


def test_what_is_no_module_is_not_packed(tmp_path: Path) -> None:
    description = Description(name="argo")
    with pytest.raises(ArgosyError, match="cannot read"):
        pack(tmp_path / "absent.wasm", description)
    elf = tmp_path / "elf.wasm"
    elf.write_bytes(b"\x7fELF")
    with pytest.raises(ArgosyError, match="not a WebAssembly module"):
        pack(elf, description)
    component = module(tmp_path / "component.wasm")
    component.write_bytes(b"\0asm\x0d\0\1\0")
    with pytest.raises(ArgosyError, match="not a WebAssembly module"):
        pack(component, description)
