"""`argosy sign`: a signature for an artifact that is stored already, by another key or anew."""

from __future__ import annotations

import argparse

from argosy.cli.artifacts import REFERENCE_HELP, add_registry_options, open_reference
from argosy.cli.commands import Commands, add_command, add_json
from argosy.cli.keys import add_key_option, chosen_key
from argosy.cli.output import print_json, print_pairs

_EPILOG = """\
examples:
  argosy verify --json registry.site:5000/hpc/hpcc:1.5 | jq -r .digest
                                                        look at it first: a signature says that you vouch for it
  argosy sign --key second.key registry.site:5000/hpc/hpcc@sha256:…
                                                        the second of the signers that a policy's threshold needs
  argosy sign --renew registry.site:5000/hpc/hpcc:1.5   anew: where a policy counts signatures of the last days only, or
                                                        to make what a tag was moved back to the newest again
  argosy sign --repository registry.site:5000/hpc/hpcc oci:layout:hpcc
                                                        for the registry that the folder will be copied to

Of an index of variants, the index and each variant are signed."""


def add_sign(commands: Commands) -> None:
    """Add `sign` to the command line."""
    parser = add_command(commands, "sign", "sign an artifact that is stored already", epilog=_EPILOG, act=_sign)
    parser.add_argument("reference", metavar="REF", help=REFERENCE_HELP)
    add_key_option(parser)
    parser.add_argument("--repository", metavar="NAME", help="the name to sign for, where REF is a folder")
    parser.add_argument("--renew", action="store_true", help="also where this key has signed it before")
    add_registry_options(parser)
    add_json(parser)


def _sign(options: argparse.Namespace) -> int:
    from argosy.oci.signatures import members_of, sign_artifact, signed_name

    key = chosen_key(options)
    reference, registry = open_reference(options, options.reference)
    stored = registry.manifest(reference.digest or reference.tag)
    digests = [stored.descriptor.digest, *members_of(stored, f"the index {reference}")]
    identity = signed_name(reference, stored, options.repository)
    added = [
        sign_artifact(registry, identity=identity, digest=digest, key=key, renew=options.renew) for digest in digests
    ]
    fingerprint = key.public.fingerprint
    if options.json:
        print_json({"digests": digests, "signed_for": identity, "key": fingerprint, "added": any(added)})
        return 0
    print_pairs(
        [
            ("signed", "\n".join(f"{reference.name}@{digest}" for digest in digests)),
            ("for", identity),
            ("by", f"{fingerprint}{'' if any(added) else ', as before'}"),
        ]
    )
    return 0
