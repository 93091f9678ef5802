"""Whether an artifact may be trusted: a pure decision over policy, digest and signatures, with its reasons.

Nothing is fetched here and nothing is believed before its signature is checked: a payload is read only after a key
of the policy accepted it. One bad signature among good ones does no harm; it is told and not counted.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.errors import ArgosyError
from argosy.model.digest import Digest
from argosy.model.policy import KeyFile, Rule
from argosy.sign.cosign import Claim, SignatureEntry
from argosy.sign.dsse import Envelope
from argosy.sign.requirements import is_attested
from argosy.sign.trust import Trust
from argosy.sign.verdict import Step, Verdict

CLOCK_SKEW = 600  # seconds that a signer's clock may be ahead of this one


@dataclass(frozen=True, kw_only=True)
class _Good:
    """A signature that a key of the policy accepts, and what it says."""

    key: str
    claim: Claim


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """What is decided on, and when."""

    digest: Digest
    parts: Sequence[Digest]
    attestations: Sequence[Envelope]
    attested: Digest
    now: datetime.datetime


def verify(
    trust: Trust,
    *,
    repository: str | None,
    digest: Digest,
    signatures: Sequence[SignatureEntry],
    parts: Sequence[Digest] = (),
    attestations: Sequence[Envelope] = (),
    attested: Digest | None = None,
    now: datetime.datetime | None = None,
) -> Verdict:
    """Decide on the manifest `digest`, taken from `repository`, by the policy as it is at `now`.

    `repository` is `host[:port]/name`. It is None for an image-layout folder of which the user has not said what it
    should hold: then the name that a trusted signature gives it is taken, and reported as the verdict's identity.
    `parts` are the digests of what it consists of, which can be revoked too. The `attestations` must be about
    `attested`: the same manifest (None), or the member of an index that was chosen.
    """
    now = now or datetime.datetime.now(datetime.UTC)
    subject = _Subject(digest=digest, parts=parts, attestations=attestations, attested=attested or digest, now=now)
    steps: list[Step] = []
    if not _in_force(trust, subject, steps):
        return _refused(subject, steps)
    if repository is not None and trust.policy.rule_for(repository) is None:
        steps.append(_uncovered(trust, repository))
        return _refused(subject, steps)
    if not signatures:
        steps.append(Step(check="unsigned", text=f"{digest} has no signature", held=False))
        return _refused(subject, steps)
    good = [
        found
        for number, entry in enumerate(signatures, 1)
        if (found := _check(trust, entry, subject, f"signature {number} of {len(signatures)}", steps))
    ]
    if repository is not None:
        return _decide(trust, repository, subject, good, steps)
    names = dict.fromkeys(one.claim.identity for one in good if one.claim.identity is not None)
    verdicts = [_decide(trust, name, subject, good, list(steps)) for name in names]
    if good and not names:
        text = "no signature names a repository: say which it is with --repository"
        steps.append(Step(check="repository", text=text, held=False))
    accepted = next((verdict for verdict in verdicts if verdict.accepted), None)
    return accepted or (verdicts[0] if verdicts else _refused(subject, steps))


def _in_force(trust: Trust, subject: _Subject, steps: list[Step]) -> bool:
    """Whether the policy still counts and has not taken back the artifact or a part of it."""
    expired = trust.policy.expired(subject.now)
    if expired is not None:
        steps.append(Step(check="policy-expired", text=f"{trust.policy.source} {expired}: renew it", held=False))
        return False
    for one in (subject.digest, *subject.parts):
        revocation = trust.policy.revocation(one)
        if revocation is not None:
            part = "" if one == subject.digest else f", part of {subject.digest},"
            steps.append(Step(check="revoked", text=f"{one}{part} is revoked: {revocation.reason}", held=False))
            return False
    return True


def _check(trust: Trust, entry: SignatureEntry, subject: _Subject, label: str, steps: list[Step]) -> _Good | None:
    """The signature if a key of the policy made it, over this very digest; what was found is added to `steps`."""
    name = next((name for name, key in trust.keys.items() if key.accepts(entry.signature, entry.signed)), None)
    if name is None:
        text = f"{label} was made by no key of {trust.policy.source}, or was changed"
        steps.append(Step(check="key", text=text, held=False))
        return None

    said = _believed(trust.policy.key(name), entry, subject)
    if isinstance(said, Claim):
        text = f"{label} was made by key {name!r} for {said.identity or 'this digest'}"
        steps.append(Step(check="signature", text=text, held=True))
        return _Good(key=name, claim=said)
    check, problem = said
    steps.append(Step(check=check, text=f"{label}, by key {name!r}{problem}", held=False))
    return None


def _believed(key: KeyFile, entry: SignatureEntry, subject: _Subject) -> Claim | tuple[str, str]:
    """What a signature by `key` says, or the check that it fails and how."""
    refusal = key.refusal(subject.now)
    if refusal is not None:
        return "key-expired" if key.revoked is None else "key-revoked", f", which {refusal}"
    try:
        said = entry.claim(entry.payload)
    except ArgosyError as error:
        return "payload", f": {error.what}"
    if said.digest != subject.digest:
        return "digest", f", is for another artifact: {said.digest}"
    if said.signed_at is not None and said.signed_at > subject.now.timestamp() + CLOCK_SKEW:
        return "signature-time", f", says that it was made in the future: {_day(said.signed_at)}"
    return said


def _decide(trust: Trust, repository: str, subject: _Subject, good: Sequence[_Good], steps: list[Step]) -> Verdict:
    rule = trust.policy.rule_for(repository)
    if rule is None:
        steps.append(_uncovered(trust, repository))
        return _refused(subject, steps)
    steps.append(Step(check="rule", text=f"{repository} is covered by the rule {rule.match!r}", held=True))
    if rule.pinned:
        pinned = subject.digest in rule.pinned
        text = f"{subject.digest} is {'' if pinned else 'not '}one of the digests that the rule is pinned to"
        steps.append(Step(check="pinned", text=text, held=pinned))
        if not pinned:
            return _refused(subject, steps)
    signers = _signers(rule, repository, good, subject, steps)
    enough = len(signers) >= rule.threshold
    needed = f"{rule.threshold} of the keys {', '.join(rule.keys)}"
    text = f"{'enough' if enough else 'not enough'} signatures: {len(signers)}, needed {needed}"
    steps.append(Step(check="threshold", text=text, held=enough))
    if not enough:
        return _refused(subject, steps)
    if rule.attestations and not is_attested(
        trust, rule.attestations, digest=subject.attested, envelopes=subject.attestations, now=subject.now, steps=steps
    ):
        return _refused(subject, steps)
    return Verdict(
        accepted=True,
        digest=subject.digest,
        identity=repository,
        signers=tuple(name for name in rule.keys if name in signers),
        steps=tuple(steps),
        signed_at=_agreed(list(signers.values()), rule.threshold),
    )


def _signers(
    rule: Rule, repository: str, good: Sequence[_Good], subject: _Subject, steps: list[Step]
) -> dict[str, int | None]:
    """The rule's keys that signed for this repository, each once, with the newest time that it states."""
    counted: dict[str, int | None] = {}
    for one in good:
        identity, signed_at = one.claim.identity, one.claim.signed_at
        if not rule.accepts_identity(identity, repository):
            named = f"is for another repository: {identity}" if identity else "names no repository (`unnamed`)"
            steps.append(Step(check="repository", text=f"the signature by {one.key!r} {named}", held=False))
        elif one.key not in rule.keys:
            text = f"the key {one.key!r} may not sign for {repository}"
            steps.append(Step(check="authority", text=text, held=False))
        elif (old := _too_old(rule, signed_at, subject.now)) is not None:
            steps.append(Step(check="signature-expired", text=f"the signature by {one.key!r} {old}", held=False))
        else:
            newest = max(filter(None, (counted.get(one.key), signed_at)), default=None)
            counted[one.key] = newest
    return counted


def _too_old(rule: Rule, signed_at: int | None, now: datetime.datetime) -> str | None:
    """Why a signature of this time does not count any more."""
    if rule.signed_within_days is None:
        return None
    if signed_at is None:
        return f"does not say when it was made; the rule wants it within {rule.signed_within_days} days"
    if signed_at < now.timestamp() - 86400 * rule.signed_within_days:
        return f"was made on {_day(signed_at)}, more than {rule.signed_within_days} days ago"
    return None


def _agreed(times: list[int | None], threshold: int) -> int | None:
    """The latest time that `threshold` signers state at least: fewer of them, if their keys are stolen, cannot move it.

    None where not so many state one.
    """
    stated = sorted((one for one in times if one is not None), reverse=True)
    return stated[threshold - 1] if len(stated) >= threshold else None


def _uncovered(trust: Trust, repository: str) -> Step:
    return Step(check="rule", text=f"no rule of {trust.policy.source} covers {repository}", held=False)


def _refused(subject: _Subject, steps: list[Step]) -> Verdict:
    return Verdict(accepted=False, digest=subject.digest, identity=None, signers=(), steps=tuple(steps))


def _day(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d")
