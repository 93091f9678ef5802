"""Where a registry has a list of media types, everything that Argosy publishes can be published all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from choosy_registry import choosy_registry
from published import Yard, yard
from registry_server import RegistryServer

from argosy.build import recipes
from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.reference import Reference
from argosy.oci.open import open_registry
from argosy.oci.pull import pull_verified
from argosy.pipeline.publish import Terms, publish
from argosy.pipeline.rebuild import plan, rebuild


@pytest.fixture
def host(open_server: RegistryServer) -> Iterator[str]:
    with choosy_registry(open_server.host) as server:
        yield server.host


@pytest.fixture
def own(tmp_path: Path) -> Yard:
    made = yard(tmp_path)
    made.build("alone")
    return made


def put(own: Yard, reference: Reference, *, compatible: bool) -> Digest:
    built = own.folder / "build/alone"
    recipe = recipes.load(own.folder / "recipes/alone")
    lock = built / "lock.json"
    done = publish(built / "alone.wasm", reference, own.key, Terms(recipe=recipe, compatible=compatible), lock=lock)
    return done.wasm


def test_a_wasm_artifact_is_refused_there_and_the_way_out_is_told(own: Yard, host: str) -> None:
    with pytest.raises(ArgosyError, match="answered 400") as refused:
        put(own, Reference.parse(f"{host}/choosy/alone:1.0"), compatible=False)
    assert "argosy push --compatible" in refused.value.advice


def test_an_image_with_signature_provenance_and_recipes_is_taken_and_comes_back(
    own: Yard, host: str, tmp_path: Path
) -> None:
    reference = Reference.parse(f"{host}/choosy/alone:1.0")
    wasm = put(own, reference, compatible=True)
    registry = open_registry(reference, patience=5)
    pulled = pull_verified(registry, reference, own.trust(), cache=tmp_path / "cache")
    assert pulled.digest == wasm == Digest.of((own.folder / "build/alone/alone.wasm").read_bytes())
    planned = plan(registry, reference, own.trust())
    assert planned.published == wasm
    assert rebuild(registry, planned, tmp_path / "again", jobs=2).agrees
