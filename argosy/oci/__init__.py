"""Artifacts in OCI registries and image-layout folders."""
