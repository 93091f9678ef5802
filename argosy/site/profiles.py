"""Target profiles: sets of CPU features with names that administrators know, one TOML file each in toolchains/targets.

A profile says what code may use, so it loads on the CPU of that name and on any that has more. What a CPU really has is
its own word (`site.cpu`), or that of its /proc/cpuinfo (`site.cpuinfo`); a name never decides what is loaded.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from argosy.errors import UsageError, did_you_mean
from argosy.folders import shipped
from argosy.model.strict import Table
from argosy.model.target import Target
from argosy.site import cpu, cpuinfo

HOST = "host"
_FEATURE = r"has_[a-z0-9_]+"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A named target; `title` is for people."""

    name: str
    title: str
    target: Target


def read(path: Path) -> Profile:
    """The profile in this file, read strictly. Raises UsageError naming the key that is wrong."""
    try:
        values = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    table = Table(str(path), "", values, ("title", "triple", "features"))
    features = table.texts("features")
    for feature in features:
        if not re.fullmatch(_FEATURE, feature):
            table.fail("features", f"{feature!r} is not one of Cranelift's flags, such as has_avx2 or has_lse")
    triple = table.text("triple", pattern=r"(x86_64|aarch64)-unknown-linux-gnu", form="a triple that is compiled for")
    return Profile(
        name=path.stem, title=table.text("title"), target=Target(triple=triple, features=frozenset(features))
    )


def all_profiles() -> tuple[Profile, ...]:
    """Every profile that Argosy ships, by architecture, then from fewer features to more."""
    found = [read(path) for path in shipped("toolchains/targets").glob("*.toml")]
    return tuple(sorted(found, key=lambda one: (one.target.architecture, len(one.target.features), one.name)))


def parse(text: str) -> Profile:
    """What `--for` names: a profile, a file of one (`.toml`), another machine's /proc/cpuinfo as a file, or `host`.

    Raises UsageError for a name that is none of them.
    """
    if text == HOST:
        return Profile(name=HOST, title="this machine", target=cpu.host())
    path = Path(text)
    if path.suffix == ".toml" and path.is_file():
        return read(path)
    known = {profile.name: profile for profile in all_profiles()}
    if text in known:
        return known[text]
    if path.is_file():
        return Profile(name=path.name, title=f"the CPU of {path}", target=cpuinfo.read(path))
    raise UsageError(
        f"no CPU profile {text!r}; {did_you_mean(text, (*known, HOST))}",
        advice="`argosy doctor --cpu` lists them; a file with another machine's /proc/cpuinfo serves as well",
    )
