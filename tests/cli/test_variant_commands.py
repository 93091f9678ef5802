"""Variants by the command line: pushed as one, listed, and the one for a CPU pulled, compiled and run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import guests
import pytest
from artifacts import key

from argosy.cli import main
from argosy.cli.arguments import parse
from argosy.cli.slurm_precompile import task_words
from argosy.files import sha256_of
from argosy.model.note import RECIPE_SECTION, RecipeNote
from argosy.model.variant import VARIANTS
from argosy.model.wasm import append_custom_section
from argosy.sign.trust import write_policy
from argosy.site import cpu, variants


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three variants of `tiny`, a key and a policy that trusts it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    signer = key(tmp_path, "mate")
    write_policy(tmp_path / "trust/policy.toml", keys={"mate": signer.public}, repositories=["**"])
    monkeypatch.setenv("ARGOSY_POLICY", str(tmp_path / "trust/policy.toml"))
    monkeypatch.setenv("ARGOSY_KEY", str(tmp_path / "mate.key"))
    for name, more in guests.VECTORS.items():
        write(tmp_path / f"{name}.wasm", guests.say(f"{name}\n", more=more))
    return tmp_path


def write(path: Path, wasm: bytes) -> None:
    note = RecipeNote(name="tiny", version="1.0", numerics="fast").encoded()
    path.write_bytes(append_custom_section(wasm, RECIPE_SECTION, note))


def argosy(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(words) == status
    said = capsys.readouterr()
    return said.err if status else said.out


def push(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    words = ("push", "--json", *(f"{name}.wasm" for name in VARIANTS), "oci:layout:tiny")
    pushed: dict[str, str] = json.loads(argosy(capsys, *words))
    return pushed


def test_variants_are_pushed_as_one_and_listed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pushed = push(capsys)
    assert pushed["wasm"] == f"sha256:{sha256_of(place / 'relaxed-simd.wasm')}"
    [row] = json.loads(argosy(capsys, "list", "--json", "oci:layout"))["tags"]
    assert (row["tag"], row["digest"], row["signed"]) == ("tiny", pushed["digest"], True)
    assert list(row["variants"]) == list(VARIANTS)
    shown = argosy(capsys, "list", "oci:layout")
    assert all(f"{row['variants'][name]}  {name}" in shown for name in VARIANTS)


def test_verify_says_which_is_for_here(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pushed = push(capsys)
    here = variants.usable([cpu.host()])[-1]
    told = json.loads(argosy(capsys, "verify", "--json", "oci:layout:tiny"))
    assert (told["accepted"], told["digest"], told["variant"]) == (True, pushed["digest"], here)
    assert told["chosen"] == json.loads(argosy(capsys, "list", "--json", "oci:layout"))["tags"][0]["variants"][here]
    assert f"{here} is the one for here" in argosy(capsys, "verify", "oci:layout:tiny")


@pytest.mark.parametrize("name", VARIANTS)
def test_one_that_is_named_is_pulled(place: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    push(capsys)
    pulled = json.loads(argosy(capsys, "pull", "--json", "--variant", name, "-o", "mine.wasm", "oci:layout:tiny"))
    assert (place / "mine.wasm").read_bytes() == (place / f"{name}.wasm").read_bytes()
    assert (pulled["variant"], pulled["wasm"]) == (name, f"sha256:{sha256_of(place / f'{name}.wasm')}")


def test_the_cpu_decides_what_is_run_and_compiled(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(capsys)
    here = variants.usable([cpu.host()])[-1]
    run = [sys.executable, "-m", "argosy.cli", "run"]
    assert subprocess.run([*run, "oci:layout:tiny"], capture_output=True, text=True).stdout == f"{here}\n"
    simple = subprocess.run([*run, "--variant", "baseline", "oci:layout:tiny"], capture_output=True, text=True)
    assert simple.stdout == "baseline\n"
    if cpu.host().architecture == "x86_64":
        for level, best in (("x86-64", "baseline"), ("x86-64-v2", "relaxed-simd")):
            compiled = json.loads(argosy(capsys, "precompile", "--json", "--for", level, "oci:layout:tiny"))
            assert Path(compiled[0]["path"]).parent.name == sha256_of(place / f"{best}.wasm")


def test_one_that_is_named_is_meant_wherever_the_words_go(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(capsys)
    named, layout = ("--variant", "simd"), f"oci:{place}/layout:tiny"
    assert " --variant=simd " in argosy(capsys, "slurm", "submit", *named, layout)
    assert "--variant=simd" in task_words(parse(["slurm", "precompile", "--partition", "batch", *named, layout]))
    (place / "list.txt").write_text(layout)
    argosy(capsys, "prefetch", *named, "--units", "units", "list.txt")
    assert " --variant=simd " in (place / "units/argosy-prefetch.service").read_text()
    [row] = json.loads(argosy(capsys, "list", "--json", "oci:layout"))["tags"]
    assert f"@{row['variants']['simd']}" in argosy(capsys, "modulefile", *named, layout)
    assert f"@{row['digest']}" in argosy(capsys, "modulefile", layout)
    assert "no variant 'avx'" in argosy(capsys, "slurm", "submit", "--variant", "avx", layout, status=2)


def test_what_cannot_be_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(capsys)
    assert "no variant 'avx'" in argosy(capsys, "pull", "--variant", "avx", "oci:layout:tiny", status=2)
    argosy(capsys, "push", "simd.wasm", "baseline.wasm", "oci:layout:two")
    missing = argosy(capsys, "run", "--variant", "relaxed-simd", "oci:layout:two", status=1)
    assert "none of the variants that can be used here: relaxed-simd" in missing and "it has: baseline, simd" in missing
    twice = argosy(capsys, "push", "simd.wasm", "simd.wasm", "oci:layout:three", status=2)
    assert "are the same variant, simd" in twice
    write(place / "other.wasm", guests.say("other\n"))
    (place / "other.wasm").write_bytes((place / "other.wasm").read_bytes().replace(b'"tiny"', b'"tuny"'))
    assert "their name differs" in argosy(capsys, "push", "simd.wasm", "other.wasm", "oci:layout:four", status=2)
    locked = argosy(capsys, "push", "--lock", "lock.json", "simd.wasm", "baseline.wasm", "oci:layout:x", status=2)
    assert "each variant has its own" in locked


def test_a_compatible_image_runs_like_any_other(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argosy(capsys, "push", "--compatible", "baseline.wasm", "oci:layout:image")
    pulled = json.loads(argosy(capsys, "pull", "--json", "oci:layout:image"))
    assert pulled["wasm"] == f"sha256:{sha256_of(place / 'baseline.wasm')}" and pulled["variant"] is None
    run = subprocess.run(
        [sys.executable, "-m", "argosy.cli", "run", "oci:layout:image"], capture_output=True, text=True
    )
    assert run.stdout == "baseline\n"
    words = ("push", "--compatible", *(f"{name}.wasm" for name in VARIANTS), "oci:layout:images")
    argosy(capsys, *words)
    several = json.loads(argosy(capsys, "pull", "--json", "--variant", "simd", "oci:layout:images"))
    assert several["wasm"] == f"sha256:{sha256_of(place / 'simd.wasm')}"


def test_all_variants_are_signed_and_attested_with_their_index(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    push(capsys)
    key(place, "second")
    policy = place / "trust/policy.toml"
    (place / "trust/second.pub").write_bytes((place / "second.pub").read_bytes())
    policy.write_text(
        policy.read_text().replace('keys = ["mate"]', 'keys = ["mate", "second"]\nthreshold = 2')
        + '[keys.second]\nfile = "second.pub"\n'
        + '[[repositories.attestations]]\npredicate_type = "https://example.org/review/v1"\nkeys = ["second"]\n'
    )
    told = json.loads(argosy(capsys, "sign", "--json", "--key", "second.key", "oci:layout:tiny"))
    assert len(told["digests"]) == 4
    (place / "review.json").write_text("{}")
    words = ("--key", "second.key", "--type", "https://example.org/review/v1", "oci:layout:tiny", "review.json")
    assert main(["verify", "oci:layout:tiny"]) == 1
    assert "attestation-missing" in capsys.readouterr().out
    argosy(capsys, "attest", *words)
    for name in VARIANTS:
        argosy(capsys, "pull", "--variant", name, "oci:layout:tiny")
    for digest in told["digests"][1:]:
        argosy(capsys, "pull", f"oci:layout@{digest}")
