"""`argosy doctor`: what this node has and lacks, for running, building and publishing."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import columns, print_json, print_pairs

if TYPE_CHECKING:
    from argosy.site.doctor import Part

_EPILOG = """\
examples:
  argosy doctor                      all parts; what is missing, and how to get it
  argosy doctor --json | jq .parts   for scripts
  argosy doctor --cpu                what this CPU has, and which profiles' code it runs

exit status: 0 when artifacts can be run here, 1 when a part that a run needs is missing."""

_OPTIONAL_TOOLS = (
    ("cosign", "checks our signatures independently", "https://docs.sigstore.dev"),
    ("skopeo", "copies artifacts between registries", "apt install skopeo"),
    ("docker-registry", "a registry of your own", "apt install docker-registry"),
)


def add_doctor(commands: Commands) -> None:
    """Add `doctor` to the command line."""
    parser = add_command(
        commands, "doctor", "say what this node has and lacks, and how to get it", epilog=_EPILOG, act=_examine
    )
    parser.add_argument("--cpu", action="store_true", help="only the CPU: its features, and the profiles that it runs")
    add_json(parser)


def _examine(options: argparse.Namespace) -> int:
    from argosy.site.doctor import can_run, node_parts

    if options.cpu:
        return _examine_cpu(as_json=options.json)
    node = node_parts()
    build = _build_parts()
    runs = can_run(node)
    if options.json:
        print_json({"can_run": runs, "parts": {"run": node, "build": build}})
    else:
        _show("to run artifacts", node)
        _show("to build and publish them", build)
        print(
            "this node can run artifacts" if runs else "this node cannot run artifacts yet: see what is missing above"
        )
    return 0 if runs else 1


def _examine_cpu(*, as_json: bool) -> int:
    from argosy.site import cpu, profiles
    from argosy.site.precompile import why_not

    host = cpu.host()
    known = profiles.all_profiles()
    reasons = {profile.name: why_not(host, profile.target) for profile in known}
    if as_json:
        rows = [{"profile": one, "why_not": reasons[one.name], "runs": not reasons[one.name]} for one in known]
        print_json({"host": host, "profiles": rows})
        return 0
    print_pairs([("this CPU", host.triple), ("has", columns(sorted(host.features)) or "only its architecture's first")])
    print("\nit runs code for")
    print_pairs(
        [
            (f"{'yes' if not reasons[one.name] else 'no ':3} {one.name}", reasons[one.name] or one.title)
            for one in known
        ],
        indent="  ",
    )
    print("\nand compiles for any profile of its own architecture: argosy precompile --for PROFILE REF")
    return 0


def _show(title: str, parts: tuple[Part, ...]) -> None:
    print(f"{title}:")
    for part in parts:
        text = part.found
        if part.state == "absent":
            text += f" (optional: {part.purpose}; get it: {part.advice})"
        elif part.state != "ok":
            text += f"\nfor: {part.purpose}\nget it: {part.advice}"
        print_pairs([(f"{part.state:8} {part.name:16}", text)], indent="  ")
    print()


def _build_parts() -> tuple[Part, ...]:
    """What building and publishing use beyond what a run needs."""
    import importlib.metadata

    from argosy.site.doctor import ABSENT, MISSING, OK, Part

    def package(name: str, purpose: str) -> Part:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            advice = f"{sys.executable} -m pip install 'argosy[build]'"
            return Part(name=name, state=MISSING, found="not installed", purpose=purpose, advice=advice)
        return Part(name=name, state=OK, found=version, purpose=purpose, facts={"version": version})

    def tool(name: str, purpose: str, advice: str, *, optional: bool = True) -> Part:
        path = shutil.which(name)
        state = OK if path else ABSENT if optional else MISSING
        return Part(name=name, state=state, found=path or "not on PATH", purpose=purpose, advice="" if path else advice)

    return (
        _toolchain(),
        _key(),
        package("scons", "builds recipes"),
        package("cmake", "builds recipes of the kind cmake"),
        package("ninja", "runs what cmake generates"),
        tool("make", "builds recipes of the kinds make and autotools", "apt install make", optional=False),
        *(tool(*words) for words in _OPTIONAL_TOOLS),
    )


def _key() -> Part:
    from argosy.folders import signing_key
    from argosy.site.doctor import ABSENT, OK, Part

    key = signing_key()
    return Part(
        name="signing key",
        state=OK if key.is_file() else ABSENT,
        found=str(key) if key.is_file() else "none",
        purpose="signs what you publish",
        advice="" if key.is_file() else "argosy keys generate",
        facts={"file": key},
    )


def _toolchain() -> Part:
    """The compilers for wasm32 that are in the cache; a build that finds none assembles one."""
    from argosy.build.toolchain_prefix import MANIFEST, check, read_manifest
    from argosy.errors import ArgosyError
    from argosy.folders import cache_root
    from argosy.site.doctor import OK, WARNING, Part

    lines, broken, facts = [], "", []
    for manifest in sorted((cache_root() / "toolchains").glob(f"*/{MANIFEST}")):
        prefix = manifest.parent
        try:
            about = read_manifest(prefix).about
            check(prefix, read_manifest(prefix))
        except ArgosyError as error:
            lines.append(f"broken: {prefix}")
            broken = error.advice or f"remove {prefix}"
            continue
        lines.append(f"{prefix.name}, clang {about['clang']}, {about['languages']}")
        facts.append({"prefix": prefix, **about})
    return Part(
        name="toolchain",
        state=WARNING if broken else OK,
        found="\n".join(lines) or "not assembled yet: the first build does it",
        purpose="compiles C and C++ to wasm32",
        advice=broken,
        facts={"assembled": facts},
    )
