"""The reader of wasm modules: what it finds in real ones, and that hostile ones cost an error with an offset."""

from __future__ import annotations

import random
import time

import pytest
import wasmtime

from argosy.errors import ArgosyError
from argosy.model import wasm
from argosy.model.wasm_code import functions
from argosy.model.wasm_cursor import Cursor, WasmError

HEADER = b"\0asm\x01\0\0\0"
WAT = """
(module
  (type $binary (func (param i32 i32) (result i32)))
  (import "argosy_mpi_1" "MPI_Comm_rank" (func $rank (type $binary)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "lookup" (table 1 10 funcref))
  (import "env" "base" (global i32))
  (memory (export "memory") 2 16)
  (func $work (export "work") (param f64) (result f64) local.get 0)
  (func $_start (export "_start") i32.const 0 call $exit))
"""


def module(wat: str) -> wasm.Module:
    return wasm.read(bytes(wasmtime.wat2wasm(wat)))


def leb(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def section(identifier: int, content: bytes) -> bytes:
    return bytes([identifier]) + leb(len(content)) + content


def with_body(code: bytes, locals_: bytes = b"\0") -> bytes:
    """A module of one function without parameters whose instructions are `code`, with one of each thing to refer to."""
    body = locals_ + code
    return b"".join(
        [
            HEADER,
            section(1, b"\x01\x60\0\0"),
            section(3, b"\x01\0"),
            section(4, b"\x01\x70\0\x01"),
            section(5, b"\x01\0\x01"),
            section(13, b"\x01\0\0"),
            section(6, b"\x01\x7f\x01\x41\0\x0b"),
            section(9, b"\x01\0\x41\0\x0b\x01\0"),
            section(12, b"\x01"),
            section(10, b"\x01" + leb(len(body)) + body),
            section(11, b"\x01\0\x41\0\x0b\0"),
        ]
    )


def test_imports_have_their_module_kind_and_signature() -> None:
    rank, exit_, table, base = module(WAT).imports
    assert (rank.module, rank.name, str(rank.signature)) == ("argosy_mpi_1", "MPI_Comm_rank", "(i32, i32) -> (i32)")
    assert (exit_.name, str(exit_.signature)) == ("proc_exit", "(i32) -> ()")
    assert table.kind == "table" and table.limits == wasm.Limits(minimum=1, maximum=10)
    assert base.kind == "global"


def test_exports_memories_and_names_are_read() -> None:
    found = module(WAT)
    assert [(export.name, export.kind, export.index) for export in found.exports] == [
        ("memory", "memory", 0),
        ("work", "function", 2),
        ("_start", "function", 3),
    ]
    assert found.memories == (wasm.Limits(minimum=2, maximum=16),)
    assert found.function_name(0) == "rank"  # of the name section
    assert found.function_name(99) == "function[99]"


def test_a_function_without_a_name_section_has_its_exports_name() -> None:
    whole = bytes(wasmtime.wat2wasm('(module (func (export "compute")))'))
    assert wasm.read(whole).function_name(0) == "compute"


def test_a_shared_and_a_wide_memory_are_told() -> None:
    shared = wasm.read(HEADER + section(5, b"\x01\x03\x01\x05")).memories[0]
    wide = wasm.read(HEADER + section(5, b"\x01\x05\x01" + leb(1 << 40))).memories[0]
    assert shared.shared and not shared.wide
    assert wide.wide and wide.maximum == 1 << 40


def test_a_custom_section_can_be_added_and_read_and_the_engine_still_takes_the_module() -> None:
    described = wasm.append_custom_section(bytes(wasmtime.wat2wasm(WAT)), "argosy.recipe", b'{"name":"x"}')
    assert wasm.read(described).custom("argosy.recipe") == b'{"name":"x"}'
    assert wasm.read(described).custom("argosy.abi") is None
    wasmtime.Module(wasmtime.Engine(), described)


def test_a_custom_section_is_added_only_once() -> None:
    described = wasm.append_custom_section(bytes(wasmtime.wat2wasm(WAT)), "argosy.recipe", b"")
    with pytest.raises(ArgosyError, match=r"argosy\.recipe"):
        wasm.append_custom_section(described, "argosy.recipe", b"")


def test_two_custom_sections_of_one_name_are_refused_where_one_is_asked_for() -> None:
    twice = wasm.read(HEADER + section(0, b"\x01aFIRST") + section(0, b"\x01aSECOND"))
    with pytest.raises(WasmError, match="second custom section 'a'"):
        twice.custom("a")


def test_simd_instructions_are_counted_by_function() -> None:
    found = module(
        """
    (module (memory 1)
      (func $plain (result i32) i32.const 1 i32.const 2 i32.add)
      (func $vector (param v128) (result v128)
        i32.const 0
        v128.load offset=16
        local.get 0
        f64x2.mul
        i32.const 0
        v128.load64_splat
        f64x2.add
        v128.const i32x4 1 2 3 4
        i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
      (func $relaxed (param v128 v128 v128) (result v128)
        local.get 0 local.get 1 local.get 2 f64x2.relaxed_madd))
    """
    )
    counts = {
        function.name: (function.instructions, function.simd, function.relaxed_simd) for function in functions(found)
    }
    assert counts == {"plain": (4, 0, 0), "vector": (10, 6, 0), "relaxed": (5, 1, 1)}


def test_the_features_that_code_uses_are_named() -> None:
    found = module("""
    (module (memory 1) (table 1 funcref) (tag $oops (param i32))
      (func $bulk i32.const 0 i32.const 0 i32.const 8 memory.fill)
      (func $tail return_call $bulk)
      (func $caught (result i32)
        (block $handler (result i32)
          (try_table (catch $oops $handler) (throw $oops (i32.const 1)))
          i32.const 0))
      (func $extended (param i32) (result i32) local.get 0 i32.extend8_s)
      (func $saturated (param f32) (result i32) local.get 0 i32.trunc_sat_f32_s)
      (func $reference (result funcref) i32.const 0 table.get 0)
      (func $many (param i32) (block (block (br_table 0 1 0 (local.get 0))))))
    """)
    assert {function.name: set(function.features) for function in functions(found)} == {
        "bulk": {"bulk-memory"},
        "tail": {"tail-call"},
        "caught": {"exceptions"},
        "extended": {"sign-extension"},
        "saturated": {"saturating-conversions"},
        "reference": {"reference-types"},
        "many": set(),
    }


def test_the_older_exceptions_are_walked() -> None:
    # try (catch 0 rethrow 0) end; try delegate 0
    code = b"\x06\x40\x07\x00\x09\x00\x19\x0b\x06\x40\x18\x00\x0b"
    (function,) = functions(wasm.read(with_body(code)))
    assert function.instructions == 8 and function.features == {"legacy-exceptions"}


def test_every_instruction_that_the_engine_accepts_is_walked_to_its_end() -> None:
    """The engine is the oracle: after `unreachable` any operands fit, so a module is valid if its immediates are."""
    settings = wasmtime.Config()
    for feature in ("simd", "relaxed_simd", "tail_call", "exceptions", "threads", "bulk_memory", "reference_types"):
        setattr(settings, f"wasm_{feature}", True)
    engine = wasmtime.Engine(settings)
    single = [bytes([code]) for code in range(256) if code not in (0x02, 0x03, 0x04, 0x1F, 0x06, 0x0B)]
    prefixed = [bytes([prefix]) + leb(number) for prefix in (0xFC, 0xFD, 0xFE) for number in range(0x140)]
    accepted = 0
    for operation in single + prefixed:
        for zeros in (0, 1, 2, 3, 4, 8, 16, 17):
            code = b"\0" + operation + bytes(zeros) + b"\0\x0b"
            try:
                wasmtime.Module.validate(engine, with_body(code))
            except wasmtime.WasmtimeError:
                continue
            (function,) = functions(wasm.read(with_body(code)))
            assert function.simd == (operation[0] == 0xFD), operation.hex()
            accepted += 1
    assert accepted > 2000


# What is wrong, the bytes, and where the error must say that it is.
HOSTILE = [
    ("empty", b"", "magic", 0),
    ("not wasm", b"\x7fELF\x02\x01\x01\0", "magic", 0),
    ("only the magic", b"\0asm", "version", 4),
    ("future version", b"\0asm\x02\0\0\0", "version 2", 4),
    ("a component", b"\0asm\x0d\0\x01\0", "component", 4),
    ("unknown section", HEADER + b"\x63\0", "unknown section id 99", 8),
    ("a size of five bytes that goes on", HEADER + b"\x01\xff\xff\xff\xff\xff\x01", "more than 32 bits", 9),
    ("a size beyond 32 bits", HEADER + b"\x01\xff\xff\xff\xff\x1f", "more than 32 bits", 9),
    ("a section longer than the file", HEADER + b"\x01" + leb(1 << 30), "announces 1073741824 bytes", 14),
    ("types before and after", HEADER + section(3, b"\0") + section(1, b"\0"), "after the function section", 11),
    ("a section twice", HEADER + section(1, b"\0") + section(1, b"\0"), "a second type section", 11),
    ("4 billion types", HEADER + section(1, leb(2**32 - 1)), "4294967295 types are announced", 10),
    ("4 billion imports", HEADER + section(2, leb(2**32 - 1)), "4294967295 imports are announced", 10),
    ("bytes after the types", HEADER + section(1, b"\0\0\0"), "2 bytes too many", 11),
    ("a type of no known form", HEADER + section(1, b"\x01\x5f\0"), "type form 0x5f", 11),
    ("an unknown value type", HEADER + section(1, b"\x01\x60\x01\x01\0"), "unknown value type 0x1", 13),
    ("too many parameters", HEADER + section(1, b"\x01\x60" + leb(1001) + b"\x7f" * 1001), "signature of 1001", 13),
    ("an import of an absent type", HEADER + section(2, b"\x01\x01a\x01b\0\x05"), "type 5 of 0", 16),
    ("an import of no kind", HEADER + section(2, b"\x01\x01a\x01b\x09"), "unknown kind 9", 15),
    ("an import's name longer than all", HEADER + section(2, b"\x01" + leb(99_999)), "0 of its 99999 bytes", 14),
    ("a name of 4 GiB", HEADER + section(2, b"\x01" + leb(2**32 - 1) + b"abc"), "longer than 100000", 11),
    ("a name that is no UTF-8", HEADER + section(2, b"\x01\x02\xff\xfe\x01b\0\0"), "not UTF-8", 11),
    ("limits of no known form", HEADER + section(5, b"\x01\x40\x01"), "unknown limits 0x40", 11),
    ("a maximum below the minimum", HEADER + section(5, b"\x01\x01\x05\x04"), "below the minimum", 11),
    ("an export twice", HEADER + section(7, b"\x02\x01a\0\0\x01a\0\0"), "second export 'a'", 15),
    ("functions without bodies", HEADER + section(1, b"\x01\x60\0\0") + section(3, b"\x01\0"), "0 function bodies", 0),
    ("bodies without functions", HEADER + section(10, b"\x01\x02\0\x0b"), "1 function bodies for 0", 10),
    ("a custom section without a name", HEADER + b"\0\0", "custom section's name", 10),
    ("a custom name beyond its section", HEADER + section(0, b"\x05ab") + b"cdefgh", "2 of its 5 bytes", 11),
]


@pytest.mark.parametrize(("data", "what", "offset"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_bytes_give_an_error_with_its_offset(data: bytes, what: str, offset: int) -> None:
    with pytest.raises(WasmError, match=r"hostile\.wasm is not a wasm module") as caught:
        wasm.read(data, source="hostile.wasm")
    assert what in caught.value.what
    assert caught.value.offset == offset
    assert f"at byte {offset:#x}" in caught.value.what


HOSTILE_CODE = [
    ("no end", b"\x01\x01", "ends within 1 open blocks"),
    ("a block that is not closed", b"\x02\x40\x0b", "ends within 1 open blocks"),
    ("an end too many", b"\x0b\x0b", "1 bytes too many"),
    ("an unknown instruction", b"\xf0\x0b", "unknown instruction 0xf0"),
    ("an unknown vector instruction", b"\xfd\xff\x7f\x0b", "unknown vector instruction 0x3fff"),
    ("an unknown atomic instruction", b"\xfe\x7f\x0b", "unknown atomic instruction"),
    ("an unknown instruction of 0xfc", b"\xfc\x7f\x0b", "unknown instruction 0xfc"),
    ("a constant cut short", b"\x44\0\0\0", "3 of its 8 bytes"),
    ("a vector cut short", b"\xfd\x0c\0\0", "2 of its 16 bytes"),
    ("an i32 of six bytes", b"\x41\x80\x80\x80\x80\x80\0\x0b", "more than 32 bits"),
    ("an i32 of 33 bits", b"\x41\xff\xff\xff\xff\x0f\x0b", "more than 32 bits"),
    ("branches that are not there", b"\x0e" + leb(2**31) + b"\0\x0b", "2147483648 branch targets"),
    ("clauses that are not there", b"\x1f\x40" + leb(2**31) + b"\x0b\x0b", "2147483648 catch clauses"),
    ("an unknown clause", b"\x1f\x40\x01\x07\0\x0b\x0b", "unknown catch clause 7"),
]


@pytest.mark.parametrize(("code", "what"), [case[1:] for case in HOSTILE_CODE], ids=[case[0] for case in HOSTILE_CODE])
def test_hostile_code_gives_an_error_with_its_offset(code: bytes, what: str) -> None:
    data = with_body(code)
    with pytest.raises(WasmError) as caught:
        list(functions(wasm.read(data)))
    assert what in caught.value.what
    assert 0 < caught.value.offset < len(data)


def test_more_locals_than_can_be_are_refused() -> None:
    with pytest.raises(WasmError, match="declares 8589934590 locals"):
        list(functions(wasm.read(with_body(b"\x0b", locals_=b"\x02" + (leb(2**32 - 1) + b"\x7f") * 2))))


def test_a_hundred_thousand_open_blocks_cost_no_stack() -> None:
    depth = 100_000
    (function,) = functions(wasm.read(with_body(b"\x02\x40" * depth + b"\x0b" * (depth + 1))))
    assert function.instructions == 2 * depth + 1


def test_a_module_cut_anywhere_is_refused_or_still_whole() -> None:
    whole = bytes(wasmtime.wat2wasm(WAT))
    ends = {section.offset + section.size for section in wasm.read(whole).sections}
    for length in range(len(whole)):
        if length == len(HEADER) or length in ends:
            continue  # a prefix that is a module of its own, or lacks only code: told by the next test
        with pytest.raises(WasmError) as caught:
            wasm.read(whole[:length])
        assert caught.value.offset <= length


def test_a_module_cut_before_its_code_is_refused() -> None:
    whole = bytes(wasmtime.wat2wasm(WAT))
    code = next(section for section in wasm.read(whole).sections if section.name == "code")
    with pytest.raises(WasmError, match="0 function bodies for 2 functions"):
        wasm.read(whole[: code.offset - 2])


def test_bytes_changed_at_random_never_give_another_error_nor_take_long() -> None:
    whole = bytes(wasmtime.wat2wasm(WAT))
    chance = random.Random(20)
    refused, start = 0, time.monotonic()
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            list(functions(wasm.read(bytes(data))))
        except WasmError:
            refused += 1
    assert 500 < refused < 3000
    assert time.monotonic() - start < 30


def test_a_damaged_name_section_leaves_the_module_readable() -> None:
    damaged = wasm.read(with_body(b"\x0b") + section(0, b"\x04name\x01\x7f\xff\xff\xff"))
    assert damaged.function_name(0) == "function[0]"


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        (b"\0", 0),
        (b"\x7f", -1),
        (b"\x40", -64),
        (b"\xc0\0", 64),
        (b"\x80\x80\x80\x80\x78", -(2**31)),
        (b"\xff\x00", 127),
    ],
)
def test_signed_numbers_are_read(encoded: bytes, value: int) -> None:
    assert Cursor(encoded, name="x").signed("n", bits=32) == value
