"""What native code is made for: a triple and the exact set of CPU features that the code may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Target:
    """`triple` is LLVM's target triple; `features` are Cranelift's flags that are on, such as `has_avx2`, `has_lse`."""

    triple: str
    features: frozenset[str]

    @property
    def architecture(self) -> str:
        """The triple's first part: `x86_64`, `aarch64`."""
        return self.triple.partition("-")[0]

    def missing_for(self, code: Target) -> frozenset[str]:
        """The features that `code` may use and this target lacks; of another architecture, the triple itself."""
        if code.triple != self.triple:
            return frozenset({code.triple})
        return code.features - self.features

    def __str__(self) -> str:
        return f"{self.triple} [{' '.join(sorted(self.features))}]"
