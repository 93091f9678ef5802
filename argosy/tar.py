"""tarfile with extraction filters (PEP 706), which Python has since 3.11.4."""

from __future__ import annotations

import sys

# The standard library's own where it has them, else its backport, which is the same code.
if sys.version_info >= (3, 12):
    import tarfile
else:
    from backports import tarfile

__all__ = ["tarfile"]
