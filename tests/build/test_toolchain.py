"""Finding, assembling and checking a toolchain, and what its compiler must be able to do."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from wasm_programs import run

from argosy.build import (
    toolchain,
    toolchain_debian,
    toolchain_packages,
    toolchain_pins,
    toolchain_runtime,
    toolchain_wasi_sdk,
)
from argosy.build.toolchain import Toolchain
from argosy.build.toolchain_prefix import MANIFEST, assembled, write_manifest
from argosy.errors import ArgosyError, UsageError


@pytest.fixture(scope="session")
def packages() -> Toolchain:
    return toolchain.find("packages")


def link_large(source: str, target: str) -> None:
    """A copy; of the compiler itself, which no test changes, only a second name."""
    if Path(source).name == "zig":
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def copied(packages: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toolchain:
    """A copy of the toolchain in a cache of its own, to be broken."""
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    target = tmp_path / "cache/toolchains" / packages.prefix.name
    shutil.copytree(packages.prefix, target, copy_function=link_large)
    return toolchain.find("packages")


@pytest.fixture
def sources_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: Toolchain) -> Path:
    """An empty cache, and what was fetched for the packages toolchain in the mirror folder."""
    fetched = toolchain_packages.sysroot_tarball()
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    shutil.copy(fetched, mirror)
    monkeypatch.setenv("ARGOSY_MIRROR", str(mirror))
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    return mirror / fetched.name


def compiled(compiler: Toolchain, folder: Path, name: str, text: str) -> Path:
    """The program that this source makes, by the plain driver as a user would call it."""
    source, program = folder / name, folder / f"{name}.wasm"
    source.write_text(text)
    driver = compiler.tool("clang++" if name.endswith(".cpp") else "clang")
    exceptions = ["-mllvm", "-wasm-use-legacy-eh=false", "-mllvm", "-wasm-enable-sjlj", "-lsetjmp"]
    if name.endswith(".cpp"):
        runtime = compiler.cpp_runtime
        assert runtime
        toolchain_runtime.ensure(compiler.prefix, runtime)
        exceptions += ["-fwasm-exceptions", f"-L{runtime}", "-lunwind"]
    subprocess.run([driver, "-O2", "--no-wasm-opt", *exceptions, source, "-o", program], check=True)
    return program


def replace(path: Path, data: bytes) -> None:
    """Other bytes in a file that may be linked elsewhere, with the times that it had."""
    state = path.stat()
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def test_c_is_compiled_and_runs(packages: Toolchain, tmp_path: Path) -> None:
    text = '#include <stdio.h>\nint main(int argc, char **argv) { printf("%d %s %.3f\\n", argc, argv[1], 1 / 3.); }'
    assert run(compiled(packages, tmp_path, "words.c", text), "word") == (0, "2 word 0.333\n")


def test_cpp_streams_read_and_write_files(packages: Toolchain, tmp_path: Path) -> None:
    text = """
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <string>
int main() {
  std::map<std::string, double> values{{"pi", 3.14159}, {"e", 2.71828}};
  { std::ofstream out("values.txt"); for (auto &[name, value] : values) out << name << ' ' << value << '\\n'; }
  std::ifstream in("values.txt");
  std::string name; double value, sum = 0;
  while (in >> name >> value) sum += value;
  std::cout << sum << ' ' << std::filesystem::file_size("values.txt") << std::endl;
  return 3;
}"""
    assert run(compiled(packages, tmp_path, "streams.cpp", text), folder=tmp_path) == (3, "5.85987 21\n")
    assert (tmp_path / "values.txt").read_text() == "e 2.71828\npi 3.14159\n"


def test_setjmp_and_longjmp_work(packages: Toolchain, tmp_path: Path) -> None:
    text = """
#include <setjmp.h>
#include <stdio.h>
static jmp_buf place;
static void deep(int depth) { if (!depth) longjmp(place, 42); deep(depth - 1); printf("never\\n"); }
int main(void) { int code = setjmp(place); if (code) { printf("back with %d\\n", code); return 0; } deep(9); }
"""
    assert run(compiled(packages, tmp_path, "jump.c", text)) == (0, "back with 42\n")


def test_cpp_exceptions_are_thrown_and_caught(packages: Toolchain, tmp_path: Path) -> None:
    text = """
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>
struct Guard { ~Guard() { std::cout << "unwound\\n"; } };
static void fail(int how) {
  Guard guard;
  if (how == 0) throw std::runtime_error("thrown");
  if (how == 1) std::stoi("no number");           // thrown inside libc++
  if (how == 2) std::vector<int>(3).at(7);
  throw how;
}
int main() {
  for (int how = 0; how < 4; ++how) {
    try { fail(how); }
    catch (const std::runtime_error &e) { std::cout << "runtime_error " << e.what() << "\\n"; }
    catch (const std::exception &e) { std::cout << e.what() << "\\n"; }
    catch (int value) { std::cout << "int " << value << "\\n"; }
  }
}"""
    status, printed = run(compiled(packages, tmp_path, "throws.cpp", text))
    assert status == 0
    assert printed.split("\n") == [
        *("unwound", "runtime_error thrown", "unwound", "stoi: no conversion"),
        *("unwound", "vector", "unwound", "int 3", ""),
    ]


def test_a_found_toolchain_has_the_shape_of_a_wasi_sdk(packages: Toolchain) -> None:
    for tool in ("clang", "clang++", "wasm-ld", "llvm-ar", "llvm-ranlib"):
        assert os.access(packages.tool(tool), os.X_OK), tool
    assert (packages.sysroot / "include/wasm32-wasip1/stdio.h").is_file()
    assert packages.prefix / "share/wasi-sysroot" == packages.sysroot
    toolchain.verify(packages)


def test_the_digest_does_not_depend_on_the_place(copied: Toolchain, packages: Toolchain) -> None:
    assert copied.prefix != packages.prefix
    assert copied.digest == packages.digest


def _assemble_once(folder: Path, start: multiprocessing.synchronize.Barrier) -> None:
    def assemble(part: Path) -> dict[str, str]:
        with (folder / "count").open("a") as count:
            count.write("assembled\n")
        packages = toolchain.find("packages").prefix
        for name in ("bin", "share", "lib"):
            (part / name).symlink_to(packages / name)
        return {"clang": "22", "languages": "c", "digest": "sha256:1", "executables": "sha256:2"}

    start.wait()
    prefix = assembled(folder, "once", assemble)
    assert (prefix / MANIFEST).is_file()


def test_two_processes_that_need_it_at_once_assemble_it_once(packages: Toolchain, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    children = [context.Process(target=_assemble_once, args=(tmp_path, barrier)) for _ in range(4)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 4
    assert (tmp_path / "count").read_text() == "assembled\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".once.lock", "count", "once"]


def test_two_builds_that_start_with_an_empty_cache_both_get_a_whole_toolchain(sources_at_hand: Path) -> None:
    program = "from argosy.build import toolchain; t = toolchain.find('packages'); toolchain.verify(t); print(t.digest)"
    children = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {child.communicate()[0] for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert len(printed) == 1


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".once.part-abc").mkdir()

    def interrupted(part: Path) -> dict[str, str]:
        (part / "half").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        assembled(tmp_path, "once", interrupted)
    assert not (tmp_path / ".once.part-abc").exists()
    assert [path.name for path in tmp_path.iterdir()] == [".once.lock"]


def test_a_half_unpacked_toolchain_is_refused_by_name(copied: Toolchain) -> None:
    (copied.prefix / MANIFEST).unlink()
    with pytest.raises(ArgosyError, match=rf"{copied.prefix} is broken: .*never unpacked wholly[\s\S]*rm -r"):
        toolchain.find("packages")


def test_a_toolchain_without_one_of_its_files_is_refused_by_name(copied: Toolchain) -> None:
    (copied.sysroot / "lib/wasm32-wasip1/libc.a").unlink()
    with pytest.raises(ArgosyError, match=rf"{copied.prefix} is broken: share/\S*libc.a is missing"):
        toolchain.find("packages")


def test_a_truncated_file_of_the_toolchain_is_refused_by_name(copied: Toolchain) -> None:
    library = copied.sysroot / "lib/wasm32-wasip1/libc.a"
    replace(library, library.read_bytes()[:1000])
    with pytest.raises(ArgosyError, match=r"libc.a has 1000 bytes, not \d+"):
        toolchain.find("packages")


def test_a_tampered_file_is_found_by_its_time_and_by_verify_without_it(copied: Toolchain) -> None:
    header = copied.sysroot / "include/wasm32-wasip1/stdio.h"
    tampered = header.read_bytes().replace(b"printf", b"pr1ntf")
    replace(header, tampered)
    found = toolchain.find("packages")  # same size, same time: the quick check lets it pass
    with pytest.raises(ArgosyError, match=r"stdio.h has been changed"):
        toolchain.verify(found)
    os.utime(header)
    with pytest.raises(ArgosyError, match=r"stdio.h has been changed"):
        toolchain.find("packages")


def test_a_file_that_was_only_touched_is_no_tampering(copied: Toolchain) -> None:
    header = copied.sysroot / "include/wasm32-wasip1/stdio.h"
    data = header.read_bytes()
    header.unlink()
    header.write_bytes(data)
    assert toolchain.find("packages") == copied


def test_a_file_that_does_not_belong_to_the_toolchain_is_found_by_verify(copied: Toolchain) -> None:
    (copied.prefix / "bin/wasm-opt").write_text("#!/bin/sh\n")
    with pytest.raises(ArgosyError, match="bin/wasm-opt does not belong to it"):
        toolchain.verify(copied)


def test_a_sysroot_with_another_digest_is_refused(
    sources_at_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources_at_hand.write_bytes(sources_at_hand.read_bytes() + b"more")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(ArgosyError, match=r"it has digest sha256:[0-9a-f]{64}, not the expected"):
        toolchain.find("packages")
    assert not list((tmp_path / "cache/toolchains").glob("packages-*"))


def test_a_compiler_with_another_digest_is_refused(
    sources_at_hand: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pins = toolchain_pins.pin_file("packages")
    own = toolchain_pins.packages_pins(pins).executables[toolchain_pins.machine()]
    other = tmp_path / "packages.toml"
    other.write_text(pins.read_text().replace(own.hex, "0" * 64))
    monkeypatch.setattr(toolchain_packages, "pin_file", lambda _: other)
    with pytest.raises(ArgosyError, match=r"/zig of ziglang \S+ is not what toolchains/packages.toml pins"):
        toolchain.find("packages")


def test_a_wrong_key_among_the_pins_is_named(tmp_path: Path) -> None:
    other = tmp_path / "packages.toml"
    other.write_text(toolchain_pins.pin_file("packages").read_text().replace("member =", "menber ="))
    with pytest.raises(UsageError, match=r"sysroot.menber: unknown key; did you mean 'member'"):
        toolchain_pins.packages_pins(other)


def test_an_unknown_provider_is_refused_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGOSY_TOOLCHAIN", "wasi_sdk")
    with pytest.raises(UsageError, match="did you mean 'wasi-sdk'"):
        toolchain.find()


@pytest.fixture
def sdk(packages: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a wasi-sdk's shape, and an empty cache."""
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    shutil.copytree(packages.prefix, tmp_path / "sdk", copy_function=link_large)
    (tmp_path / "sdk" / MANIFEST).unlink()
    return tmp_path / "sdk"


def test_the_wasi_sdk_that_the_environment_names_comes_first(
    sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WASI_SDK_PATH", str(sdk))
    monkeypatch.delenv("ARGOSY_TOOLCHAIN", raising=False)
    found = toolchain.find()
    assert (found.provider, found.clang_version) == ("wasi-sdk", "22.1.8")
    text = '#include <stdio.h>\nint main(void) { puts("by wasi-sdk"); }'
    assert run(compiled(found, tmp_path, "sdk.c", text)) == (0, "by wasi-sdk\n")


def test_a_wasi_sdk_that_is_half_unpacked_is_refused_by_name(sdk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASI_SDK_PATH", str(sdk))
    shutil.rmtree(sdk / "share/wasi-sysroot/lib")
    with pytest.raises(ArgosyError, match=rf"half-unpacked: {sdk}/share/wasi-sysroot/lib is missing"):
        toolchain.find()
    shutil.rmtree(sdk / "bin")
    with pytest.raises(ArgosyError, match=rf"WASI_SDK_PATH is {sdk}, which is no wasi-sdk"):
        toolchain.find()


def test_a_release_of_wasi_sdk_is_unpacked_from_its_archive(
    sdk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = toolchain_pins.wasi_sdk_pins(toolchain_pins.pin_file("wasi-sdk")).archives[toolchain_pins.machine()].file
    # A link in place of the compiler keeps the archive small.
    (sdk / "bin/zig").unlink()
    for tool in ("clang", "clang++", "wasm-ld", "llvm-ar", "llvm-ranlib"):
        text = (sdk / "bin" / tool).read_text().replace('"${0%/*}/zig"', str(toolchain.find("packages").tool("zig")))
        (sdk / "bin" / tool).write_text(text)
    for folder in ("share/wasi-sysroot/include/c++", "share/cpp-runtime"):
        shutil.rmtree(sdk / folder)
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with tarfile.open(mirror / name, "w:gz", compresslevel=1) as archive:
        archive.add(sdk, "wasi-sdk-27.0-x86_64-linux")
    from argosy.files import sha256_of

    pins = tmp_path / "wasi-sdk.toml"
    lines = toolchain_pins.pin_file("wasi-sdk").read_text().splitlines()
    digest = f'sha256 = "sha256:{sha256_of(mirror / name)}"'
    pins.write_text("\n".join(digest if line.startswith("sha256") else line for line in lines))
    monkeypatch.setattr(toolchain_wasi_sdk, "pin_file", lambda _: pins)
    monkeypatch.setenv("ARGOSY_MIRROR", str(mirror))
    assert not toolchain_wasi_sdk.at_hand()
    found = toolchain.find("wasi-sdk")
    assert toolchain_wasi_sdk.at_hand()
    toolchain.verify(found)


def test_debian_without_its_packages_names_them(tmp_path: Path) -> None:
    (tmp_path / "lib/llvm-19/bin").mkdir(parents=True)
    with pytest.raises(
        ArgosyError, match="apt-get install clang-19 lld-19 llvm-19 libclang-rt-19-dev-wasm32 wasi-libc"
    ):
        toolchain_debian.prefix(tmp_path)


def test_a_manifest_says_what_the_prefix_holds(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/clang").write_text("clang")
    write_manifest(tmp_path, {"clang": "1"})
    from argosy.build.toolchain_prefix import read_manifest

    manifest = read_manifest(tmp_path)
    assert manifest.about == {"clang": "1"}
    assert list(manifest.files) == ["bin/clang"]


def test_debians_packages_are_linked_into_the_same_shape(
    packages: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usr, llvm = tmp_path / "usr", tmp_path / "usr/lib/llvm-22"
    (llvm / "bin").mkdir(parents=True)
    for tool in ("wasm-ld", "llvm-ar", "llvm-ranlib"):
        (llvm / "bin" / tool).symlink_to(packages.tool(tool))
    # Debian's clang finds the linker on PATH by a name with the version, and runs a wasm-opt that it finds there.
    (llvm / "bin/clang").write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec {packages.tool("zig")} clang --version ;; esac\n'
        f'command -v wasm-ld-22 >/dev/null || exit 1\nexec {packages.tool("zig")} clang "$@"\n'
    )
    (llvm / "bin/clang").chmod(0o755)
    resources = llvm / "lib/clang/22"
    (resources / "lib/wasi").mkdir(parents=True)
    (resources / "include").symlink_to(packages.prefix / "lib/clang/22/include")
    builtins = packages.prefix / "lib/clang/22/lib/wasm32-unknown-wasip1/libclang_rt.builtins.a"
    (resources / "lib/wasi/libclang_rt.builtins-wasm32.a").symlink_to(builtins)
    for folder in ("include", "lib"):
        (usr / folder).mkdir(exist_ok=True)
        (usr / folder / "wasm32-wasi").symlink_to(packages.sysroot / folder / "wasm32-wasip1")
    monkeypatch.setattr(toolchain_debian, "USR", usr)
    monkeypatch.setenv("ARGOSY_CACHE", str(tmp_path / "cache"))
    found = toolchain.find("debian")
    assert (found.provider, found.languages) == ("debian", {"c"})
    text = '#include <stdio.h>\nint main(void) { puts("by debian"); }'
    assert run(compiled(found, tmp_path, "debian.c", text)) == (0, "by debian\n")
    toolchain.verify(found)


def test_a_full_disk_leaves_no_toolchain_and_says_what_to_do(sources_at_hand: Path, tmp_path: Path) -> None:
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"  # no file above 1 MiB
        "from argosy.build import toolchain\n"
        "from argosy.errors import ArgosyError\n"
        "try: toolchain.find('packages')\n"
        "except ArgosyError as error: print(error)\n"
    )
    # Fetched before, so that it is the assembly which meets the limit.
    toolchain_packages.sysroot_tarball()
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "cannot assemble the toolchain" in printed
    assert "File too large" in printed
    assert "ARGOSY_CACHE" in printed
    assert [path.name for path in (tmp_path / "cache/toolchains").iterdir() if not path.name.endswith(".lock")] == []


def test_the_cpp_runtime_is_the_same_wherever_it_is_made(
    packages: Toolchain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = packages.cpp_runtime
    assert made
    toolchain_runtime.ensure(packages.prefix, made)
    parts = toolchain_runtime._parts
    small = ("libunwind", "libc++abi")  # libc++ takes half a minute
    monkeypatch.setattr(
        toolchain_runtime, "_parts", lambda root, scratch: {name: parts(root, scratch)[name] for name in small}
    )
    toolchain_runtime.ensure(packages.prefix, tmp_path / "again")
    for name in small:
        assert (made / f"{name}.a").read_bytes() == (tmp_path / f"again/{name}.a").read_bytes(), name
