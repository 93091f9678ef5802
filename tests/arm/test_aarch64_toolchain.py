"""What x86-64 published, an Arm build host's compiler builds to the very same bytes.

The recipes are small and use no MPI, whose library is 700 files; for those of this repository see aarch64_toolchain.py.
"""

from __future__ import annotations

from pathlib import Path

import aarch64_toolchain
import pytest
from needs import program
from published import opened, yard

from argosy.build.toolchain_prefix import read_manifest
from argosy.folders import cache_root
from argosy.pipeline import rebuild

KERNEL = """\
#include <math.h>
double sum(const double *x, int n) {
  double s = 0;
  for (int i = 0; i < n; i++) s += sqrt(x[i]) * 0.1 + (float)x[i] / 3;
  return s;
}
"""
MAIN = """\
#include <stdio.h>
double sum(const double *, int);
int main(void) {
  double x[64];
  for (int i = 0; i < 64; i++) x[i] = i * i + 1e-3 * i;
  return printf("%.17g %La\\n", sum(x, 64), 1.1L) < 0;
}
"""


def test_two_recipes_have_the_digest_that_they_have_on_x86(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program("qemu-aarch64", "apt-get install qemu-user")
    here = yard(tmp_path / "yard")
    here.recipe("kernel", KERNEL, kind="library")
    here.recipe("sums", MAIN, requires='"kernel"', build='link = ["-lkernel"]')
    references = [f"oci:{tmp_path / 'layout'}:{name}" for name in ("alone", "sums")]
    for name, reference in zip(("alone", "sums"), references, strict=True):
        here.build(name)
        here.publish(name, reference)
    sources = cache_root() / "sources"
    cache = tmp_path / "cache"
    cache.mkdir()
    if sources.is_dir():
        (cache / "sources").symlink_to(sources)
    monkeypatch.setenv("ARGOSY_CACHE", str(cache))
    prefix = aarch64_toolchain.put_into(cache)
    for reference in references:
        place, registry = opened(reference)
        planned = rebuild.plan(registry, place, here.trust())
        assert read_manifest(prefix).about["digest"] == str(planned.provenance.lock.toolchain_digest)
        done = rebuild.rebuild(registry, planned, tmp_path / f"again-{place.tag}", jobs=2)
        assert done.agrees, done.differences
