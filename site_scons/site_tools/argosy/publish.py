"""Signing and publishing what was built: the targets `sign` and `publish`."""

from pathlib import Path

from SCons.Tool.argosy.actions import phony


def generate(env):
    """Add `env.ArgosyPublishing(recipes)`."""
    env.AddMethod(publishing, "ArgosyPublishing")


def publishing(env, recipes):
    """The targets: `sign` puts artifacts into the layout folder of the build, `publish` wherever REGISTRY says."""
    wanted = chosen(env, recipes)
    names = [recipe.name for recipe in wanted]
    phony(env, "sign", names, lambda target, source, env: _publish_all(env, wanted, local_registry(env)))
    phony(env, "publish", names, lambda target, source, env: _publish_all(env, wanted, registry(env)))


def chosen(env, recipes):
    """The recipes with programs; only RECIPE where that is set."""
    return [recipe for name, recipe in recipes.items() if recipe.programs and env["RECIPE"] in ("", name)]


def local_registry(env):
    """The layout folder of the build."""
    return f"oci:{env['ARGOSY_BUILD'] / 'registry'}"


def registry(env):
    """REGISTRY, or the layout folder of the build."""
    return env["REGISTRY"] or local_registry(env)


def publish_program(env, recipe, program, place):
    """Sign and push one program to `place`; gives its reference."""
    from argosy.pipeline.publish import artifact_name, artifact_reference, developer_key, publish

    folder = env["ARGOSY_BUILD"] / recipe.name
    reference = artifact_reference(place, artifact_name(recipe, program), recipe.version)
    key = developer_key(Path(env["KEY"]) if env["KEY"] else None)
    done = publish(folder / f"{program}.wasm", reference, key, recipe=recipe, lock=folder / "lock.json")
    print(f"sign {reference}\n  {done.digest}, for {done.identity} by {key.public.fingerprint}", flush=True)
    return reference


def _publish_all(env, recipes, place):
    for recipe in recipes:
        for program in recipe.programs:
            publish_program(env, recipe, program.name, place)
