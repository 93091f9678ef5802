"""A place in a wasm file: numbers, names and value types read with every length checked before it is used."""

from __future__ import annotations

from argosy.errors import ArgosyError

_NAME_BYTES = (
    100_000  # longest name that engines accept (WebAssembly JavaScript Interface, "Implementation-defined Limits")
)
_VALUE_TYPES = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
    0x69: "exnref",
}


class WasmError(ArgosyError):
    """The bytes are not a module that can be read; `offset` is where in the file."""

    def __init__(self, what: str, *, name: str, offset: int) -> None:
        super().__init__(
            f"{name} is not a wasm module that can be read: {what} at byte {offset:#x}",
            advice="the file is cut short or damaged, or is no wasm; build or pull it again",
        )
        self.offset = offset


class Cursor:
    """A place in a file and the end of the part that may be read; moving past the end is an error."""

    def __init__(self, data: bytes, *, name: str, start: int = 0, end: int | None = None) -> None:
        self.data = data
        self.name = name
        self.at = start
        self.end = len(data) if end is None else end

    def error(self, what: str, *, offset: int | None = None) -> WasmError:
        """An error about what is at `offset`, by default here."""
        return WasmError(what, name=self.name, offset=self.at if offset is None else offset)

    def take(self, size: int, what: str) -> bytes:
        """The next `size` bytes, which are `what`."""
        if size > self.end - self.at:
            raise self.error(f"{what} ends after {self.end - self.at} of its {size} bytes")
        self.at += size
        return self.data[self.at - size : self.at]

    def byte(self, what: str) -> int:
        """The next byte."""
        return self.take(1, what)[0]

    def unsigned(self, what: str, *, bits: int = 32) -> int:
        """An unsigned LEB128 number of at most `bits` bits (specification, "Integers")."""
        if self.at < self.end and (byte := self.data[self.at]) < 0x80:
            self.at += 1  # by far the most are of one byte
            return byte
        start = self.at
        value, _ = self._leb128(what, bits)
        if value >> bits:
            raise self.error(f"{what} is a number of more than {bits} bits", offset=start)
        return value

    def signed(self, what: str, *, bits: int) -> int:
        """A signed LEB128 number of at most `bits` bits."""
        start = self.at
        value, width = self._leb128(what, bits)
        if value >> (width - 1):
            value -= 1 << width
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise self.error(f"{what} is a number of more than {bits} bits", offset=start)
        return value

    def _leb128(self, what: str, bits: int) -> tuple[int, int]:
        """The bits that come next and how many they are: seven a byte, in no more bytes than `bits` need."""
        start, value, width = self.at, 0, 0
        while width < bits:
            byte = self.byte(what)
            value |= (byte & 0x7F) << width
            width += 7
            if not byte & 0x80:
                return value, width
        raise self.error(f"{what} is a number of more than {bits} bits", offset=start)

    def count(self, what: str) -> int:
        """How many `what` follow; each takes at least a byte, so a larger number than bytes left is a lie."""
        start = self.at
        count = self.unsigned(f"the number of {what}")
        if count > self.end - self.at:
            raise self.error(f"{count} {what} are announced in {self.end - self.at} bytes", offset=start)
        return count

    def text(self, what: str) -> str:
        """A name: its length in bytes, then UTF-8."""
        start = self.at
        size = self.unsigned(f"the length of {what}")
        if size > _NAME_BYTES:
            raise self.error(f"{what} is longer than {_NAME_BYTES} bytes", offset=start)
        try:
            return self.take(size, what).decode()
        except UnicodeDecodeError:
            raise self.error(f"{what} is not UTF-8", offset=start) from None

    def part(self, size: int, what: str) -> Cursor:
        """A cursor on the next `size` bytes alone; this one goes on after them."""
        start = self.at
        if size > self.end - start:
            raise self.error(f"{what} announces {size} bytes where {self.end - start} are left")
        self.at += size
        return Cursor(self.data, name=self.name, start=start, end=self.at)

    def finish(self, what: str) -> None:
        """Nothing may be left."""
        if self.at != self.end:
            raise self.error(f"{what} has {self.end - self.at} bytes too many")


def value_type(cursor: Cursor) -> str:
    """The name of the value type that comes next."""
    start = cursor.at
    code = cursor.byte("a value type")
    if code in (0x63, 0x64):
        cursor.signed("a heap type", bits=33)
        return "ref"
    if code not in _VALUE_TYPES:
        raise cursor.error(f"unknown value type {code:#x}", offset=start)
    return _VALUE_TYPES[code]
