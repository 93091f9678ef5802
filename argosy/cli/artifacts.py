"""What the commands that reach a registry have in common: the reference, the policy, and the options for both."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.output import print_pairs, printable

if TYPE_CHECKING:
    from argosy.model.reference import Reference
    from argosy.model.target import Target
    from argosy.model.variant import Usable
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
    parser.add_argument(
        "--variant",
        metavar="NAME",
        help="baseline, simd or relaxed-simd, of an application that has variants (default: the best for this CPU)",
    )
    add_registry_options(parser)


def trust_words(options: argparse.Namespace) -> list[str]:
    """What `add_trust_options` has read, as words again: for a command that is written down or runs on another node."""
    from argosy.model import variant

    words = [] if options.repository is None else [f"--repository={options.repository}"]
    words += [] if options.variant is None else [f"--variant={variant.parse(options.variant)}"]
    words += [] if options.policy is None else [f"--policy={options.policy.absolute()}"]
    return [*words, "--plain-http"] if options.plain_http else words


def usable_variants(options: argparse.Namespace, targets: Sequence[Target] = ()) -> Usable:
    """Tells which variants the options allow: the one that is named, else those for these CPUs (none: this machine's).

    This machine's CPU is looked at when it is asked.
    """
    from argosy.model import variant

    named = None if options.variant is None else variant.parse(options.variant)

    def usable() -> Sequence[str]:
        from argosy.site import cpu, variants

        return (named,) if named is not None else variants.usable(targets or (cpu.host(),))

    return usable


def open_reference(options: argparse.Namespace, text: str) -> tuple[Reference, Registry]:
    """The parsed reference and the opened place that it names."""
    from argosy.model.reference import Reference
    from argosy.oci.open import open_registry

    reference = Reference.parse(text)
    return reference, open_registry(reference, plain_http=options.plain_http)


def verified(options: argparse.Namespace, text: str, targets: Sequence[Target] = ()) -> VerifiedModule:
    """The module that the reference names, in the cache, accepted by the policy; raises ArgosyError otherwise.

    Of an application in several variants it is the best for these CPUs (none: this machine's).
    """
    from argosy.oci.pull import pull_verified
    from argosy.sign.trust import load_trust

    trust = load_trust(options.policy)  # before anything is fetched: without a policy nothing will be accepted
    reference, registry = open_reference(options, text)
    usable = usable_variants(options, targets)
    return pull_verified(registry, reference, trust, repository=options.repository, usable=usable)


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
