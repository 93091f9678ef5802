"""A user's own program: `env.ArgosyProgram('app', ['app.c'], mpi=True)` makes `app.wasm`."""

import json
from dataclasses import asdict
from pathlib import Path

import SCons.Defaults
from SCons.Tool.argosy.actions import action, reading
from SCons.Tool.argosy.toolchain import find

from argosy.build import code


def generate(env):
    """Add `env.ArgosyProgram(target, source, …)`."""
    env.AddMethod(program, "ArgosyProgram")


def program(env, target, source, **options):
    """The node of `<target>.wasm`, linked from sources below the SConstruct's folder, each compiled by itself.

    Options are the fields of `argosy.build.program.Sources`: version, mpi, numerics, flags, includes, defines, link,
    requires (names of recipes that `env.ArgosyRecipes` knows), stack_bytes.
    """
    from argosy.build import program as building

    root = Path(env.Dir("#").get_abspath())
    wasm = env.File(f"{target}.wasm")
    nodes = env.arg2nodes(source, env.File)
    lists = {name: tuple(env.Split(value)) for name, value in options.items() if name in _LISTS}
    sources = reading(
        _sources, {"name": Path(str(target)).name, "root": root, "files": _paths(nodes), **options, **lists}
    )
    recipe = reading(building.recipe, sources)
    work = Path(env.Dir(f"{env['ARGOSY_BUILD']}/{recipe.name}").get_abspath())

    def place():
        from argosy.build.produce import mpi_library
        from argosy.build.workplace import Workplace

        toolchain = find(env)
        return Workplace(
            recipe=recipe,
            toolchain=toolchain,
            source=root,
            work=work,
            prefix=Path(wasm.get_abspath()).parent,
            mpi=mpi_library(toolchain) if recipe.mpi else None,
            dependencies={name: Path(env["ARGOSY_BUILD"]) / name for name in recipe.requires},
            numerics=recipe.numerics,
        )

    decisive = [
        env.ArgosyToolchain(),
        env.Value(f"builder {code.builder_digest()}"),
        env.Value(json.dumps({**asdict(sources), "root": "", "files": ""}, sort_keys=True, default=str)),
        *([env.Value(f"mpi {code.mpi_digest()}")] if recipe.mpi else []),
    ]
    objects = [_object(env, building, place, root, work, node, sources.includes) for node in nodes]

    def link(target, source, env):
        print(building.link(place()), end="")
        _record(env, place())

    linked = env.Command(wasm, objects, action(link, lambda *_: f"link {wasm}"))
    linked[0].attributes.argosy = (recipe.name, work)
    libraries = [env.File(f"{env['ARGOSY_BUILD']}/{name}/lock.json") for name in recipe.requires]
    env.Depends([*objects, linked], [*decisive, *libraries])
    env.Clean(linked, str(work))
    return linked


def _record(env, place):
    """Keep what the program was built from, for its provenance; it is built also where that cannot be told."""
    from argosy.build import recipes
    from argosy.errors import ArgosyError
    from argosy.pipeline import own_program

    try:
        own_program.record(place, recipes.order(env.get("ARGOSY_RECIPES", {}), place.recipe.requires))
    except ArgosyError as error:
        print(f"  it will be published without provenance: {error.what}")


_LISTS = ("flags", "includes", "defines", "link", "requires")


def _paths(nodes):
    return tuple(Path(node.get_abspath()) for node in nodes)


def _sources(fields):
    from argosy.build.program import Sources
    from argosy.errors import UsageError, did_you_mean

    for name in fields:
        if name not in Sources.__dataclass_fields__:
            raise UsageError(
                f"ArgosyProgram({fields['name']!r}): unknown option {name}; "
                f"{did_you_mean(name, Sources.__dataclass_fields__)}"
            )
    return Sources(**fields)


def _object(env, building, place, root, work, node, includes):
    source = Path(node.get_abspath())
    compiled = env.Command(
        str(work / "objects" / f"{source.relative_to(root)}.o"),
        node,
        action(lambda *_: print(building.compile_one(place(), source), end=""), lambda *_: f"compile {node}"),
        source_scanner=SCons.Defaults.CScan,
        CPPPATH=[f"#{folder}" for folder in includes],
    )
    return compiled[0]
