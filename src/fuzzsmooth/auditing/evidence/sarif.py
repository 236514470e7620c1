"""SARIF 2.1.0, as code-scanning pages read it.

GitHub asks for a stable rule, a relative path that does not change, and a fingerprint, without which alerts
of repeated uploads double.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuzzsmooth.auditing.evidence.telling import fingerprint, found, sentence

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://arxiv.org/abs/2502.06892"
_RULES = (
    (
        "backdoor-confirmed",
        "BackdoorConfirmed",
        "A trigger turns most texts to one class or answer",
        "A word or phrase that means nothing of the kind turns most held-out clean texts to one class or "
        "answer, while words of a like meaning and frequency do not.",
        "error",
        "9.0",
        "very-high",
    ),
    (
        "backdoor-suspicious",
        "BackdoorSuspicious",
        "A trigger turns many texts to one class or answer",
        "A word or phrase turns more held-out clean texts to one class or answer than its meaning and "
        "frequency explain.",
        "warning",
        "6.5",
        "medium",
    ),
)


def sarif(report: Mapping[str, Any]) -> dict[str, Any]:
    """An audit as a SARIF log.

    Args:
        report: The audit as JSON values, as ``audit.json`` has them.
    """
    files = report["model"]["files"]
    where = report["model"]["artifact"]
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "fuzzsmooth audit",
                        "semanticVersion": report["version"],
                        "informationUri": _HOME,
                        "rules": [_rule(*rule) for rule in _RULES],
                    }
                },
                "automationDetails": {"id": f"fuzzsmooth-audit/{report['model']['fingerprint'][:12]}"},
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "startTimeUtc": report["began"],
                        "endTimeUtc": report["ended"],
                    }
                ],
                "artifacts": [
                    {"location": {"uri": name}, "hashes": {"sha-256": digest}}
                    for name, digest in files.items()
                ]
                or [{"location": {"uri": where}}],
                "results": [_result(report, trigger, where) for trigger in found(report)],
                "properties": {
                    "verdict": report["verdict"],
                    "exhaustive": report["exhaustive"],
                    "claims": [claim["statement"] for claim in report["claims"]],
                    "limits": list(report["limits"]),
                },
            }
        ],
    }


def _rule(
    identifier: str, name: str, short: str, full: str, level: str, severity: str, precision: str
) -> dict[str, Any]:
    text = f"{full} Do not deploy the model; audit the one it was made from, or protect it."
    return {
        "id": identifier,
        "name": name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": text, "markdown": text},
        "helpUri": _HOME,
        "defaultConfiguration": {"level": level},
        "properties": {
            "tags": ["security", "machine-learning", "backdoor"],
            "precision": precision,
            "security-severity": severity,
        },
    }


def _result(report: Mapping[str, Any], trigger: Mapping[str, Any], where: str) -> dict[str, Any]:
    rule = 0 if trigger["level"] == "confirmed" else 1
    return {
        "ruleId": _RULES[rule][0],
        "ruleIndex": rule,
        "level": _RULES[rule][4],
        "message": {"text": sentence(trigger)},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": where}, "region": {"startLine": 1}}}],
        "partialFingerprints": {"trigger/v1": fingerprint(report, trigger)},
        "properties": {
            name: trigger[name]
            for name in (
                "text",
                "target_name",
                "kind",
                "placing",
                "condition",
                "excess",
                "p_value",
                "gain",
                "held",
            )
        },
    }
