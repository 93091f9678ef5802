"""`python -m argosy.cli`: the same as the command `argosy`."""

from __future__ import annotations

import sys

from argosy.cli import main

sys.exit(main())
