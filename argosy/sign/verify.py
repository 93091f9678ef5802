"""Whether an artifact may be trusted: a pure decision over policy, digest and signatures, with its reasons.

Nothing is fetched here and nothing is believed before its signature is checked: a payload is read only after a key
of the policy accepted it. One bad signature among good ones does no harm; it is told and not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.policy import Rule
from argosy.sign.cosign import SignatureEntry
from argosy.sign.trust import Trust


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing that was checked, in words, and whether it held."""

    text: str
    held: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Accepted or not, by whom it was signed (names of the policy's keys), under which name, and every step."""

    accepted: bool
    digest: Digest
    identity: str | None
    signers: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def reason(self) -> str:
        """Why it was refused: the last thing that did not hold, and what led to it."""
        return "; ".join(step.text for step in self.steps if not step.held)


@dataclass(frozen=True, kw_only=True)
class _Good:
    """A signature that a key of the policy accepts, and what it says."""

    key: str
    identity: str | None


def verify(trust: Trust, *, repository: str | None, digest: Digest, signatures: Sequence[SignatureEntry]) -> Verdict:
    """Decide on the manifest `digest`, taken from `repository`.

    `repository` is `host[:port]/name`. It is None for an image-layout folder of which the user has not said what it
    should hold: then the name that a trusted signature gives it is taken, and reported as the verdict's identity.
    """
    steps: list[Step] = []
    if repository is not None and trust.policy.rule_for(repository) is None:
        steps.append(Step(text=f"no rule of {trust.policy.source} covers {repository}", held=False))
        return _verdict(digest, None, (), steps)
    if not signatures:
        steps.append(Step(text=f"{digest} has no signature", held=False))
        return _verdict(digest, None, (), steps)
    good = [
        found
        for number, entry in enumerate(signatures, 1)
        if (found := _check(trust, entry, digest, f"signature {number} of {len(signatures)}", steps))
    ]
    if repository is not None:
        return _decide(trust, repository, digest, good, steps)
    names = dict.fromkeys(one.identity for one in good if one.identity is not None)
    verdicts = [_decide(trust, name, digest, good, list(steps)) for name in names]
    if good and not names:
        steps.append(Step(text="no signature names a repository: say which it is with --repository", held=False))
    accepted = next((verdict for verdict in verdicts if verdict.accepted), None)
    return accepted or (verdicts[0] if verdicts else _verdict(digest, None, (), steps))


def _check(trust: Trust, entry: SignatureEntry, digest: Digest, label: str, steps: list[Step]) -> _Good | None:
    """The signature if a key of the policy made it, over this very digest; what was found is added to `steps`."""
    name = next((name for name, key in trust.keys.items() if key.accepts(entry.signature, entry.signed)), None)
    if name is None:
        steps.append(Step(text=f"{label} was made by no key of {trust.policy.source}, or was changed", held=False))
        return None
    try:
        said = entry.claim(entry.payload)
    except ArgosyError as error:
        steps.append(Step(text=f"{label}, by key {name!r}: {error.what}", held=False))
        return None
    if said.digest != digest:
        steps.append(Step(text=f"{label}, by key {name!r}, is for another artifact: {said.digest}", held=False))
        return None
    steps.append(Step(text=f"{label} was made by key {name!r} for {said.identity or 'this digest'}", held=True))
    return _Good(key=name, identity=said.identity)


def _decide(trust: Trust, repository: str, digest: Digest, good: Sequence[_Good], steps: list[Step]) -> Verdict:
    rule = trust.policy.rule_for(repository)
    if rule is None:
        steps.append(Step(text=f"no rule of {trust.policy.source} covers {repository}", held=False))
        return _verdict(digest, None, (), steps)
    steps.append(Step(text=f"{repository} is covered by the rule {rule.match!r}", held=True))
    signers = _signers(rule, repository, good, steps)
    enough = len(signers) >= rule.threshold
    needed = f"{rule.threshold} of the keys {', '.join(rule.keys)}"
    steps.append(
        Step(text=f"{'enough' if enough else 'not enough'} signatures: {len(signers)}, needed {needed}", held=enough)
    )
    return _verdict(digest, repository, signers if enough else (), steps)


def _signers(rule: Rule, repository: str, good: Sequence[_Good], steps: list[Step]) -> tuple[str, ...]:
    """The rule's keys that signed for this repository, each once, in the rule's order."""
    counted = set()
    for one in good:
        if not rule.accepts_identity(one.identity, repository):
            named = f"is for another repository: {one.identity}" if one.identity else "names no repository (`unnamed`)"
            steps.append(Step(text=f"the signature by {one.key!r} {named}", held=False))
        elif one.key not in rule.keys:
            steps.append(Step(text=f"the key {one.key!r} may not sign for {repository}", held=False))
        else:
            counted.add(one.key)
    return tuple(name for name in rule.keys if name in counted)


def _verdict(digest: Digest, identity: str | None, signers: tuple[str, ...], steps: list[Step]) -> Verdict:
    return Verdict(
        accepted=bool(signers),
        digest=digest,
        identity=identity if signers else None,
        signers=signers,
        steps=tuple(steps),
    )
