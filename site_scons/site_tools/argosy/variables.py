"""What a user can set: `scons NAME=VALUE`, described by `scons -h`."""

import os
from pathlib import Path

from SCons.Script import ARGUMENTS
from SCons.Tool.argosy.actions import reading
from SCons.Variables import Variables

from argosy.build.flags import VARIANTS
from argosy.build.toolchain import PROVIDERS
from argosy.errors import UsageError, did_you_mean
from argosy.model.recipe import NUMERICS

ENCODINGS = ("", "document", "wasmsign2")

# name, default, what it is, and the values that it can have (none: any)
VARIABLES = (
    (
        "RECIPE",
        "",
        "what `run` runs (default: hpcc); the only one for sign, publish, precompile, check",
        (),
    ),
    ("NP", "", "ranks of `scons run`; the recipe's own number by default", ()),
    ("ARGS", "", "arguments of the program that `scons run` runs, instead of the recipe's", ()),
    ("REGISTRY", "", "where artifacts go: HOST[:PORT]/PATH, or oci:FOLDER; build/registry by default", ()),
    ("KEY", "", "the private key that signs; the user's own, made on first use, by default", ()),
    ("BUILDER", "", "the URI of who builds, for the provenance of what is published; by default your own machine", ()),
    ("EMBED", "", "also sign inside each module: document (as the specification says) or wasmsign2", ENCODINGS),
    ("POLICY", "", "the trust policy that a run needs; by default one that trusts KEY's signatures", ()),
    ("NUMERICS", "", "fast or exact; each recipe's own choice by default", ("", *NUMERICS)),
    (
        "VARIANT",
        "",
        "build into build-VARIANT for CPUs with less vectors: baseline (none), or simd (no relaxed SIMD)",
        ("", *VARIANTS),
    ),
    ("FLAGS", "", "further compile flags for every recipe", ()),
    (
        "TOOLCHAIN",
        "",
        f"who provides the compiler: {', '.join(PROVIDERS)}; by default what is at hand",
        ("", *PROVIDERS),
    ),
    ("MIRROR", "", "a folder that is searched first for source archives", ()),
    ("MPICC", "", "the mpicc of the MPI library to run with; by default the one on PATH, else PyPI's mpich", ()),
)


def generate(env):
    """Put the variables into the environment, and the folder that is built into."""
    own = Variables(args=ARGUMENTS)
    own.AddVariables(*((name, about, default) for name, default, about, _ in VARIABLES))
    own.Update(env)
    env.SetDefault(ARGOSY_BUILD=Path(env.Dir("#build").get_abspath()))
    reading(_check, env, own)


def check_names(names):
    """Refuse `scons NAME=VALUE` for names that no variable has."""
    known = [name for name, *_ in VARIABLES]
    for name in names:
        if name not in known:
            raise UsageError(f"there is no variable {name}; {did_you_mean(name, known)}", advice="scons -h lists them")


def _check(env, own):
    for name, _, _, values in VARIABLES:
        if values and env[name] not in values:
            raise UsageError(f"{name}={env[name]}: {did_you_mean(env[name], [value for value in values if value])}")
    if env["NP"] and not (env["NP"].isdigit() and int(env["NP"])):
        raise UsageError(f"NP={env['NP']}: must be a number of ranks")
    if env["MIRROR"]:
        os.environ["ARGOSY_MIRROR"] = str(Path(env["MIRROR"]).absolute())
    if env["MPICC"]:
        os.environ["ARGOSY_MPICC"] = env["MPICC"]
