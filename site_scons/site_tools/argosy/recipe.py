"""Recipes as targets: `env.ArgosyRecipes('recipes', 'build')`."""

import json
from pathlib import Path

from SCons.Script import GetOption
from SCons.Tool.argosy.actions import action, phony, reading
from SCons.Tool.argosy.toolchain import find

from argosy.build import code, recipes
from argosy.build.flags import VARIANTS


def generate(env):
    """Add `env.ArgosyRecipes(folder, build)`."""
    env.AddMethod(recipes_below, "ArgosyRecipes")


def recipes_below(env, folder, build):
    """A target for each recipe below `folder`, built into `build/<name>`; gives the recipes by name.

    A recipe is built anew when the content of one of these changes: its own files, a recipe that it requires, the
    toolchain, the flags, or Argosy's code that builds (for an MPI code, also that which makes the MPI library).
    """
    known = reading(recipes.load_all, Path(env.Dir(folder).get_abspath()))
    if env["VARIANT"]:
        build = f"{build}-{env['VARIANT']}"
    env["ARGOSY_BUILD"] = Path(env.Dir(build).get_abspath())
    compiler = env.ArgosyToolchain()
    own = env.Value(f"builder {code.builder_digest()}")
    mpi = env.Value(f"mpi {code.mpi_digest()}")
    for recipe in recipes.order(known, known):
        _target(env, known, recipe, [compiler, own, *([mpi] if recipe.mpi else [])])
    env.Clean(env.Alias("all", list(known)), [str(env["ARGOSY_BUILD"] / name) for name in ("run", "check")])
    env.Default("all")
    phony(env, "list", [], lambda target, source, env: _list(env, known))
    env["ARGOSY_RECIPES"] = known
    return known


def finished(env, recipe):
    """The recipe's files in the build folder: its lock, then its programs."""
    folder = env["ARGOSY_BUILD"] / recipe.name
    return [str(folder / "lock.json"), *(str(folder / f"{program.name}.wasm") for program in recipe.programs)]


def _target(env, known, recipe, common):
    required = recipes.order(known, recipe.requires)
    chosen = json.dumps({"numerics": env["NUMERICS"] or recipe.numerics, "flags": _flags(env)})
    # The locks of required recipes say it all, but in a dry run they do not change: so their recipes count too.
    inputs = [env.Value(f"recipe {recipes.digest(each)}") for each in (recipe, *required)]
    inputs += [env.Value(f"options {chosen}"), *common, *(finished(env, other)[0] for other in required)]

    def build(target, source, env):
        from argosy.build.produce import Options, produce

        produce(
            recipe,
            env["ARGOSY_BUILD"] / recipe.name,
            toolchain=find(env),
            dependencies={other.name: env["ARGOSY_BUILD"] / other.name for other in reversed(required)},
            options=Options(numerics=env["NUMERICS"], flags=tuple(_flags(env)), jobs=GetOption("num_jobs")),
            note=lambda line: print(f"  {line}"),
        )

    built = env.Command(
        finished(env, recipe), inputs, action(build, lambda *_: f"build {recipe.name} {recipe.version}")
    )
    env.Clean(built, str(env["ARGOSY_BUILD"] / recipe.name))
    env.Alias(recipe.name, built)


def _flags(env):
    """The flags that the user chose, and those of the variant."""
    return [*env.Split(env["FLAGS"]), *VARIANTS.get(env["VARIANT"], ())]


def _list(env, known):
    for name, recipe in known.items():
        built = "built" if Path(finished(env, recipe)[0]).exists() else ""
        print(f"{name:16} {recipe.version:12} {'MPI' if recipe.mpi else '':4} {built:6} {recipe.description}")
