"""`argosy attest`, `argosy attestations`: signed statements about an artifact, made and shown."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from argosy.cli.artifacts import (
    REFERENCE_HELP,
    add_registry_options,
    add_trust_options,
    open_reference,
    usable_variants,
)
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.keys import add_key_option, chosen_key
from argosy.cli.output import print_json, print_pairs, printable
from argosy.errors import ArgosyError, UsageError, did_you_mean

if TYPE_CHECKING:
    from argosy.model.strict_json import JsonObject

_ATTEST = """\
examples:
  argosy attest --type https://hpc.example/benchmark/v1 registry.site:5000/hpc/hpcc:1.5 results.json
                                                          say something about an artifact: a test, a review, a scan
  argosy attest --type vuln REF scan.json                 of a kind that has a short name
  argosy attest --key ci.key --type openvex REF -         from standard input

The file is a JSON object: the predicate of an in-toto statement about the artifact's digest. It is signed and stored
beside the artifact, where cosign finds it too. Provenance and bill of materials need no such command: `scons publish`
and `argosy push --recipe` make them from the build's own records. Short names of types:
"""

_ATTESTATIONS = """\
examples:
  argosy attestations registry.site:5000/hpc/hpcc:1.5     what is attested, by whom, and what was refused
  argosy attestations --type spdxjson --predicate REF     the bill of materials itself
  argosy attestations --json REF | jq '.attestations[].builder'

Only statements about this very digest count, signed by keys that the policy lets sign the artifact or attest to it."""

# cosign's short names, for what has one.
_TYPES = {
    "slsaprovenance1": "https://slsa.dev/provenance/v1",
    "slsaprovenance02": "https://slsa.dev/provenance/v0.2",
    "spdxjson": "https://spdx.dev/Document",
    "cyclonedx": "https://cyclonedx.org/bom",
    "link": "https://in-toto.io/Link/v1",
    "vuln": "https://cosign.sigstore.dev/attestation/vuln/v1",
    "openvex": "https://openvex.dev/ns",
}


def add_attest(commands: Commands) -> None:
    """Add `attest` to the command line."""
    names = "".join(f"  {name:17} {kind}\n" for name, kind in _TYPES.items())
    parser = add_command(
        commands, "attest", "sign a statement about an artifact", epilog=_ATTEST + names.rstrip(), act=_attest
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    parser.add_argument(
        "predicate", type=Path, metavar="FILE", help="the predicate, a JSON object; - for standard input"
    )
    parser.add_argument("--type", required=True, metavar="TYPE", help="what kind of statement: a URI or a short name")
    add_key_option(parser)
    parser.add_argument("--repository", metavar="NAME", help="the name of the artifact, where REF is a folder")
    add_registry_options(parser)
    add_json(parser)


def add_attestations(commands: Commands) -> None:
    """Add `attestations` to the command line."""
    parser = add_command(
        commands, "attestations", "show what trusted keys attest of an artifact", epilog=_ATTESTATIONS, act=_show
    )
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    parser.add_argument("--type", metavar="TYPE", help="only this kind of statement: a URI or a short name")
    parser.add_argument("--predicate", action="store_true", help="print the one statement's predicate, as JSON")
    add_trust_options(parser)
    add_json(parser)


def _attest(options: argparse.Namespace) -> int:
    from argosy.oci.attestations import add_attestation
    from argosy.oci.signatures import members_of, signed_name
    from argosy.sign import attestation
    from argosy.sign.attestation import Statement, Subject

    kind = _type(options.type)
    predicate = _predicate(options.predicate)
    key = chosen_key(options)
    reference, registry = open_reference(options, options.reference)
    stored = registry.manifest(reference.digest or reference.tag)
    digest = stored.descriptor.digest
    subject = Subject(digest=digest, name=signed_name(reference, stored, options.repository))
    # Of an index, of each variant too: a policy asks what is attested of the one that is run.
    members = members_of(stored, str(reference))
    subjects = (subject, *(replace(subject, digest=member) for member in members))
    statement = Statement(subjects=subjects, predicate_type=kind, predicate=predicate)
    refused = attestation.verify([attestation.sign(key, statement)], digest=digest, keys={"you": key.public}).refused
    if refused:
        raise UsageError(f"nobody would accept this: {refused[0]}", advice=f"{kind} says what its predicate holds")
    stored_now = [add_attestation(registry, digest=each.digest, statement=statement, key=key) for each in subjects]
    added = any(stored_now)
    if options.json:
        print_json({"reference": reference.at(digest), "type": kind, "subject": subject.name, "added": added})
        return 0
    print_pairs(
        [
            ("attested", f"{reference.name}@{digest}"),
            ("as", str(subject.name)),
            ("type", kind),
            ("by", f"{key.public.fingerprint}{'' if added else ', as before'}"),
        ]
    )
    return 0


def _show(options: argparse.Namespace) -> int:
    from argosy.oci.attestations import trusted_attestations
    from argosy.oci.pull import trusted
    from argosy.sign.trust import load_trust

    kind = _type(options.type) if options.type else None
    trust = load_trust(options.policy)
    reference, registry = open_reference(options, options.reference)
    usable = usable_variants(options)
    checked = trusted(registry, reference, trust, repository=options.repository, usable=usable)
    digest = checked.chosen.descriptor.digest
    report = trusted_attestations(registry, checked.verdict, trust, digest)
    found = [one for one in report.attestations if kind in (None, one.predicate_type)]
    if options.predicate:
        if len(found) != 1:
            raise ArgosyError(
                f"{reference} has {len(found)} such attestations by trusted keys, not one",
                advice="say which with --type, or print all with --json",
            )
        print(json.dumps(found[0].predicate, indent=2, ensure_ascii=True))
        return 0
    if options.json:
        told = [
            {
                "type": one.predicate_type,
                "signers": one.signers,
                "builder": one.builder,
                "subject": {"name": one.subject.name, "digest": one.subject.digest},
                "predicate": one.predicate,
            }
            for one in found
        ]
        print_json({"digest": digest, "attestations": told, "refused": report.refused})
        return 0
    print(f"{reference.name}@{digest}:")
    for one in found:
        builder = f", built by {printable(one.builder)}" if one.builder else ""
        print(f"  ok  {one.predicate_type} by {', '.join(one.signers)}{builder}")
    for text in report.refused:
        print(f"  NO  {printable(text)}")
    if not found:
        print("  nothing that counts")
    return 0


def _type(text: str) -> str:
    kind = _TYPES.get(text, text)
    if ":" not in kind or not kind.isprintable() or " " in kind:
        raise UsageError(
            f"{text!r} is no type of statements; {did_you_mean(text, _TYPES)}", advice="a type of your own is a URI"
        )
    return kind


def _predicate(file: Path) -> JsonObject:
    from argosy.model import strict_json

    limit = strict_json.LARGEST_DOCUMENT // 4  # in an envelope in a bundle it takes nearly twice as many bytes
    try:
        if str(file) == "-":
            data = sys.stdin.buffer.read(limit + 1)
        else:
            with file.open("rb") as opened:
                data = opened.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read the predicate {file}: {error.strerror}") from error
    return strict_json.read(data, f"the predicate {file}", limit=limit)
