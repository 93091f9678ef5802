"""The compiler as a node: a file with its digest, looked at in each build, so that another compiler rebuilds."""

import json
from pathlib import Path

from SCons.Tool.argosy.actions import action, phony


def generate(env):
    """Add `env.ArgosyToolchain()`."""
    env.AddMethod(toolchain_node, "ArgosyToolchain")


def find(env):
    """The package's Toolchain that this environment builds with."""
    from argosy.build import toolchain

    return toolchain.find(env["TOOLCHAIN"] or None)


def toolchain_node(env):
    """The file that changes when the compiler does, and the target `toolchain` that says which it is."""
    node = env.File(str(env["ARGOSY_BUILD"] / "toolchain.json"))
    if not node.has_builder():
        env.AlwaysBuild(env.Command(node, [], action(_record, lambda target, source, env: "")))
        phony(env, "toolchain", node, _say)
    return node


def _record(target, source, env):
    found = find(env)
    said = {"provider": found.provider, "clang": found.clang_version, "digest": found.digest}
    Path(target[0].get_abspath()).write_text(json.dumps(said, indent=2) + "\n")


def _say(target, source, env):
    found = find(env)
    for name, value in (
        ("provider", found.provider),
        ("clang", found.clang_version),
        ("languages", ", ".join(sorted(found.languages))),
        ("prefix", found.prefix),
        ("sysroot", found.sysroot),
        ("digest", found.digest),
    ):
        print(f"{name:10} {value}")
