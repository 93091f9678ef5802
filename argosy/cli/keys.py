"""`argosy keys`: pairs of keys to sign with, and whose signatures this user trusts."""

from __future__ import annotations

import argparse
import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import print_json, print_pairs
from argosy.errors import UsageError
from argosy.terminal import ask

if TYPE_CHECKING:
    from argosy.model.policy import KeyFile, Rule
    from argosy.sign.keys import PrivateKey
    from argosy.sign.trust import Trust

_EPILOG = """\
examples:
  argosy keys generate                          a pair in ~/.config/argosy: argosy.key, argosy.pub
  argosy keys generate --passphrase ci.key      another, encrypted (asked for, or $ARGOSY_KEY_PASSWORD)
  argosy keys generate --algorithm ed25519 k    of another kind
  argosy keys trust ~/.config/argosy/argosy.pub 'localhost:5000/**'
                                                a first trust policy: that key may sign for those repositories
  argosy keys show                              the policy in force, its keys and rules
  argosy keys show argosy.pub                   one key's fingerprint

Keys are ECDSA P-256 or Ed25519, the private one in PKCS8 PEM, so cosign and openssl read them too; cosign's own
encrypted keys are read as well. In CI, `--key env:NAME` or `--key fd:N` takes the key from a variable or an open file.
Keep the private key; give the public one to whoever shall run what you build."""


def add_key_option(parser: argparse._ActionsContainer) -> None:
    """The option that names the key to sign with."""
    parser.add_argument("--key", type=Path, help="the private key to sign with (default: $ARGOSY_KEY, else the user's)")


def chosen_key(options: argparse.Namespace) -> PrivateKey:
    """The private key that `--key` names, or the default one. Raises ArgosyError where it cannot be opened."""
    from argosy.folders import signing_key
    from argosy.sign.keys import load_private

    return load_private(options.key or signing_key())


def add_keys(commands: Commands) -> None:
    """Add `keys` to the command line."""
    parser = add_command(commands, "keys", "make signing keys, and say which are trusted", epilog=_EPILOG)
    actions: Commands = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    generate = add_command(actions, "generate", "make a key pair", epilog=_EPILOG, act=_generate)
    generate.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the private key (default: $ARGOSY_KEY)")
    generate.add_argument(
        "--algorithm", choices=("ecdsa-p256", "ed25519"), default="ecdsa-p256", help="default: ecdsa-p256"
    )
    generate.add_argument("--passphrase", action="store_true", help="encrypt the private key")
    add_json(generate)
    show = add_command(actions, "show", "show a key, or the policy in force and its keys", epilog=_EPILOG, act=_show)
    show.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a private or public key")
    show.add_argument("--policy", type=Path, help="another trust policy than the one in force")
    add_json(show)
    trust = add_command(actions, "trust", "make a first trust policy", epilog=_EPILOG, act=_trust)
    trust.add_argument("file", type=Path, metavar="PUBLIC", help="a public key, such as argosy.pub")
    trust.add_argument(
        "repositories", nargs="+", metavar="REPOSITORY", help="HOST[:PORT]/NAME, where * and ** stand for any"
    )
    trust.add_argument("--policy", type=Path, help="the policy to make (default: $ARGOSY_POLICY, else the user's own)")


def _generate(options: argparse.Namespace) -> int:
    from argosy.folders import signing_key
    from argosy.sign.keys import Algorithm, generate

    password = _new_passphrase() if options.passphrase else None
    pair = generate(options.file or signing_key(), password=password, algorithm=Algorithm(options.algorithm))
    if options.json:
        print_json(pair)
        return 0
    print_pairs(
        [("private key", str(pair.private)), ("public key", str(pair.public)), ("fingerprint", str(pair.fingerprint))]
    )
    print(f"\nnext: say for which repositories it is trusted: argosy keys trust {pair.public} 'HOST/REPOSITORY'")
    return 0


def _new_passphrase() -> str:
    from argosy.sign.keys import PASSWORD_VARIABLE

    given = os.environ.get(PASSWORD_VARIABLE)
    advice = f"put the passphrase in ${PASSWORD_VARIABLE}"
    passphrase = given if given is not None else ask("passphrase of the new key", advice=advice)
    if not passphrase:
        raise UsageError("the passphrase is empty", advice="leave out --passphrase for a key without one")
    if given is None and ask("the same again", advice=advice) != passphrase:
        raise UsageError("the two passphrases differ", advice="try again")
    return passphrase


def _show(options: argparse.Namespace) -> int:
    if options.file is None:
        return _show_policy(options)
    from argosy.sign.keys import load_private, load_public

    # A public key is public in its first line; whatever else it is, the loader of private ones says.
    public = b"PUBLIC KEY" in _beginning(options.file)
    key = load_public(options.file) if public else load_private(options.file).public
    if options.json:
        print_json({"file": options.file, "private": not public, "fingerprint": key.fingerprint})
    else:
        kind = "public" if public else "private"
        print_pairs([(f"{kind} key", str(options.file)), ("fingerprint", str(key.fingerprint))])
        print(key.pem().decode(), end="")
    return 0


def _beginning(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(200)
    except OSError as error:
        raise UsageError(f"cannot read the key {file}: {error.strerror}") from error


def _show_policy(options: argparse.Namespace) -> int:
    from argosy.sign.trust import load_trust

    trust = load_trust(options.policy)
    policy = trust.policy
    if options.json:
        keys = {name: key.fingerprint for name, key in trust.keys.items()}
        refused = {key.name: refusal for key in policy.keys if (refusal := key.refusal(_now())) is not None}
        print_json(
            {
                "policy": policy.source,
                "expired": policy.expired(_now()),
                "keys": keys,
                "refused_keys": refused,
                "rules": policy.rules,
                "revoked": policy.revoked,
            }
        )
        return 0
    expired = policy.expired(_now())
    print(f"policy {policy.source}{f' {expired}: nothing is accepted' if expired else ''}\n\nkeys")
    print_pairs([(key.name, _key_line(trust, key)) for key in policy.keys], indent="  ")
    print("\nrules, the first that fits decides; what none fits is refused")
    print_pairs([(rule.match, _rule_text(rule)) for rule in policy.rules], indent="  ")
    if policy.revoked:
        print("\nrevoked")
        print_pairs([(str(one.digest), one.reason) for one in policy.revoked], indent="  ")
    return 0


def _key_line(trust: Trust, key: KeyFile) -> str:
    refusal = key.refusal(_now())
    return f"{trust.keys[key.name].fingerprint}{f' {refusal}' if refusal else ''}"


def _rule_text(rule: Rule) -> str:
    lines = [f"{rule.threshold} of {', '.join(rule.keys)}"]
    if rule.signed_within_days is not None:
        lines.append(f"signed within {rule.signed_within_days} days")
    if rule.pinned:
        lines.append(f"pinned to {', '.join(map(str, rule.pinned))}")
    for one in rule.attestations:
        built = f", built by {' or '.join(one.builders)}" if one.builders else ""
        lines.append(f"attested {one.predicate_type} by {one.threshold} of {', '.join(one.keys)}{built}")
    if rule.rollback:
        lines.append("tags may move back")
    return "\n".join(lines)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _trust(options: argparse.Namespace) -> int:
    from argosy.sign.keys import load_public
    from argosy.sign.trust import policy_places, write_policy

    place: Path = options.policy or policy_places()[0]
    key = load_public(options.file)
    if place.exists():
        raise UsageError(
            f"there is a trust policy already: {place}",
            advice=f"add the key to it by hand: copy {options.file} beside it, and write a [keys.NAME] and a rule",
        )
    write_policy(place, keys={options.file.stem: key}, repositories=options.repositories)
    print(f"{place}: {options.file.stem} ({key.fingerprint}) is trusted for {', '.join(options.repositories)}")
    return 0
