"""CPU profiles, other machines' /proc/cpuinfo, and code for less than this CPU has."""

from __future__ import annotations

import itertools
import json
import platform
from pathlib import Path

import guests
import pytest

from argosy.errors import ArgosyError, UsageError
from argosy.launcher import build
from argosy.model.digest import Digest
from argosy.model.target import Target
from argosy.site import aot_cache, cpu, cpuinfo, elf, engine, precompile, profiles
from argosy.site.aot_cache import Key

MACHINES = Path(__file__).parent / "machines"
RECORDED = sorted(path.stem for path in MACHINES.glob("*.cpuinfo"))
PROFILES = {profile.name: profile for profile in profiles.all_profiles()}
ARM = "aarch64-unknown-linux-gnu"
BASELINE = {"x86_64": "x86-64", "aarch64": "aarch64"}[platform.machine()]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def wasm(tmp_path: Path) -> tuple[Path, Digest]:
    return guests.put(tmp_path, guests.say("hello\n"))


def less_than_the_host() -> Target:
    """This CPU without one of its features; on a CPU that has none, itself."""
    host = cpu.host()
    return Target(triple=host.triple, features=host.features - {max(host.features, default="")})


# --- profiles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDED)
def test_code_for_a_profile_loads_on_the_recorded_machine_of_that_name(name: str) -> None:
    machine = cpuinfo.read(MACHINES / f"{name}.cpuinfo")
    assert machine.missing_for(PROFILES[name].target) == frozenset()


@pytest.mark.parametrize("name", RECORDED)
def test_a_profile_leaves_nothing_out_that_its_machine_has_but_pointer_authentication(name: str) -> None:
    machine = cpuinfo.read(MACHINES / f"{name}.cpuinfo")
    assert machine.features - PROFILES[name].target.features <= {"has_pauth"}


def test_the_issues_machines_all_have_a_profile() -> None:
    wanted = {"x86-64-v2", "x86-64-v3", "x86-64-v4", "rpi3", "rpi4", "rpi5", "a64fx", "apple-m1"}
    assert wanted | {"neoverse-n1", "neoverse-v1", "neoverse-v2"} <= PROFILES.keys()


def test_each_level_of_x86_contains_the_one_before() -> None:
    levels = [PROFILES[name].target for name in ("x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4")]
    for lower, higher in itertools.pairwise(levels):
        assert lower.features < higher.features


def test_an_unknown_profile_is_told_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="rpi4"):
        profiles.parse("rpi44")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('features = ["lse"]', "has_avx2 or has_lse"),
        ('features = []\ntriple = "armv7-unknown-linux-gnueabihf"', "triple"),
        ("features = []\nfeature = 1", "unknown key"),
        ("features = [", "profile.toml"),
    ],
)
def test_a_wrong_profile_file_is_refused_by_the_key_that_is_wrong(tmp_path: Path, wrong: str, said: str) -> None:
    text = wrong if "triple" in wrong else f'{wrong}\ntriple = "{ARM}"'
    path = tmp_path / "profile.toml"
    path.write_text(f'title = "mine"\n{text}')
    with pytest.raises(UsageError, match=said):
        profiles.parse(str(path))


# --- other machines -----------------------------------------------------------------------------------------------


def test_this_machines_cpuinfo_says_what_wasmtime_finds() -> None:
    assert cpuinfo.read(Path("/proc/cpuinfo")) == cpu.host()


def test_a_machine_has_what_all_of_its_cores_have() -> None:
    text = "Features : fp asimd atomics fphp asimdhp\n\nFeatures : fp asimd fphp\n"
    assert cpuinfo.parse(text, source="big.LITTLE").features == frozenset()


def test_32_bit_arm_is_refused_in_those_words() -> None:
    text = "processor : 0\nFeatures : half thumb fastmult vfp edsp neon vfpv3 tls vfpv4 idiva idivt crc32\n"
    with pytest.raises(UsageError, match="32-bit Arm") as error:
        cpuinfo.parse(text, source="zero.cpuinfo")
    assert "64-bit operating system" in error.value.advice


def test_a_file_that_is_no_cpuinfo_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "nonsense"
    path.write_bytes(b"\xff\x00flags and more")
    with pytest.raises(UsageError, match="no /proc/cpuinfo"):
        profiles.parse(str(path))


# --- code for less ------------------------------------------------------------------------------------------------


def test_code_for_a_set_of_features_uses_exactly_that_set(wasm: tuple[Path, Digest]) -> None:
    target = less_than_the_host()
    entry = precompile.precompile(*wasm, "fast", target)
    assert elf.read(entry.path.read_bytes(), name="x").target == target
    assert entry.path != precompile.precompile(*wasm, "fast").path


def test_what_was_prepared_for_less_runs_without_a_compilation(wasm: tuple[Path, Digest]) -> None:
    prepared = precompile.precompile(*wasm, "fast", PROFILES[BASELINE].target)
    entry = precompile.for_this_cpu(*wasm, "fast")
    assert (entry.path, entry.compiled) == (prepared.path, False)
    assert guests.start([build.launcher(None), entry.path]).stdout == "hello\n"


def test_the_most_capable_of_the_prepared_is_taken(wasm: tuple[Path, Digest]) -> None:
    precompile.precompile(*wasm, "fast", PROFILES[BASELINE].target)
    better = precompile.precompile(*wasm, "fast", less_than_the_host())
    assert precompile.for_this_cpu(*wasm, "fast").path == better.path
    own = precompile.precompile(*wasm, "fast")
    assert precompile.for_this_cpu(*wasm, "fast").path == own.path


def test_code_for_a_cpu_with_more_is_refused_by_the_feature_and_compiled_again(
    wasm: tuple[Path, Digest], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = precompile.precompile(*wasm, "fast")
    least = PROFILES[BASELINE].target
    monkeypatch.setattr(cpu, "host", lambda: least)  # the same cache on a node with an older CPU
    monkeypatch.setattr(cpu, "require_compilable", lambda target: None)
    monkeypatch.setattr(precompile, "_compile", compile_for(least))
    entry = precompile.for_this_cpu(*wasm, "fast")
    assert entry.compiled and entry.path != whole.path
    for feature in elf.read(whole.path.read_bytes(), name="x").target.features:
        assert feature in entry.refused


def compile_for(target: Target):  # type: ignore[no-untyped-def]
    def compile(wasm: Path, digest: Digest, key: Key) -> aot_cache.Code:
        import wasmtime

        module = wasmtime.Module(wasmtime.Engine(engine.config(key.numerics, target)), wasm.read_bytes())
        return aot_cache.Code(data=bytes(module.serialize()), imports=())

    return compile


def test_a_note_that_claims_another_target_makes_nothing_run(wasm: tuple[Path, Digest]) -> None:
    """The code's own record is what counts: the note of the baseline, on code that uses everything."""
    least = PROFILES[BASELINE].target
    prepared = precompile.precompile(*wasm, "fast", least)
    whole = precompile.precompile(*wasm, "fast")
    data = whole.path.read_bytes()
    whole.path.unlink()
    note = json.loads(prepared.path.with_suffix(".json").read_text())
    prepared.path.write_bytes(data)
    prepared.path.with_suffix(".json").write_text(json.dumps(note | {"sha256": Digest.of(data).hex}))
    assert aot_cache.entry(Key(wasm=wasm[1], numerics="fast", target=least)) is None
    assert precompile.for_this_cpu(*wasm, "fast").compiled


def test_another_architecture_cannot_be_compiled_for_here_and_the_message_says_where(
    wasm: tuple[Path, Digest],
) -> None:
    other = PROFILES["rpi4" if platform.machine() == "x86_64" else "x86-64-v3"].target
    with pytest.raises(ArgosyError, match=f"cannot compile for {other.architecture}") as error:
        precompile.precompile(*wasm, "fast", other)
    assert other.architecture in error.value.advice


def test_a_feature_that_wasmtime_does_not_know_is_refused_before_the_engine_is_made(
    wasm: tuple[Path, Digest],
) -> None:
    target = Target(triple=cpu.host().triple, features=frozenset({"has_warp_drive"}))
    with pytest.raises(ArgosyError, match="knows no has_warp_drive"):
        precompile.precompile(*wasm, "fast", target)


def test_why_not_names_every_feature_that_is_missing() -> None:
    reason = precompile.why_not(PROFILES["rpi4"].target, PROFILES["rpi5"].target)
    assert reason == "it needs has_dotprod, has_fp16, has_lse, which this CPU lacks"
    assert precompile.why_not(PROFILES["rpi5"].target, PROFILES["rpi4"].target) == ""
    assert "aarch64" in precompile.why_not(PROFILES["x86-64"].target, PROFILES["rpi4"].target)
