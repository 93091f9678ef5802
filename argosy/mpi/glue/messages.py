"""Where the bytes of each message buffer are: which counts, datatypes and displacements speak of it, and for whom.

The standard's database names the parameters; which of them belong together, and how many ranks they are for, is in the
standard's prose. This module states it once for a family (MPI_Gather, MPI_Igather, MPI_Gather_init and their `_c`).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from argosy.mpi.api import Procedure


class Extent(enum.Enum):
    """How far a buffer reaches."""

    PLAIN = "count elements"
    TIMES = "count elements for each of several ranks"
    VECTOR = "counts[i] elements at displs[i] extents"
    TYPES = "counts[i] elements of types[i] at displs[i] bytes"
    PACKED = "counts[i] elements, one rank's after the other"
    OWN = "the caller's share of counts"
    BYTES = "count bytes"


class Role(enum.Enum):
    """Who reads or writes the buffer: in a rooted collective, or with an operation that takes no operand."""

    EVERYONE = "everyone"
    ROOT = "roles.root"
    LEAF = "roles.leaf"
    EITHER = "(roles.root || roles.leaf)"
    OPERAND = "gives_operand"


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """One message buffer: its parameter, and the parameters that describe it.

    `times` is the C expression for the number of ranks; `in_place` says that MPI_IN_PLACE may stand for the buffer;
    `alone` that its counts, displacements and datatypes are its own, and ignored when the buffer is.
    """

    name: str
    extent: Extent
    count: str
    type: str = ""
    displs: str = ""
    times: str = "1"
    role: Role = Role.EVERYONE
    in_place: bool = False
    alone: bool = False

    @property
    def describers(self) -> tuple[str, ...]:
        """The parameters that describe the buffer."""
        return tuple(name for name in (self.count, self.displs, self.type) if name and not name.isdigit())


def _side(side: str, extent: Extent, *, times: str = "1", role: Role = Role.EVERYONE, in_place: bool = False) -> Buffer:
    """A buffer of the usual names: sendbuf, sendcount(s), (s)displs, sendtype(s)."""
    many = extent in (Extent.VECTOR, Extent.TYPES)
    return Buffer(
        name=f"{side}buf",
        extent=extent,
        count=f"{side}count{'s' * many}",
        type=f"{side}type{'s' * (extent is Extent.TYPES)}",
        displs=f"{side[0]}displs" if many else "",
        times=times,
        role=role,
        in_place=in_place,
        alone=True,
    )


def _alike(name: str, extent: Extent = Extent.PLAIN, *, role: Role = Role.EVERYONE, in_place: bool = False) -> Buffer:
    return Buffer(name=name, extent=extent, count="count", type="datatype", role=role, in_place=in_place)


_PEERS, _IN, _OUT = "comm->peers", "comm->in_degree", "comm->out_degree"
_OWN_DISPLS = {"sdispls": "displs", "rdispls": "displs"}


def _window(side: str, *, role: Role = Role.EVERYONE) -> Buffer:
    """A local buffer of one-sided communication: origin_addr, origin_count, origin_datatype."""
    names = (f"{side}_addr", f"{side}_count", f"{side}_datatype")
    return Buffer(name=names[0], extent=Extent.PLAIN, count=names[1], type=names[2], role=role, alone=True)


def _single(name: str, *, role: Role = Role.EVERYONE) -> Buffer:
    """A buffer of one element."""
    return Buffer(name=name, extent=Extent.PLAIN, count="1", type="datatype", role=role)


def _displs(buffer: Buffer) -> Buffer:
    """The same with the name that procedures with one array of displacements give it."""
    return Buffer(**{**buffer.__dict__, "displs": _OWN_DISPLS[buffer.displs]})


_REDUCTION = (_alike("sendbuf", in_place=True), _alike("recvbuf"))
_P, _T, _V, _W = Extent.PLAIN, Extent.TIMES, Extent.VECTOR, Extent.TYPES

_FAMILIES: Mapping[str, tuple[Buffer, ...]] = {
    "bcast": (Buffer(name="buffer", extent=_P, count="count", type="datatype", role=Role.EITHER),),
    "gather": (
        _side("send", _P, role=Role.LEAF, in_place=True),
        _side("recv", _T, times=_PEERS, role=Role.ROOT),
    ),
    "gatherv": (
        _side("send", _P, role=Role.LEAF, in_place=True),
        _displs(_side("recv", _V, times=_PEERS, role=Role.ROOT)),
    ),
    "scatter": (
        _side("send", _T, times=_PEERS, role=Role.ROOT),
        _side("recv", _P, role=Role.LEAF, in_place=True),
    ),
    "scatterv": (
        _displs(_side("send", _V, times=_PEERS, role=Role.ROOT)),
        _side("recv", _P, role=Role.LEAF, in_place=True),
    ),
    "allgather": (_side("send", _P, in_place=True), _side("recv", _T, times=_PEERS)),
    "allgatherv": (_side("send", _P, in_place=True), _displs(_side("recv", _V, times=_PEERS))),
    "alltoall": (_side("send", _T, times=_PEERS, in_place=True), _side("recv", _T, times=_PEERS)),
    "alltoallv": (_side("send", _V, times=_PEERS, in_place=True), _side("recv", _V, times=_PEERS)),
    "alltoallw": (_side("send", _W, times=_PEERS, in_place=True), _side("recv", _W, times=_PEERS)),
    "neighbor_allgather": (_side("send", _P), _side("recv", _T, times=_IN)),
    "neighbor_allgatherv": (_side("send", _P), _displs(_side("recv", _V, times=_IN))),
    "neighbor_alltoall": (_side("send", _T, times=_OUT), _side("recv", _T, times=_IN)),
    "neighbor_alltoallv": (_side("send", _V, times=_OUT), _side("recv", _V, times=_IN)),
    "neighbor_alltoallw": (_side("send", _W, times=_OUT), _side("recv", _W, times=_IN)),
    "reduce": (_alike("sendbuf", role=Role.LEAF, in_place=True), _alike("recvbuf", role=Role.ROOT)),
    "allreduce": _REDUCTION,
    "scan": _REDUCTION,
    "exscan": _REDUCTION,
    "reduce_local": (_alike("inbuf"), _alike("inoutbuf")),
    "reduce_scatter": (
        Buffer(
            name="sendbuf",
            extent=Extent.PACKED,
            count="recvcounts",
            type="datatype",
            times="comm->size",
            in_place=True,
        ),
        Buffer(name="recvbuf", extent=Extent.OWN, count="recvcounts", type="datatype", times="comm->size"),
    ),
    "reduce_scatter_block": (
        Buffer(name="sendbuf", extent=_T, count="recvcount", type="datatype", times="comm->size", in_place=True),
        Buffer(name="recvbuf", extent=Extent.OWN, count="recvcount", type="datatype", times="comm->size"),
    ),
    "sendrecv": (_side("send", _P), _side("recv", _P)),
    "pack": (
        Buffer(name="inbuf", extent=_P, count="incount", type="datatype"),
        Buffer(name="outbuf", extent=Extent.BYTES, count="outsize"),
    ),
    "unpack": (
        Buffer(name="inbuf", extent=Extent.BYTES, count="insize"),
        Buffer(name="outbuf", extent=_P, count="outcount", type="datatype"),
    ),
    "partitioned": (Buffer(name="buf", extent=_T, count="count", type="datatype", times="partitions"),),
    "plain": (_alike("buf"),),
    # The other half of a split access: the buffer was checked when it began.
    "end": (Buffer(name="buf", extent=Extent.BYTES, count="0"),),
    "put": (_window("origin"),),
    "get": (_window("origin"),),
    "accumulate": (_window("origin"),),
    "get_accumulate": (_window("origin", role=Role.OPERAND), _window("result")),
    "fetch_and_op": (_single("origin_addr", role=Role.OPERAND), _single("result_addr")),
    "compare_and_swap": (_single("origin_addr"), _single("compare_addr"), _single("result_addr")),
}

_SYNONYMS = {
    "pack_external": "pack",
    "unpack_external": "unpack",
    "psend": "partitioned",
    "precv": "partitioned",
    **dict.fromkeys(("send", "bsend", "ssend", "rsend", "recv", "mrecv", "sendrecv_replace"), "plain"),
    **{f"r{name}": name for name in ("put", "get", "accumulate", "get_accumulate")},
}


_NONBLOCKING = re.compile(
    r"i(?=bcast|gather|scatter|all|neighbor|reduce|scan|exscan|send|bsend|ssend|rsend|recv|mrecv)"
)
_FILE = re.compile(r"file_i?(read|write)\w*?(_end)?")


def family(procedure: Procedure) -> str:
    """The procedure's name without MPI_, `_c`, `_init` and the I of non-blocking ones: `gatherv`."""
    name = procedure.base.removeprefix("MPI_").removesuffix("_init").lower()
    access = _FILE.fullmatch(name)
    if access:
        return "end" if access.group(2) else "plain"
    name = _NONBLOCKING.sub("", name, count=1) if _NONBLOCKING.match(name) else name
    return _SYNONYMS.get(name, name)


def buffers(procedure: Procedure) -> tuple[Buffer, ...]:
    """The message buffers of a procedure; none for one that has no such parameters."""
    return _FAMILIES.get(family(procedure), ())


def is_neighbourhood(procedure: Procedure) -> bool:
    """Whether the procedure's family is one of the neighbourhood collectives."""
    return family(procedure).startswith("neighbor_")
