"""Draws sequences of MPI calls: mostly well formed, so that deep states are reached, and wrong ones among them.

Arguments are drawn by the kinds of the standard's database, so a procedure that is newly bound comes in by itself.
Handles live in cells; the model knows which cells probably hold one, and what made it. `stories` are orders of calls
that chance would seldom find: a datatype freed while a message uses it, a handler that frees itself.
"""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import adversary
import fuzz_stories
from fuzz_guest import ARENA, CELLS, CLASSES, FAMILIES, SPECIAL, Argument, record

from argosy.mpi import abi
from argosy.mpi.api import Parameter, Procedure

# They end the job, wait for others, or fill the disk as they are asked to.
EXCLUDED = re.compile(
    "|".join(sorted(adversary.LEFT_OUT - {"MPI_Intercomm_create"}))
    + r"|MPI_Comm_(spawn|spawn_multiple|accept|connect|join)|MPI_(Open|Close)_port|MPI_(Unp|P)ublish_name"
    + r"|MPI_Lookup_name|MPI_Session_finalize"
)
# They wait for what other calls do: drawn in stories only, or with a wrong argument.
_IN_STORIES = {"MPI_Win_start", "MPI_Win_complete", "MPI_Win_wait", "MPI_Comm_disconnect", "MPI_Intercomm_create"}

_DATA, _POKES, _RESULTS, _PAGE = 0, 1 << 20, 5 << 18, 1 << 12
_CONSTANTS = {name: value for values in abi.INTEGERS.values() for name, value in values.items()}
_HANDLES = {name: value for handle in abi.HANDLES for name, value in handle.values.items()}
_OF_KIND: Mapping[str, Sequence[int]] = {
    "ACCESS_MODE": (34, 34, 34, 35, 2 | 32 | 1, 2 | 256, 2 | 32 | 4, 16, 32, 2 | 32 | 64, 2 | 32 | 8),
    "ASSERT": (0, 0, 0, *abi.WINDOW_MODES.values()),
    "LOCK_TYPE": tuple(abi.LOCK_TYPES.values()),
    "UPDATE_MODE": tuple(abi.SEEKS.values()),
    "SPLIT_TYPE": (*abi.SPLIT_TYPES.values(), -32766),
    "THREAD_LEVEL": tuple(abi.THREAD_LEVELS.values()),
    "ORDER": tuple(abi.ORDERS.values()),
    "TYPECLASS": tuple(abi.TYPECLASSES.values()),
    "TYPECLASS_SIZE": (1, 2, 4, 8, 16),
    "COLOR": (0, 0, 1, -32766),
    "KEY": (0, 1, -1),
    "LOGICAL": (0, 1),
    "NUM_DIMS": (1, 1, 2, 0),
    "COMM_SIZE": (1, 1, 2, 4),
    "COMM_SIZE_PI": (1, 1, 2),
    "WINDOW_SIZE": (0, 16, 256, 4096),
    "RMA_DISPLACEMENT_NNI": (0, 0, 1, 4, 8),
    "POLYRMA_DISPLACEMENT": (1, 1, 4, 8),
    "OFFSET": (0, 0, 1, 8, 64, 1000),
    "PARTITION": (0, 0, 1, 2),
    "POLYNUM_BYTES_NNI": (0, 64, 1024, 4096, 16384),
    "POLYDTYPE_PACK_SIZE": (0, 64, 1024, 4096),
    "POLYDTYPE_STRIDE_BYTES": (0, 4, 8, 32, -16),
    "POLYDISPLACEMENT_AINT_COUNT": (0, 0, 4, -4, 16, 64),
    "POLYNUM_PARAM_VALUES": (64, 64, 64, 8, 1, 0),
    "INFO_VALUE_LENGTH": (0, 1, 64, 1023),
    "MATH": (1, 4, 6, 9, 15, 30),
    "ERROR_CODE": (0, 1, 5, 16, 13, 0x4000, 0x4001),
    "ERROR_CLASS": (1, 13, 0x4000, 0x4001),
}
_COUNTS = (0, 1, 1, 2, 3, 4, 16)
_LENGTHS = (0, 1, 1, 2, 3, 4)
_INTEGERS = (
    *(-1, -2, -3, -4, -5, -32766, 0, 1, 2, 3, 7, 100, 1000, 0x10000, 0x1000000, 0x3FFFFFFF, 0x40000000, 0x7FFFFFFE),
    *(0x7FFFFFFF, -0x80000000, -0x7FFFFFFF),
)
_LARGE = (*_INTEGERS, 1 << 31, 1 << 32, 1 << 62, (1 << 63) - 1, -(1 << 63), -(1 << 40), (1 << 61) + 1, 0xFFFFFFFF)
_POINTERS: tuple[Argument, ...] = (
    *(("number", value) for value in (0, 1, 2, 3, 10, 11, 64, 0xFFFFFFFF, 0xFFFFFFFC, 0xFFFFFFF0, 0x80000000)),
    *(("end", value) for value in (0, -1, -2, -3, -4, -8, -31, -32, -4096, 4096)),
    *(("arena", value) for value in (0, 1, 3, ARENA - 1, _POKES)),
)
_STRINGS: Mapping[str, Sequence[bytes]] = {
    "filename": (b"data0", b"data1", b"data2", b"data0", b"no/data", b".", b"", b"../a", b"ufs:data0", b"nfs:data1"),
    "datarep": (b"native", b"native", b"external32", b"external32", b"internal", b"mine", b""),
    "key": (
        *(b"cb_buffer_size", b"cb_nodes", b"ind_rd_buffer_size", b"ind_wr_buffer_size", b"striping_unit"),
        *(b"striping_factor", b"romio_cb_read", b"romio_cb_write", b"romio_ds_read", b"romio_ds_write", b"no_locks"),
        *(b"romio_no_indep_rw", b"romio_min_fdomain_size", b"cb_config_list", b"romio_visibility_immediate"),
        *(b"same_size", b"same_disp_unit", b"accumulate_ops", b"accumulate_ordering", b"alloc_shared_noncontig"),
        *(b"mpi_assert_no_any_tag", b"mpi_assert_allow_overtaking", b"mpi_assert_exact_length",
            b"mpi_hw_resource_type"),
        *(b"mpi_minimum_memory_alignment", b"mpi_memory_alloc_kinds", b"mpi_assert_memory_alloc_kinds", b"vci"),
        *(b"access_style", b"collective_buffering", b"cb_block_size", b"chunked", b"io_node_list", b"", b"a"),
        *(b"thread_level", b"mpi_size", b"wdir", b"path", b"soft", b"host", b"k" * 254, b"k" * 255, b"k" * 300),
    ),
    "value": (
        *(b"true", b"false", b"enable", b"disable", b"automatic", b"0", b"1", b"-1", b"64", b"4096", b"same_op"),
        *(b"2147483647", b"2147483648", b"9223372036854775807", b"99999999999999999999", b"rar,war", b"none", b""),
        *(b"*:1", b"*:*", b"host:0", b"read_once,write_once", b"system:default", b"mpi,system", b"%s%n", b"v" * 1023),
        b"v" * 1100,
    ),
}  # fmt: skip
_TEXTS = (b"text", b"a", b"", b"%s%n%s", b"n" * 127, b"n" * 128, b"n" * 600, b"mpi://WORLD", b"mpi://SELF")
_FAMILY = (
    ("copy_attr", "copier"), ("delete_attr", "deleter"), ("errhandler", "handler"), ("user_function", "operation"),
    ("grequest_query", "query"), ("grequest_free", "release"), ("grequest_cancel", "cancel"),
    ("datarep_conversion", "convert"), ("datarep_extent", "extent"), ("event_cb", "operation"),
)  # fmt: skip
_MADE_BY = (
    (r"MPI_Cart_(?!create|map)|MPI_Cartdim", r"MPI_Cart_(create|sub)"),
    (r"MPI_Graph_(?!create|map)|MPI_Graphdims", "MPI_Graph_create"),
    (r"MPI_Dist_graph_neigh", r"MPI_Dist_graph_create\w*"),
    (r"MPI_I?neighbor", r"MPI_\w*(Cart|Graph|graph)_create\w*"),
    (r"MPI_Start(all)?|MPI_Request_free", r"MPI_\w+_init"),
    (r"MPI_Pready\w*", "MPI_Psend_init"),
    (r"MPI_Parrived", "MPI_Precv_init"),
    (r"MPI_Grequest_complete", "MPI_Grequest_start"),
)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One step: a call with its arguments and what is written into the arena for it; or a special step."""

    name: str
    arguments: tuple[Argument, ...]
    pokes: tuple[tuple[int, bytes], ...] = ()
    inner: Call | None = None  # what a function of the guest does when it is called

    def packed(self, numbers: Mapping[str, int]) -> bytes:
        """The step as the guest reads it."""
        pokes = [record(SPECIAL["poke"], (("arena", at), ("number", len(text))), text) for at, text in self.pokes]
        tail = b""
        if self.inner is not None:
            body = self.inner.packed(numbers)
            tail = struct.pack("<I", len(body)) + body
        number = SPECIAL[self.name] if self.name in SPECIAL else numbers[self.name]
        return b"".join(pokes) + record(number, self.arguments, tail)

    def __str__(self) -> str:
        written = "".join(f"arena[{at:#x}] = {_shown(text)}; " for at, text in self.pokes)
        arguments = ", ".join(_spelled(*argument) for argument in self.arguments)
        inside = f" {{ {self.inner} }}" if self.inner is not None else ""
        return f"{written}{self.name}({arguments}){inside}"


def _shown(text: bytes) -> str:
    if len(text) % 4 == 0 and not all(31 < byte < 127 for byte in text.rstrip(b"\0")):
        return "{" + ", ".join(map(str, struct.unpack(f"<{len(text) // 4}i", text))) + "}"
    return f'"{text.rstrip(bytes(1)).decode("latin-1")}"'


def _spelled(tag: str, value: int) -> str:
    if tag in ("cell", "at"):
        name = list(CLASSES)[value // CELLS].lower()
        return f"{'&' * (tag == 'at')}{name}[{value % CELLS}]"
    if tag == "function":
        return f"{FAMILIES[value // 4]}_{value % 4}"
    if tag == "number":
        return str(value) if abs(value) < 4096 else hex(value)
    return f"{tag}{value:+#x}" if tag != "peer" else f"peer({value})"


class Drawer:
    """Draws one sequence. The same generator, procedures and number of ranks give the same calls."""

    def __init__(self, chance: random.Random, procedures: Sequence[Procedure], *, ranks: int = 1) -> None:
        self.chance, self.ranks = chance, ranks
        self.procedures = {p.name: p for p in procedures if not EXCLUDED.fullmatch(p.base)}
        self.free = [p for p in self.procedures.values() if p.base not in _IN_STORIES]
        self.weights = [_weight(procedure) for procedure in self.free]
        self.made: dict[tuple[str, int], str] = {}  # what made the handle in a cell: class, place
        self.stories = [story for story in fuzz_stories.STORIES if ranks > 1 or not story.startswith("two:")]

    def sequence(self, length: int) -> list[Call]:
        """About so many calls."""
        calls: list[Call] = []
        while len(calls) < length:
            drawn = self.chance.random()
            if drawn < 0.3:
                calls += self._story(self.chance.choice(self.stories))
            elif drawn < 0.33:
                calls.append(Call(name="copy", arguments=(self._cell("at", "STALE"), self._any_cell())))
            elif drawn < 0.333:
                calls.append(Call(name="grow", arguments=(("number", 1),)))
            else:
                calls.append(self._free_call())
        if self.chance.random() < 0.5:
            calls.append(Call(name="finalize", arguments=()))
        return calls

    def _free_call(self) -> Call:
        procedure = self.chance.choices(self.free, self.weights)[0]
        wrong = self.chance.choice((1, 1, 1, 2, 9)) if self.chance.random() < 0.25 else 0
        return self._call(procedure, {}, wrong)

    # --- one call ------------------------------------------------------------------------------------------------

    def _call(self, procedure: Procedure, given: Mapping[str, Argument], wrong: int) -> Call:
        pokes: list[tuple[int, bytes]] = []
        arguments: list[Argument] = []
        chosen = self.chance.sample(range(99), wrong) if 0 < wrong < 9 else []
        spoiled = {place % len(procedure.parameters) for place in chosen} if procedure.parameters else set()
        for place, parameter in enumerate(procedure.parameters):
            if place in spoiled or wrong == 9:
                arguments.append(self._wrong(parameter))
            elif parameter.name in given:
                arguments.append(given[parameter.name])
            else:
                arguments.append(self._right(procedure, parameter, place, pokes))
        return Call(name=procedure.name, arguments=tuple(arguments), pokes=tuple(pokes))

    def _right(
        self, procedure: Procedure, parameter: Parameter, place: int, pokes: list[tuple[int, bytes]]
    ) -> Argument:
        chance, kind, name = self.chance, parameter.kind, parameter.name
        if kind in abi.HANDLE_OF_KIND:
            return self._handle(procedure, parameter, place, pokes)
        if kind == "KEYVAL":
            of = procedure.base.split("_")[1].upper() + "_KEYVAL"
            of = of if of in CLASSES else "COMM_KEYVAL"
            if parameter.is_pointer:
                return self._cell("at", of)
            return chance.choice((("number", chance.choice((501, 502, 506, 601, 603))), *[self._cell("cell", of)] * 4))
        if kind in ("ERROR_CODE", "ERROR_CLASS") and (parameter.is_pointer or chance.random() < 0.3):
            return self._cell("at" if parameter.is_pointer else "cell", "CODE")
        if parameter.kind.endswith("FUNCTION") or parameter.c_type.endswith("function"):
            return self._function(parameter)
        if kind == "STRING" and parameter.direction == "in":
            text = chance.choice(_STRINGS.get(name, _TEXTS)) + b"\0"
            pokes.append((_POKES + place * _PAGE, text))
            return ("arena", _POKES + place * _PAGE)
        if kind == "STATUS" and chance.random() < 0.4 and parameter.direction == "out":
            return ("number", 0)
        if kind == "BUFFER":
            if chance.random() < 0.06:
                return ("number", chance.choice((0, 1)))
            return ("arena", _DATA + chance.randrange(64) * 4 * _PAGE + _PAGE + chance.choice((0, 0, 0, 8, 1)))
        if parameter.is_pointer:
            return self._array(procedure, parameter, place, pokes)
        return self._scalar(procedure, parameter)

    def _function(self, parameter: Parameter) -> Argument:
        kind = parameter.c_type.lower()
        family = next((family for word, family in _FAMILY if word in kind), "strange")
        return ("function", 4 * FAMILIES.index(family) + self.chance.randrange(4))

    def _scalar(self, procedure: Procedure, parameter: Parameter) -> Argument:
        chance, kind, name = self.chance, parameter.kind, parameter.name
        if kind in ("RANK", "RANK_NNI"):
            others = [0] * 8 + [-3] * (name in ("dest", "source", "target_rank")) + [-1] * (name == "source")
            if self.ranks > 1 and name in ("dest", "source", "target_rank"):
                return ("peer", chance.choice((0, 0, 1)))
            return ("number", chance.choice(others if self.ranks == 1 else [*others, 1, 1]))
        if kind == "TAG":
            return (
                "number",
                chance.choice((0, 0, 1, 2, -2 if "source" in _names(procedure) and name != "sendtag" else 0)),
            )
        if kind in _OF_KIND:
            return ("number", chance.choice(_OF_KIND[kind]))
        lengths = kind.startswith("ARRAY_LENGTH")
        return ("number", chance.choice(_LENGTHS if lengths else _COUNTS))

    def _array(
        self, procedure: Procedure, parameter: Parameter, place: int, pokes: list[tuple[int, bytes]]
    ) -> Argument:
        chance, name = self.chance, parameter.name
        if parameter.kind == "WEIGHT" and chance.random() < 0.5:
            return ("number", chance.choice((10, 11)))
        size = 8 if parameter.c_type in ("MPI_Count", "MPI_Offset") else 4
        if parameter.direction == "out":
            return ("arena", _RESULTS + place * _PAGE)
        length = 16 if parameter.array else 1
        if "ranges" in name:
            values = [0, 0, 1] * 8
        elif parameter.kind in ("RANK", "RANK_NNI"):
            values = [
                chance.randrange(self.ranks) if procedure.base != "MPI_Group_incl" else place for place in range(length)
            ]
        elif name in ("index", "degrees", "dims") or "psizes" in name:
            values = [1] * length
        elif "gsizes" in name or name == "array_of_sizes":
            values = [4] * length
        elif "subsizes" in name:
            values = [chance.choice((1, 2, 4)) for _ in range(length)]
        elif "starts" in name:
            values = [0] * length
        elif parameter.kind == "DISTRIB_ENUM":
            values = [chance.choice((16, 17, 18)) for _ in range(length)]
        elif parameter.kind == "DTYPE_DISTRIBUTION":
            values = [19] * length
        elif "DISPL" in parameter.kind and parameter.array:
            step = chance.choice((1, 4, 8, 16))
            values = [step * place for place in range(length)]
        else:
            values = [chance.choice((0, 1, 1, 2)) for _ in range(length)]
        pokes.append(
            (_POKES + place * _PAGE, b"".join(value.to_bytes(size, "little", signed=True) for value in values))
        )
        return ("arena", _POKES + place * _PAGE)

    # --- handles -------------------------------------------------------------------------------------------------

    def _cell(self, tag: str, of: str, place: int | None = None) -> Argument:
        place = self.chance.randrange(8) if place is None else place
        return (tag, CLASSES[of] * CELLS + place)

    def _any_cell(self) -> Argument:
        of, place = self.chance.choice([*self.made] or [("GROUP", 0)])
        return self._cell("cell", of, place)

    def _handle(
        self, procedure: Procedure, parameter: Parameter, place: int, pokes: list[tuple[int, bytes]]
    ) -> Argument:
        chance, kind = self.chance, parameter.kind
        if parameter.array and kind == "DATATYPE" and parameter.direction == "in":
            if chance.random() < 0.3:
                return self._cell("at", kind)
            types = [chance.choice((0x209, 0x214, 0x247, 0x209)) for _ in range(16)]
            pokes.append((_POKES + place * _PAGE, struct.pack("<16i", *types)))
            return ("arena", _POKES + place * _PAGE)
        if parameter.direction == "out" and not parameter.array:
            fresh = chance.randrange(24)
            self.made[kind, fresh] = procedure.base
            return self._cell("at", kind, fresh)
        wanted = next((by for pattern, by in _MADE_BY if re.fullmatch(pattern + r"\w*", procedure.base)), "")
        known = [cell for (of, cell) in self.made if of == kind]
        fitting = [cell for cell in known if wanted and re.fullmatch(wanted, self.made[kind, cell])]
        if parameter.is_pointer:
            cell = chance.choice(fitting or known or [0])
            if "free" in procedure.base or "close" in procedure.base:
                self.made.pop((kind, cell), None)
            return self._cell("at", kind, cell)
        predefined = _PREDEFINED.get(kind, ())
        if predefined and not fitting and (not known or chance.random() < _STANDARD.get(kind, 0.3)):
            return ("number", chance.choice(predefined))
        return self._cell("cell", kind, chance.choice(fitting or known or [0]))

    def _wrong(self, parameter: Parameter) -> Argument:
        chance = self.chance
        if parameter.kind.endswith("FUNCTION"):
            return chance.choice((("number", 0), ("number", 1), ("number", 99999), ("function", 36)))
        if parameter.is_pointer:
            other = self._cell("at", chance.choice([*CLASSES]), chance.randrange(CELLS))
            return chance.choice((*_POINTERS, other, other, other, ("at", len(CLASSES) * CELLS - 1)))
        if parameter.kind in abi.HANDLE_OF_KIND:
            number = chance.choice(
                (0, 1, 0x3FF, 0x400, 0xFFFFF, 0x100000, 0x100001, 0x200003, -1, 1 << 31, *_SAFE_HANDLES)
            )
            stale = self._cell("cell", "STALE")
            return chance.choice((("number", number), stale, stale, self._any_cell(), self._any_cell()))
        if parameter.name in ("dest", "source"):  # without the one that would be waited for
            return ("number", chance.choice((-2, -4, 1000, 0x7FFFFFFF, -0x80000000)))
        return ("number", chance.choice(_LARGE if parameter.wasm == "I" else _INTEGERS))

    # --- stories -------------------------------------------------------------------------------------------------

    def _story(self, text: str) -> Iterator[Call]:
        cells: dict[str, int] = {}
        for line in text.strip().splitlines():
            words = line.split()
            if words[0] == "two:":
                continue
            if words[0] == "?":
                words = words[1:]
                if self.chance.random() < 0.5:
                    continue
            if self.chance.random() < 0.04:
                continue
            if self.chance.random() < 0.1:
                yield self._free_call()
            body = None
            if words[0].startswith("@"):
                body, words = words[0][1:], words[1:]
            if words[0] == "grow":
                yield Call(name="grow", arguments=(("number", 1),))
                continue
            if words[0] == "copy":
                source = self._resolved(words[1], False, cells)
                yield Call(name="copy", arguments=(self._cell("at", "STALE"), source))
                continue
            procedure = self.procedures.get(words[0])
            if procedure is None:
                return
            given = {}
            for word in words[1:]:
                name, value = word.split("=")
                if name not in _names(procedure):
                    raise KeyError(f"{procedure.name} has no parameter {name}")
                given[name] = self._resolved(value, procedure.parameter(name).is_pointer, cells)
            call = self._call(procedure, given, 1 if self.chance.random() < 0.05 else 0)
            yield call if body is None else Call(name="body", arguments=(("number", _body(body)),), inner=call)

    def _resolved(self, value: str, pointer: bool, cells: dict[str, int]) -> Argument:
        if "|" in value:
            value = self.chance.choice(value.split("|"))
        if value.startswith("$"):
            of = _CLASS_NAMES[value[1:].rstrip("0123456789")]
            cells.setdefault(value, self.chance.randrange(24, CELLS) if of != "REQUEST" else 24 + 4 * len(cells))
            if value[-1:].isdigit() and int(value[-1]) > 0 and value[:-1] + "0" in cells and of == "REQUEST":
                cells[value] = cells[value[:-1] + "0"] + int(value[-1])  # side by side, for arrays of them
            self.made.setdefault((of, cells[value]), "MPI_story") if of in abi.HANDLE_OF_KIND else None
            return self._cell("at" if pointer else "cell", of, cells[value])
        if value.startswith("buffer"):
            return ("arena", 4 * _PAGE * int(value[6:] or 0) + _PAGE)
        if value in _CONSTANTS or value in _HANDLES:
            return ("number", _CONSTANTS.get(value, _HANDLES.get(value, 0)))
        if value == "peer":
            return ("peer", 0) if self.ranks > 1 else ("number", 0)
        if value[:-1] in FAMILIES:
            return ("function", _body(value))
        return ("number", int(value, 0))


def _body(name: str) -> int:
    return 4 * FAMILIES.index(name[:-1]) + int(name[-1])


def _names(procedure: Procedure) -> list[str]:
    return [parameter.name for parameter in procedure.parameters]


def _weight(procedure: Procedure) -> float:
    weight = 0.5 if procedure.large else 1.0
    kinds = {parameter.kind for parameter in procedure.parameters if parameter.direction != "in"}
    if kinds & (set(abi.HANDLE_OF_KIND) - {"REQUEST"}):
        weight *= 2 if "free" in procedure.base else 4
    if re.fullmatch(r"MPI_(Wait|Test|Start)\w*|MPI_Request_free|MPI_Cancel", procedure.base):
        weight *= 6
    if procedure.base.startswith("MPI_T_"):
        weight *= 0.4
    return weight


_PREDEFINED: Mapping[str, Sequence[int]] = {
    "COMMUNICATOR": (0x101, 0x102, 0x102),
    "DATATYPE": (*[0x209, 0x214, 0x247] * 8, *abi.DATATYPES.values()),
    "OPERATION": (*[0x21, 0x23] * 3, *abi.OPERATIONS.values()),
    "INFO": (0x130, 0x130, 0x131),
    "ERRHANDLER": (*[0x143] * 30, 0x140, 0x141),
    "GROUP": (0x109,),
}
_STANDARD = {"DATATYPE": 0.6, "OPERATION": 0.8, "INFO": 0.6, "GROUP": 0.1, "ERRHANDLER": 0.5}
_SAFE_HANDLES = tuple(
    value for handle in abi.HANDLES if handle.kind != "ERRHANDLER" for value in handle.values.values()
)
_CLASS_NAMES = {handle.name: handle.kind for handle in abi.HANDLES} | {
    "commkey": "COMM_KEYVAL", "typekey": "TYPE_KEYVAL", "winkey": "WIN_KEYVAL", "type": "DATATYPE", "code": "CODE",
}  # fmt: skip
