"""The instructions of a module's functions, counted: how much of the code is SIMD, and what features it uses.

Known are the instructions of WebAssembly 3.0 but for garbage collection (numbers, bulk memory, references, SIMD,
relaxed SIMD, tail calls, exceptions with `try_table`), the older exceptions with `try`, threads and wide arithmetic.
Each is walked by the immediates that follow its code; operand types are the engine's to check.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from argosy.model.wasm import Body, Module
from argosy.model.wasm_cursor import Cursor, value_type

# How an instruction goes on after its code byte.
_UNKNOWN, _NONE, _INDEX, _TWO, _BLOCK, _MEMORY, _I32, _I64, _F32, _F64, _SPECIAL = range(11)

_LAST_TRUNCATION = 7  # of the prefix 0xfc, without immediates
_MISCELLANEOUS = {
    8: 2,
    9: 1,
    10: 2,
    11: 1,
    12: 2,
    13: 1,
    14: 2,
    15: 1,
    16: 1,
    17: 1,
}  # of the prefix 0xfc: how many indices
_WIDE_ARITHMETIC = range(19, 23)
_RELAXED = 0x100  # the first of relaxed SIMD, of the prefix 0xfd
_LAST_SIMD = 0x12F


def _kinds() -> bytes:
    kinds = bytearray([_UNKNOWN]) * 256
    for code in (*range(0x45, 0xC5), 0x00, 0x01, 0x05, 0x0A, 0x0B, 0x0F, 0x19, 0x1A, 0x1B, 0xD1, 0xD3, 0xD4):
        kinds[code] = _NONE
    for code in (
        *range(0x07, 0x0A),
        0x0C,
        0x0D,
        0x10,
        0x12,
        0x14,
        0x15,
        0x18,
        *range(0x20, 0x27),
        0x3F,
        0x40,
        0xD2,
        0xD5,
        0xD6,
    ):
        kinds[code] = _INDEX
    for code in (0x11, 0x13):
        kinds[code] = _TWO
    for code in (0x02, 0x03, 0x04, 0x06):
        kinds[code] = _BLOCK
    for code in range(0x28, 0x3F):
        kinds[code] = _MEMORY
    kinds[0x41], kinds[0x42], kinds[0x43], kinds[0x44] = _I32, _I64, _F32, _F64
    for code in (0x0E, 0x1C, 0x1F, 0xD0, 0xFC, 0xFD, 0xFE):
        kinds[code] = _SPECIAL
    return bytes(kinds)


_KIND = _kinds()
_FEATURE = {
    0x06: "legacy-exceptions",
    0x08: "exceptions",
    0x0A: "exceptions",
    0x1F: "exceptions",
    0x12: "tail-call",
    0x13: "tail-call",
    0x14: "function-references",
    0x15: "function-references",
    0x25: "reference-types",
    0x26: "reference-types",
    0xD0: "reference-types",
    0xD2: "reference-types",
    0xFE: "threads",
    **dict.fromkeys(range(0xC0, 0xC5), "sign-extension"),
}


@dataclass(frozen=True, kw_only=True)
class FunctionCode:
    """One function's instructions: how many, how many of them SIMD, and how many of those relaxed; `size` in bytes."""

    index: int
    name: str
    size: int
    instructions: int
    simd: int
    relaxed_simd: int
    features: frozenset[str]


def functions(module: Module) -> Iterator[FunctionCode]:
    """Walk every function of the module, in order; raises WasmError at an instruction that is unknown or cut short."""
    for body in module.bodies:
        yield _walk(module, body)


def _walk(module: Module, body: Body) -> FunctionCode:
    cursor = Cursor(module.data, name=module.source, start=body.offset, end=body.offset + body.size)
    declared = 0
    for _ in range(cursor.count("groups of locals")):
        declared += cursor.unsigned("the number of locals")
        value_type(cursor)
    if declared >= 1 << 32:
        raise cursor.error(f"function {body.index} declares {declared} locals", offset=body.offset)
    data, end = cursor.data, cursor.end
    instructions = simd = relaxed = 0
    features: set[str] = set()
    depth = 1  # open blocks: the body itself is one
    while depth:
        start = cursor.at
        if start >= end:
            raise cursor.error(f"function {body.index} ends within {depth} open blocks")
        code = data[start]
        cursor.at += 1
        instructions += 1
        kind = _KIND[code]
        if kind == _NONE:
            if code == 0x0B:
                depth -= 1
        elif kind == _INDEX:
            cursor.unsigned("an index")
            if code == 0x18:  # `delegate` ends its `try`
                depth -= 1
        elif kind == _MEMORY:
            _memory_argument(cursor)
        elif kind == _I32:
            cursor.signed("an i32", bits=32)
        elif kind == _BLOCK:
            cursor.signed("a block's type", bits=33)
            depth += 1
        elif kind == _F64:
            cursor.take(8, "an f64")
        elif kind == _F32:
            cursor.take(4, "an f32")
        elif kind == _I64:
            cursor.signed("an i64", bits=64)
        elif kind == _TWO:
            cursor.unsigned("a type index")
            cursor.unsigned("a table index")
        elif code == 0xFD:
            vector = _simd(cursor, start)
            simd += 1
            relaxed += vector >= _RELAXED
        elif kind == _SPECIAL:
            feature = _special(cursor, code, start)
            if feature:
                features.add(feature)
            depth += code == 0x1F
        else:
            raise cursor.error(f"unknown instruction {code:#04x} in function {body.index}", offset=start)
        if code in _FEATURE:
            features.add(_FEATURE[code])
    cursor.finish(f"function {body.index}")
    if simd:
        features.add("simd")
    if relaxed:
        features.add("relaxed-simd")
    return FunctionCode(
        index=body.index,
        name=module.function_name(body.index),
        size=body.size,
        instructions=instructions,
        simd=simd,
        relaxed_simd=relaxed,
        features=frozenset(features),
    )


def _memory_argument(cursor: Cursor) -> None:
    """An alignment, with bit 6 a memory's index too, then an offset."""
    if cursor.unsigned("an alignment") & 0x40:
        cursor.unsigned("a memory's index")
    cursor.unsigned("an offset", bits=64)


def _simd(cursor: Cursor, start: int) -> int:
    """Move past a vector instruction; gives its number after the prefix 0xfd."""
    number = cursor.unsigned("a vector instruction")
    if number > _LAST_SIMD:
        raise cursor.error(f"unknown vector instruction {number:#x}", offset=start)
    if number <= 11 or number in (92, 93):
        _memory_argument(cursor)
    elif number in (12, 13):
        cursor.take(16, "a vector's immediate")
    elif 21 <= number <= 34:
        cursor.byte("a lane")
    elif 84 <= number <= 91:
        _memory_argument(cursor)
        cursor.byte("a lane")
    return number


def _special(cursor: Cursor, code: int, start: int) -> str | None:
    """Move past an instruction whose immediates have a form of their own; gives the feature that its number names."""
    if code == 0x0E:
        for _ in range(cursor.count("branch targets") + 1):
            cursor.unsigned("a branch target")
    elif code == 0x1C:
        for _ in range(cursor.count("value types")):
            value_type(cursor)
    elif code == 0x1F:
        _try_table(cursor)
    elif code == 0xD0:
        cursor.signed("a heap type", bits=33)
    elif code == 0xFC:
        return _miscellaneous(cursor, start)
    else:
        number = cursor.unsigned("an atomic instruction")
        if number == 3:
            cursor.byte("a fence's order")
        elif number <= 2 or 0x10 <= number <= 0x4E:
            _memory_argument(cursor)
        else:
            raise cursor.error(f"unknown atomic instruction {number:#x}", offset=start)
    return None


def _try_table(cursor: Cursor) -> None:
    cursor.signed("a block's type", bits=33)
    for _ in range(cursor.count("catch clauses")):
        start = cursor.at
        clause = cursor.byte("a catch clause")
        if clause > 3:
            raise cursor.error(f"unknown catch clause {clause}", offset=start)
        if clause < 2:
            cursor.unsigned("a tag's index")
        cursor.unsigned("a branch target")


def _miscellaneous(cursor: Cursor, start: int) -> str | None:
    number = cursor.unsigned("an instruction's number")
    if number <= _LAST_TRUNCATION:
        return "saturating-conversions"
    if number in _WIDE_ARITHMETIC:
        return "wide-arithmetic"
    if number not in _MISCELLANEOUS:
        raise cursor.error(f"unknown instruction 0xfc {number}", offset=start)
    for _ in range(_MISCELLANEOUS[number]):
        cursor.unsigned("an index")
    return "bulk-memory" if number <= 14 else "reference-types"
