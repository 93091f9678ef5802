"""The place that a reference names, opened."""

from __future__ import annotations

from pathlib import Path

from argosy.errors import UsageError
from argosy.model.reference import Reference
from argosy.oci.layout import Layout
from argosy.oci.registry import Registry


def open_registry(reference: Reference, *, plain_http: bool = False, patience: float = 60.0) -> Registry:
    """The layout folder or the registry's repository. Nothing is asked of it yet.

    A loopback host is asked over http unless an authority is set for it, any other over https unless `plain_http`.
    `patience`: seconds to wait in all for a busy registry.
    """
    if reference.archive:
        raise UsageError(
            f"{reference.name} is an archive, which is only copied from and to",
            advice=f"argosy copy {reference} oci:FOLDER",
        )
    if reference.registry is None:
        return Layout(Path(reference.repository))
    # Only here: a folder is opened without what HTTP takes.
    from argosy.oci import credentials
    from argosy.oci.remote import Remote
    from argosy.oci.transport import Transport

    account = credentials.find(reference.registry)
    transport = Transport(reference.registry, account=account, plain_http=plain_http, patience=patience)
    return Remote(transport, reference.repository)
