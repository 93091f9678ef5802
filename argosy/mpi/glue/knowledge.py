"""What the standard says of single procedures and kinds and the database does not, as tables for the writer."""

from __future__ import annotations

import re
from collections.abc import Mapping

# The standard lets these be called before MPI_Init and after MPI_Finalize (MPI 5.0, section "MPI Functionality that is
# Always Available"). A session's error handler is called only while there is the session.
NAMES = "Initialized Finalized Get_library_version Wtime Wtick Error_class Error_string"
ANYTIME = frozenset(f"MPI_{name}" for name in (*NAMES.split(), "Session_call_errhandler"))
# These since MPI 4.0: an older library ends the process.
_INFO = "create delete dup free get get_nkeys get_nthkey get_string get_valuelen set"
SINCE_4 = frozenset(f"MPI_Info_{name}" for name in _INFO.split())

# Expressible by kind, and yet written by hand: they change what all others stand on, reach beyond the job, or the node
# would tell of its own datatypes and not of the guest's.
OF_ITS_OWN = frozenset(
    {
        "MPI_Abort",
        "MPI_File_open",
        "MPI_File_close",
        "MPI_File_delete",
        "MPI_Finalize",
        "MPI_Comm_free_keyval",
        "MPI_Type_free_keyval",
        "MPI_Win_free_keyval",
        "MPI_Grequest_complete",
        "MPI_T_finalize",
        "MPI_Comm_idup",
        "MPI_Comm_idup_with_info",
        "MPI_Type_get_envelope",
        "MPI_Type_get_envelope_c",
        "MPI_Type_get_name",
        "MPI_Type_set_name",
        "MPI_Win_create_dynamic",
        "MPI_Comm_get_parent",
        "MPI_Open_port",
        "MPI_Close_port",
        "MPI_Comm_accept",
        "MPI_Comm_connect",
        "MPI_Publish_name",
        "MPI_Unpublish_name",
        "MPI_Lookup_name",
        "MPI_Comm_create_from_group",
        "MPI_Errhandler_free",
        "MPI_Query_thread",
        "MPI_Request_free",
        "MPI_Group_union",
        "MPI_Group_intersection",
        "MPI_Group_difference",
        "MPI_Session_finalize",
        "MPI_Session_init",
    }
)

# Values that are only renumbered, by kind: the table of constants.
RENUMBERED: Mapping[str, str] = {
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
BITS = {"ASSERT": "window_modes", "ACCESS_MODE": "file_modes"}

# The class that the standard names for a wrong argument, by kind; MPI_ERR_ARG for all others.
CLASSES: Mapping[str, str] = {
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
MAY_BE_NULL = frozenset({"INFO", "REQUEST"})

# How long an array is where the database says "*" or nothing: C expressions, some over other arrays.
LENGTHS: Mapping[tuple[str, str], str] = {
    ("MPI_Cart_rank", "coords"): "comm->in_degree / 2",
    ("MPI_Cart_sub", "remain_dims"): "comm->in_degree / 2",
    ("MPI_Graph_create", "edges"): "last_of(index, {nnodes})",
    ("MPI_Graph_map", "edges"): "last_of(index, {nnodes})",
    ("MPI_Dist_graph_create", "destinations"): "sum_of(degrees, {n})",
    ("MPI_Dist_graph_create", "weights"): "sum_of(degrees, {n})",
    ("MPI_Dist_graph_create_adjacent", "sourceweights"): "{indegree}",
    ("MPI_Dist_graph_create_adjacent", "destweights"): "{outdegree}",
    ("MPI_Dist_graph_neighbors", "sources"): "lesser({maxindegree}, comm->in_degree)",
    ("MPI_Dist_graph_neighbors", "sourceweights"): "lesser({maxindegree}, comm->in_degree)",
    ("MPI_Dist_graph_neighbors", "destinations"): "lesser({maxoutdegree}, comm->out_degree)",
    ("MPI_Dist_graph_neighbors", "destweights"): "lesser({maxoutdegree}, comm->out_degree)",
}

# How much room the guest gives for a string, where the database does not say.
STRING_SIZES: Mapping[tuple[str, str], str] = {
    ("MPI_Info_get_nthkey", "key"): "MPI_MAX_INFO_KEY",
    ("MPI_Win_get_name", "win_name"): "MPI_MAX_OBJECT_NAME",
    ("MPI_Comm_get_name", "comm_name"): "MPI_MAX_OBJECT_NAME",
    ("MPI_File_get_view", "datarep"): "MPI_MAX_DATAREP_STRING",
}

# A new datatype may reach only so far from its origin and hold only so much data that neither MPI's arithmetic nor ours
# can wrap: farthest displacement in bytes, longest block and number of elements, in terms of the parameters. Names in
# braces are the guest's scalars, others are arrays and datatypes that were read before.
BOUNDS: Mapping[str, str] = {
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
TOPOLOGIES: Mapping[str, tuple[str, str]] = {
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
    "MPI_Dist_graph_neighbors": ("MPI_DIST_GRAPH", ""),
    "MPI_Dist_graph_neighbors_count": ("MPI_DIST_GRAPH", ""),
}

# What only makes sense with two groups, or with one; for the others libraries have no check.
INTER = re.compile(r"MPI_(Comm_remote_group|Comm_remote_size|Intercomm_merge)")
INTRA = re.compile(
    r"MPI_(I?(ex)?scan(_init)?|Exscan\w*|Scan\w*|\w*(Cart|Graph|graph)_(create|map)\w*|Comm_create_group|File_open)"
)

# What sort of request a procedure makes; all others complete once and may be freed before.
REQUESTS = (
    (re.compile(r"MPI_Psend_init"), "GIVES_PARTS"),
    (re.compile(r"MPI_Precv_init"), "TAKES_PARTS"),
    (re.compile(r"MPI_([BRS]?[Ss]end|Recv)_init"), "RESTARTS"),
    (re.compile(r"MPI_\w+_init"), "RESTARTS_ALL"),
    (
        re.compile(
            r"MPI_I(neighbor_\w+|barrier|bcast|(all)?gatherv?|scatterv?|alltoall[vw]?|(all)?reduce\w*|(ex)?scan)"
        ),
        "COLLECTIVE",
    ),
)

# The accesses to files that are begun and ended, all, and those that do not block.
_SPLIT = ("read_all", "read_at_all", "read_ordered", "write_all", "write_at_all", "write_ordered")
_ACCESSES = (*_SPLIT, "read", "read_at", "read_shared", "write", "write_at", "write_shared")
_PENDING = tuple(name for name in _ACCESSES if not name.endswith("ordered"))

# What else has to hold when everything has been read: the argument that is wrong otherwise, the condition, the class.
CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "MPI_Start": ("request", "request_restarts(request_handle)", "REQUEST"),
    "MPI_Fetch_and_op": ("datatype", "type_predefined_handle(datatype) != 0", "TYPE"),
    "MPI_Compare_and_swap": ("datatype", "swappable(datatype)", "TYPE"),
    "MPI_Pready": ("partition", "request_parts({request}, true, {partition}, {partition})", "REQUEST"),
    "MPI_Pready_range": (
        "partition_low",
        "request_parts({request}, true, {partition_low}, {partition_high})",
        "REQUEST",
    ),
    "MPI_Pready_list": (
        "array_of_partitions",
        "request_listed_parts({request}, array_of_partitions, {length})",
        "REQUEST",
    ),
    "MPI_Type_create_darray": ("array_of_psizes", "PRODUCT(array_of_psizes, {ndims}) == {size}", "ARG"),
    "MPI_Dims_create": ("ndims", "{ndims} <= MOST_DIMENSIONS", "DIMS"),
    "MPI_Get_elements": ("datatype", "!type_holds(datatype->host, COUNTED)", "TYPE"),
    "MPI_Get_elements_x": ("datatype", "!type_holds(datatype->host, COUNTED)", "TYPE"),
    "MPI_Status_set_elements": ("datatype", "!type_holds(datatype->host, FILLED)", "TYPE"),
    "MPI_Status_set_elements_x": ("datatype", "!type_holds(datatype->host, FILLED)", "TYPE"),
    "MPI_Pack_external_size": ("datatype", "external_form(datatype)", "TYPE"),
    "MPI_Pack_size": ("datatype", "datatype->committed", "TYPE"),  # where it is not, Open MPI 4.1 reads beyond
    "MPI_Comm_create": ("group", "group_within(group, comm)", "GROUP"),
    "MPI_Comm_create_group": ("group", "group_within(group, comm)", "GROUP"),
    "MPI_Comm_free": ("comm", "!attributes_in_use(comm_pack(comm))", "COMM"),
    "MPI_Comm_disconnect": ("comm", "!attributes_in_use(comm_pack(comm))", "COMM"),
    "MPI_Type_create_f90_real": ("p", "reals_reach({p}, {r})", "ARG"),
    "MPI_Type_create_f90_complex": ("p", "reals_reach({p}, {r})", "ARG"),
    "MPI_Type_create_f90_integer": ("r", "integers_reach({r})", "ARG"),
    "MPI_Add_error_code": ("errorclass", "error_is_class(v[0].i32)", "ARG"),
    "MPI_Win_free": ("win", "!attributes_in_use(win_pack(win))", "WIN"),
    "MPI_Cancel": ("request", "request_cancels(request_handle)", "REQUEST"),
    "MPI_Psend_init": ("partitions", "({partitions} <= MOST_PARTITIONS)", "ARG"),
    "MPI_Group_from_session_pset": ("pset_name", "session_has(session, pset_name)", "ARG"),
    "MPI_Session_get_pset_info": ("pset_name", "session_has(session, pset_name)", "ARG"),
    "MPI_Parrived": ("partition", "request_parts({request}, false, {partition}, {partition})", "REQUEST"),
    "MPI_Type_free": (
        "datatype",
        "(uint32_t)datatype_handle >= HANDLE_FIRST_DYNAMIC && !attributes_in_use(datatype_pack(datatype))"
        " && !type_of_fortran(datatype)",
        "TYPE",
    ),
    "MPI_Pack_external": ("datatype", "quads_travel(datatype) && external_form(datatype)", "TYPE"),
    "MPI_File_set_view": ("filetype", "view_begins(etype, filetype)", "IO"),
    "MPI_File_preallocate": ("size", "file_fits(v[0].i32, fh, {size})", "NO_SPACE"),
    **{f"MPI_File_{name}_begin": ("fh", "split_is(v[0].i32, SPLIT_NONE)", "OTHER") for name in _SPLIT},
    **{f"MPI_File_{name}_end": ("fh", f"split_is(v[0].i32, SPLIT_{name.upper()})", "OTHER") for name in _SPLIT},
    "MPI_Unpack_external": ("datatype", "quads_travel(datatype) && external_form(datatype)", "TYPE"),
}

# The same, when results and buffers have been looked at as well.
LAST_CONDITIONS: Mapping[str, tuple[str, str, str]] = {
    "MPI_Compare_and_swap": ("target_rank", "win_swaps(win, target_rank, datatype)", "UNSUPPORTED_OPERATION"),
    "MPI_Type_create_darray": ("array_of_dargs", "deals_out(array_of_distribs, array_of_dargs, {ndims})", "ARG"),
    "MPI_Unpack_external": (
        "inbuf",
        "(inbuf = quads_to_unpack(&scratch, inbuf, position, {outcount}, datatype)) != NULL",
        "NO_MEM",
    ),
    **{f"MPI_File_{name}": ("datatype", "!access.refused", "UNSUPPORTED_OPERATION") for name in _ACCESSES},
    **{
        f"MPI_File_{name}": ("fh", "access_pends(file_external(v[0].i32), datatype)", "UNSUPPORTED_OPERATION")
        for name in (*(f"i{name}" for name in _PENDING), *(f"{name}_begin" for name in _SPLIT))
    },
}

# What MPI gets, or the guest, instead of a number: C expressions.
PASSED: Mapping[tuple[str, str], str] = {
    # MPICH copies as many neighbours as there is room for, however many it has.
    ("MPI_Dist_graph_neighbors", "maxindegree"): "lesser({maxindegree}, comm->in_degree)",
    ("MPI_Dist_graph_neighbors", "maxoutdegree"): "lesser({maxoutdegree}, comm->out_degree)",
    # MPICH divides by the size of an element, and an empty datatype has none.
    **{
        (f"MPI_{name}", "datatype"): "external_type(datatype)"
        for name in ("Pack_external_size", "Pack_external", "Unpack_external")
    },
    ("MPI_Pack_external_size", "incount"): "(datatype->size == 0 ? 0 : {incount})",
    ("MPI_Pack_external", "incount"): "(datatype->size == 0 ? 0 : {incount})",
    ("MPI_Unpack_external", "outcount"): "(datatype->size == 0 ? 0 : {outcount})",
    **{
        (f"MPI_File_{name}", parameter): passed
        for name in _ACCESSES
        for parameter, passed in (
            ("buf", "access.buffer"),
            ("count", "access.count"),
            ("datatype", "access.type"),
            ("status", "access_status(&access, status)"),
        )
    },
    # Open MPI 4.1 divides by the size of an element here, too.
    **{
        (f"MPI_File_{name}", parameter): passed
        for name in (*(f"i{name}" for name in _PENDING), *(f"{name}_begin" for name in _SPLIT))
        for parameter, passed in (
            ("count", "(datatype->size == 0 ? 0 : {count})"),
            ("datatype", "file_type(v[0].i32, datatype)"),
        )
    },
    ("MPI_Get_elements", "datatype"): "pair_in(datatype->host)",
    ("MPI_Get_elements_x", "datatype"): "pair_in(datatype->host)",
    # Open MPI 4.1 divides by the size of an element here, and MPICH 4.0 where it unpacks; an empty datatype has none.
    **{
        (f"MPI_{name}", parameter): passed
        for name, counted, count in (
            ("Status_set_elements", "count", "elements_in(datatype, {count})"),
            ("Status_set_elements_x", "count", "elements_in(datatype, {count})"),
            ("Unpack", "outcount", "{outcount}"),
        )
        for parameter, passed in (
            (counted, f"(datatype->size == 0 ? 0 : {count})"),
            ("datatype", "(datatype->size == 0 ? MPI_BYTE : datatype->host)"),
        )
    },
}
RESULTS: Mapping[tuple[str, str], str] = {
    ("MPI_Error_class", "errorclass"): "error_class_of(v[0].i32, errorclass)",
    ("MPI_Get_elements", "count"): "elements_out(datatype, count)",
    ("MPI_File_get_amode", "amode"): "mode_out(constants_file_modes, amode) | file_deletes(v[0].i32)",
    ("MPI_Get_elements_x", "count"): "elements_out(datatype, count)",
}

_COMM_ENDS = "    comm_settle((uint32_t)comm_handle, comm, here);"
_FILE_HINTS = "    MPI_Info given = info;\n    info = file_hints(given);"

# What else happens ahead of MPI's call, and after it in any case. MPICH 5.0
# sets the hints of a communicator even where it makes none.
BEFORE: Mapping[str, str] = {
    "MPI_Comm_free": _COMM_ENDS,
    "MPI_Comm_disconnect": _COMM_ENDS,
    "MPI_File_set_view": _FILE_HINTS,
    "MPI_File_set_info": _FILE_HINTS,
    "MPI_Comm_split_type": "    MPI_Info given = info;\n    info = split_info(split_type, given);",
    **{
        f"MPI_File_{name}": "    struct access access = access_begin(file_external(v[0].i32), buf, {count}, datatype,"
        f" {str(name.startswith('write')).lower()});"
        for name in _ACCESSES
    },
}
SETTLE: Mapping[str, str] = {
    "MPI_File_set_view": "    info_free_made(info, given);\n    file_view_failed(fh, code);",
    "MPI_File_set_info": "    info_free_made(info, given);",
    "MPI_Comm_split_type": "    info_free_made(info, given);",
    **{f"MPI_File_{name}_end": "    split_set(v[0].i32, SPLIT_NONE);" for name in _SPLIT},
    **{
        f"MPI_File_{name}": f"    code = access_end(&access, code, {str(name.startswith('write')).lower()}, status);"
        for name in _ACCESSES
    },
}

# What else a success means.
AFTER: Mapping[str, str] = {
    "MPI_Start": "    request_started(request_handle);",
    "MPI_Wait": "    request_rested(request_handle);",
    "MPI_Test": "    if (flag) {{ request_rested(request_handle); }}",
    "MPI_Buffer_iflush": "    bsend_flush_of_process(request_handle, here);",
    "MPI_Comm_iflush_buffer": "    bsend_flush_of_comm(request_handle, comm->host, here);",
    "MPI_Session_iflush_buffer": "    bsend_flush_of_session(request_handle, session, here);",
    "MPI_Type_commit": "    type_committed((uint32_t)datatype_handle);",
    **{
        f"MPI_Type_{name}": "    type_made(newtype_handle, oldtype);"
        for name in (
            *("contiguous", "vector", "create_hvector", "indexed", "create_hindexed", "create_indexed_block"),
            *("create_hindexed_block", "create_subarray", "create_darray"),
        )
    },
    "MPI_Type_create_resized": "    type_resized(newtype_handle, oldtype);",
    "MPI_Type_create_struct": "    STRUCT_MADE(newtype_handle, array_of_types_infos, array_of_displacements,"
    " array_of_blocklengths, {count});",
    "MPI_Type_dup": "    type_duplicated(newtype_handle, oldtype);",
    **{f"MPI_File_{name}_begin": f"    split_set(v[0].i32, SPLIT_{name.upper()});" for name in _SPLIT},
    **{f"MPI_File_i{name}": "    request_of_file(request_handle, v[0].i32);" for name in _PENDING},
    "MPI_File_set_view": "    file_viewed(v[0].i32, datarep);",
    "MPI_File_get_view": "    type_given(etype_handle);\n    type_given(filetype_handle);",
    "MPI_Pack_external": "    quads_packed(outbuf, position, {incount}, datatype);",
    "MPI_Session_get_info": "    threads_honest(info_used);",
    "MPI_Type_create_f90_complex": "    type_committed(newtype_handle);",
    "MPI_Type_create_f90_integer": "    type_committed(newtype_handle);",
    "MPI_Type_create_f90_real": "    type_committed(newtype_handle);",
}

# MPI_FILE_NULL has the error handler that files are opened with, and that errors of opening go to.
OF_NULL_TOO = frozenset({"MPI_File_set_errhandler", "MPI_File_get_errhandler"})

# What has an error handler: its C type here, what finds it, what refuses on its behalf, the class of a wrong one.
FINDERS: Mapping[str, tuple[str, str, str, str]] = {
    "COMMUNICATOR": ("struct comm_info", "comm_info_in", "refuse", "ABI_MPI_ERR_COMM"),
    "WINDOW": ("struct win_info", "win_find", "refuse_win", "ABI_MPI_ERR_WIN"),
    "FILE": ("MPI_File", "file_in", "refuse_file", "ABI_MPI_ERR_FILE"),
    "SESSION": ("MPI_Session", "session_in", "refuse_session", "ABI_MPI_ERR_SESSION"),
}
