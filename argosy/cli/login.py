"""`argosy login`, `argosy logout`: a registry's user name and password, kept where Docker's clients keep theirs."""

from __future__ import annotations

import argparse
import sys

from argosy.cli.artifacts import add_registry_options
from argosy.cli.commands import Commands, add_command
from argosy.errors import UsageError
from argosy.terminal import ask

_LOGIN = """\
examples:
  argosy login registry.site:5000                            asks for user name and password
  argosy login --user ci --password-stdin registry.site:5000 < token
  argosy logout registry.site:5000

They are asked of the registry first, and kept only when it accepts them: by the credential helper that
~/.docker/config.json names, else in that file, readable by you alone and not encrypted. In CI, set $ARGOSY_USERNAME
and $ARGOSY_PASSWORD instead: then nothing is kept."""


def add_login(commands: Commands) -> None:
    """Add `login` and `logout` to the command line."""
    login = add_command(commands, "login", "keep a registry's user name and password", epilog=_LOGIN, act=_login)
    login.add_argument("host", metavar="HOST", help="HOST[:PORT] of the registry")
    login.add_argument("--user", metavar="NAME", help="the user name (asked for when left out)")
    login.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    add_registry_options(login)
    logout = add_command(commands, "logout", "forget a registry's password", epilog=_LOGIN, act=_logout)
    logout.add_argument("host", metavar="HOST", help="HOST[:PORT] of the registry")


def _login(options: argparse.Namespace) -> int:
    from argosy.oci import credentials
    from argosy.oci.credentials import Credentials
    from argosy.oci.transport import Transport

    host = _checked(options.host)
    if options.password_stdin:
        if options.user is None:
            raise UsageError("--password-stdin needs --user", advice="argosy login --user NAME --password-stdin HOST")
        user, password = options.user, sys.stdin.readline().rstrip("\n")
    else:
        advice = "--user NAME --password-stdin"
        user = options.user or ask(f"user name at {host}", advice=advice, hidden=False)
        password = ask(f"password of {user} at {host}", advice=advice)
    if not user or not password or ":" in user:
        raise UsageError("a user name without a colon, and a password, are needed")
    account = Credentials(user=user, password=password)
    transport = Transport(host, account=account, plain_http=options.plain_http)
    with transport.send("GET", "/v2/", action=f"log in to {host}", expected={200}):
        pass
    print(f"logged in to {host} as {user}; kept by {credentials.save(host, account)}")
    return 0


def _logout(options: argparse.Namespace) -> int:
    from argosy.oci import credentials

    host = _checked(options.host)
    known = credentials.forget(host)
    print(f"logged out of {host}" if known else f"nothing was kept for {host}")
    return 0


def _checked(text: str) -> str:
    """The host that `text` names. Raises UsageError for a repository or a URL."""
    from argosy.model.reference import Reference

    if "/" in text or "@" in text:
        raise UsageError(f"{text.rpartition('@')[2]!r} is no host", advice="HOST[:PORT] alone: registry.site:5000")
    registry = Reference.parse(f"{text}/any").registry
    assert registry is not None
    return registry
