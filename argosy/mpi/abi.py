"""The constants of the MPI standard ABI: what the numbers in a guest's memory mean.

Source: MPI 5.0, chapter "Application Binary Interface (ABI)" and its appendix of values. On wasm32 a handle is a
pointer to an incomplete struct, so 32 bits wide; predefined handles are small numbers below `FIRST_DYNAMIC_HANDLE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

VERSION = (1, 0)  # of the ABI
STANDARD = (5, 0)  # of MPI
STATUS_BYTES = 32  # MPI_SOURCE, MPI_TAG, MPI_ERROR, then five reserved 32-bit words
LAST_PREDEFINED_HANDLE = 0x3FF  # the ABI packs predefined handles into ten bits
LAST_CODE = 0x3FFF  # MPI_ERR_LASTCODE: codes and classes that are made at run time are above


@dataclass(frozen=True, kw_only=True)
class HandleClass:
    """A class of opaque objects: its C type, the kind that the standard's database gives it, its predefined values."""

    c_type: str
    kind: str
    null: str
    values: Mapping[str, int]

    @property
    def name(self) -> str:
        """The class in lower case, as C identifiers of ours spell it: `comm`, `datatype`."""
        return self.c_type.removeprefix("MPI_").lower()


DATATYPES: Mapping[str, int] = {
    "MPI_DATATYPE_NULL": 0x200,
    "MPI_AINT": 0x201,
    "MPI_COUNT": 0x202,
    "MPI_OFFSET": 0x203,
    "MPI_PACKED": 0x207,
    "MPI_SHORT": 0x208,
    "MPI_INT": 0x209,
    "MPI_LONG": 0x20A,
    "MPI_LONG_LONG": 0x20B,
    "MPI_UNSIGNED_SHORT": 0x20C,
    "MPI_UNSIGNED": 0x20D,
    "MPI_UNSIGNED_LONG": 0x20E,
    "MPI_UNSIGNED_LONG_LONG": 0x20F,
    "MPI_FLOAT": 0x210,
    "MPI_C_FLOAT_COMPLEX": 0x212,
    "MPI_CXX_FLOAT_COMPLEX": 0x213,
    "MPI_DOUBLE": 0x214,
    "MPI_C_DOUBLE_COMPLEX": 0x216,
    "MPI_CXX_DOUBLE_COMPLEX": 0x217,
    "MPI_LOGICAL": 0x218,
    "MPI_INTEGER": 0x219,
    "MPI_REAL": 0x21A,
    "MPI_COMPLEX": 0x21B,
    "MPI_DOUBLE_PRECISION": 0x21C,
    "MPI_DOUBLE_COMPLEX": 0x21D,
    "MPI_CHARACTER": 0x21E,
    "MPI_LONG_DOUBLE": 0x220,
    "MPI_C_LONG_DOUBLE_COMPLEX": 0x224,
    "MPI_CXX_LONG_DOUBLE_COMPLEX": 0x225,
    "MPI_FLOAT_INT": 0x228,
    "MPI_DOUBLE_INT": 0x229,
    "MPI_LONG_INT": 0x22A,
    "MPI_2INT": 0x22B,
    "MPI_SHORT_INT": 0x22C,
    "MPI_LONG_DOUBLE_INT": 0x22D,
    "MPI_2REAL": 0x230,
    "MPI_2DOUBLE_PRECISION": 0x231,
    "MPI_2INTEGER": 0x232,
    "MPI_C_BOOL": 0x238,
    "MPI_CXX_BOOL": 0x239,
    "MPI_WCHAR": 0x23C,
    "MPI_INT8_T": 0x240,
    "MPI_UINT8_T": 0x241,
    "MPI_CHAR": 0x243,
    "MPI_SIGNED_CHAR": 0x244,
    "MPI_UNSIGNED_CHAR": 0x245,
    "MPI_BYTE": 0x247,
    "MPI_INT16_T": 0x248,
    "MPI_UINT16_T": 0x249,
    "MPI_INT32_T": 0x250,
    "MPI_UINT32_T": 0x251,
    "MPI_INT64_T": 0x258,
    "MPI_UINT64_T": 0x259,
    "MPI_LOGICAL1": 0x2C0,
    "MPI_INTEGER1": 0x2C1,
    "MPI_LOGICAL2": 0x2C8,
    "MPI_INTEGER2": 0x2C9,
    "MPI_REAL2": 0x2CA,
    "MPI_LOGICAL4": 0x2D0,
    "MPI_INTEGER4": 0x2D1,
    "MPI_REAL4": 0x2D2,
    "MPI_COMPLEX4": 0x2D3,
    "MPI_LOGICAL8": 0x2D8,
    "MPI_INTEGER8": 0x2D9,
    "MPI_REAL8": 0x2DA,
    "MPI_COMPLEX8": 0x2DB,
    "MPI_LOGICAL16": 0x2E0,
    "MPI_INTEGER16": 0x2E1,
    "MPI_REAL16": 0x2E2,
    "MPI_COMPLEX16": 0x2E3,
    "MPI_COMPLEX32": 0x2EB,
}

DATATYPE_SYNONYMS: Mapping[str, str] = {
    "MPI_LONG_LONG_INT": "MPI_LONG_LONG",
    "MPI_C_COMPLEX": "MPI_C_FLOAT_COMPLEX",
}

# No handles of the ABI: MPI_Type_struct of the guest's own knows them, and nobody else.
MARKERS: Mapping[str, int] = {"MPI_LB": 0x3FE, "MPI_UB": 0x3FF}

OPERATIONS: Mapping[str, int] = {
    "MPI_OP_NULL": 0x20,
    "MPI_SUM": 0x21,
    "MPI_MIN": 0x22,
    "MPI_MAX": 0x23,
    "MPI_PROD": 0x24,
    "MPI_BAND": 0x28,
    "MPI_BOR": 0x29,
    "MPI_BXOR": 0x2A,
    "MPI_LAND": 0x30,
    "MPI_LOR": 0x31,
    "MPI_LXOR": 0x32,
    "MPI_MINLOC": 0x38,
    "MPI_MAXLOC": 0x39,
    "MPI_REPLACE": 0x3C,
    "MPI_NO_OP": 0x3D,
}

HANDLES: tuple[HandleClass, ...] = (
    HandleClass(c_type="MPI_Op", kind="OPERATION", null="MPI_OP_NULL", values=OPERATIONS),
    HandleClass(
        c_type="MPI_Comm",
        kind="COMMUNICATOR",
        null="MPI_COMM_NULL",
        values={"MPI_COMM_NULL": 0x100, "MPI_COMM_WORLD": 0x101, "MPI_COMM_SELF": 0x102},
    ),
    HandleClass(
        c_type="MPI_Group",
        kind="GROUP",
        null="MPI_GROUP_NULL",
        values={"MPI_GROUP_NULL": 0x108, "MPI_GROUP_EMPTY": 0x109},
    ),
    HandleClass(c_type="MPI_Win", kind="WINDOW", null="MPI_WIN_NULL", values={"MPI_WIN_NULL": 0x110}),
    HandleClass(c_type="MPI_File", kind="FILE", null="MPI_FILE_NULL", values={"MPI_FILE_NULL": 0x118}),
    HandleClass(c_type="MPI_Session", kind="SESSION", null="MPI_SESSION_NULL", values={"MPI_SESSION_NULL": 0x120}),
    HandleClass(
        c_type="MPI_Message",
        kind="MESSAGE",
        null="MPI_MESSAGE_NULL",
        values={"MPI_MESSAGE_NULL": 0x128, "MPI_MESSAGE_NO_PROC": 0x129},
    ),
    HandleClass(
        c_type="MPI_Info", kind="INFO", null="MPI_INFO_NULL", values={"MPI_INFO_NULL": 0x130, "MPI_INFO_ENV": 0x131}
    ),
    HandleClass(
        c_type="MPI_Errhandler",
        kind="ERRHANDLER",
        null="MPI_ERRHANDLER_NULL",
        values={
            "MPI_ERRHANDLER_NULL": 0x140,
            "MPI_ERRORS_ARE_FATAL": 0x141,
            "MPI_ERRORS_ABORT": 0x142,
            "MPI_ERRORS_RETURN": 0x143,
        },
    ),
    HandleClass(c_type="MPI_Request", kind="REQUEST", null="MPI_REQUEST_NULL", values={"MPI_REQUEST_NULL": 0x180}),
    HandleClass(c_type="MPI_Datatype", kind="DATATYPE", null="MPI_DATATYPE_NULL", values=DATATYPES),
)


def _numbered(prefix: str, first: int, names: str) -> Mapping[str, int]:
    return {f"{prefix}{name}": first + offset for offset, name in enumerate(names.split())}


def _bits(prefix: str, first: int, names: str) -> Mapping[str, int]:
    return {f"{prefix}{name}": first << offset for offset, name in enumerate(names.split())}


ERROR_CLASSES = _numbered(
    "MPI_",
    0,
    "SUCCESS ERR_BUFFER ERR_COUNT ERR_TYPE ERR_TAG ERR_COMM ERR_RANK ERR_REQUEST ERR_ROOT ERR_GROUP ERR_OP"
    " ERR_TOPOLOGY ERR_DIMS ERR_ARG ERR_UNKNOWN ERR_TRUNCATE ERR_OTHER ERR_INTERN ERR_PENDING ERR_IN_STATUS"
    " ERR_ACCESS ERR_AMODE ERR_ASSERT ERR_BAD_FILE ERR_BASE ERR_CONVERSION ERR_DISP ERR_DUP_DATAREP"
    " ERR_FILE_EXISTS ERR_FILE_IN_USE ERR_FILE ERR_INFO_KEY ERR_INFO_NOKEY ERR_INFO_VALUE ERR_INFO ERR_IO"
    " ERR_KEYVAL ERR_LOCKTYPE ERR_NAME ERR_NO_MEM ERR_NOT_SAME ERR_NO_SPACE ERR_NO_SUCH_FILE ERR_PORT ERR_QUOTA"
    " ERR_READ_ONLY ERR_RMA_ATTACH ERR_RMA_CONFLICT ERR_RMA_RANGE ERR_RMA_SHARED ERR_RMA_SYNC ERR_SERVICE ERR_SIZE"
    " ERR_SPAWN ERR_UNSUPPORTED_DATAREP ERR_UNSUPPORTED_OPERATION ERR_WIN ERR_RMA_FLAVOR ERR_PROC_ABORTED"
    " ERR_VALUE_TOO_LARGE ERR_SESSION ERR_ERRHANDLER ERR_ABI",
)
TOOL_ERRORS = _numbered(
    "MPI_T_ERR_",
    1001,
    "CANNOT_INIT NOT_ACCESSIBLE NOT_INITIALIZED NOT_SUPPORTED MEMORY INVALID INVALID_INDEX INVALID_ITEM"
    " INVALID_SESSION INVALID_HANDLE INVALID_NAME OUT_OF_HANDLES OUT_OF_SESSIONS CVAR_SET_NOT_NOW CVAR_SET_NEVER"
    " PVAR_NO_WRITE PVAR_NO_STARTSTOP PVAR_NO_ATOMIC",
)

RANKS: Mapping[str, int] = {"MPI_ANY_SOURCE": -1, "MPI_PROC_NULL": -3, "MPI_ROOT": -4}
TAGS: Mapping[str, int] = {"MPI_ANY_TAG": -2}
UNDEFINED: Mapping[str, int] = {"MPI_UNDEFINED": -32766}
THREAD_LEVELS: Mapping[str, int] = {
    "MPI_THREAD_SINGLE": 0,
    "MPI_THREAD_FUNNELED": 1024,
    "MPI_THREAD_SERIALIZED": 2048,
    "MPI_THREAD_MULTIPLE": 4096,
}
ORDERS: Mapping[str, int] = {"MPI_ORDER_C": 12, "MPI_ORDER_FORTRAN": 15}
DISTRIBUTIONS = _numbered("MPI_DISTRIBUTE_", 16, "NONE BLOCK CYCLIC DFLT_DARG")
COMBINERS = _numbered(
    "MPI_COMBINER_",
    101,
    "NAMED DUP CONTIGUOUS VECTOR HVECTOR INDEXED HINDEXED INDEXED_BLOCK HINDEXED_BLOCK STRUCT SUBARRAY DARRAY"
    " F90_REAL F90_COMPLEX F90_INTEGER RESIZED VALUE_INDEX",
)
TYPECLASSES = _numbered("MPI_TYPECLASS_", 192, "INTEGER REAL COMPLEX")
COMPARISONS = _numbered("MPI_", 201, "IDENT CONGRUENT SIMILAR UNEQUAL")
TOPOLOGIES = _numbered("MPI_", 211, "CART GRAPH DIST_GRAPH")
SPLIT_TYPES = _numbered("MPI_COMM_TYPE_", 221, "SHARED HW_UNGUIDED HW_GUIDED RESOURCE_GUIDED")
LOCK_TYPES = _numbered("MPI_LOCK_", 301, "EXCLUSIVE SHARED")
WINDOW_FLAVORS = _numbered("MPI_WIN_FLAVOR_", 311, "CREATE ALLOCATE DYNAMIC SHARED")
WINDOW_MODELS = _numbered("MPI_WIN_", 321, "UNIFIED SEPARATE")
SEEKS = _numbered("MPI_SEEK_", 401, "CUR END SET")
KEYVAL_INVALID: Mapping[str, int] = {"MPI_KEYVAL_INVALID": 0}
COMM_KEYVALS = _numbered("MPI_", 501, "TAG_UB IO HOST WTIME_IS_GLOBAL APPNUM LASTUSEDCODE UNIVERSE_SIZE")
WINDOW_KEYVALS = _numbered("MPI_WIN_", 601, "BASE DISP_UNIT SIZE CREATE_FLAVOR MODEL")
FILE_MODES = _bits("MPI_MODE_", 1, "APPEND CREATE DELETE_ON_CLOSE EXCL RDONLY RDWR SEQUENTIAL UNIQUE_OPEN WRONLY")
WINDOW_MODES = _bits("MPI_MODE_", 1024, "NOCHECK NOPRECEDE NOPUT NOSTORE NOSUCCEED")
STRING_SIZES: Mapping[str, int] = {
    "MPI_MAX_DATAREP_STRING": 128,
    "MPI_MAX_ERROR_STRING": 512,
    "MPI_MAX_INFO_KEY": 256,
    "MPI_MAX_INFO_VAL": 1024,
    "MPI_MAX_LIBRARY_VERSION_STRING": 8192,
    "MPI_MAX_OBJECT_NAME": 128,
    "MPI_MAX_PORT_NAME": 1024,
    "MPI_MAX_PROCESSOR_NAME": 256,
    "MPI_MAX_STRINGTAG_LEN": 1024,
    "MPI_MAX_PSET_NAME_LEN": 1024,
    "MPI_BSEND_OVERHEAD": 512,
}
FORTRAN_STATUS: Mapping[str, int] = {"MPI_F_STATUS_SIZE": 8, "MPI_F_SOURCE": 0, "MPI_F_TAG": 1, "MPI_F_ERROR": 2}

TOOL_VERBOSITY: Mapping[str, int] = {
    f"MPI_T_VERBOSITY_{who}_{what}": high | low
    for who, high in (("USER", 8), ("TUNER", 16), ("MPIDEV", 32))
    for what, low in (("BASIC", 1), ("DETAIL", 2), ("ALL", 4))
}
TOOL_BINDINGS = _numbered(
    "MPI_T_BIND_",
    1,
    "NO_OBJECT MPI_COMM MPI_DATATYPE MPI_ERRHANDLER MPI_FILE MPI_GROUP MPI_OP MPI_REQUEST MPI_WIN MPI_MESSAGE"
    " MPI_INFO MPI_SESSION",
)
TOOL_SCOPES = _numbered("MPI_T_SCOPE_", 1, "CONSTANT READONLY LOCAL GROUP GROUP_EQ ALL ALL_EQ")
TOOL_CLASSES = _numbered(
    "MPI_T_PVAR_CLASS_",
    1,
    "STATE LEVEL SIZE PERCENTAGE HIGHWATERMARK LOWWATERMARK COUNTER AGGREGATE TIMER GENERIC",
)


@dataclass(frozen=True, kw_only=True)
class ToolClass:
    """A class of the tool information interface's own objects: its C type, and the values that are not handles."""

    c_type: str
    kind: str
    values: Mapping[str, int]


TOOL_HANDLES: tuple[ToolClass, ...] = (
    ToolClass(c_type="MPI_T_enum", kind="TOOLS_ENUM", values={"MPI_T_ENUM_NULL": 0}),
    ToolClass(c_type="MPI_T_cvar_handle", kind="CVAR", values={"MPI_T_CVAR_HANDLE_NULL": 0}),
    ToolClass(
        c_type="MPI_T_pvar_handle", kind="PVAR", values={"MPI_T_PVAR_HANDLE_NULL": 0, "MPI_T_PVAR_ALL_HANDLES": 1}
    ),
    ToolClass(c_type="MPI_T_pvar_session", kind="PVAR_SESSION", values={"MPI_T_PVAR_SESSION_NULL": 0}),
    ToolClass(c_type="MPI_T_event_registration", kind="EVENT_REGISTRATION", values={}),
    ToolClass(c_type="MPI_T_event_instance", kind="EVENT_INSTANCE", values={}),
)
TOOL_SAFETY: Mapping[str, int] = {
    "MPI_T_CB_REQUIRE_NONE": 0x00,
    "MPI_T_CB_REQUIRE_MPI_RESTRICTED": 0x03,
    "MPI_T_CB_REQUIRE_THREAD_SAFE": 0x0F,
    "MPI_T_CB_REQUIRE_ASYNC_SIGNAL_SAFE": 0x3F,
}
TOOL_ORDERS: Mapping[str, int] = {"MPI_T_SOURCE_ORDERED": 1, "MPI_T_SOURCE_UNORDERED": 2}
ENUMERATIONS: Mapping[str, Mapping[str, int]] = {"MPI_T_cb_safety": TOOL_SAFETY, "MPI_T_source_order": TOOL_ORDERS}
"""Types of C that are enumerations, each with its values."""

INTEGERS: Mapping[str, Mapping[str, int]] = {
    "Error classes": {**ERROR_CLASSES, **TOOL_ERRORS, "MPI_ERR_LASTCODE": LAST_CODE},
    "Ranks, tags": {**RANKS, **TAGS, **UNDEFINED},
    "Levels of thread support": THREAD_LEVELS,
    "Array datatypes": {**ORDERS, **DISTRIBUTIONS},
    "Decoding of datatypes": {**COMBINERS, **TYPECLASSES},
    "Results of comparisons": COMPARISONS,
    "Virtual topologies": TOPOLOGIES,
    "Split types": SPLIT_TYPES,
    "Windows": {**LOCK_TYPES, **WINDOW_FLAVORS, **WINDOW_MODELS, **WINDOW_MODES},
    "Files": {**FILE_MODES, **SEEKS},
    "Predefined attributes": {**KEYVAL_INVALID, **COMM_KEYVALS, **WINDOW_KEYVALS},
    "Sizes": STRING_SIZES,
    "Fortran's status": FORTRAN_STATUS,
    "Tool information interface": {**TOOL_VERBOSITY, **TOOL_BINDINGS, **TOOL_SCOPES, **TOOL_CLASSES},
}
"""Every integer constant, by what it is for."""

POINTERS: Mapping[str, tuple[str, int]] = {
    "MPI_BOTTOM": ("void *", 0),
    "MPI_IN_PLACE": ("void *", 1),
    "MPI_BUFFER_AUTOMATIC": ("void *", 2),
    "MPI_ARGV_NULL": ("char **", 0),
    "MPI_ARGVS_NULL": ("char ***", 0),
    "MPI_ERRCODES_IGNORE": ("int *", 0),
    "MPI_STATUS_IGNORE": ("MPI_Status *", 0),
    "MPI_STATUSES_IGNORE": ("MPI_Status *", 0),
    "MPI_UNWEIGHTED": ("int *", 10),
    "MPI_WEIGHTS_EMPTY": ("int *", 11),
}
"""Special addresses: C type and value."""

HANDLE_OF_KIND: Mapping[str, HandleClass] = {handle.kind: handle for handle in HANDLES}
