"""The rooms of the package keep to their side: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "argosy"
ROOMS = {folder.name for folder in PACKAGE.iterdir() if folder.is_dir() and not folder.name.startswith("_")}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """Every module that the file imports, as far as the names tell: `from a import b` gives a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} uses a relative import"
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


GRAPH = {name: {other for other in imported(path) if other in MODULES} - {name} for name, path in MODULES.items()}


def room(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in ROOMS else None


def test_the_rooms_of_the_design_exist() -> None:
    assert {"model", "build", "mpi", "launcher", "sign", "oci", "site"} <= ROOMS


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) == "model"])
def test_model_imports_no_other_room(name: str) -> None:
    assert {other for other in GRAPH[name] if room(other) not in (None, "model")} == set()


def test_build_and_site_never_import_each_other() -> None:
    crossings = [
        (name, other) for name in GRAPH for other in GRAPH[name] if {room(name), room(other)} == {"build", "site"}
    ]
    assert crossings == []


def test_only_site_scons_imports_scons() -> None:
    assert [name for name, path in MODULES.items() if any(i.split(".")[0] == "SCons" for i in imported(path))] == []


def test_no_import_cycle() -> None:
    # A package's __init__ is imported with each of its modules; only edges to what is really used count here.
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for other in GRAPH[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in GRAPH:
        visit(name, ())
