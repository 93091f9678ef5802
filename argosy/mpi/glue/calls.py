"""Writes the C function behind one import, by the kinds of its parameters.

A function reads the guest's values, checks and translates each, calls MPI, and translates what came back. The order is
fixed: objects first (so that errors reach the right handler), then ranks and tags, datatypes, arrays, buffers, results.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from argosy.mpi import abi
from argosy.mpi.api import Parameter, Procedure
from argosy.mpi.glue.messages import Buffer, Extent, Role, buffers, is_neighbourhood

# The standard lets these be called before MPI_Init and after MPI_Finalize (MPI 5.0, section "Allowing User Functions at
# Process Termination" and the table beside MPI_Initialized).
_NAMES = "Initialized Finalized Get_version Get_library_version Wtime Wtick Error_class Error_string"
ANYTIME = frozenset(f"MPI_{name}" for name in _NAMES.split())

# Expressible by kind, and yet written by hand: they change what all others stand on.
OF_ITS_OWN = frozenset(
    {
        "MPI_Abort",
        "MPI_Finalize",
        "MPI_Comm_free_keyval",
        "MPI_Type_free_keyval",
        "MPI_Win_free_keyval",
        "MPI_Comm_idup",
        "MPI_Comm_idup_with_info",
    }
)

# Values that are only renumbered, by kind: the table of constants.
_RENUMBERED: Mapping[str, str] = {
    "THREAD_LEVEL": "thread_levels",
    "ORDER": "orders",
    "COMBINER": "combiners",
    "TYPECLASS": "typeclasses",
    "COMM_COMPARISON": "comparisons",
    "GROUP_COMPARISON": "comparisons",
    "TOPOLOGY_TYPE": "topologies",
    "LOCK_TYPE": "lock_types",
    "UPDATE_MODE": "seeks",
    "SPLIT_TYPE": "split_types",
}
_BITS = {"ASSERT": "window_modes", "ACCESS_MODE": "file_modes"}

# The class that the standard names for a wrong argument, by kind; MPI_ERR_ARG for all others.
_CLASSES: Mapping[str, str] = {
    "COMMUNICATOR": "COMM",
    "GROUP": "GROUP",
    "DATATYPE": "TYPE",
    "OPERATION": "OP",
    "REQUEST": "REQUEST",
    "MESSAGE": "REQUEST",
    "INFO": "INFO",
    "ERRHANDLER": "ERRHANDLER",
    "WINDOW": "WIN",
    "FILE": "FILE",
    "SESSION": "SESSION",
    "RANK": "RANK",
    "RANK_NNI": "RANK",
    "TAG": "TAG",
    "BUFFER": "BUFFER",
    "ASSERT": "ASSERT",
    "ACCESS_MODE": "AMODE",
    "LOCK_TYPE": "LOCKTYPE",
    "COLOR": "ARG",
}
_MAY_BE_NULL = frozenset({"INFO", "REQUEST"})

# How long an array is where the database says "*" or nothing: C expressions, some over other arrays.
_LENGTHS: Mapping[tuple[str, str], str] = {
    ("MPI_Cart_rank", "coords"): "comm->in_degree / 2",
    ("MPI_Cart_sub", "remain_dims"): "comm->in_degree / 2",
    ("MPI_Graph_create", "edges"): "last_of(index, {nnodes})",
    ("MPI_Graph_map", "edges"): "last_of(index, {nnodes})",
    ("MPI_Dist_graph_create", "destinations"): "sum_of(degrees, {n})",
    ("MPI_Dist_graph_create", "weights"): "sum_of(degrees, {n})",
    ("MPI_Dist_graph_create_adjacent", "sourceweights"): "{indegree}",
    ("MPI_Dist_graph_create_adjacent", "destweights"): "{outdegree}",
    ("MPI_Dist_graph_neighbors", "sourceweights"): "{maxindegree}",
    ("MPI_Dist_graph_neighbors", "destweights"): "{maxoutdegree}",
}

# How much room the guest gives for a string, where the database does not say.
_STRING_SIZES: Mapping[tuple[str, str], str] = {
    ("MPI_Info_get_nthkey", "key"): "MPI_MAX_INFO_KEY",
    ("MPI_Win_get_name", "win_name"): "MPI_MAX_OBJECT_NAME",
    ("MPI_Comm_get_name", "comm_name"): "MPI_MAX_OBJECT_NAME",
    ("MPI_Type_get_name", "type_name"): "MPI_MAX_OBJECT_NAME",
    ("MPI_File_get_view", "datarep"): "MPI_MAX_DATAREP_STRING",
}

# A new datatype may reach only so far from its origin and hold only so much data that neither MPI's arithmetic nor ours
# can wrap: farthest displacement in bytes, longest block and number of elements, in terms of the parameters. Names in
# braces are the guest's scalars, others are arrays and datatypes that were read before.
_BOUNDS: Mapping[str, str] = {
    "MPI_Type_contiguous": "type_grows(oldtype, 0, {count}, {count})",
    "MPI_Type_vector": "type_grows(oldtype, apart(oldtype, {count}, {stride}), {blocklength},"
    " (double){count} * {blocklength})",
    "MPI_Type_create_hvector": "type_grows(oldtype, fabs((double){count} * {stride}), {blocklength},"
    " (double){count} * {blocklength})",
    "MPI_Type_indexed": "type_grows(oldtype, apart(oldtype, 1, FARTHEST(array_of_displacements, {count})),"
    " LONGEST(array_of_blocklengths, {count}), TOTAL(array_of_blocklengths, {count}))",
    "MPI_Type_create_hindexed": "type_grows(oldtype, FARTHEST(array_of_displacements, {count}),"
    " LONGEST(array_of_blocklengths, {count}), TOTAL(array_of_blocklengths, {count}))",
    "MPI_Type_create_indexed_block": "type_grows(oldtype, apart(oldtype, 1, FARTHEST(array_of_displacements, {count})),"
    " {blocklength}, (double){count} * {blocklength})",
    "MPI_Type_create_hindexed_block": "type_grows(oldtype, FARTHEST(array_of_displacements, {count}), {blocklength},"
    " (double){count} * {blocklength})",
    "MPI_Type_create_struct": "STRUCT_GROWS(array_of_types_infos, array_of_displacements, array_of_blocklengths,"
    " {count})",
    "MPI_Type_create_subarray": "type_grows(oldtype, 0, PRODUCT(array_of_sizes, {ndims}),"
    " PRODUCT(array_of_subsizes, {ndims}))",
    "MPI_Type_create_darray": "type_grows(oldtype, 0, PRODUCT(array_of_gsizes, {ndims}),"
    " PRODUCT(array_of_gsizes, {ndims}))",
    "MPI_Type_create_resized": "type_grows(oldtype, fabs((double){lb}) + fabs((double){extent}), 0, 1)",
    "MPI_File_set_view": "view_fits(etype, filetype)",
}

# The topology that a communicator must have (libraries look into it unasked), and how much room its answers need.
_TOPOLOGIES: Mapping[str, tuple[str, str]] = {
    "MPI_Cart_rank": ("MPI_CART", ""),
    "MPI_Cart_sub": ("MPI_CART", ""),
    "MPI_Cart_coords": ("MPI_CART", "{maxdims} >= comm->in_degree / 2"),
    "MPI_Cart_get": ("MPI_CART", "{maxdims} >= comm->in_degree / 2"),
    "MPI_Cart_shift": ("MPI_CART", "{direction} >= 0 && {direction} < comm->in_degree / 2"),
    "MPI_Cartdim_get": ("MPI_CART", ""),
    "MPI_Graph_get": ("MPI_GRAPH", "graph_fits(comm, {maxindex}, {maxedges})"),
    "MPI_Graph_neighbors": ("MPI_GRAPH", "neighbors_fit(comm, {rank}, {maxneighbors})"),
    "MPI_Graph_neighbors_count": ("MPI_GRAPH", ""),
    "MPI_Graphdims_get": ("MPI_GRAPH", ""),
    "MPI_Dist_graph_neighbors": (
        "MPI_DIST_GRAPH",
        "{maxindegree} >= comm->in_degree && {maxoutdegree} >= comm->out_degree",
    ),
    "MPI_Dist_graph_neighbors_count": ("MPI_DIST_GRAPH", ""),
}

# What only makes sense with two groups, or with one; for the others libraries have no check.
_INTER = re.compile(r"MPI_(Comm_remote_group|Comm_remote_size|Intercomm_merge)")
_INTRA = re.compile(
    r"MPI_(I?(ex)?scan(_init)?|Exscan\w*|Scan\w*|\w*(Cart|Graph|graph)_(create|map)\w*|Comm_create_group|File_open)"
)

# What sort of request a procedure makes, by the end of its name; all others complete once.
_REQUESTS = {"Psend_init": "GIVES_PARTS", "Precv_init": "TAKES_PARTS", "_init": "RESTARTS"}

# What else has to hold when everything has been read: the argument that is wrong otherwise, the condition, the class.
_CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "MPI_Start": ("request", "request_restarts(request_handle)", "REQUEST"),
    "MPI_Pready": ("partition", "request_parts({request}, true, {partition}, {partition})", "REQUEST"),
    "MPI_Pready_range": (
        "partition_low",
        "request_parts({request}, true, {partition_low}, {partition_high})",
        "REQUEST",
    ),
    "MPI_Pready_list": (
        "array_of_partitions",
        "request_parts({request}, true, (int)LEAST(array_of_partitions, {length}),"
        " (int)FARTHEST(array_of_partitions, {length}))",
        "REQUEST",
    ),
    "MPI_Parrived": ("partition", "request_parts({request}, false, {partition}, {partition})", "REQUEST"),
}

# What else a success means.
_AFTER: Mapping[str, str] = {
    "MPI_Type_commit": "    type_committed((uint32_t)datatype_handle);",
    "MPI_Type_dup": "    if (oldtype->committed) { type_committed(newtype_handle); }",
    "MPI_Type_create_f90_complex": "    type_committed(newtype_handle);",
    "MPI_Type_create_f90_integer": "    type_committed(newtype_handle);",
    "MPI_Type_create_f90_real": "    type_committed(newtype_handle);",
}


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


@dataclass(kw_only=True)
class _Call:
    """The pieces of one function while it is written."""

    before: list[tuple[Order, list[str]]] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    after: list[str] = field(default_factory=list)
    always: list[str] = field(default_factory=list)

    def add(self, order: Order, *lines: str) -> None:
        self.before.append((order, list(lines)))


class NotExpressibleError(Exception):
    """The kinds do not say what to do with this procedure; the message names the parameter."""


def function(procedure: Procedure, declared: Collection[str]) -> str:
    """The C text of `IMPORT(name) {…}`. Raises NotExpressibleError."""
    writer = _Writer(procedure, declared)
    return writer.text()


class _Writer:
    def __init__(self, procedure: Procedure, declared: Collection[str]) -> None:
        self.procedure = procedure
        self.declared = declared
        self.index = {parameter.name: place for place, parameter in enumerate(procedure.parameters)}
        self.call = _Call()
        self.buffers = {buffer.name: buffer for buffer in buffers(procedure)}
        self.described = {name: buffer for buffer in self.buffers.values() for name in buffer.describers}
        self.handler = "MPI_COMM_WORLD"
        self.refuse_function = "refuse"
        self.uses_scratch = False

    # --- pieces of text

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
        return f"ABI_MPI_ERR_{_CLASSES.get(parameter.kind, 'ARG')}"

    # --- the whole

    def text(self) -> str:
        procedure = self.procedure
        anytime = procedure.base in ANYTIME
        lines = [f"IMPORT({procedure.name}) {{"]
        lines.append(f'    {"ENTER_ANYTIME" if anytime else "ENTER"}("{procedure.name}")')
        if procedure.base in ("MPI_File_open", "MPI_File_delete"):  # of no file yet: MPI_FILE_NULL's handler
            self.handler, self.refuse_function = "MPI_FILE_NULL", "refuse_file"
        for parameter in self._ordered():
            self._parameter(parameter)
        for name in self.buffers:
            self._buffer(self.buffers[name])
        if "target_disp" in self.index:
            self._target()
        bound = _BOUNDS.get(procedure.base)
        if bound is not None:
            self.call.add(Order.BOUND, *self.refuse("!" + self.filled(bound), "count", "ABI_MPI_ERR_ARG"))
        if procedure.base in _CONDITIONS:
            argument, condition, error = _CONDITIONS[procedure.base]
            refused = self.refuse(f"!{self.filled(condition)}", argument, f"ABI_MPI_ERR_{error}")
            self.call.add(Order.BOUND, *refused)
        self.call.after += [_AFTER[procedure.base]] if procedure.base in _AFTER else []
        body = [line for _, piece in sorted(self.call.before, key=lambda item: item[0]) for line in piece]
        arguments = ", ".join(self.call.passed[parameter.name] for parameter in procedure.parameters)
        called = f"{procedure.name}({arguments})"
        if self.uses_scratch:
            lines.append("    struct scratch scratch = {NULL};")
        lines += body
        if procedure.return_type == "double":
            lines.append(f"    v[0].f64 = {called};")
        elif procedure.return_kind == "ERROR_CODE":
            lines.append(f"    int code = {called};")
            if self.call.after:
                lines += ["    if (UNLIKELY(code != MPI_SUCCESS)) {", "        v[0].i32 = error_out(code);"]
                lines += ["        goto done;", "    }", *self.call.after, "    v[0].i32 = ABI_MPI_SUCCESS;"]
            else:
                lines.append("    v[0].i32 = error_out(code);")
        else:
            raise NotExpressibleError(f"{procedure.name} returns {procedure.return_kind}")
        if any("goto done" in line for line in lines):
            lines.append("done:")
            lines += ["    scratch_free(&scratch);"] if self.uses_scratch else []
        lines += ["    return NULL;", "}"]
        return "\n".join(lines) + "\n"

    def _ordered(self) -> list[Parameter]:
        first = [parameter for parameter in self.procedure.parameters if parameter.kind in _OBJECTS]
        return first + [parameter for parameter in self.procedure.parameters if parameter.kind not in _OBJECTS]

    def _parameter(self, parameter: Parameter) -> None:
        if parameter.name in self.buffers or (
            parameter.name in self.described and self.described[parameter.name].alone
        ):
            return  # written with the buffer
        if parameter.kind in abi.HANDLE_OF_KIND:
            self._handle(parameter)
        elif parameter.kind == "STATUS":
            self._status(parameter)
        elif parameter.kind == "STRING":
            self._string(parameter)
        elif parameter.kind in ("STRING_LENGTH", "INFO_VALUE_LENGTH") and parameter.direction != "in":
            self._string_length(parameter)
        elif parameter.array:
            self._array(parameter)
        elif parameter.stars == 1 and parameter.c_type in _SCALARS:
            self._result(parameter)
        elif parameter.stars == 0 and parameter.c_type in _SCALARS:
            self._scalar(parameter)
        else:
            raise NotExpressibleError(
                f"{parameter.name} ({parameter.kind}, {parameter.direction}) of {self.procedure.name}"
            )

    # --- handles

    def _handle(self, parameter: Parameter) -> None:
        handle = abi.HANDLE_OF_KIND[parameter.kind]
        if parameter.array:
            if parameter.kind != "DATATYPE" or parameter.direction != "in":
                raise NotExpressibleError(f"the array {parameter.name} of {self.procedure.name}")
            self._types(parameter)
        elif parameter.direction == "out":
            self._handle_out(parameter, handle)
        elif parameter.stars:
            self._handle_inout(parameter, handle)
        elif parameter.kind in _FINDERS:
            self._object(parameter)
        elif parameter.kind == "DATATYPE":
            self._datatype(parameter)
        else:
            name, error = parameter.name, self.class_of(parameter)
            refused = f"!{handle.name}_in({self.value(name)}, &{name})"
            if parameter.kind not in _MAY_BE_NULL:
                refused += f" || {name} == {handle.null}"
            self.call.add(Order.HANDLE, f"    {handle.c_type} {name};", *self.refuse(refused, name, error))
            self.call.passed[name] = name

    def _object(self, parameter: Parameter) -> None:
        """What has an error handler of its own: a communicator, window, file; later refusals go to it."""
        name = parameter.name
        c_type, find, refuse, error = _FINDERS[parameter.kind]
        host = name if c_type == "MPI_File" else f"{name}->host"
        if c_type == "MPI_File":
            lines = [f"    MPI_File {name};"]
            lines += self.refuse(f"!{find}({self.value(name)}, &{name}) || {name} == MPI_FILE_NULL", name, error)
        else:
            lines = [f"    {c_type} *{name} = {find}({self.value(name)});"]
            lines += self.refuse(f"{name} == NULL", name, error)
        if self.handler == "MPI_COMM_WORLD":
            self.handler, self.refuse_function = host, refuse
        for pattern, lacks in ((_INTER, f"!{name}->inter"), (_INTRA, f"{name}->inter")):
            if parameter.kind == "COMMUNICATOR" and pattern.fullmatch(self.procedure.base):
                lines += self.refuse(lacks, name, "ABI_MPI_ERR_COMM")
        if is_neighbourhood(self.procedure):
            lines += self.refuse(f"!comm_neighbours({name})", name, "ABI_MPI_ERR_TOPOLOGY")
        elif self.procedure.base in _TOPOLOGIES:
            topology, fits = _TOPOLOGIES[self.procedure.base]
            lacks = f"!comm_neighbours({name}) || {name}->topology != {topology}"
            lines += self.refuse(lacks, name, "ABI_MPI_ERR_TOPOLOGY")
            if fits:
                self.call.add(Order.RANK, *self.refuse(f"!({self.filled(fits)})", name, "ABI_MPI_ERR_DIMS"))
        self.call.add(Order.COMMUNICATOR, *lines)
        self.call.passed[name] = host

    def _datatype(self, parameter: Parameter) -> None:
        name = parameter.name
        lines = [f"    const struct type_info *{name} = type_info_in({self.value(name)});"]
        unready = f" || !{name}->committed" if self.buffers or "filetype" in self.index else ""
        lines += self.refuse(f"{name} == NULL{unready}", name, "ABI_MPI_ERR_TYPE")
        operation = next((other for other in self.procedure.parameters if other.kind == "OPERATION"), None)
        if operation is not None:
            lines += self.refuse(f"!reducible({self.value(operation.name)}, {name})", operation.name, "ABI_MPI_ERR_OP")
        self.call.add(Order.TYPE, *lines)
        self.call.passed[name] = f"{name}->host"

    def _types(self, parameter: Parameter) -> None:
        name = parameter.name
        self.uses_scratch = True
        lines = [
            f"    MPI_Datatype *{name};",
            f"    struct type_info **{name}_infos = types_in(&scratch, {self.address(parameter)},"
            f" {self.length(parameter)}, 0, false, &{name});",
            *self.refuse(f"{name}_infos == NULL", name, "ABI_MPI_ERR_TYPE"),
        ]
        self.call.add(Order.ARRAY, *lines)
        self.call.passed[name] = name

    def _handle_out(self, parameter: Parameter, handle: abi.HandleClass) -> None:
        name = parameter.name
        lines = self.refuse(f"!room({self.address(parameter)}, 1, 4)", name, "ABI_MPI_ERR_ARG")
        self.call.add(Order.RESULT, *lines, f"    {handle.c_type} {name} = {handle.null};")
        self.call.passed[name] = f"&{name}"
        if parameter.kind == "REQUEST":
            self.uses_scratch = True
            partitions = self.value("partitions") if "partitions" in self.index else "0"
            sort = next((sort for ending, sort in _REQUESTS.items() if self.procedure.base.endswith(ending)), "ONCE")
            made = f"request_out_with({name}, &scratch, REQUEST_{sort}, {partitions})"
        else:
            again = parameter.kind == "ERRHANDLER" or "f90" in self.procedure.name
            made = f"{handle.name}_{'known' if again else 'out'}({name})"
        self.call.after += [
            f"    uint32_t {name}_handle = {made};",
            f"    if (UNLIKELY({name}_handle == 0)) {{",
            *(["        scratch_free(&scratch);"] if self.uses_scratch else []),
            f'        return guest_trap("%s: no room for another {handle.c_type}", here);',
            "    }",
            f"    put32({self.address(parameter)}, (int32_t){name}_handle);",
        ]

    def _handle_inout(self, parameter: Parameter, handle: abi.HandleClass) -> None:
        name = parameter.name
        at = self.address(parameter)
        lines = self.refuse(f"!room({at}, 1, 4)", name, "ABI_MPI_ERR_ARG")
        refused = f"!{handle.name}_in({name}_handle, &{name})"
        if parameter.kind not in _MAY_BE_NULL:
            refused += f" || {name} == {handle.null}"
        lines += [f"    int32_t {name}_handle = get32({at});", f"    {handle.c_type} {name};"]
        if parameter.kind == "COMMUNICATOR":  # whose handle may have been written after the call that made it
            lines.append(f"    struct comm_info *{name}_info = comm_info_in({name}_handle);")
            refused = f"{name}_info == NULL || ({name} = {name}_info->host) == MPI_COMM_NULL"
        lines += self.refuse(refused, name, self.class_of(parameter))
        self.call.add(Order.HANDLE, *lines)
        self.call.passed[name] = f"&{name}"
        if parameter.direction == "in":
            return
        drop = "request_forget" if self.procedure.base == "MPI_Request_free" else f"{handle.name}_drop"
        self.call.after += [
            f"    if ({name} == {handle.null}) {{",
            f"        {drop}({name}_handle);",
            f"        put32({at}, ABI_{handle.null});",
            "    }",
        ]

    # --- scalars

    def _scalar(self, parameter: Parameter) -> None:
        name, kind, value = parameter.name, parameter.kind, self.value(parameter.name)
        self.call.passed[name] = name
        if kind in ("RANK", "RANK_NNI"):
            self._rank(parameter)
        elif kind == "TAG":
            receives = name == "recvtag" or (name == "tag" and _receives(self.procedure))
            read = "any_tag_in" if receives else "tag_in"
            self.call.add(
                Order.RANK, f"    int {name};", *self.refuse(f"!{read}({value}, &{name})", name, "ABI_MPI_ERR_TAG")
            )
        elif kind in _RENUMBERED:
            table = f"constants_{_RENUMBERED[kind]}"
            known = f"constant_in({table}, {value}, &{name})"
            if kind == "SPLIT_TYPE":
                known = f"({value} == ABI_MPI_UNDEFINED ? ({name} = MPI_UNDEFINED, true) : {known})"
            self.call.add(Order.SCALAR, f"    int {name};", *self.refuse(f"!{known}", name, self.class_of(parameter)))
        elif kind in _BITS:
            known = f"mode_in(constants_{_BITS[kind]}, {value}, &{name})"
            self.call.add(Order.SCALAR, f"    int {name};", *self.refuse(f"!{known}", name, self.class_of(parameter)))
        elif kind in ("ERROR_CODE", "ERROR_CLASS"):
            self.call.passed[name] = f"error_in({value})"
        elif kind == "OFFSET":
            lowest = {"MPI_File_set_view": "-1", "MPI_File_seek": "-FILE_LIMIT", "MPI_File_seek_shared": "-FILE_LIMIT"}
            wrong = f"{value} < {lowest.get(self.procedure.base, '0')} || {value} > FILE_LIMIT"
            self.call.add(Order.SCALAR, *self.refuse(wrong, name, "ABI_MPI_ERR_ARG"))
            self.call.passed[name] = value
            if self.procedure.base == "MPI_File_set_view":
                self.call.passed[name] = f"({value} == -1 ? MPI_DISPLACEMENT_CURRENT : {value})"
        elif kind == "COLOR":
            self.call.passed[name] = f"undefined_in({value})"
        elif kind in ("KEYVAL", "FILE_DESCRIPTOR"):
            raise NotExpressibleError(f"{name} ({kind}) of {self.procedure.name}")
        else:
            if name not in self.described and _counts(kind):
                self.call.add(
                    Order.SCALAR, *self.refuse(f"{value} < {int(kind.endswith('_PI'))}", name, _count_class(kind))
                )
            self.call.passed[name] = value

    def _rank(self, parameter: Parameter) -> None:
        name, value = parameter.name, self.value(parameter.name)
        comm = next((other.name for other in self.procedure.parameters if other.kind == "COMMUNICATOR"), None)
        if "win" in self.index:
            lines = [f"    int {name};"]
            lines += self.refuse(f"!win_rank_in(win, {value}, &{name})", name, "ABI_MPI_ERR_RANK")
            self.call.passed[name] = name
        elif comm is None and "size" in self.index:  # of a process grid, for MPI_Type_create_darray
            lines = self.refuse(f"{value} < 0 || {value} >= {self.value('size')}", name, "ABI_MPI_ERR_ARG")
            self.call.passed[name] = value
        elif comm is None:
            raise NotExpressibleError(f"{name} (a rank without a communicator) of {self.procedure.name}")
        elif name == "root":
            lines = ["    struct roles roles;"]
            lines += self.refuse(f"!root_in({comm}, {value}, &roles)", name, "ABI_MPI_ERR_ROOT")
            self.call.passed[name] = "roles.host_root"
        elif name == "rank":
            lines = self.refuse(f"{value} < 0 || {value} >= {comm}->size", name, "ABI_MPI_ERR_RANK")
            self.call.passed[name] = value
        elif "partitions" in self.index:  # no wildcards, and MPI_PROC_NULL brings MPICH 5.0 down
            lines = self.refuse(f"{value} < 0 || {value} >= {comm}->peers", name, "ABI_MPI_ERR_RANK")
            self.call.passed[name] = value
        elif name in ("dest", "source"):
            read = "source_in" if name == "source" else "peer_in"
            lines = [f"    int {name};", *self.refuse(f"!{read}({comm}, {value}, &{name})", name, "ABI_MPI_ERR_RANK")]
            self.call.passed[name] = name
        else:
            raise NotExpressibleError(f"{name} ({parameter.kind}) of {self.procedure.name}")
        self.call.add(Order.RANK, *lines)

    def _result(self, parameter: Parameter) -> None:
        """A scalar that MPI writes (and perhaps reads first) through a pointer."""
        name, at = parameter.name, self.address(parameter)
        wide = parameter.c_type in ("MPI_Count", "MPI_Offset")
        lines = self.refuse(f"!room({at}, 1, {8 if wide else 4})", name, "ABI_MPI_ERR_ARG")
        get, put = ("get64", "put64") if wide else ("get32", "put32")
        initial = f"{get}({at})" if parameter.direction == "inout" else "0"
        if parameter.direction == "in":
            raise NotExpressibleError(f"{name} ({parameter.kind}, in) of {self.procedure.name}")
        self.call.add(Order.RESULT, *lines, f"    {parameter.c_type} {name} = {initial};")
        self.call.passed[name] = f"&{name}"
        if name == "position":  # libraries take it on trust
            packed, count = ("outsize", "incount") if "outsize" in self.index else ("insize", "outcount")
            fits = f"!unpack_fits({self.value(packed)}, {name}, {self.value(count)}, datatype)"
            self.call.add(Order.RESULT, *self.refuse(fits, name, "ABI_MPI_ERR_ARG"))
        if parameter.c_type == "MPI_Aint":
            self.call.after += self.refuse(f"{name} != (int32_t){name}", name, "ABI_MPI_ERR_VALUE_TOO_LARGE")
        self.call.after.append(f"    {put}({at}, {_out(parameter)});")

    # --- statuses, strings

    def _status(self, parameter: Parameter) -> None:
        name, at = parameter.name, self.address(parameter)
        if parameter.array:
            raise NotExpressibleError(f"the statuses {name} of {self.procedure.name}")
        inside = f"room({at}, 1, ABI_STATUS_BYTES)"
        if parameter.direction == "out":
            lines = [f"    MPI_Status {name}_space, *{name} = MPI_STATUS_IGNORE;", f"    if ({at} != 0) {{"]
            lines += ["    " + line for line in self.refuse(f"!{inside}", name, "ABI_MPI_ERR_ARG")]
            lines += [
                f"        memset(&{name}_space, 0, sizeof {name}_space);",
                f"        {name} = &{name}_space;",
                "    }",
            ]
            self.call.add(Order.RESULT, *lines)
            self.call.after += [f"    if ({at} != 0) {{", f"        status_out({at}, {name}, false);", "    }"]
            self.call.passed[name] = name
            # A failed receive also leaves its status: MPI_ERR_TRUNCATE says whose message it was.
        else:
            lines = [*self.refuse(f"{at} == 0 || !{inside}", name, "ABI_MPI_ERR_ARG"), f"    MPI_Status {name};"]
            self.call.add(Order.ARRAY, *lines, f"    status_in({at}, &{name});")
            self.call.passed[name] = f"&{name}"
            if parameter.direction == "inout":
                self.call.after.append(f"    status_out({at}, &{name}, false);")

    def _string(self, parameter: Parameter) -> None:
        name, at = parameter.name, self.address(parameter)
        if parameter.direction == "in":
            self.uses_scratch = True
            got, error = f"string_in(&scratch, {at})", "ABI_MPI_ERR_ARG"
            if name == "filename":
                writes = f"({self.value('amode')} & ABI_MPI_MODE_RDONLY) == 0" if "amode" in self.index else "true"
                got, error = f"path_in(&scratch, {at}, {writes})", "ABI_MPI_ERR_ACCESS"
            lines = [f"    char *{name} = {got};"]
            self.call.add(Order.ARRAY, *lines, *self.refuse(f"{name} == NULL", name, error))
            self.call.passed[name] = name
            return
        limit = parameter.length or _STRING_SIZES.get((self.procedure.base, name))
        if limit is not None and limit.startswith("MPI_MAX"):
            # The array has room for whatever the node's library or the guest thinks the longest.
            room, space = f"ABI_{limit}", f"(ABI_{limit} > {limit} ? ABI_{limit} : {limit}) + 1"
            lines = self.refuse(f"!room({at}, 1, 1)", name, "ABI_MPI_ERR_ARG")
            self.call.add(Order.RESULT, *lines, f"    char {name}[{space}];", f"    {name}[0] = 0;")
            self.call.after += [
                f"    uint64_t {name}_size = strnlen({name}, {room} - 1) + 1;",
                *self.refuse(f"!room({at}, 1, {name}_size)", name, "ABI_MPI_ERR_ARG"),
                f"    put_string({at}, {name}_size, {name});",
            ]
            self.call.passed[name] = name
            self.string_room = room
        else:
            raise NotExpressibleError(f"the string {name} of {self.procedure.name}")

    def _string_length(self, parameter: Parameter) -> None:
        if parameter.direction != "out" or parameter.kind == "INFO_VALUE_LENGTH":
            if parameter.direction == "out":
                self._result(parameter)
                return
            raise NotExpressibleError(f"{parameter.name} ({parameter.kind}) of {self.procedure.name}")
        name, at = parameter.name, self.address(parameter)
        lines = self.refuse(f"!room({at}, 1, 4)", name, "ABI_MPI_ERR_ARG")
        self.call.add(Order.RESULT, *lines, f"    int {name} = 0;")
        self.call.passed[name] = f"&{name}"
        longest = f"{self.string_room} - 1"
        self.call.after.append(f"    put32({at}, {name} < {longest} ? {name} : {longest});")

    # --- arrays

    def length(self, parameter: Parameter) -> str:
        """The C expression for an array's number of elements."""
        stated = _LENGTHS.get((self.procedure.base, parameter.name))
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

    def _array(self, parameter: Parameter) -> None:
        name, kind = parameter.name, parameter.kind
        self.uses_scratch = True
        read = {"int": "ints_in", "MPI_Aint": "aints_in", "MPI_Count": "counts_in"}.get(parameter.c_type)
        if read is None:
            raise NotExpressibleError(f"the array {name} of {parameter.c_type} of {self.procedure.name}")
        length = self.length(parameter)
        order = Order.DEPENDENT if "_of(" in length else Order.ARRAY
        got = f"{read}(&scratch, {self.address(parameter)}, {length})"
        declared = f"{parameter.c_type} *{name}"
        if kind == "WEIGHT":
            got = f"weights_in(&scratch, {self.address(parameter)}, {length})"
        lines = [f"    {declared} = {got};", *self.refuse(f"{name} == NULL", name, self.array_class(parameter))]
        if kind in ("DISTRIB_ENUM", "DTYPE_DISTRIBUTION"):
            unknown = f"!distributions_in({name}, {length}, {str(kind == 'DISTRIB_ENUM').lower()})"
            lines += self.refuse(unknown, name, "ABI_MPI_ERR_ARG")
        elif kind in ("RANK", "RANK_NNI") and parameter.direction == "in":
            lines += self._ranks(parameter, length)
        self.call.add(order, *lines)
        self.call.passed[name] = f"(int (*)[3]){name}" if parameter.array == "[][3]" else name
        if parameter.direction != "in":
            if parameter.c_type != "int":
                raise NotExpressibleError(f"the results {name} of {self.procedure.name}")
            translate = "ranks_out" if kind in ("RANK", "RANK_NNI") else "ints_out"
            guard = f"if ({name} != MPI_UNWEIGHTED) " if kind == "WEIGHT" else ""
            self.call.after.append(f"    {guard}{translate}({self.address(parameter)}, {length}, {name});")

    def _ranks(self, parameter: Parameter, length: str) -> list[str]:
        """Ranks of a group or of a communicator are looked up in MPI's own tables, so each has to be one."""
        name = parameter.name
        group = next((other.name for other in self.procedure.parameters if other.kind == "GROUP"), None)
        if group is not None:
            null = str(self.procedure.base == "MPI_Group_translate_ranks").lower()
            check = f"!group_ranks_in({group}, {name}, {length}, {null})"
            if parameter.array == "[][3]":
                check = f"!group_ranges_in({group}, {name}, {length})"
        else:
            comm = next(other.name for other in self.procedure.parameters if other.kind == "COMMUNICATOR")
            check = f"!comm_ranks_in({comm}, {name}, {length})"
        return self.refuse(check, name, "ABI_MPI_ERR_RANK")

    def array_class(self, parameter: Parameter) -> str:
        return "ABI_MPI_ERR_ARG"

    # --- buffers

    def _target(self) -> None:
        """What a one-sided call touches of another rank's window."""
        many = "target_count" in self.index
        count = self.value("target_count") if many else "1"
        kind = "target_datatype" if many else "datatype"
        reach = f"target_in(win, target_rank, {self.value('target_disp')}, {count}, {kind})"
        lines = ["    int32_t target_error;"]
        lines += self.refuse(f"(target_error = {reach}) != 0", "target_disp", "target_error")
        self.call.add(Order.BOUND, *lines)

    def _buffer(self, buffer: Buffer) -> None:
        """The buffer's pointer, and with it the parameters that belong to it alone."""
        at = self.address(self.procedure.parameter(buffer.name))
        name, own = buffer.name, buffer.describers if buffer.alone else ()
        lines = [f"    void *{name} = NULL;", *(line for other in own for line in self._declare(other))]
        taken = [self._take(buffer, other) for other in own]
        refused = self.refuse(f"({name}_error = {self._reach(buffer, at)}) != 0", name, f"{name}_error")
        inner = [*(line for piece in taken for line in piece), f"    int32_t {name}_error;", *refused]
        inner = ["    " + line for line in inner]
        conditions = []
        if buffer.role is Role.OPERAND:
            lines.append(f"    bool gives_operand = {self.value('op')} != ABI_MPI_NO_OP;")
        if buffer.in_place:
            lines += [f"    if ({at} == ABI_MPI_IN_PLACE) {{", f"        {name} = MPI_IN_PLACE;"]
            conditions.append("    } else {")
        if buffer.role is not Role.EVERYONE:
            test = f"if ({buffer.role.value}) {{"
            conditions = [f"    }} else {test}" if buffer.in_place else f"    {test}"]
        if conditions:
            lines += [*conditions, *inner, "    }"]
        else:
            lines += [*(line for piece in taken for line in piece), f"    int32_t {name}_error;", *refused]
        self.call.add(Order.BUFFER, *lines)
        self.call.passed[name] = name

    def _declare(self, name: str) -> list[str]:
        """What MPI gets of a describing parameter while its buffer is not the caller's business."""
        parameter = self.procedure.parameter(name)
        if parameter.kind == "DATATYPE":
            self.call.passed[name] = f"{name}_host"
            if parameter.array:
                return [f"    MPI_Datatype *{name}_host = NULL;"]
            return [f"    const struct type_info *{name} = NULL;", f"    MPI_Datatype {name}_host = MPI_BYTE;"]
        self.call.passed[name] = name
        if parameter.array:
            return [f"    {parameter.c_type} *{name} = NULL;"]
        return [f"    {parameter.c_type} {name} = 0;"]

    def _take(self, buffer: Buffer, name: str) -> list[str]:
        parameter = self.procedure.parameter(name)
        if parameter.kind == "DATATYPE" and not parameter.array:
            lines = [f"    {name} = type_info_in({self.value(name)});"]
            unready = f"{name} == NULL || !{name}->committed"
            return [*lines, *self.refuse(unready, name, "ABI_MPI_ERR_TYPE"), f"    {name}_host = {name}->host;"]
        if not parameter.array:
            return [f"    {name} = {self.value(name)};"]
        self.uses_scratch = True
        at, times = self.address(parameter), self.times(buffer)
        if parameter.kind == "DATATYPE":
            most = f"types_read(comm, {times})"
            lines = [f"    struct type_info **{name} = types_in(&scratch, {at}, {times}, {most}, true, &{name}_host);"]
            return [*lines, *self.refuse(f"{name} == NULL", name, "ABI_MPI_ERR_TYPE")]
        read = {"int": "ints_in", "MPI_Aint": "aints_in", "MPI_Count": "counts_in"}[parameter.c_type]
        return [
            f"    {name} = {read}(&scratch, {at}, {times});",
            *self.refuse(f"{name} == NULL", name, "ABI_MPI_ERR_ARG"),
        ]

    def _reach(self, buffer: Buffer, at: str) -> str:
        """The C expression that checks the buffer's whole extent."""
        large = "_c" if self.procedure.large else ""
        out = f"&{buffer.name}"
        if buffer.extent is Extent.BYTES:
            return f"buffer_bytes({at}, {self._shared_count(buffer)}, {out})"
        count = buffer.count if buffer.alone else self._shared_count(buffer)
        match buffer.extent:
            case Extent.PLAIN:
                return f"buffer_in({at}, {count}, {buffer.type}, {out})"
            case Extent.TIMES:
                return f"buffer_times({at}, {count}, {self.times(buffer)}, {buffer.type}, {out})"
            case Extent.VECTOR:
                return f"buffer_vector{large}({at}, {buffer.times}, {count}, {buffer.displs}, {buffer.type}, {out})"
            case Extent.PACKED:
                return f"buffer_vector{large}({at}, {buffer.times}, {count}, NULL, {buffer.type}, {out})"
            case Extent.OWN:
                return self._own(buffer, at, count, large, out)
            case Extent.TYPES:
                return self._typed(buffer, at, count, large, out)
        raise AssertionError(buffer.extent)

    def _own(self, buffer: Buffer, at: str, count: str, large: str, out: str) -> str:
        """The receive buffer of a reduce-scatter: the caller's share, or with MPI_IN_PLACE what all contribute."""
        in_place = f"v[{self.index['sendbuf']}].i32 == ABI_MPI_IN_PLACE"
        if buffer.count == "recvcount":
            return f"buffer_times({at}, {count}, {in_place} ? {buffer.times} : 1, {buffer.type}, {out})"
        return (
            f"{in_place} ? buffer_vector{large}({at}, {buffer.times}, {count}, NULL, {buffer.type}, {out})"
            f" : buffer_in({at}, {count}[comm->rank], {buffer.type}, {out})"
        )

    def _typed(self, buffer: Buffer, at: str, count: str, large: str, out: str) -> str:
        start = f"buffer_types{large}({at}, {buffer.times}, {count}"
        if large:
            return f"{start}, {buffer.displs}, {buffer.type}, {out})"
        far = self.procedure.parameter(buffer.displs).c_type == "MPI_Aint"
        displs = f"NULL, {buffer.displs}" if far else f"{buffer.displs}, NULL"
        return f"{start}, {displs}, {buffer.type}, {out})"

    def _shared_count(self, buffer: Buffer) -> str:
        if buffer.count.isdigit():
            return buffer.count
        parameter = self.procedure.parameter(buffer.count)
        return parameter.name if parameter.array else self.value(parameter.name)


# What has an error handler: its C type here, what finds it, what refuses on its behalf, the class of a wrong one.
_FINDERS: Mapping[str, tuple[str, str, str, str]] = {
    "COMMUNICATOR": ("struct comm_info", "comm_info_in", "refuse", "ABI_MPI_ERR_COMM"),
    "WINDOW": ("struct win_info", "win_find", "refuse_win", "ABI_MPI_ERR_WIN"),
    "FILE": ("MPI_File", "file_in", "refuse_file", "ABI_MPI_ERR_FILE"),
}
_OBJECTS = tuple(_FINDERS)
_SCALARS = ("int", "MPI_Aint", "MPI_Count", "MPI_Offset")


def _receives(procedure: Procedure) -> bool:
    name = procedure.base.lower()
    return "recv" in name or "probe" in name


def _counts(kind: str) -> bool:
    """Whether a negative value is refused as such; a displacement in a window is checked with what lies there."""
    return (kind.endswith(("_NNI", "_PI")) and "DISPLACEMENT" not in kind) or kind in (
        "ARRAY_LENGTH",
        "NUM_DIMS",
        "COMM_SIZE",
    )


def _count_class(kind: str) -> str:
    return "ABI_MPI_ERR_DIMS" if kind == "NUM_DIMS" else "ABI_MPI_ERR_ARG" if "LENGTH" in kind else "ABI_MPI_ERR_COUNT"


def _out(parameter: Parameter) -> str:
    """The C expression that gives a result in the guest's terms."""
    name, kind = parameter.name, parameter.kind
    if parameter.c_type != "int":
        return f"(int32_t){name}" if parameter.c_type == "MPI_Aint" else name
    if kind in ("RANK", "RANK_NNI"):
        return f"rank_out({name})"
    if kind in _RENUMBERED:
        return f"constant_out(constants_{_RENUMBERED[kind]}, {name})"
    if kind in _BITS:
        return f"mode_out(constants_{_BITS[kind]}, {name})"
    if kind in ("ERROR_CLASS", "ERROR_CODE"):
        return f"error_out({name})"
    if kind == "TAG":
        return f"tag_out({name})"
    return f"undefined_out({name})"
