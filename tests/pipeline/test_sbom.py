"""The bill of materials is valid SPDX by the SPDX project's own tools, and names all that is in the program."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from published import yard
from spdx_tools.spdx.model.document import Document
from spdx_tools.spdx.model.relationship import RelationshipType
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from argosy.build import recipes
from argosy.model.digest import Digest
from argosy.model.lock import Lock
from argosy.model.recipe import Recipe
from argosy.pipeline.sbom import sbom

ROOT = Path(__file__).resolve().parents[2]
WASM = Digest.of(b"wasm")


def lock(recipe: Recipe, requires: Mapping[str, Digest]) -> Lock:
    return Lock(
        recipe=recipe.name,
        version=recipe.version,
        recipe_digest=recipes.digest(recipe),
        sources={},
        patches={patch.file: patch.digest for patch in recipe.patches},
        toolchain="packages",
        clang="22.1.8",
        toolchain_digest=Digest.of(b"toolchain"),
        mpi_digest=Digest.of(b"mpi") if recipe.mpi else None,
        numerics="fast",
        flags=(),
        builder_digest=Digest.of(b"builder"),
        requires=requires,
        programs={program.name: WASM for program in recipe.programs},
    )


def read(document: object, folder: Path) -> Document:
    """The document as the SPDX tools read it, found valid."""
    path = folder / "sbom.spdx.json"
    path.write_text(json.dumps(document))
    found: Document = parse_file(str(path))
    assert [message.validation_message for message in validate_full_spdx_document(found)] == []
    return found


def made(name: str, folder: Path, known: Mapping[str, Recipe], created: str = "1970-01-01T00:00:00Z") -> Document:
    recipe = known[name]
    required = recipes.order(known, recipe.requires)
    locks = {each.name: lock(each, {}) for each in required}
    locks[name] = lock(recipe, {each: other.digest() for each, other in locks.items()})
    return read(sbom(recipe.programs[0].name, WASM, recipe, required, locks, created=created), folder)


ALL = recipes.load_all(ROOT / "recipes")


@pytest.mark.parametrize("name", [name for name, recipe in ALL.items() if recipe.programs])
def test_every_recipe_of_ours_has_a_valid_bill_of_materials(name: str, tmp_path: Path) -> None:
    found = made(name, tmp_path, ALL)
    [program] = [each for each in found.packages if each.spdx_id.startswith("SPDXRef-program")]
    assert program.checksums[0].value == WASM.hex
    assert str(program.license_declared) == ALL[name].licence
    assert program.version == ALL[name].version


def test_sources_dependencies_and_toolchain_are_in_it(tmp_path: Path) -> None:
    found = made("hpcc", tmp_path, ALL)
    packages = {each.spdx_id: each for each in found.packages}
    source = packages["SPDXRef-source-hpcc-hpcc-1.5.0.tar.gz"]
    assert source.checksums[0].value == "0a6fef7ab9f3347e549fed65ebb98234feea9ee18aea0c8f59baefbe3cf7ffb8"
    assert source.download_location == "https://icl.utk.edu/projectsfiles/hpcc/download/hpcc-1.5.0.tar.gz"
    said = {(one.spdx_element_id, one.relationship_type, one.related_spdx_element_id) for one in found.relationships}
    assert ("SPDXRef-program-hpcc", RelationshipType.GENERATED_FROM, source.spdx_id) in said
    assert ("SPDXRef-program-hpcc", RelationshipType.STATIC_LINK, "SPDXRef-recipe-gsl-cblas") in said
    assert ("SPDXRef-program-hpcc", RelationshipType.STATIC_LINK, "SPDXRef-mpi") in said
    assert ("SPDXRef-toolchain", RelationshipType.BUILD_TOOL_OF, "SPDXRef-program-hpcc") in said
    library = packages["SPDXRef-recipe-gsl-cblas"]
    assert str(library.license_declared) == ALL["gsl-cblas"].licence
    [patch] = ALL["gsl-cblas"].patches
    assert f"with the patches {patch.file} ({patch.digest})" in str(library.source_info)


def test_sources_in_package_registries_are_named_as_such(tmp_path: Path) -> None:
    place = yard(tmp_path)
    tail = '[[source]]\nfile = "{}"\nsha256 = "{}"\nlocations = [{}]\n'
    place.recipe(
        "alone",
        "int main(void) { return 0; }\n",
        tail=tail.format("a.tar.gz", "0" * 64, '{ pypi = "Foo_Bar", version = "1.2" }')
        + tail.format("b.tgz", "1" * 64, '{ npm = "@scope/it", version = "3.4" }')
        + tail.format("c.tgz", "2" * 64, '{ mirror = "c.tgz" }'),
    )
    recipe = recipes.load(tmp_path / "recipes" / "alone")
    found = made("alone", tmp_path, {"alone": replace(recipe, licence="(MIT OR Apache-2.0) AND BSD-3-Clause")})
    locators = [each.external_references[0].locator for each in found.packages if each.external_references]
    assert locators == ["pkg:pypi/foo-bar@1.2", "pkg:npm/%40scope/it@3.4"]
