"""A decision on an artifact with every step that led to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from argosy.model.digest import Digest


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was checked: by its name (for scripts), in words, and whether it held."""

    check: str
    text: str
    held: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Accepted or not, by whom it was signed (names of the policy's keys), under which name, and every step.

    `digest` is that of what the reference names; `signed_at` the time that enough of the signers agree on at least, in
    seconds since 1970.
    """

    accepted: bool
    digest: Digest
    identity: str | None
    signers: tuple[str, ...]
    steps: tuple[Step, ...]
    signed_at: int | None = None

    @property
    def reason(self) -> str:
        """Why it was refused: all that did not hold."""
        return "; ".join(step.text for step in self.steps if not step.held)

    def refused(self) -> tuple[str, ...]:
        """The names of the checks that did not hold, in the order of the steps."""
        return tuple(dict.fromkeys(step.check for step in self.steps if not step.held))

    def and_step(self, step: Step) -> Verdict:
        """The verdict after one more step; refused where that does not hold."""
        told = replace(self, steps=(*self.steps, step))
        return told if step.held else replace(told, accepted=False, identity=None, signers=(), signed_at=None)
