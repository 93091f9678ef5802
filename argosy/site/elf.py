"""What a precompiled module says of itself, read from its ELF file without loading it.

wasmtime writes an ELF object whose section `.wasmtime.engine` records for whom the code is: one byte for the format,
then in postcard's encoding (lengths and numbers as LEB128) the engine's version, the target triple, Cranelift's shared
flags and the CPU's own (`has_avx2`). wasmtime compares them when it loads the file; here they are read to explain.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from argosy.errors import ArgosyError
from argosy.model.target import Target

_SECTION = ".wasmtime.engine"
_FORMAT = 0
_MOST_FLAGS = 1000
_LONGEST_NAME = 1000
_ADVICE = "it is no module that this wasmtime precompiled; `argosy precompile` makes it again"

Flag = bool | int | str


@dataclass(frozen=True, kw_only=True)
class Precompiled:
    """A `.cwasm`: ELF machine (`EM_X86_64`), section sizes in bytes, wasmtime's release, target and settings."""

    machine: str
    sections: Mapping[str, int]
    engine_version: str
    target: Target
    known_features: frozenset[str]
    """All CPU features that the compiler knew of, used or not."""
    settings: Mapping[str, Flag]
    functions: int


def read(data: bytes, *, name: str) -> Precompiled:
    """Read a precompiled module's bytes; `name` is for messages. Raises ArgosyError when it is not one, or broken."""
    try:
        return _read(data, name)
    except (ELFError, UnicodeDecodeError, ValueError, IndexError, KeyError, AttributeError) as error:
        raise ArgosyError(f"{name}: not a whole precompiled module: {error}", advice=_ADVICE) from error


def _read(data: bytes, name: str) -> Precompiled:
    file = ELFFile(io.BytesIO(data))
    sections: dict[str, int] = {}
    engine = None
    functions = 0
    for section in file.iter_sections():
        if section["sh_type"] != "SHT_NOBITS" and section["sh_offset"] + section["sh_size"] > len(data):
            raise ValueError(f"section {section.name} ends past the end of the file")
        sections[section.name] = section["sh_size"]
        if section.name == _SECTION:
            engine = section.data()
        if isinstance(section, SymbolTableSection):
            functions = sum(symbol["st_info"]["type"] == "STT_FUNC" for symbol in section.iter_symbols())
    if engine is None:
        raise ArgosyError(f"{name}: an ELF file without section {_SECTION}", advice=_ADVICE)
    version, triple, shared, isa = _read_engine(engine)
    return Precompiled(
        machine=file["e_machine"],
        sections=MappingProxyType(sections),
        engine_version=version,
        target=Target(triple=triple, features=frozenset(flag for flag, value in isa.items() if value is True)),
        known_features=frozenset(flag for flag, value in isa.items() if isinstance(value, bool)),
        settings=MappingProxyType(shared),
        functions=functions,
    )


class _Postcard:
    """A reader of the few shapes that the section uses."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def byte(self) -> int:
        self._place += 1
        return self._data[self._place - 1]

    def number(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise ValueError("a number is longer than 64 bits")

    def text(self) -> str:
        length = self.number()
        if length > _LONGEST_NAME or self._place + length > len(self._data):
            raise ValueError("a name is longer than the section")
        self._place += length
        return self._data[self._place - length : self._place].decode()

    def flags(self) -> dict[str, Flag]:
        count = self.number()
        if count > _MOST_FLAGS:
            raise ValueError(f"{count} flags")
        return {self.text(): self._value() for _ in range(count)}

    def _value(self) -> Flag:
        kind = self.number()
        if kind == 0:
            return self.text()
        if kind == 1:
            return self.byte()
        if kind == 2:
            return self.byte() != 0
        raise ValueError(f"a flag of unknown kind {kind}")


def _read_engine(data: bytes) -> tuple[str, str, dict[str, Flag], dict[str, Flag]]:
    reader = _Postcard(data)
    if reader.byte() != _FORMAT:
        raise ValueError(f"section {_SECTION} has another format")
    return reader.text(), reader.text(), reader.flags(), reader.flags()
