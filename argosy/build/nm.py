"""`nm` for wasm objects and archives, as far as libtool and configure ask: `ADDRESS LETTER NAME`, a symbol a line.

The toolchain provider `packages` has no llvm-nm. T and D are defined functions and data, in lower case local ones, W
weak ones, U undefined ones (tool-conventions, `Linking.md`, "Symbol Table").
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.model import wasm
from argosy.model.wasm_cursor import Cursor

_ARCHIVE = b"!<arch>\n"
_HEADER = 60  # bytes before an archive's member
_SYMBOL_TABLE = 8  # the number of that subsection
_FUNCTION, _DATA, _SECTION = 0, 1, 3
_WEAK, _LOCAL, _UNDEFINED, _EXPLICIT_NAME = 0x1, 0x2, 0x10, 0x40


@dataclass(frozen=True, kw_only=True)
class Symbol:
    """A name in an object's symbol table and nm's letter for it."""

    name: str
    letter: str


def main(arguments: Sequence[str]) -> int:
    """Print the symbols of every file named; options are ignored. Gives the exit status."""
    status = 0
    for name in (argument for argument in arguments if not argument.startswith("-")):
        try:
            for member, data in _objects(Path(name).read_bytes()):
                if member:
                    print(f"\n{member}:")
                for symbol in symbols(data, source=name):
                    print(f"{'        ' if symbol.letter in 'Uw' else '00000000'} {symbol.letter} {symbol.name}")
        except (OSError, ArgosyError) as error:
            print(f"nm: {name}: {error}", file=sys.stderr)
            status = 1
    return status


def _objects(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The object itself, or an archive's members: name and bytes. Names of over 15 letters are cut."""
    if not data.startswith(_ARCHIVE):
        yield "", data
        return
    at = len(_ARCHIVE)
    while at + _HEADER <= len(data):
        name = data[at : at + 16].decode(errors="replace").rstrip()
        size = int(data[at + 48 : at + 58])
        member = data[at + _HEADER : at + _HEADER + size]
        if member.startswith(wasm.MAGIC):
            yield name.rstrip("/"), member
        at += _HEADER + size + size % 2


def symbols(data: bytes, *, source: str) -> Iterator[Symbol]:
    """The symbols of a wasm object. Raises WasmError for anything that is not one."""
    module = wasm.read(data, source=source)
    linking = module.custom("linking")
    if linking is None:
        return
    cursor = Cursor(linking, name=source)
    cursor.unsigned("the version of the linking section")
    while cursor.at < cursor.end:
        number = cursor.byte("a subsection's number")
        part = cursor.part(cursor.unsigned("a subsection's size"), "a subsection")
        if number == _SYMBOL_TABLE:
            imported: dict[str, list[str]] = {}
            for thing in module.imports:
                imported.setdefault(thing.kind, []).append(thing.name)
            for _ in range(part.count("symbols")):
                yield from _symbol(part, imported)


def _symbol(part: Cursor, imported: dict[str, list[str]]) -> Iterator[Symbol]:
    kind = part.byte("a symbol's kind")
    flags = part.unsigned("a symbol's flags")
    undefined = bool(flags & _UNDEFINED)
    if kind == _SECTION:
        part.unsigned("a section's index")
        return
    if kind == _DATA:
        name = part.text("a symbol's name")
        if not undefined:
            for what in ("segment", "offset", "size"):
                part.unsigned(f"a symbol's {what}")
    else:
        index = part.unsigned("a symbol's index")
        if undefined and not flags & _EXPLICIT_NAME:
            names = imported.get("function" if kind == _FUNCTION else "global", [])
            name = names[index] if index < len(names) else f"import[{index}]"
        else:
            name = part.text("a symbol's name")
    if undefined:
        letter = "w" if flags & _WEAK else "U"
    elif flags & _WEAK:
        letter = "W"
    else:
        letter = "T" if kind == _FUNCTION else "D"
    yield Symbol(name=name, letter=letter.lower() if flags & _LOCAL else letter)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
