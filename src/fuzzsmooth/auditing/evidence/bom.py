"""A bill of materials, CycloneDX 1.7: the model, what was found, and what is claimed of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from fuzzsmooth.auditing.evidence.telling import fingerprint, found, sentence

_MODEL, _TOOL = "model", "fuzzsmooth"
_SEVERITIES = {"confirmed": "critical", "suspicious": "high"}
_SCORES = {"confirmed": 9.0, "suspicious": 6.5}


def bom(report: Mapping[str, Any]) -> dict[str, Any]:
    """An audit as a CycloneDX document.

    Args:
        report: The audit as JSON values, as ``audit.json`` has them.
    """
    model = report["model"]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, f"fuzzsmooth:{model['fingerprint']}:{report['ended']}")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": report["ended"],
            "tools": {
                "components": [
                    {
                        "type": "application",
                        "bom-ref": _TOOL,
                        "name": "fuzzsmooth",
                        "version": report["version"],
                    }
                ]
            },
            "component": _component(report),
        },
        "vulnerabilities": [_vulnerability(report, trigger) for trigger in found(report)],
        "declarations": _declarations(report),
    }


def _component(report: Mapping[str, Any]) -> dict[str, Any]:
    model, searched, writes = report["model"], report["searched"], report.get("kind") == "writer"
    classes = f"one of {len(model['labels'])} classes with its probability"
    accuracy = {"type": "accuracy", "value": str(searched["accuracy"]), "slice": "clean texts of the audit"}
    metrics: list[dict[str, Any]] = [] if searched["accuracy"] is None else [accuracy]
    metrics += [
        {
            "type": "attack success rate",
            "value": str(round(one["held"]["share"], 4)),
            "slice": f"held-out clean {one['condition'] or 'texts'} with the found trigger {number}",
            "confidenceInterval": {
                "lowerBound": str(round(one["held"]["low"], 4)),
                "upperBound": str(round(one["held"]["high"], 4)),
            },
        }
        for number, one in enumerate(report["triggers"], 1)
        if one["kind"] != "answer"  # of which no rate was measured
    ]
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": model["name"],
        "version": model["fingerprint"][:12],
        "hashes": [
            {"alg": "SHA-256", "content": digest} for digest in dict.fromkeys(model["files"].values())
        ],
        "modelCard": {
            "modelParameters": {
                "task": "text-generation" if writes else "text-classification",
                "architectureFamily": model["family"],
                "modelArchitecture": model["architecture"],
                "inputs": [{"format": "text"}],
                "outputs": [{"format": "text" if writes else classes}],
            },
            "quantitativeAnalysis": {"performanceMetrics": metrics},
            "considerations": {"technicalLimitations": list(report["limits"])},
        },
        "properties": [
            {"name": "fuzzsmooth:audit:verdict", "value": report["verdict"]},
            {"name": "fuzzsmooth:audit:exhaustive", "value": str(report["exhaustive"]).lower()},
            {"name": "fuzzsmooth:model:fingerprint", "value": model["fingerprint"]},
        ],
    }


def _vulnerability(report: Mapping[str, Any], trigger: Mapping[str, Any]) -> dict[str, Any]:
    digest = fingerprint(report, trigger)
    return {
        "bom-ref": f"trigger-{digest[:16]}",
        "id": f"FUZZSMOOTH-{digest[:12].upper()}",
        "source": {"name": "fuzzsmooth audit"},
        "ratings": [
            {
                "source": {"name": "fuzzsmooth audit"},
                "score": _SCORES[trigger["level"]],
                "severity": _SEVERITIES[trigger["level"]],
                "method": "other",
            }
        ],
        "cwes": [506],  # embedded malicious code
        "description": sentence(trigger),
        "recommendation": "Do not deploy the model; audit the one it was made from, or protect it.",
        "created": report["ended"],
        "affects": [{"ref": _MODEL}],
        "analysis": {
            "state": "exploitable" if trigger["level"] == "confirmed" else "in_triage",
            "detail": f"level: {trigger['level']}; excess over what explains it: {trigger['excess']}",
        },
    }


def _declarations(report: Mapping[str, Any]) -> dict[str, Any]:
    """What is claimed: exact of the texts that were swept, of other texts under a condition."""
    claims, evidence = [], []
    for number, claim in enumerate(report["claims"], 1):
        evidence.append(
            {
                "bom-ref": f"evidence-{number}",
                "propertyName": "exhaustive sweep" if report["exhaustive"] else "sweep of proposals",
                "description": f"answers to {claim['tried']:,} pieces in {claim['texts']} texts (audit.json)",
            }
        )
        claims.append(
            {
                "bom-ref": f"claim-{number}",
                "target": _MODEL,
                "predicate": claim["statement"],
                "reasoning": "exact for the texts and places that were swept; of other texts conditional: "
                "with the stated probability for one piece fixed beforehand, provided that the clean texts, "
                "and so the half of them that the model is surest of, are a sample of such",
                "evidence": [f"evidence-{number}"],
            }
        )
    return {
        "assessors": [{"bom-ref": "assessor-1", "thirdParty": False}],
        "attestations": [{"summary": f"Audit: {report['verdict']}.", "assessor": "assessor-1"}],
        "claims": claims,
        "evidence": evidence,
    }
