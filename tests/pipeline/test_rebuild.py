"""What is published is built again from what its provenance names, by its reference alone, and compared."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from published import Yard, opened, yard
from registry_server import RegistryServer

from argosy.build import recipes
from argosy.build.produce import read_lock
from argosy.errors import ArgosyError, UsageError
from argosy.files import sha256_of
from argosy.model.digest import Digest
from argosy.model.provenance import OWN_MACHINE, RECIPES
from argosy.model.wasm_signature import Encoding
from argosy.oci.attestations import add_attestation, read_attestations
from argosy.oci.copy import copy
from argosy.oci.pull import UntrustedError, pull_verified
from argosy.pipeline import evidence, rebuild
from argosy.pipeline.publish import publish
from argosy.pipeline.rebuild import Rebuilt
from argosy.sign import attestation, embedded
from argosy.sign.attestation import PROVENANCE, SPDX, Statement, Subject


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Yard:
    made = yard(tmp_path_factory.mktemp("yard"))
    made.build("ranks")
    made.build("alone")
    return made


@pytest.fixture
def own(built: Yard, tmp_path: Path) -> Yard:
    """A copy of what is built, to be changed."""
    shutil.copytree(built.folder, tmp_path / "yard")
    return replace(built, folder=tmp_path / "yard")


def again(made: Yard, reference: str, folder: Path) -> Rebuilt:
    place, registry = opened(reference)
    return rebuild.rebuild(registry, rebuild.plan(registry, place, made.trust()), folder, jobs=2)


def test_an_mpi_code_and_its_library_agree_by_the_reference_alone(
    own: Yard, tmp_path: Path, open_server: RegistryServer
) -> None:
    reference = f"{open_server.host}/rebuild/ranks:1.0"
    published = own.publish("ranks", reference)
    assert published.builder == OWN_MACHINE
    shutil.rmtree(own.folder / "recipes")
    shutil.rmtree(own.folder / "build")
    done = again(own, reference, tmp_path / "again")
    assert done.agrees and done.rebuilt == published.wasm and done.differences == ()
    assert done.file.is_file() and sha256_of(done.file) == published.wasm.hex
    assert set(done.plan.provenance.required) == {"twice"}


def test_a_changed_flag_does_not_agree(own: Yard, tmp_path: Path) -> None:
    """The publisher's binary was built with a flag that the recipe, as published, does not have."""
    reference = f"oci:{tmp_path / 'layout'}:alone"
    own.build("alone", flags=("-O0",))
    claimed = read_lock(own.folder / "build" / "alone")
    honest = replace(claimed, flags=())
    (own.folder / "build" / "alone" / "lock.json").write_text(honest.render())
    own.publish("alone", reference)
    done = again(own, reference, tmp_path / "again")
    assert not done.agrees
    assert done.rebuilt != done.plan.published == claimed.programs["alone"]


def test_a_recipe_with_a_changed_define_does_not_agree(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    path = own.folder / "recipes" / "alone" / "recipe.toml"
    path.write_text(path.read_text().replace("ANSWER=42", "ANSWER=43"))
    lock = own.folder / "build" / "alone" / "lock.json"
    changed = recipes.digest(recipes.load(path.parent))
    lock.write_text(replace(read_lock(lock.parent), recipe_digest=changed).render())
    own.publish("alone", reference)
    assert not again(own, reference, tmp_path / "again").agrees


def test_flags_and_numerics_of_the_build_are_those_of_the_rebuild(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    own.build("alone", flags=("-O1", "-g"), numerics="exact")
    own.publish("alone", reference)
    assert again(own, reference, tmp_path / "again").agrees


def test_a_good_provenance_does_not_help_a_module_that_it_does_not_speak_of(own: Yard, tmp_path: Path) -> None:
    place, registry = opened(f"oci:{tmp_path / 'layout'}:alone")
    built = own.folder / "build" / "alone"
    good = evidence.gather(
        read_lock(built).programs["alone"], recipes.load(own.folder / "recipes" / "alone"), built / "lock.json"
    )
    own.recipe("alone", "int main(void) { return 7; }\n")
    forged = publish(own.build("alone") / "alone.wasm", place, own.key)
    assert forged.identity is not None and forged.builder is None
    evidence.attest(registry, good, identity=forged.identity, digest=forged.digest, key=own.key)
    done = again(own, str(place), tmp_path / "again")
    assert done.rebuilt == good.provenance.wasm
    assert done.plan.published == forged.wasm
    assert not done.agrees


@pytest.mark.parametrize("encoding", Encoding)
def test_a_signature_inside_the_module_is_checked_and_left_out_of_the_comparison(
    own: Yard, tmp_path: Path, encoding: Encoding
) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    built = own.folder / "build" / "alone" / "alone.wasm"
    before = built.read_bytes()
    published = own.publish("alone", reference, embed=encoding)
    assert built.read_bytes() == before
    assert own.publish("alone", reference, embed=encoding).digest == published.digest
    place, registry = opened(reference)
    copied = tmp_path / "copied.wasm"
    shutil.copyfile(pull_verified(registry, place, own.trust()).path, copied)
    assert sha256_of(copied) == published.wasm.hex != sha256_of(built)
    assert embedded.verify_file(copied, own.trust()).signers == ("mate",)
    done = again(own, reference, tmp_path / "again")
    assert done.agrees and done.rebuilt == Digest.of(before)


def test_without_a_trusted_provenance_there_is_a_clear_error(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    published = own.publish("alone", reference)
    place, registry = opened(reference)
    for referrer in registry.referrers(published.digest):
        if referrer.artifact_type != RECIPES:
            registry.delete(referrer.digest)
    registry.delete(f"sha256-{published.digest.hex}.att")
    with pytest.raises(ArgosyError, match="has no provenance"):
        rebuild.plan(registry, place, own.trust())
    foreign = {"buildDefinition": {"buildType": "https://x.example/y"}, "runDetails": {"builder": {"id": "x:y"}}}
    statement = Statement(subjects=(Subject(digest=published.digest),), predicate_type=PROVENANCE, predicate=foreign)
    add_attestation(registry, digest=published.digest, statement=statement, key=own.key)
    with pytest.raises(ArgosyError, match=r"another system: 'https://x\.example/y'"):
        rebuild.plan(registry, place, own.trust())


def test_an_artifact_that_the_policy_refuses_is_not_built(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    own.publish("alone", reference)
    place, registry = opened(reference)
    with pytest.raises(UntrustedError):
        rebuild.plan(registry, place, own.trust(), repository="registry.example/other")


def test_recipes_that_are_gone_are_named(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    published = own.publish("alone", reference)
    place, registry = opened(reference)
    planned = rebuild.plan(registry, place, own.trust())
    [referrer] = registry.referrers(published.digest, RECIPES)
    registry.delete(referrer.digest)
    with pytest.raises(ArgosyError, match="archive of recipes that its provenance names is not there"):
        rebuild.rebuild(registry, planned, tmp_path / "again")


def test_a_recipe_without_a_lock_is_named(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:ranks"
    own.publish("ranks", reference)
    place, registry = opened(reference)
    planned = rebuild.plan(registry, place, own.trust())
    forged = replace(planned, provenance=replace(planned.provenance, required={}))
    with pytest.raises(ArgosyError, match="no lock of twice"):
        rebuild.rebuild(registry, forged, tmp_path / "again")


def test_a_toolchain_and_a_source_that_are_not_to_be_had_are_named(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    own.publish("alone", reference)
    place, registry = opened(reference)
    planned = rebuild.plan(registry, place, own.trust())
    lock = replace(planned.provenance.lock, toolchain_digest=Digest.of(b"another"))
    elsewhere = replace(planned, provenance=replace(planned.provenance, lock=lock))
    with pytest.raises(ArgosyError, match=r"toolchain packages .* is not to be had here"):
        rebuild.rebuild(registry, elsewhere, tmp_path / "one")
    gone = '[[source]]\nfile = "gone.txt"\nunpack = false\nsha256 = "{}"\nlocations = [{{ mirror = "gone.txt" }}]\n'
    own.recipe("alone", "int main(void) { return 0; }\n", tail=gone.format(Digest.of(b"gone").hex))
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / "gone.txt").write_bytes(b"gone")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARGOSY_MIRROR", str(mirror))
        patch.setenv("ARGOSY_CACHE", str(_light_cache(tmp_path)))
        own.build("alone")
        own.publish("alone", reference)
        shutil.rmtree(tmp_path / "cache" / "sources")
        (mirror / "gone.txt").unlink()
        with pytest.raises(ArgosyError, match=r"gone\.txt can be had from none of its locations"):
            again(own, reference, tmp_path / "two")


def _light_cache(folder: Path) -> Path:
    """A cache of its own, whose toolchains are everybody's."""
    from argosy.folders import cache_root

    (folder / "cache").mkdir()
    for name in ("toolchains", "mpi"):
        if (cache_root() / name).exists():
            (folder / "cache" / name).symlink_to(cache_root() / name)
    return folder / "cache"


def test_evidence_of_another_build_is_not_given(own: Yard) -> None:
    recipe = recipes.load(own.folder / "recipes" / "ranks")
    lock = own.folder / "build" / "ranks" / "lock.json"
    wasm = read_lock(lock.parent).programs["ranks"]
    with pytest.raises(UsageError, match="names no program"):
        evidence.gather(Digest.of(b"other"), recipe, lock)
    with pytest.raises(UsageError, match="no builder's URI"):
        evidence.gather(wasm, recipe, lock, builder="my laptop")
    own.recipe("twice", "int twice(int x) { return x + x; }\n", kind="library")
    with pytest.raises(UsageError, match="locks the recipe twice as it was"):
        evidence.gather(wasm, recipe, lock)
    own.build("twice")
    with pytest.raises(UsageError, match="is of another build"):
        evidence.gather(wasm, recipe, lock)
    shutil.rmtree(own.folder / "build" / "twice")
    with pytest.raises(ArgosyError, match="built with twice"):
        evidence.gather(wasm, recipe, lock)


def test_equal_builds_have_equal_evidence_and_publishing_again_adds_nothing(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:ranks"
    digest = own.publish("ranks", reference).digest
    registry = opened(reference)[1]
    before = registry.referrers(digest), read_attestations(registry, digest)
    shutil.move(own.folder / "recipes", own.folder / "moved")
    shutil.copytree(own.folder / "moved", own.folder / "recipes")
    own.publish("ranks", reference)
    assert (registry.referrers(digest), read_attestations(registry, digest)) == before
    assert len(before[1]) == 2


def test_an_archive_carries_all_that_a_rebuild_takes(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    own.publish("alone", reference)
    source, target = opened(reference)[1], opened(f"oci:{tmp_path / 'site'}:alone")[1]
    copy(source, target, "alone", tag="alone")
    shutil.rmtree(tmp_path / "layout")
    assert again(own, f"oci:{tmp_path / 'site'}:alone", tmp_path / "again").agrees


def test_the_command_tells_whether_both_agree(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    published = own.publish("alone", reference)
    own.trust()
    command = [sys.executable, "-m", "argosy.cli", "rebuild", "--policy", str(own.folder / "trust/policy.toml")]
    done = subprocess.run([*command, "--json", reference], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["agrees"] is True
    assert said["published"] == said["rebuilt"] == str(published.wasm)
    assert "build alone 1.0" in done.stderr
    kept = subprocess.run([*command, "--keep", str(tmp_path / "kept"), reference], capture_output=True, text=True)
    assert "both agree" in kept.stdout
    assert sha256_of(tmp_path / "kept/build/alone/alone.wasm") == published.wasm.hex


def test_statements_are_about_artifact_and_module_and_name_the_repository(own: Yard, tmp_path: Path) -> None:
    reference = f"oci:{tmp_path / 'layout'}:alone"
    published = own.publish("alone", reference)
    found = read_attestations(opened(reference)[1], published.digest)
    report = attestation.verify(found, digest=published.digest, keys={"mate": own.key.public})
    [built] = report.of_type(PROVENANCE)
    assert (built.builder, built.subject.name) == (OWN_MACHINE, published.identity)
    of_module = attestation.verify(found, digest=published.wasm, keys={"mate": own.key.public})
    assert [one.subject.name for one in of_module.of_type(PROVENANCE)] == ["alone.wasm"]


def test_a_policy_can_ask_who_built_it(own: Yard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = own.folder / "trust" / "policy.toml"
    own.trust()
    policy.write_text(
        policy.read_text()
        + f'[[repositories.attestations]]\npredicate_type = "{PROVENANCE}"\nbuilders = ["https://ci.example/1"]\n'
        + f'[[repositories.attestations]]\npredicate_type = "{SPDX}"\n'
    )
    own.publish("alone", f"oci:{tmp_path / 'ours'}:alone")
    monkeypatch.setenv("ARGOSY_BUILDER", "https://ci.example/1")
    own.publish("alone", f"oci:{tmp_path / 'theirs'}:alone")
    place, registry = opened(f"oci:{tmp_path / 'ours'}:alone")
    with pytest.raises(UntrustedError, match=r"own-machine', not by one of the rule's builders"):
        pull_verified(registry, place, own.trust())
    place, registry = opened(f"oci:{tmp_path / 'theirs'}:alone")
    assert pull_verified(registry, place, own.trust()).signers == ("mate",)
