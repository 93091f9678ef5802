"""`argosy inspect`: what a wasm file, or the native code made from one, contains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import REFERENCE_HELP, add_trust_options, open_reference, print_verdict, usable_variants
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import columns, print_json, print_pairs, printable, size

if TYPE_CHECKING:
    from argosy.build.inspect import Inspection
    from argosy.model.artifact import Description
    from argosy.site.elf import Precompiled

_ELF = b"\x7fELF"  # native code made from wasm is an ELF file
_PAGE_KIB = 64
_EPILOG = """\
examples:
  argosy inspect build/hpcc/hpcc.wasm            imports, MPI functions, SIMD, sizes
  argosy inspect --top 30 build/hpcc/hpcc.wasm   the 30 functions with the most SIMD instructions
  argosy inspect --json hpcc.wasm | jq .simd     for scripts
  argosy inspect hpcc.cwasm                      native code: CPU, its features, engine
  argosy inspect oci:layout:hpcc                 an artifact: its signature's state too"""


def add_inspect(commands: Commands) -> None:
    """Add `inspect` to the command line."""
    parser = add_command(commands, "inspect", "show what a .wasm or .cwasm file contains", epilog=_EPILOG, act=_inspect)
    parser.add_argument("file", metavar="FILE", help=f"a .wasm or .cwasm file; or {REFERENCE_HELP}")
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="how many functions with SIMD to list (default 10)"
    )
    add_trust_options(parser)
    add_json(parser)


def _inspect(options: argparse.Namespace) -> int:
    from argosy.build.inspect import inspect, read_file

    if _names_an_artifact(options.file):
        return _inspect_artifact(options)
    path = Path(options.file)
    if (data := read_file(path)).startswith(_ELF):
        _inspect_native(path, data, as_json=options.json)
        return 0
    inspection = inspect(path)
    if options.json:
        print_json(inspection)
    else:
        _show(inspection, top=max(0, options.top))
    return 0


def _names_an_artifact(text: str) -> bool:
    """Whether the word is a reference rather than a file: `oci:…`, or what is no file and has a registry's form."""
    from argosy.errors import UsageError
    from argosy.model.reference import Reference

    if text.startswith("oci:"):
        return True
    if Path(text).exists() or text.endswith((".wasm", ".cwasm")):
        return False
    try:
        return Reference.parse(text).registry is not None
    except UsageError:
        return False


def _inspect_artifact(options: argparse.Namespace) -> int:
    """The signature's state, what the publisher says and, when the policy accepts it, what is in the module."""
    from argosy.build.inspect import inspect
    from argosy.errors import ArgosyError
    from argosy.model.artifact import Description
    from argosy.oci.pull import check, pull_verified
    from argosy.sign.trust import load_trust

    reference, registry = open_reference(options, options.file)
    try:
        trust = load_trust(options.policy)
    except ArgosyError as error:
        raise ArgosyError(f"{reference} cannot be inspected unchecked: {error.what}", advice=error.advice) from error
    usable = usable_variants(options)
    checked = check(registry, reference, trust, repository=options.repository, usable=usable)
    said = Description.from_annotations(checked.manifest.annotations)
    module = None
    if checked.verdict.accepted:
        exact = reference.at(checked.stored.descriptor.digest)
        pulled = pull_verified(registry, exact, trust, repository=options.repository, usable=usable)
        module = inspect(pulled.path)
    if options.json:
        print_json({"reference": reference, "signature": checked.verdict, "description": said, "module": module})
        return 0
    print(f"{reference} by {trust.policy.source}:")
    print_verdict(checked.verdict)
    print("\nits publisher says")
    texts = [(name, _text(value)) for name, value in _fields(said).items() if name != "imports"]
    print_pairs([(name.replace("_", " "), text) for name, text in texts], indent="  ")
    if module is not None:
        print()
        _show(module, top=max(0, options.top))
    return 0


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "\n".join(printable(str(one)) for one in value)
    return "" if value is None else printable(str(value))


def _inspect_native(path: Path, data: bytes, *, as_json: bool) -> None:
    from argosy.model.digest import Digest
    from argosy.site import cpu, elf
    from argosy.site.precompile import why_not

    found = elf.read(data, name=str(path))
    missing = cpu.host().missing_for(found.target)
    if as_json:
        print_json({"path": path, "digest": Digest.of(data), **_fields(found), "missing_here": missing})
        return
    print_pairs(
        [
            ("file", printable(str(path))),
            ("digest", str(Digest.of(data))),
            ("machine", f"{found.machine}, {found.target.triple}"),
            ("CPU features", columns(sorted(found.target.features)) or "only the architecture's first ones"),
            ("engine", f"wasmtime {printable(found.engine_version)}"),
            ("functions", str(found.functions)),
            ("size", size(len(data))),
            ("sections", columns(f"{printable(name)}={length}" for name, length in found.sections.items() if length)),
            ("settings", columns(f"{name}={value}" for name, value in sorted(found.settings.items()))),
            ("on this CPU", why_not(cpu.host(), found.target) or "it runs"),
        ]
    )


def _fields(value: Description | Precompiled) -> dict[str, object]:
    import dataclasses

    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _show(found: Inspection, *, top: int) -> None:
    sizes = found.sizes
    recipe = found.recipe
    print_pairs(
        [
            ("file", printable(found.path)),
            ("digest", str(found.digest)),
            (
                "recipe",
                printable(f"{recipe.name} {recipe.version}, numerics {recipe.numerics}") if recipe else "not stated",
            ),
            ("size", f"{size(sizes.file)}, {size(sizes.gzip)} as gzip packs it"),
            (
                "sections",
                f"code {size(sizes.code)}, data {size(sizes.data)}, custom {size(sizes.custom)}, "
                f"other {size(sizes.other)}",
            ),
            ("memory", "\n".join(_memory(m.minimum, m.maximum, m.shared) for m in found.memories) or "none"),
            ("MPI ABI", found.mpi_abi or ("not stated" if found.mpi_functions else "none: it does not use MPI")),
            ("features", ", ".join(found.features) or "only those of WebAssembly 1.0"),
        ]
    )
    print(f"\nMPI functions used: {len(found.mpi_functions)}")
    _indented(found.mpi_functions)
    print("\nimports")
    print_pairs(
        [
            (
                printable(module),
                f"{len(names)}" if found.mpi_functions and names == found.mpi_functions else _names(names),
            )
            for module, names in found.imports.items()
        ],
        indent="  ",
    )
    share = found.simd / found.instructions if found.instructions else 0
    print(
        f"\ncode: {found.functions} functions, {found.instructions} instructions, "
        f"{found.simd} of them SIMD ({share:.1%}), {found.relaxed_simd} relaxed SIMD"
    )
    _show_vectorized(found, top)


def _show_vectorized(found: Inspection, top: int) -> None:
    shown = found.vectorized[:top]
    if not shown:
        return
    print("      SIMD  relaxed      all  function")
    for function in shown:
        counts = f"  {function.simd:8}  {function.relaxed_simd:7}  {function.instructions:7}"
        print(f"{counts}  {printable(function.name)[:100]}")
    if len(found.vectorized) > top:
        print(f"  and {len(found.vectorized) - top} functions more with SIMD (--top {len(found.vectorized)} shows all)")


def _memory(minimum: int, maximum: int | None, shared: bool) -> str:
    most = "4 GiB" if maximum is None else size(maximum * _PAGE_KIB * 1024)
    return f"{size(minimum * _PAGE_KIB * 1024)} at start, {most} at most{', shared' if shared else ''}"


def _names(names: tuple[str, ...]) -> str:
    return columns(printable(name) for name in names)


def _indented(names: tuple[str, ...]) -> None:
    for line in _names(names).splitlines():
        print(f"  {line}")
