"""The database holds the whole standard; each procedure of it is bound, the guest's own, or absent for a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from argosy.launcher import build
from argosy.mpi import abi, binding, glue
from argosy.mpi.api import procedures
from argosy.mpi.binding import Place, place
from argosy.mpi.glue import calls, knowledge
from argosy.mpi.glue.call import NotExpressibleError
from argosy.mpi.guest import header, sources, wrappers

OWN = {name: text for name, text in sources().items() if name.endswith(".c")}
DEFINED = re.compile(r"^(?:\w+ \*?|\w+ )P(MPI_\w+)\(", re.MULTILINE)


def test_every_c_procedure_of_mpi_5_is_there() -> None:
    large = [procedure for procedure in procedures().values() if procedure.large]
    assert (len(procedures()) - len(large), len(large)) == (531, 159)


def test_each_procedure_has_one_place_and_each_absent_one_a_reason() -> None:
    absent = binding.absent()
    for name in procedures():
        assert (place(name) is Place.ABSENT) == (name in absent)
        assert (place(name) is Place.NODE) == (name in binding.imports())
    assert all(len(reason) > 20 for reason in absent.values())


def test_what_is_declared_is_exactly_what_is_not_absent() -> None:
    declared = set(re.findall(r"\bP?MPI_\w+(?=\()", header.text()))
    removed = {re.findall(r"MPI_\w+(?=\()", line)[0] for line in header.REMOVED}
    expected = {name for name in procedures() if place(name) is not Place.ABSENT} | removed
    functions = {name for name in declared if name.startswith("MPI_") and f"P{name}" in declared}
    assert functions == expected


def test_the_guest_defines_what_it_does_for_itself() -> None:
    text = "\n".join(OWN.values())
    defined = set(re.findall(r"weak (MPI_\w+) = PMPI_\w+", text))
    for family in re.findall(r"^CONVERTERS\((\w+),", text, re.MULTILINE):
        defined |= {f"MPI_{family}_{way}" for way in ("c2f", "f2c", "toint", "fromint")}
    defined |= {f"MPI_Status_{way}" for way in re.findall(r"^STATUSES\((\w+),", text, re.MULTILINE)}
    for field in re.findall(r"^FIELD\((\w+),", text, re.MULTILINE):
        defined |= {f"MPI_Status_{way}_{field}" for way in ("get", "set")}
    defined = {name for name in defined if "##" not in name}
    removed = {re.findall(r"MPI_\w+(?=\()", line)[0] for line in header.REMOVED}
    assert {name for name in procedures() if place(name) is Place.GUEST} == defined - removed
    assert removed <= defined


def test_every_import_is_generated_or_written_by_hand_and_never_both() -> None:
    by_hand = set()
    for path in Path(build.SOURCES).glob("mpi_*.c"):
        by_hand |= set(re.findall(r"^(?:IMPORT|ERROR_HANDLERS)\((?:\w+, )*(\w+)\)", path.read_text(), re.MULTILINE))
    assert by_hand == glue.BY_HAND
    for name, procedure in binding.imports().items():
        if name not in glue.BY_HAND:
            assert f"IMPORT({name})" in calls.function(procedure)


@pytest.mark.parametrize("name", sorted(glue.BY_HAND))
def test_what_is_written_by_hand_is_beyond_the_kinds(name: str) -> None:
    if name in knowledge.OF_ITS_OWN:
        return
    with pytest.raises(NotExpressibleError):
        calls.function(procedures()[name])


def test_each_import_has_a_wrapper_of_its_own() -> None:
    assert set(wrappers.sources()) == {f"{name}.s" for name in binding.imports()}


def test_a_library_without_a_function_has_no_import_for_it() -> None:
    declared = frozenset(procedures()) | {handle.c_type for handle in abi.HANDLES}
    table = glue.generate(declared - {"MPI_Bcast", "MPI_Send_c"})["mpi_imports.c"]
    names = re.findall(r'^    \{"(\w+)", "', table, re.MULTILINE)
    assert set(names) == set(binding.imports()) - {"MPI_Bcast", "MPI_Send_c"}
    assert names == sorted(names)


def test_predefined_handles_are_distinct_and_below_dynamic_ones() -> None:
    values = [value for handle in abi.HANDLES for value in handle.values.values()]
    assert len(values) == len(set(values))
    assert max(values) <= abi.LAST_PREDEFINED_HANDLE


def test_the_constants_are_those_of_an_abi_header() -> None:
    """Compare with the mpi_abi.h that comes with an MPI library, where one does."""
    import sys

    from needs import need

    path = Path(sys.prefix, "include", "mpi_abi.h")
    if not path.exists():
        need(str(path), "pip install mpich")
    theirs = path.read_text()
    numbers = dict(
        re.findall(r"^\s*(?:#define\s+)?(MPI_\w+)\s*=?\s+\(*(?:\([^()]*\))?(-?0?x?[0-9A-Fa-f]+)\b", theirs, re.M)
    )
    ours = {name: value for handle in abi.HANDLES for name, value in handle.values.items()}
    ours |= {name: value for values in abi.INTEGERS.values() for name, value in values.items()}
    ours |= {name: value for name, (_, value) in abi.POINTERS.items()}
    compared = {name: int(numbers[name], 0) for name in ours if name in numbers}
    assert {name: ours[name] for name in compared} == compared
    assert len(compared) > 0.9 * len(ours), sorted(set(ours) - set(compared))
