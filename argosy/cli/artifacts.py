"""What the commands that reach a registry have in common: the reference, the policy, and the options for both."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.output import print_pairs, printable

if TYPE_CHECKING:
    from argosy.model.reference import Reference
    from argosy.oci.pull import VerifiedModule
    from argosy.oci.registry import Registry
    from argosy.sign.verdict import Verdict

REFERENCE_HELP = "HOST[:PORT]/REPOSITORY[:TAG][@sha256:…], or oci:FOLDER[:TAG] for an image-layout folder"


def add_registry_options(parser: argparse.ArgumentParser) -> None:
    """The option that says how a registry is reached."""
    parser.add_argument("--plain-http", action="store_true", help="use http where the registry has no TLS")


def add_trust_options(parser: argparse.ArgumentParser) -> None:
    """The options that say what is trusted."""
    parser.add_argument(
        "--policy", type=Path, help="the trust policy (default: $ARGOSY_POLICY, else the user's, the site's)"
    )
    parser.add_argument(
        "--repository", metavar="NAME", help="the name that a layout folder's artifact must be signed for"
    )
    add_registry_options(parser)


def open_reference(options: argparse.Namespace, text: str) -> tuple[Reference, Registry]:
    """The parsed reference and the opened place that it names."""
    from argosy.model.reference import Reference
    from argosy.oci.open import open_registry

    reference = Reference.parse(text)
    return reference, open_registry(reference, plain_http=options.plain_http)


def verified(options: argparse.Namespace, text: str) -> VerifiedModule:
    """The module that the reference names, in the cache, accepted by the policy; raises ArgosyError otherwise."""
    from argosy.oci.pull import pull_verified
    from argosy.sign.trust import load_trust

    trust = load_trust(options.policy)  # before anything is fetched: without a policy nothing will be accepted
    reference, registry = open_reference(options, text)
    return pull_verified(registry, reference, trust, repository=options.repository)


def print_verdict(verdict: Verdict) -> None:
    """Each step of a decision, with the name of the check, and the decision."""
    width = max((len(step.check) for step in verdict.steps), default=0)
    for step in verdict.steps:
        print(f"  {'ok ' if step.held else 'NO '} {step.check.ljust(width)}  {printable(step.text)}")
    if verdict.accepted:
        print_pairs(
            [
                ("accepted", str(verdict.digest)),
                ("signed for", printable(verdict.identity or "")),
                ("signed by", ", ".join(verdict.signers)),
            ]
        )
    else:
        print(f"refused   {verdict.digest}")


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """A decision for scripts: `refused` names the checks for which it was refused."""
    refused = [] if verdict.accepted else verdict.refused()
    return {
        "accepted": verdict.accepted,
        "refused": refused,
        "digest": verdict.digest,
        "identity": verdict.identity,
        "signers": verdict.signers,
        "signed_at": verdict.signed_at,
        "steps": verdict.steps,
    }
