"""What a registry says is read in one way only, or refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX, MANIFEST, Descriptor, Index, Manifest

CONFIG = Descriptor(media_type="application/vnd.wasm.config.v0+json", digest=Digest.of(b"{}"), size=2)
LAYER = Descriptor(media_type="application/wasm", digest=Digest.of(b"wasm"), size=4, annotations={"a": "b"})
GOOD = Manifest(config=CONFIG, layers=(LAYER,), annotations={"k": "v"}, subject=CONFIG, artifact_type="a/b")


def changed(**changes: Any) -> bytes:
    value = json.loads(GOOD.to_bytes())
    value.update(changes)
    return json.dumps({key: item for key, item in value.items() if item is not ...}).encode()


def layer(**changes: Any) -> bytes:
    return changed(layers=[{**LAYER.to_json(), **changes}])


def test_a_manifest_is_written_and_read_back() -> None:
    assert Manifest.parse(GOOD.to_bytes()) == GOOD


def test_an_index_is_written_and_read_back() -> None:
    index = Index(manifests=(LAYER, CONFIG), annotations={"k": "v"})
    assert Index.parse(index.to_bytes()) == index


def test_an_index_with_null_for_no_manifests_is_empty() -> None:
    assert Index.parse(b'{"schemaVersion":2,"manifests":null}') == Index()


def test_a_manifest_need_not_repeat_its_media_type() -> None:
    assert Manifest.parse(changed(mediaType=...)) == GOOD


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"\xff{}", "not valid JSON"),
        (b'{"schemaVersion":2,"schemaVersion":2}', "appears twice"),
        (b'{"a":' * 100000 + b"1" + b"}" * 100000, "nested too deeply"),
        (b'{"schemaVersion":NaN}', "not a JSON number"),
        (changed(annotations={"long": "x" * (4 << 20)}), "at most 4194304"),
        (changed(schemaVersion=1), "schemaVersion"),
        (changed(schemaVersion=True), "schemaVersion"),
        (changed(schemaVersion="2"), "schemaVersion"),
        (changed(mediaType=INDEX), "calls itself"),
        (changed(mediaType=["x"]), "calls itself"),
        (changed(manifests=[]), "ambiguous"),
        (changed(config=...), "config of the manifest"),
        (changed(layers=...), "a list is missing"),
        (changed(layers={}), "a list is missing"),
        (changed(layers=[7]), "entry 0: a descriptor is missing"),
        (changed(layers=[LAYER.to_json()] * 1025), "at most 1024"),
        (changed(annotations={"a": 1}), "annotations"),
        (changed(annotations=["a"]), "annotations"),
        (changed(artifactType={}), "artifactType"),
        (layer(size=-1), "size"),
        (layer(size=True), "size"),
        (layer(size=1.0), "size"),
        (layer(size=1 << 63), "size"),
        (layer(size="4"), "size"),
        (layer(mediaType=7), "mediaType"),
        (layer(mediaType=""), "mediaType"),
        (layer(mediaType="a\nb"), "mediaType"),
        (layer(digest="sha256:../../x"), "not a digest"),
        (layer(digest=None), "digest is missing"),
    ],
)
def test_a_wrong_manifest_is_refused_by_what_is_wrong(data: bytes, message: str) -> None:
    with pytest.raises(ArgosyError, match=message):
        Manifest.parse(data)


def test_a_manifest_is_not_read_as_an_index_nor_an_index_as_a_manifest() -> None:
    both = changed(mediaType=..., manifests=[])
    with pytest.raises(ArgosyError, match="ambiguous"):
        Manifest.parse(both)
    with pytest.raises(ArgosyError, match="ambiguous"):
        Index.parse(both)
    with pytest.raises(ArgosyError, match="media type"):
        Manifest.parse(GOOD.to_bytes(), media_type=INDEX)
    with pytest.raises(ArgosyError, match="media type"):
        Index.parse(Index().to_bytes(), media_type=MANIFEST)


def test_what_is_written_depends_on_the_values_alone() -> None:
    one = Manifest(config=CONFIG, layers=(LAYER,), annotations={"a": "1", "b": "2"})
    two = Manifest(config=CONFIG, layers=(LAYER,), annotations={"b": "2", "a": "1"})
    assert one.to_bytes() == two.to_bytes()
