"""One C function while it is written: its pieces, and what every writer of a piece asks of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

import argosy.mpi.glue.knowledge as knowledge
from argosy.mpi.api import Parameter, Procedure
from argosy.mpi.glue.messages import Buffer, buffers


class Order(enum.IntEnum):
    """When a parameter is read; a later one may use an earlier one."""

    COMMUNICATOR = 0
    HANDLE = 1
    SCALAR = 2
    RANK = 3
    TYPE = 4
    ARRAY = 5
    DEPENDENT = 6
    BOUND = 7
    BUFFER = 8
    RESULT = 9
    LAST = 10


class NotExpressibleError(Exception):
    """The kinds do not say what to do with this procedure; the message names the parameter."""


@dataclass(kw_only=True)
class Call:
    """The pieces of one function while it is written.

    `before` holds what comes ahead of MPI's call, each piece with its place; `passed` the C expression that MPI gets
    for a parameter; `settle` what follows in any case, `after` what follows a success. `handler` and `refuse_function`
    say whose error handler hears of a wrong argument, `string_room` how long the string is that a length belongs to.
    """

    procedure: Procedure
    before: list[tuple[Order, list[str]]] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    settle: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    handler: str = "MPI_COMM_WORLD"
    refuse_function: str = "refuse"
    uses_scratch: bool = False
    string_room: str = ""

    def __post_init__(self) -> None:
        self.index = {parameter.name: place for place, parameter in enumerate(self.procedure.parameters)}
        self.buffers = {buffer.name: buffer for buffer in buffers(self.procedure)}
        self.described = {name: buffer for buffer in self.buffers.values() for name in buffer.describers}

    def add(self, order: Order, *lines: str) -> None:
        """Put lines ahead of MPI's call, at that place among the others."""
        self.before.append((order, list(lines)))

    def value(self, name: str) -> str:
        """The guest's value of a scalar parameter, as C reads it."""
        parameter = self.procedure.parameter(name)
        return f"v[{self.index[name]}].{'i64' if parameter.wasm == 'I' else 'i32'}"

    def address(self, parameter: Parameter) -> str:
        return f"(uint32_t)v[{self.index[parameter.name]}].i32"

    def refuse(self, condition: str, parameter: str, error: str) -> list[str]:
        return [
            f"    if (UNLIKELY({condition})) {{",
            f'        v[0].i32 = {self.refuse_function}({self.handler}, here, "{parameter}", {error});',
            "        goto done;",
            "    }",
        ]

    def filled(self, template: str) -> str:
        """The C expression with the guest's scalars for the names in braces."""
        return template.format(**{name: self.value(name) for name in self.index if "{" + name + "}" in template})

    def class_of(self, parameter: Parameter) -> str:
        return f"ABI_MPI_ERR_{knowledge.CLASSES.get(parameter.kind, 'ARG')}"

    def length(self, parameter: Parameter) -> str:
        """The C expression for an array's number of elements."""
        stated = knowledge.LENGTHS.get((self.procedure.base, parameter.name))
        if stated is not None:
            return self.filled(stated)
        described = self.described.get(parameter.name)
        if described is not None:
            return self.times(described)
        if parameter.length in self.index:
            value = self.value(parameter.length)
            return f"3 * (int64_t){value}" if parameter.array == "[][3]" else value
        raise NotExpressibleError(f"the length of {parameter.name} of {self.procedure.name}")

    def times(self, buffer: Buffer) -> str:
        return self.value(buffer.times) if buffer.times in self.index else buffer.times

    def shared_count(self, buffer: Buffer) -> str:
        if buffer.count.isdigit():
            return buffer.count
        parameter = self.procedure.parameter(buffer.count)
        return parameter.name if parameter.array else self.value(parameter.name)
