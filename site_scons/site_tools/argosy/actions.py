"""Calls of package functions as SCons actions: an ArgosyError becomes SCons' own error, without a traceback."""

import sys

import SCons.Action
import SCons.Errors

from argosy.errors import ArgosyError
from argosy.process import CancelledError


class _Call:
    """A call of a package function. Its instances look alike to SCons: what decides a target is in its dependencies."""

    def __init__(self, function):
        self.function = function

    def __call__(self, target, source, env):
        try:
            self.function(target, source, env)
        except CancelledError:
            return 1
        except ArgosyError as error:
            raise SCons.Errors.BuildError(node=target[0], errstr=str(error), exitstatus=error.status) from error
        except OSError as error:  # a full disk, a folder that cannot be written: nothing that a traceback explains
            raise SCons.Errors.BuildError(node=target[0], errstr=str(error)) from error
        return 0


def action(function, said):
    """An action that calls `function(target, source, env)`; `said`, called alike, gives the line that SCons prints."""
    return SCons.Action.Action(_Call(function), said)


def phony(env, name, depends, function, said=lambda target, source, env: ""):
    """A target that is no file: `function` is called each time that it is asked for, after what it depends on."""
    alias = env.Alias(name, depends, action(function, said))
    env.AlwaysBuild(alias)
    return alias


def reading(function, *arguments):
    """Call a package function while SConstruct is read; its ArgosyError ends SCons with that message alone."""
    try:
        return function(*arguments)
    except ArgosyError as error:
        sys.stderr.write(f"argosy: {error}\n")
        sys.exit(error.status)
