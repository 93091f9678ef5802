"""The page that `scons -h` shows, and what is said of words that it does not list."""

from pathlib import Path

from SCons.Node.Alias import default_ans
from SCons.Script import ARGUMENTS, COMMAND_LINE_TARGETS, GetOption
from SCons.Tool.argosy import variables
from SCons.Tool.argosy.actions import reading

from argosy.errors import UsageError, did_you_mean

SEPARATORS = set("/.#:")  # a word with one of them is a path

_PAGE = """\
Argosy builds HPC applications once, into signed WebAssembly, and runs them under MPI on any node.

First steps
  scons hello                   build one recipe (and what it requires)
  scons run RECIPE=hello NP=2   build it, sign it, publish it to a folder, verify it, compile it, run it
  scons run RECIPE=hpcc NP=4    the same with the HPC Challenge

Targets
  scons                         build every recipe into build/<recipe>/
  scons RECIPE-NAME             build one
  scons list                    the recipes, and which are built
  scons toolchain               which compiler is used
  scons sign                    sign what was built, in the layout folder build/registry
  scons publish REGISTRY=…      sign it and push it to a registry
  scons precompile              verify what was published and compile it for this CPU
  scons run                     all of these and run RECIPE, in build/run/<recipe>
  scons check                   run the recipes' own tests (of RECIPE, where it is given), in build/check
  scons -c [TARGET]             remove what was built
  -n says what would be done; -jN does N jobs at once; -k goes on after a failure

Variables (NAME=VALUE)
{variables}

Recipes (each is a folder recipes/<name> with a recipe.toml)
{recipes}

What is built anew is decided by content, never by a file's time: a recipe, what it requires, the toolchain, the flags,
Argosy's own code. Sources and toolchains are kept in ~/.cache/argosy ($$ARGOSY_CACHE)."""


def generate(env):
    """Add `env.ArgosyHelp(recipes)`."""
    env.AddMethod(page, "ArgosyHelp")


def page(env, recipes):
    """Set what `scons -h` shows, and refuse variables and targets that there are not. Call it last."""
    reading(variables.check_names, ARGUMENTS)
    reading(_check_targets, COMMAND_LINE_TARGETS)
    if not GetOption("help"):
        return
    named = [
        f"  {name:10} {about}" + (f" (now {env[name]})" if env[name] != default else "")
        for name, default, about, _ in variables.VARIABLES
    ]
    listed = [f"  {name:10} {recipe.description}" for name, recipe in recipes.items()]
    env.Help(_PAGE.format(variables="\n".join(named), recipes="\n".join(listed)))


def _check_targets(targets):
    """Refuse a word that names neither a target nor a file: SCons' own answer does not say what there is."""
    for target in targets:
        if target not in default_ans and not SEPARATORS.intersection(target) and not Path(target).exists():
            raise UsageError(f"there is no target {target!r}; {did_you_mean(target, default_ans)}")
