"""A WebAssembly module's binary form, read strictly: what it imports, exports, names and carries.

The reader trusts nothing: every count, length and LEB128 number is checked before it is used, so truncated or hostile
bytes give a `WasmError` with the offset of what is wrong, in time and memory bounded by the file's own size. It reads
what Argosy asks of a module; types in full, function bodies by `argosy.model.wasm_code`, while validation as a whole is
the engine's (WebAssembly Core Specification, "Binary Format").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from argosy.errors import ArgosyError
from argosy.model.wasm_cursor import Cursor, WasmError, value_type

MAGIC = b"\0asm"
PAGE = 65536  # bytes in a page of linear memory

_VERSION = b"\x01\0\0\0"
_SIGNATURE_TYPES = 1000  # most parameters, or results, that engines accept
_CUSTOM = 0
_SECTIONS = {
    1: "type",
    2: "import",
    3: "function",
    4: "table",
    5: "memory",
    13: "tag",
    6: "global",
    7: "export",
    8: "start",
    9: "element",
    12: "data count",
    10: "code",
    11: "data",
}  # by id, in the order in which they may come
_ORDER = {identifier: place for place, identifier in enumerate(_SECTIONS)}
_KINDS = ("function", "table", "memory", "global", "tag")


@dataclass(frozen=True, kw_only=True)
class FunctionType:
    """A function's signature: the names of its parameters' and results' types, such as `i32`."""

    parameters: tuple[str, ...]
    results: tuple[str, ...]

    def __str__(self) -> str:
        return f"({', '.join(self.parameters)}) -> ({', '.join(self.results)})"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """A memory's or table's size, in pages of 64 KiB or in entries; `maximum` None: unbounded."""

    minimum: int
    maximum: int | None
    shared: bool = False
    wide: bool = False  # addressed by 64 bits


@dataclass(frozen=True, kw_only=True)
class Import:
    """What the module asks of its host: `signature` for a function, `limits` for a memory or table."""

    module: str
    name: str
    kind: str
    signature: FunctionType | None = None
    limits: Limits | None = None


@dataclass(frozen=True, kw_only=True)
class Export:
    """What the module gives its host: the thing's kind and its index among those of that kind."""

    name: str
    kind: str
    index: int


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section's place: `offset` of its content in the file, and the content's `size`, in bytes.

    `name` is the specification's name for it, and `custom` is a custom section's own name, else None.
    """

    name: str
    custom: str | None
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Body:
    """A function's code: where its bytes (locals and instructions) are in the file."""

    index: int
    offset: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Module:
    """A module as its bytes state it. `data` is the whole file; `source` names it in errors."""

    data: bytes
    source: str
    sections: tuple[Section, ...]
    imports: tuple[Import, ...]
    exports: tuple[Export, ...]
    memories: tuple[Limits, ...]
    bodies: tuple[Body, ...]
    names: Mapping[int, str]

    def custom(self, name: str) -> bytes | None:
        """The content of the custom section of that name, None when there is none.

        Raises WasmError when there are several, since two readers could then disagree on which one counts.
        """
        found = [section for section in self.sections if section.custom == name]
        if len(found) > 1:
            raise WasmError(f"a second custom section {name!r}", name=self.source, offset=found[1].offset)
        if not found:
            return None
        after_name = found[0].offset + _name_size(name)
        return self.data[after_name : found[0].offset + found[0].size]

    def function_name(self, index: int) -> str:
        """The name that the name section or an export gives the function, else `function[index]`."""
        return self.names.get(index) or f"function[{index}]"


def read(data: bytes, *, source: str = "this file") -> Module:
    """Read a core module; raises WasmError naming `source` and the offset for anything that is not one."""
    found = sections(data, source=source)
    known = {section.name: section for section in found if section.custom is None}

    def part(name: str) -> Cursor:
        section = known.get(name)
        if section is None:
            return Cursor(b"\0", name=source)  # an absent section says the same as one that announces nothing
        return Cursor(data, name=source, start=section.offset, end=section.offset + section.size)

    types = _types(part("type"))
    imports = _imports(part("import"), types)
    imported = sum(thing.kind == "function" for thing in imports)
    functions = _functions(part("function"), len(types))
    exports = _exports(part("export"))
    bodies = _bodies(part("code"), imported, functions)
    memories = tuple(thing.limits for thing in imports if thing.kind == "memory" and thing.limits is not None)
    names = {export.index: export.name for export in reversed(exports) if export.kind == "function"}
    names.update(_names(data, source, found))
    return Module(
        data=data,
        source=source,
        sections=found,
        imports=imports,
        exports=exports,
        memories=memories + _memories(part("memory")),
        bodies=bodies,
        names=MappingProxyType(names),
    )


def append_custom_section(data: bytes, name: str, content: bytes) -> bytes:
    """The module `data` with a custom section at its end; raises ArgosyError when it cannot be read or has one."""
    module = read(data, source="the module to describe")
    if module.custom(name) is not None:
        raise ArgosyError(f"the module has a custom section {name!r} already", advice="describe a module only once")
    return data + custom_section(name, content)


def sections(data: bytes, *, source: str = "this file") -> tuple[Section, ...]:
    """The places of a module's sections, whose contents are not looked into; raises WasmError as `read` does."""
    return tuple(_sections(data, source))


def custom_section(name: str, content: bytes) -> bytes:
    """A whole custom section."""
    return bytes([_CUSTOM]) + sized(sized(name.encode()) + content)


def sized(content: bytes) -> bytes:
    """Bytes after their length."""
    return unsigned(len(content)) + content


def unsigned(value: int) -> bytes:
    """An unsigned LEB128 number in as few bytes as it takes."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _name_size(name: str) -> int:
    size = len(name.encode())
    return size + len(unsigned(size))


def _sections(data: bytes, source: str) -> Iterator[Section]:
    cursor = Cursor(data, name=source)
    if cursor.take(4, "the magic number") != MAGIC:
        raise cursor.error("it does not begin with the magic number \\0asm", offset=0)
    version = cursor.take(4, "the version")
    if version[2:] == b"\x01\0":
        raise cursor.error("it is a component, and Argosy runs core modules;", offset=4)
    if version != _VERSION:
        raise cursor.error(f"version {int.from_bytes(version, 'little')} is unknown", offset=4)
    before: int | None = None
    while cursor.at < cursor.end:
        start = cursor.at
        identifier = cursor.byte("a section's id")
        if identifier != _CUSTOM and identifier not in _ORDER:
            raise cursor.error(f"unknown section id {identifier}", offset=start)
        name = "custom" if identifier == _CUSTOM else _SECTIONS[identifier]
        size = cursor.unsigned(f"the {name} section's size")
        content = cursor.part(size, f"the {name} section")
        if identifier == _CUSTOM:
            offset = content.at
            yield Section(name=name, custom=content.text("a custom section's name"), offset=offset, size=size)
            continue
        if before is not None and _ORDER[identifier] <= _ORDER[before]:
            wrong = "a second" if identifier == before else f"after the {_SECTIONS[before]} section comes the"
            raise cursor.error(f"{wrong} {name} section", offset=start)
        before = identifier
        yield Section(name=name, custom=None, offset=content.at, size=size)


def _types(cursor: Cursor) -> list[FunctionType]:
    types = []
    for _ in range(cursor.count("types")):
        start = cursor.at
        form = cursor.byte("a type")
        if form != 0x60:
            raise cursor.error(
                f"type form {form:#x} is not a function's (garbage-collected types are not read)", offset=start
            )
        types.append(FunctionType(parameters=_value_types(cursor), results=_value_types(cursor)))
    cursor.finish("the type section")
    return types


def _value_types(cursor: Cursor) -> tuple[str, ...]:
    start = cursor.at
    count = cursor.count("value types")
    if count > _SIGNATURE_TYPES:
        raise cursor.error(f"a signature of {count} types, of {_SIGNATURE_TYPES} at most", offset=start)
    return tuple(value_type(cursor) for _ in range(count))


def _limits(cursor: Cursor) -> Limits:
    start = cursor.at
    flags = cursor.byte("limits")
    if flags > 7:
        raise cursor.error(f"unknown limits {flags:#x}", offset=start)
    bits = 64 if flags & 4 else 32
    minimum = cursor.unsigned("a minimum size", bits=bits)
    maximum = cursor.unsigned("a maximum size", bits=bits) if flags & 1 else None
    if maximum is not None and maximum < minimum:
        raise cursor.error(f"a maximum size of {maximum} below the minimum of {minimum}", offset=start)
    return Limits(minimum=minimum, maximum=maximum, shared=bool(flags & 2), wide=bool(flags & 4))


def _type_index(cursor: Cursor, count: int) -> int:
    start = cursor.at
    index = cursor.unsigned("a type index")
    if index >= count:
        raise cursor.error(f"type {index} of {count}", offset=start)
    return index


def _imports(cursor: Cursor, types: list[FunctionType]) -> tuple[Import, ...]:
    imports = []
    for _ in range(cursor.count("imports")):
        module, name = cursor.text("an import's module"), cursor.text("an import's name")
        start = cursor.at
        code = cursor.byte("an import's kind")
        if code >= len(_KINDS):
            raise cursor.error(f"unknown kind {code} of an import", offset=start)
        kind, signature, limits = _KINDS[code], None, None
        if kind == "function":
            signature = types[_type_index(cursor, len(types))]
        elif kind == "table":
            value_type(cursor)
            limits = _limits(cursor)
        elif kind == "memory":
            limits = _limits(cursor)
        elif kind == "global":
            value_type(cursor)
            cursor.byte("a global's mutability")
        else:
            cursor.byte("a tag's attribute")
            signature = types[_type_index(cursor, len(types))]
        imports.append(Import(module=module, name=name, kind=kind, signature=signature, limits=limits))
    cursor.finish("the import section")
    return tuple(imports)


def _functions(cursor: Cursor, types: int) -> int:
    count = cursor.count("functions")
    for _ in range(count):
        _type_index(cursor, types)
    cursor.finish("the function section")
    return count


def _memories(cursor: Cursor) -> tuple[Limits, ...]:
    memories = tuple(_limits(cursor) for _ in range(cursor.count("memories")))
    cursor.finish("the memory section")
    return memories


def _exports(cursor: Cursor) -> tuple[Export, ...]:
    exports: dict[str, Export] = {}
    for _ in range(cursor.count("exports")):
        start = cursor.at
        name = cursor.text("an export's name")
        if name in exports:
            raise cursor.error(f"a second export {name!r}", offset=start)
        start = cursor.at
        code = cursor.byte("an export's kind")
        if code >= len(_KINDS):
            raise cursor.error(f"unknown kind {code} of an export", offset=start)
        exports[name] = Export(name=name, kind=_KINDS[code], index=cursor.unsigned("an export's index"))
    cursor.finish("the export section")
    return tuple(exports.values())


def _bodies(cursor: Cursor, imported: int, functions: int) -> tuple[Body, ...]:
    start = cursor.at
    count = cursor.count("function bodies")
    if count != functions:
        raise cursor.error(f"{count} function bodies for {functions} functions", offset=start)
    bodies = []
    for index in range(imported, imported + count):
        body = cursor.part(cursor.unsigned("a function body's size"), f"the body of function {index}")
        bodies.append(Body(index=index, offset=body.at, size=body.end - body.at))
    cursor.finish("the code section")
    return tuple(bodies)


def _names(data: bytes, source: str, sections: tuple[Section, ...]) -> dict[int, str]:
    """The functions' names of the name section; what a damaged one holds is left out, as the specification asks."""
    names: dict[int, str] = {}
    for section in sections:
        if section.custom != "name":
            continue
        start = section.offset + _name_size("name")
        cursor = Cursor(data, name=source, start=start, end=section.offset + section.size)
        try:
            while cursor.at < cursor.end:
                kind = cursor.byte("a kind of names")
                part = cursor.part(cursor.unsigned("the size of names"), "the names")
                if kind == 1:
                    for _ in range(part.count("names")):
                        index = part.unsigned("a function's index")
                        names[index] = part.text("a function's name")
        except WasmError:
            return names
    return names
