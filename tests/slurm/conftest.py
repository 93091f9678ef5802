"""One site for all tests of Slurm: it takes some seconds to come up."""

from __future__ import annotations

from slurm_site import site

__all__ = ["site"]
