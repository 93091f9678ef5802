"""What a .cwasm says of itself, and what this CPU is."""

from __future__ import annotations

import platform
from pathlib import Path

import guests
import pytest

from argosy.errors import ArgosyError
from argosy.model.target import Target
from argosy.site import cpu, elf, engine


def test_the_record_names_machine_engine_and_functions(tmp_path: Path) -> None:
    path = guests.code(tmp_path, guests.say("x"))
    record = elf.read(path.read_bytes(), name="x")
    assert record.machine == {"x86_64": "EM_X86_64", "aarch64": "EM_AARCH64"}[platform.machine()]
    assert record.engine_version == engine.wasmtime_version().split(".")[0]
    assert record.target == cpu.host()
    assert record.sections[".text"] > 0
    assert record.functions >= 3
    assert record.settings["opt_level"] == "speed"


def test_exact_numerics_are_in_the_record(tmp_path: Path) -> None:
    wasm = guests.say("x")
    for numerics, canonical in (("fast", False), ("exact", True)):
        data = guests.code(tmp_path, wasm, numerics).read_bytes()  # type: ignore[arg-type]
        assert elf.read(data, name="x").settings["enable_nan_canonicalization"] is canonical


def test_no_truncation_is_read_as_whole(tmp_path: Path) -> None:
    data = guests.code(tmp_path, guests.say("x")).read_bytes()
    for keep in (*range(0, 2000, 37), len(data) // 2, len(data) - 1):
        with pytest.raises(ArgosyError):
            elf.read(data[:keep], name="cut")


def test_a_native_program_is_no_precompiled_module() -> None:
    with pytest.raises(ArgosyError, match=r"wasmtime\.engine"):
        elf.read(Path("/proc/self/exe").read_bytes(), name="python")


def test_the_hosts_features_are_the_cpus_own() -> None:
    host = cpu.host()
    assert host.architecture == platform.machine()
    if host.architecture == "x86_64":
        flags = next(
            line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")
        ).split()
        for feature, flag in (("has_avx2", "avx2"), ("has_fma", "fma"), ("has_sse42", "sse4_2"), ("has_bmi2", "bmi2")):
            assert (feature in host.features) == (flag in flags)


def test_a_target_says_what_it_lacks_for_code() -> None:
    old = Target(triple="aarch64-unknown-linux-gnu", features=frozenset())
    new = Target(triple="aarch64-unknown-linux-gnu", features=frozenset({"has_lse"}))
    other = Target(triple="x86_64-unknown-linux-gnu", features=frozenset())
    assert old.missing_for(new) == {"has_lse"}
    assert new.missing_for(old) == set()
    assert old.missing_for(other) == {"x86_64-unknown-linux-gnu"}


def test_a_machine_without_wasmtime_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "armv7l")
    with pytest.raises(ArgosyError, match="armv7l") as error:
        cpu.require_supported_machine()
    assert "64-bit" in error.value.advice
