"""The SCons tool `argosy`: Builders for recipes and for a user's own programs.

    env = Environment(tools=['argosy'])
    env.ArgosyProgram('app', ['app.c'], mpi=True)

Each Builder is a thin call of a function of the package `argosy`, which knows no SCons. In Argosy's own folder SCons
finds this tool in `site_scons`; where the package is installed it is `SCons.Tool.argosy`, so that a SConstruct in any
folder finds it.
"""

import sys

if __name__ == "argosy":
    # SCons loads a tool of site_scons under its bare name, which is the package's. Give the package its name back, and
    # be loaded once more under the name that an installed tool has.
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    installed = "SCons.Tool.argosy"
    del sys.modules[__name__]
    if installed not in sys.modules:
        folders, tools = sys.path, Path(__file__).resolve().parent.parent
        sys.path = [folder for folder in folders if Path(folder).resolve() != tools]
        spec = spec_from_file_location(installed, __file__)
        sys.modules[installed] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[installed])
        sys.path = folders
    tool = sys.modules[installed]
    sys.modules["argosy"] = tool.package
    generate, exists = tool.generate, tool.exists
else:
    from importlib import import_module

    try:
        package = import_module("argosy")
        from SCons.Tool.argosy import help, interrupt, program, publish, recipe, run, toolchain, variables
    except ModuleNotFoundError as missing:
        import SCons.Errors

        raise SCons.Errors.UserError(
            f"this Python lacks the package {missing.name}; in Argosy's folder, `{sys.executable} -m pip install "
            "-e '.[build]'` installs all that building needs"
        ) from missing

    def generate(env):
        """Add the Builders and pseudo-builders to a construction environment."""
        interrupt.watch()
        for part in (variables, toolchain, recipe, program, publish, run, help):
            part.generate(env)

    def exists(env):
        """The tool needs nothing that is not found when it is used."""
        return True
