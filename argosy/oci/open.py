"""The place that a reference names, opened."""

from __future__ import annotations

from argosy.model.reference import Reference
from argosy.oci.layout import Layout
from argosy.oci.registry import Registry


def open_registry(reference: Reference, *, plain_http: bool = False) -> Registry:
    """The layout folder or the registry's repository. Nothing is asked of it yet."""
    if reference.layout is not None:
        return Layout(reference.layout)
    raise NotImplementedError
