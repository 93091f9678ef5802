"""Whether an artifact has the attestations that a rule requires, with the reasons. Nothing is fetched here."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from argosy.model.digest import Digest
from argosy.model.policy import Policy
from argosy.model.policy_rule import RequiredAttestation
from argosy.sign import attestation
from argosy.sign.attestation import Attestation
from argosy.sign.dsse import Envelope
from argosy.sign.trust import Trust
from argosy.sign.verdict import Step


def is_attested(
    trust: Trust,
    required: Sequence[RequiredAttestation],
    *,
    digest: Digest,
    envelopes: Sequence[Envelope],
    now: datetime.datetime,
    steps: list[Step],
) -> bool:
    """Whether each of `required` is among the `envelopes`, about the manifest `digest`; what was found goes to `steps`.

    All signers that count must have signed one and the same statement. Statements that nobody asked for do no harm.
    """
    report = attestation.verify(envelopes, digest=digest, keys=trust.keys)
    steps += [Step(check="attestation", text=text, held=False) for text in report.refused]
    held = [_one(trust.policy, each, report.attestations, now, steps) for each in required]  # all are told
    return all(held)


def _one(
    policy: Policy,
    required: RequiredAttestation,
    found: Sequence[Attestation],
    now: datetime.datetime,
    steps: list[Step],
) -> bool:
    kind = required.predicate_type
    candidates = [one for one in found if one.predicate_type == kind]
    if not candidates:
        others = ", ".join(dict.fromkeys(one.predicate_type for one in found)) or "none"
        text = f"no attestation of type {kind} is there; those that hold are of type: {others}"
        steps.append(Step(check="attestation-missing", text=text, held=False))
        return False
    problems = []
    for one in candidates:
        problem = _problem(policy, required, one, now)
        if problem is None:
            built = f", built by {one.builder}" if one.builder else ""
            text = f"attested {kind} by {', '.join(_counted(policy, required, one, now))}{built}"
            steps.append(Step(check="attestation", text=text, held=True))
            return True
        problems.append(problem)
    steps += problems
    return False


def _problem(policy: Policy, required: RequiredAttestation, one: Attestation, now: datetime.datetime) -> Step | None:
    """Why an attestation of the right type is not the one that is required."""
    counted = _counted(policy, required, one, now)
    if len(counted) < required.threshold:
        text = (
            f"the attestation {one.predicate_type} by {', '.join(map(repr, one.signers))} has {len(counted)} signers "
            f"that count, needed {required.threshold} of the keys {', '.join(required.keys)}"
        )
        refusals = [f"{name!r} {why}" for name in one.signers if (why := policy.key(name).refusal(now)) is not None]
        text += f" ({'; '.join(refusals)})" if refusals else ""
        return Step(check="attestation-threshold", text=text, held=False)
    if required.builders and one.builder not in required.builders:
        who = f"was built by {one.builder!r}" if one.builder else "names no builder"
        text = f"the attestation {one.predicate_type} says that the artifact {who}, not by one of the rule's builders"
        return Step(check="attestation-builder", text=text, held=False)
    return None


def _counted(
    policy: Policy, required: RequiredAttestation, one: Attestation, now: datetime.datetime
) -> tuple[str, ...]:
    return tuple(name for name in one.signers if name in required.keys and policy.key(name).refusal(now) is None)
