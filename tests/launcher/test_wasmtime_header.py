"""wasmtime.h says what the wasmtime wheel's own bindings say: every function's parameters, every structure's layout."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import pytest
from wasmtime import _ffi

from argosy.launcher import build, compiler

HEADER = build.SOURCES / "wasmtime.h"
TEXT = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
PROTOTYPES = re.findall(
    r"^([a-z]\w[\w \*]*?)\b((?:wasm|wasi|wasmtime)_\w+)\(([^;{}]*)\);", TEXT, re.MULTILINE | re.DOTALL
)
STRUCTURES = (
    "wasm_byte_vec_t",
    "wasm_valtype_vec_t",
    "wasm_frame_vec_t",
    "wasm_importtype_vec_t",
    "wasmtime_func",
    "wasmtime_table",
    "wasmtime_memory",
    "wasmtime_global",
    "wasmtime_instance",
    "wasmtime_extern",
    "wasmtime_anyref",
    "wasmtime_val",
    "wasmtime_val_raw",
    "wasmtime_linear_memory",
    "wasmtime_memory_creator",
)
SIZES = {"bool": 1, "uint8_t": 1, "wasm_valkind_t": 1, "wasm_externkind_t": 1, "uint32_t": 4, "int": 4}
SIZES |= {"size_t": 8, "uint64_t": 8, "int64_t": 8}


def split(parameters: str) -> list[str]:
    """The parameters, with those of a function pointer kept whole."""
    parts, depth = [""], 0
    for letter in parameters:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip() not in ("", "void")]


def size_of(c_type: str) -> int | None:
    """Bytes of a parameter's or result's C type; None for void."""
    if "*" in c_type or "_callback_t" in c_type:
        return 8
    name = c_type.replace("const", "").split()[0]
    return None if name == "void" else SIZES[name]


def test_the_header_is_read() -> None:
    assert len(PROTOTYPES) > 60


@pytest.mark.parametrize(("result", "name", "parameters"), PROTOTYPES, ids=[name for _, name, _ in PROTOTYPES])
def test_a_function_has_the_parameters_of_the_library(result: str, name: str, parameters: str) -> None:
    function = getattr(_ffi.dll, name)
    assert [size_of(part) for part in split(parameters)] == [ctypes.sizeof(kind) for kind in function.argtypes]
    assert size_of(result) == (None if function.restype is None else ctypes.sizeof(function.restype))


def test_structures_have_the_layout_of_the_library(tmp_path: Path) -> None:
    tagged = {name if name.endswith("_t") else f"{name}_t" for name in STRUCTURES}
    prints = "".join(f'printf("{name} %zu %zu\\n", sizeof({name}), _Alignof({name}));' for name in sorted(tagged))
    prints += 'printf("extern.of %zu\\n", offsetof(wasmtime_extern_t, of));'
    prints += 'printf("val.of %zu\\n", offsetof(wasmtime_val_t, of));'
    source = tmp_path / "layout.c"
    source.write_text(f'#include "{HEADER}"\n#include <stdio.h>\nint main(void) {{ {prints} }}\n')
    tools = compiler.find()
    subprocess.run([*tools.command, source, "-o", tmp_path / "layout"], check=True)
    seen = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout.split("\n")
    wanted = []
    for name in sorted(tagged):
        kind = getattr(_ffi, name if hasattr(_ffi, name) else name.removesuffix("_t"))
        wanted.append(f"{name} {ctypes.sizeof(kind)} {ctypes.alignment(kind)}")
    wanted.append(f"extern.of {_ffi.wasmtime_extern.of.offset}")
    wanted.append(f"val.of {_ffi.wasmtime_val.of.offset}")
    assert [line for line in seen if line] == wanted
