"""The MPI standard's C procedures as data, projected from the MPI Forum's machine-readable API.

Source: `pympistandard`, the Forum's own database (MPI 5.0). Every C function is one `Procedure`; the large-count form
of a procedure is a `Procedure` of its own, whose name ends in `_c`. Loading takes about 0.15 s, once a process.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pympistandard

_WASM_TYPES = {"MPI_Count": "I", "MPI_Offset": "I", "double": "F"}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter in C.

    `kind` is the standard's (`COMMUNICATOR`, `POLYXFER_NUM_ELEM_NNI`); `direction` is `in`, `out` or `inout`; `c_type`
    lacks stars, which `stars` counts; `array` holds the brackets after the name, if any; `length` is what the database
    says of an array's length (a parameter's name, a constant, `*`), `root_only` that only the root's value counts.
    """

    name: str
    kind: str
    direction: str
    c_type: str
    stars: int
    array: str
    constant: bool
    length: str | None
    root_only: bool
    declaration: str

    @property
    def is_pointer(self) -> bool:
        """Whether an address is passed."""
        return self.stars > 0 or self.array != "" or self.kind in _POINTER_KINDS

    @property
    def wasm(self) -> str:
        """The WebAssembly type on wasm32, as signatures spell it: `i` (i32), `I` (i64), `F` (f64)."""
        return "i" if self.is_pointer else _WASM_TYPES.get(self.c_type, "i")


# The database gives MPI_Info_create_env's argument list as characters; the standard's text as an array of strings.
_DECLARATIONS = {("argv", "[]", "ARGUMENT_LIST"): "char *argv[]"}
_POINTER_KINDS = frozenset({"EVENT_CB_FUNCTION", "EVENT_DROP_CB_FUNCTION", "EVENT_FREE_CB_FUNCTION"})


@dataclass(frozen=True, kw_only=True)
class Procedure:
    """One C function of the standard: `base` is its name without `_c`, `large` that it is the large-count form."""

    name: str
    base: str
    large: bool
    parameters: tuple[Parameter, ...]
    return_kind: str
    return_type: str
    declaration: str
    variadic: bool

    @property
    def signature(self) -> str:
        """The WebAssembly signature on wasm32: parameters, colon, results (`iiI:i`)."""
        result = _WASM_TYPES.get(self.return_type, "i")
        return f"{''.join(parameter.wasm for parameter in self.parameters)}:{result}"

    def parameter(self, name: str) -> Parameter:
        """The parameter of that name; raises KeyError."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise KeyError(f"{self.name} has no parameter {name}")


@functools.cache
def procedures() -> Mapping[str, Procedure]:
    """Every C function of the standard by name, in alphabetical order: 531 and 159 large-count forms."""
    pympistandard.use_api_version(1, force_bundled=True)
    found: dict[str, Procedure] = {}
    for entry in pympistandard.all_iso_c_procedures():
        small = entry.express.iso_c
        found[small.name] = _procedure(small, small.name, large=False)
        if entry.has_embiggenment():
            big = entry.express.embiggen.iso_c
            found[big.name] = _procedure(big, small.name, large=True)
    return dict(sorted(found.items()))


def _procedure(symbol: Any, base: str, *, large: bool) -> Procedure:
    every = tuple(_parameter(parameter) for parameter in symbol.parameters)
    parameters = tuple(parameter for parameter in every if parameter.kind != "VARARGS")
    variadic = len(parameters) < len(every)
    listed = [parameter.declaration for parameter in parameters] + ["..."] * variadic
    return Procedure(
        name=symbol.name,
        base=base,
        large=large,
        parameters=parameters,
        return_kind=symbol.return_kind.name,
        return_type=symbol.return_type,
        declaration=f"{symbol.return_type} {symbol.name}({', '.join(listed) or 'void'})",
        variadic=variadic,
    )


def _parameter(parameter: Any) -> Parameter:
    raw = parameter._parseset
    length = raw["length"]
    return Parameter(
        name=parameter.name,
        kind=raw["kind"].upper(),
        direction=parameter.direction.value.lower(),
        c_type=parameter.base_type,
        stars=parameter.pointer_level,
        array=parameter.array,
        constant=bool(parameter.constant),
        length=length[0] if isinstance(length, list) else length,
        root_only=bool(raw["root_only"]),
        declaration=_DECLARATIONS.get((parameter.name, parameter.array, raw["kind"]), str(parameter)),
    )
