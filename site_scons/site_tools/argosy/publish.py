"""Signing and publishing what was built: the targets `sign` and `publish`."""

from pathlib import Path

from SCons.Tool.argosy.actions import phony


def generate(env):
    """Add `env.ArgosyPublishing(recipes)` and `env.ArgosyPublish(name, program, registry)`."""
    env.AddMethod(publishing, "ArgosyPublishing")
    env.AddMethod(publish_own, "ArgosyPublish")


def publish_own(env, name, program, registry=""):
    """The target `name`: sign `program`, a node that ArgosyProgram gave, and push it below `registry`.

    Without a registry it goes where REGISTRY says, else into the layout folder of the build.
    """
    wasm = env.arg2nodes(program, env.File)[0]

    def push(target, source, env):
        from argosy.build.describe import describe
        from argosy.pipeline.own_program import recorded
        from argosy.pipeline.publish import Terms, artifact_reference, publish

        path = Path(wasm.get_abspath())
        said = describe(path)
        reference = artifact_reference(registry or place(env), said.name, said.version or "0")
        built = getattr(wasm.attributes, "argosy", None)
        known = recorded(built[1], built[0]) if built else None
        done = publish(
            path,
            reference,
            _key(env),
            Terms(recipe=known.recipe if known else None, builder=env["BUILDER"] or None, embed=_encoding(env)),
            lock=known.lock if known else None,
        )
        _say(reference, done)

    return phony(env, name, wasm, push)


def publishing(env, recipes):
    """The targets: `sign` puts artifacts into the layout folder of the build, `publish` wherever REGISTRY says."""
    wanted = chosen(env, recipes)
    names = [recipe.name for recipe in wanted]
    phony(env, "sign", names, lambda target, source, env: _publish_all(env, wanted, local_registry(env)))
    phony(env, "publish", names, lambda target, source, env: _publish_all(env, wanted, place(env)))


def chosen(env, recipes):
    """The recipes with programs; only RECIPE where that is set."""
    return [recipe for name, recipe in recipes.items() if recipe.programs and env["RECIPE"] in ("", name)]


def local_registry(env):
    """The layout folder of the build."""
    return f"oci:{env['ARGOSY_BUILD'] / 'registry'}"


def place(env):
    """REGISTRY, or the layout folder of the build."""
    return env["REGISTRY"] or local_registry(env)


def publish_program(env, recipe, program, place):
    """Sign and push one program to `place`; gives its reference."""
    from argosy.pipeline.publish import Terms, artifact_name, artifact_reference, publish

    folder = env["ARGOSY_BUILD"] / recipe.name
    name = artifact_name(recipe, program)
    reference = artifact_reference(place, name, recipe.version)
    done = publish(
        folder / f"{program}.wasm",
        reference,
        _key(env),
        Terms(
            recipe=recipe,
            repository=f"layout/{name}" if reference.layout else None,
            builder=env["BUILDER"] or None,
            embed=_encoding(env),
        ),
        lock=folder / "lock.json",
    )
    _say(reference, done)
    return reference


def _key(env):
    from argosy.pipeline.publish import developer_key

    return developer_key(Path(env["KEY"]) if env["KEY"] else None)


def _encoding(env):
    from argosy.model.wasm_signature import Encoding

    return Encoding(env["EMBED"]) if env["EMBED"] else None


def _say(reference, done):
    print(f"sign {reference}\n  {done.digest}, for {done.identity}", flush=True)
    if done.builder:
        print(f"  with provenance and bill of materials, built by {done.builder}", flush=True)


def _publish_all(env, recipes, place):
    for recipe in recipes:
        for program in recipe.programs:
            publish_program(env, recipe, program.name, place)
