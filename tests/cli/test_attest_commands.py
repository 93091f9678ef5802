"""Statements about an artifact by the command line: made, shown, and only those of trusted keys believed."""

from __future__ import annotations

import json
from pathlib import Path

import guests
import pytest
from artifacts import artifact, key, module
from published import Yard, yard

from argosy.cli import main
from argosy.files import sha256_of
from argosy.model.artifact import Description
from argosy.model.digest import Digest
from argosy.model.manifest import INDEX
from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.reference import Reference
from argosy.model.wasm import append_custom_section
from argosy.oci.open import open_registry
from argosy.oci.pack import group, pack
from argosy.oci.push import push
from argosy.oci.signatures import sign_artifact
from argosy.sign.keys import load_private
from argosy.sign.trust import write_policy

KIND = "https://example.org/benchmark/v1"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the signed artifact `oci:layout:argo`, the keys `mate` and `stranger`, and a policy."""
    monkeypatch.chdir(tmp_path)
    signer = key(tmp_path, "mate")
    key(tmp_path, "stranger")
    write_policy(tmp_path / "trust/policy.toml", keys={"mate": signer.public}, repositories=["**"])
    monkeypatch.setenv("ARGOSY_POLICY", str(tmp_path / "trust/policy.toml"))
    monkeypatch.setenv("ARGOSY_KEY", str(tmp_path / "mate.key"))
    registry = open_registry(Reference.parse("oci:layout"))
    digest = push(artifact(tmp_path / "made"), registry, tag="argo")
    sign_artifact(registry, identity="layout/argo", digest=digest, key=signer)
    (tmp_path / "results.json").write_text('{"gflops": 1.5}')
    return tmp_path


def argosy(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """What the command printed: on stderr where it must fail."""
    assert main(words) == status
    said = capsys.readouterr()
    return said.err if status else said.out


def test_a_statement_is_made_and_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argosy(capsys, "attest", "--type", KIND, "oci:layout:argo", "results.json")
    again = json.loads(argosy(capsys, "attest", "--json", "--type", KIND, "oci:layout:argo", "results.json"))
    assert (again["added"], again["subject"], again["type"]) == (False, "layout/argo", KIND)
    shown = json.loads(argosy(capsys, "attestations", "--json", "oci:layout:argo"))
    [one] = shown["attestations"]
    assert (one["type"], one["signers"], one["predicate"]) == (KIND, ["mate"], {"gflops": 1.5})
    assert one["subject"]["digest"] == shown["digest"]
    assert json.loads(argosy(capsys, "attestations", "--predicate", "oci:layout:argo")) == {"gflops": 1.5}
    assert f"ok  {KIND} by mate" in argosy(capsys, "attestations", "oci:layout:argo")


def test_a_strangers_statement_is_told_and_does_not_count(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argosy(capsys, "attest", "--key", "stranger.key", "--type", "vuln", "oci:layout:argo", "results.json")
    said = argosy(capsys, "attestations", "oci:layout:argo")
    assert "NO  attestation 1 of 1 was made by no trusted key" in said
    assert "nothing that counts" in said
    assert "has 0 such" in argosy(capsys, "attestations", "--predicate", "oci:layout:argo", status=1)


def test_of_an_artifact_that_is_refused_nothing_is_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argosy(capsys, "attest", "--type", KIND, "oci:layout:argo", "results.json")
    said = argosy(capsys, "attestations", "--repository", "registry.example/other", "oci:layout:argo", status=1)
    assert "is for another repository" in said


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--type", "openvx", "oci:layout:argo", "results.json"), "did you mean 'openvex'?"),
        (("--type", KIND, "oci:layout:argo", "nowhere.json"), "cannot read the predicate nowhere.json"),
        (("--type", "slsaprovenance1", "oci:layout:argo", "results.json"), "names no builder"),
    ],
)
def test_what_nobody_would_accept_is_not_signed(
    place: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert reason in argosy(capsys, "attest", *words, status=2)
    assert "nothing that counts" in argosy(capsys, "attestations", "oci:layout:argo")


@pytest.mark.parametrize("text", ["[1]", '{"a": 1, "a": 2}', "{", '{"a": NaN}'])
def test_a_predicate_that_two_readers_could_read_differently_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (place / "results.json").write_text(text)
    assert "the predicate results.json" in argosy(
        capsys, "attest", "--type", KIND, "oci:layout:argo", "results.json", status=1
    )


def test_one_file_carries_all_to_a_site_without_a_network(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Artifact, signatures, provenance, recipes, bill of materials, other statements, and the public policy."""
    monkeypatch.setenv("ARGOSY_KEY_PASSWORD", "")
    made: Yard = yard(place / "yard")
    built = made.build("alone")
    monkeypatch.setenv("ARGOSY_KEY", str(place / "yard/mate.key"))
    push_it = ("push", "--recipe", "yard/recipes/alone", "--builder", "https://ci.example/1")
    assert "https://ci.example/1" in argosy(capsys, *push_it, str(built / "alone.wasm"), "oci:ours:alone")
    argosy(capsys, "attest", "--type", KIND, "oci:ours:alone", "results.json")
    made.trust()
    argosy(capsys, "copy", "--add-policy", "yard/trust/policy.toml", "oci:ours:alone", "oci-archive:all.tar")
    (place / "ours").rename(place / "far-away")
    argosy(capsys, "copy", "--save-policy", "proposed", "oci-archive:all.tar", "oci:site:alone")
    policy = ("--policy", "proposed/policy.toml")
    shown = json.loads(argosy(capsys, "attestations", *policy, "--json", "oci:site:alone"))
    kinds = {one["type"]: one for one in shown["attestations"]}
    assert set(kinds) == {KIND, "https://slsa.dev/provenance/v1", "https://spdx.dev/Document"}
    assert kinds["https://slsa.dev/provenance/v1"]["builder"] == "https://ci.example/1"
    said = json.loads(argosy(capsys, "rebuild", *policy, "--json", "oci:site:alone"))
    assert said["agrees"] and said["published"] == f"sha256:{sha256_of(built / 'alone.wasm')}"


def test_a_file_that_was_copied_without_a_registry_is_checked_by_the_signature_inside(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = RecipeNote(name="tiny", version="1.0", numerics="fast").encoded()
    plain = append_custom_section(guests.say("hi"), RECIPE_SECTION, note)
    (place / "tiny.wasm").write_bytes(plain)
    argosy(capsys, "push", "--embed-signature", "tiny.wasm", "oci:layout:tiny")
    argosy(capsys, "pull", "-o", "copied.wasm", "oci:layout:tiny")
    assert "signed for  layout/tiny" in argosy(capsys, "verify", "copied.wasm")
    assert json.loads(argosy(capsys, "verify", "--json", "copied.wasm"))["signers"] == ["mate"]
    ready = json.loads(argosy(capsys, "precompile", "--json", "copied.wasm"))
    assert Digest.of((place / "copied.wasm").read_bytes()).hex in json.dumps(ready)
    elsewhere = ("--repository", "registry.example/tiny", "copied.wasm")
    assert "is for another repository" in argosy(capsys, "precompile", *elsewhere, status=1)
    assert "nobody has signed" in argosy(capsys, "precompile", "tiny.wasm", status=2)
    assert main(["verify", "tiny.wasm"]) == 1
    assert "has no signature" in capsys.readouterr().out
    damaged = bytearray((place / "copied.wasm").read_bytes())
    damaged[-1] ^= 1
    (place / "copied.wasm").write_bytes(damaged)
    assert main(["verify", "copied.wasm"]) == 1
    assert "changed after it was signed" in capsys.readouterr().out
    (place / "copied.wasm").write_bytes(b"no module")
    assert "not a wasm module" in argosy(capsys, "verify", "copied.wasm", status=1)


def test_what_is_said_of_an_application_is_said_of_each_of_its_variants(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = open_registry(Reference.parse("oci:layout"))
    said = [Description(name="argo", version="1.0", numerics="fast", features=features) for features in ((), ("simd",))]
    packed = [
        pack(module(place / f"{len(one.features)}.wasm", one.name.encode() * (1 + len(one.features))), one)
        for one in said
    ]
    for one in packed:
        push(one, registry, tag=None)
    index = registry.put_manifest(group(list(zip(packed, said, strict=True))), INDEX, "both").digest
    sign_artifact(registry, identity="layout/argo", digest=index, key=load_private(place / "mate.key"))
    argosy(capsys, "attest", "--repository", "layout/argo", "--type", KIND, "oci:layout:both", "results.json")
    for variant in ("baseline", "simd"):
        shown = argosy(capsys, "attestations", "--variant", variant, "oci:layout:both")
        assert f"ok  {KIND} by mate" in shown
