"""`argosy pull` and `argosy verify`: an artifact checked against the trust policy, with or without fetching it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import (
    REFERENCE_HELP,
    add_trust_options,
    open_reference,
    print_verdict,
    usable_variants,
    verdict_json,
    verified,
)
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.output import print_json, print_pairs, printable

if TYPE_CHECKING:
    from argosy.oci.pull import Checked
    from argosy.sign.trust import Trust
    from argosy.sign.verdict import Verdict

_PULL_EPILOG = """\
examples:
  argosy pull registry.site:5000/hpc/hpcc:1.5           verify, fetch into the cache, print where it is
  argosy pull -o hpcc.wasm oci:layout:hpcc              a copy as a file of your own
  argosy pull --json REF | jq -r .path                  for scripts

Nothing of the module is fetched before the policy has accepted its signature."""
_VERIFY_EPILOG = """\
examples:
  argosy verify registry.site:5000/hpc/hpcc:1.5         each step of the check, and why it was refused
  argosy verify --policy site.toml oci:layout:hpcc      by another policy
  argosy verify --repository registry.site:5000/hpc/hpcc oci:layout:hpcc
                                                        the folder must hold what was signed for that name
  argosy verify hpcc.wasm                               a file, by the signatures inside it (push --embed-signature)
  argosy verify --json REF | jq -r '.steps[] | select(.held | not) | .check'
                                                        the names of the checks that did not hold, for scripts
  argosy verify --accept-rollback REF                   the publisher took a version back, and you know that

A file says of which recipe it is, and so counts as layout/RECIPE; its rule in the policy is that name's.
Nothing is fetched but manifests and signatures, and no record is changed (but for --accept-rollback).

exit status: 0 accepted, 1 refused."""


def add_pull(commands: Commands) -> None:
    """Add `pull` to the command line."""
    parser = add_command(
        commands, "pull", "fetch a module that the trust policy accepts", epilog=_PULL_EPILOG, act=_pull
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="also write the module here")
    add_trust_options(parser)
    add_json(parser)


def add_verify(commands: Commands) -> None:
    """Add `verify` to the command line."""
    parser = add_command(
        commands,
        "verify",
        "check an artifact against the trust policy, step by step",
        epilog=_VERIFY_EPILOG,
        act=_verify,
    )
    parser.add_argument("reference", metavar="REF", help=f"{REFERENCE_HELP}; or a .wasm file")
    parser.add_argument(
        "--accept-rollback",
        action="store_true",
        help="if all else holds, take what the tag names now for right although it is older",
    )
    add_trust_options(parser)
    add_json(parser)


def _pull(options: argparse.Namespace) -> int:
    module = verified(options, options.reference)
    path: Path = module.path
    if options.output is not None:
        from argosy.files import whole_file

        path = options.output
        with whole_file(path) as file:
            module.copy_to(file)
    if options.json:
        print_json(
            {
                "path": path,
                "wasm": module.digest,
                "variant": module.variant,
                "digest": module.manifest_digest,
                "signed_for": module.identity,
                "signers": module.signers,
                "numerics": module.numerics,
                "annotations": module.annotations,
            }
        )
        return 0
    said = module.description
    print_pairs(
        [
            ("module", str(path)),
            ("application", printable(f"{said.name} {said.version or ''}".strip())),
            ("licence", printable(said.licence or "not stated")),
            ("variant", printable(module.variant or "")),
            ("digest", str(module.manifest_digest)),
            ("signed for", printable(module.identity)),
            ("signed by", ", ".join(module.signers)),
        ]
    )
    return 0


def _verify(options: argparse.Namespace) -> int:
    from argosy.oci.pull import check
    from argosy.sign.embedded import verify_file
    from argosy.sign.trust import load_trust

    trust = load_trust(options.policy)
    if options.reference.endswith(".wasm") and Path(options.reference).is_file():
        return _told(options, verify_file(Path(options.reference), trust, repository=options.repository), trust)
    reference, registry = open_reference(options, options.reference)
    checked = check(
        registry,
        reference,
        trust,
        repository=options.repository,
        usable=usable_variants(options),
        accept_rollback=options.accept_rollback,
    )
    if options.accept_rollback and checked.verdict.accepted and checked.record is not None:
        checked.record.advance(checked.seen, back=True)
    return _told(options, checked.verdict, trust, checked)


def _told(options: argparse.Namespace, verdict: Verdict, trust: Trust, checked: Checked | None = None) -> int:
    if options.json:
        more = {"variant": checked.variant, "chosen": checked.chosen.descriptor.digest} if checked else {}
        print_json({**verdict_json(verdict), **more})
    else:
        print(f"{options.reference} by {trust.policy.source}:")
        if checked is not None and checked.variant is not None:
            print(f"  it is an index of variants; {checked.variant} is the one for here")
        print_verdict(verdict)
    return 0 if verdict.accepted else 1
