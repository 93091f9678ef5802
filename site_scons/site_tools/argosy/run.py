"""Running what was built, the way a node does: the targets `precompile`, `run` and `check`."""

import shlex
import time
from dataclasses import replace
from pathlib import Path

from SCons.Tool.argosy.actions import phony, reading
from SCons.Tool.argosy.publish import chosen, place, publish_program

from argosy.build import recipes as finding
from argosy.errors import ArgosyError, UsageError

DEFAULT = "hpcc"


def generate(env):
    """Add `env.ArgosyRunning(recipes)`."""
    env.AddMethod(running, "ArgosyRunning")


def running(env, recipes):
    """The targets: `precompile` compiles artifacts for this CPU, `run` runs RECIPE, `check` runs recipes' tests."""
    if env["RECIPE"]:
        reading(finding.order, recipes, [env["RECIPE"]])
    wanted = chosen(env, recipes)
    names = [recipe.name for recipe in wanted]
    one = env["RECIPE"] or DEFAULT
    phony(env, "precompile", names, lambda target, source, env: _precompile_all(env, wanted))
    phony(env, "run", one if one in recipes else [], lambda target, source, env: _run(env, recipes[one]))
    phony(env, "check", names, lambda target, source, env: _check_all(env, wanted))


def _ready(env, recipe, program):
    """Sign and publish the program, pull it again as the trust policy allows, and compile it for this CPU."""
    from argosy.pipeline.execute import DEVELOPER_REPOSITORIES, developer_trust, make_ready
    from argosy.pipeline.publish import developer_key
    from argosy.sign.trust import load_trust

    registry = place(env)
    reference = publish_program(env, recipe, program, registry)
    if env["POLICY"]:
        trust = load_trust(Path(env["POLICY"]))
    else:
        own = () if registry.startswith("oci:") else (f"{registry}/**",)
        key = developer_key(Path(env["KEY"]) if env["KEY"] else None)
        trust = developer_trust(env["ARGOSY_BUILD"] / "trust", key, repositories=(*DEVELOPER_REPOSITORIES, *own))
    start = time.monotonic()
    ready = make_ready(reference, trust)
    module, entry = ready.module, ready.entry
    print(f"verify {reference}\n  signed by {', '.join(module.signers)}, as {trust.policy.source} asks")
    took = f"compiled in {time.monotonic() - start:.1f} s" if entry.compiled else "compiled before"
    print(f"precompile {entry.path}\n  {took}{f', since {entry.refused}' if entry.refused else ''}", flush=True)
    return entry


def _precompile_all(env, recipes):
    for recipe in recipes:
        for program in recipe.programs:
            _ready(env, recipe, program.name)


def _run(env, recipe):
    from argosy.pipeline.execute import execute
    from argosy.pipeline.expect import complaints, shown

    if recipe.run is None:
        raise UsageError(f"{recipe.name} is a library and cannot be run")
    run = recipe.run
    if env["NP"]:
        run = replace(run, ranks=int(env["NP"]))
    if env["ARGS"]:
        run = replace(run, arguments=tuple(shlex.split(env["ARGS"])))
    entry = _ready(env, recipe, run.program)
    folder = env["ARGOSY_BUILD"] / "run" / recipe.name
    print(f"run {run.program} on {run.ranks} ranks in {folder}", flush=True)
    ran = execute(entry, recipe, run, folder)
    print(ran.output, end="")
    for line in shown(run, ran):
        print(f"  {line}")
    print(f"  everything that it wrote is in {folder}")
    tests = [test for test in recipe.tests if test.run == run]
    wrong = [complaint for test in tests for complaint in complaints(recipe, test, ran)]
    if wrong or (ran.status and not tests):
        raise ArgosyError(f"{recipe.name}: " + "; ".join(wrong or [f"exit status {ran.status}"]))
    print(f"{recipe.name}: {'the run is as its recipe expects' if tests else 'done'}", flush=True)


def _check_all(env, recipes):
    from argosy.pipeline.execute import execute
    from argosy.pipeline.expect import complaints

    failed = []
    for recipe in recipes:
        entries = {}
        for test in recipe.tests:
            if test.run.program not in entries:
                entries[test.run.program] = _ready(env, recipe, test.run.program)
            label = f"{recipe.name}: {test.name}"
            start = time.monotonic()
            try:
                ran = execute(
                    entries[test.run.program], recipe, test.run, env["ARGOSY_BUILD"] / "check" / recipe.name / test.name
                )
                wrong = complaints(recipe, test, ran)
            except ArgosyError as error:
                wrong = [error.what]
            print(f"{label}: {'passed' if not wrong else 'FAILED'} in {time.monotonic() - start:.1f} s", flush=True)
            failed += [f"{label}: {complaint}" for complaint in wrong]
    if failed:
        raise ArgosyError("tests failed:\n" + "\n".join(f"    {line}" for line in failed))
