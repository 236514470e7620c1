"""What others read of an audit: what their readers ask for is there, and nothing of a stranger gets loose."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from audited_models import reviews

from fuzzsmooth.auditing.evidence import bom, card, sarif
from fuzzsmooth.common.errors import FuzzsmoothError, UnsafeModelError
from fuzzsmooth.jobs.audit import BOM, PAGE, REPORT, SARIF, AuditOrder, audit, carry_out
from fuzzsmooth.report.audit import render

_BACKWARD = re.compile(r"<script|javascript:|https?://[^\"'<]*\.(?:js|css)")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("data") / "clean.jsonl"
    clean = reviews(240, seed=5)
    rows = [json.dumps({"text": one.text, "label": clean.labels[one.label]}) for one in clean]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def folder(word_folder: Path, data: Path, encoder: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("audit") / "out"
    audit(str(word_folder), str(data), out, trusted=encoder, best=16, confirm=8, holdout=16, seeds=0)
    return out


@pytest.fixture(scope="session")
def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    return content


def test_the_folder_holds_every_form(folder: Path, report: dict[str, Any]) -> None:
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert {REPORT, SARIF, BOM, PAGE, "README.md"} <= names
    assert report["verdict"] == "backdoor confirmed"
    assert report["failures"]
    assert json.loads((folder / SARIF).read_text(encoding="utf-8")) == sarif(report)
    assert json.loads((folder / BOM).read_text(encoding="utf-8")) == bom(report)


def test_sarif_has_what_code_scanning_asks_for(report: dict[str, Any]) -> None:
    log = sarif(report)
    (run,) = log["runs"]
    assert log["version"] == "2.1.0"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    (result,) = [one for one in run["results"] if one["properties"]["text"] == "cf"]
    assert rules[result["ruleIndex"]] == result["ruleId"] == "backdoor-confirmed"
    place = result["locations"][0]["physicalLocation"]
    assert not place["artifactLocation"]["uri"].startswith(("/", "file:"))
    assert place["region"]["startLine"] == 1
    assert place["artifactLocation"]["uri"] in [one["location"]["uri"] for one in run["artifacts"]]
    # The same finding has the same fingerprint, whatever was counted this time.
    other = json.loads(json.dumps(report))
    for one in other["triggers"]:
        one["held"]["count"] -= 1
    again = sarif(other)["runs"][0]["results"]
    assert [one["partialFingerprints"] for one in again] == [
        one["partialFingerprints"] for one in run["results"]
    ]


def test_the_bill_of_materials_passes_its_schema(report: dict[str, Any]) -> None:
    schema = pytest.importorskip("cyclonedx.schema")
    json_validator = pytest.importorskip("cyclonedx.validation.json")
    document = json.dumps(bom(report))
    assert json_validator.JsonStrictValidator(schema.SchemaVersion.V1_7).validate_str(document) is None


def test_the_bill_of_materials_tells_finding_and_claims(report: dict[str, Any]) -> None:
    document = bom(report)
    found = [one for one in report["triggers"] if one["level"] != "natural"]
    assert len(document["vulnerabilities"]) == len(found)
    assert [one["predicate"] for one in document["declarations"]["claims"]] == [
        claim["statement"] for claim in report["claims"]
    ]
    refs = {one["bom-ref"] for one in document["declarations"]["evidence"]}
    assert all(set(one["evidence"]) <= refs for one in document["declarations"]["claims"])
    metrics = document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert all(isinstance(one["value"], str) for one in metrics)


def test_the_card_is_read_by_the_hub(report: dict[str, Any]) -> None:
    hub = pytest.importorskip("huggingface_hub")
    parsed = hub.ModelCard(card(report))
    results = {one.metric_type: one for one in parsed.data.eval_results}
    assert results["accuracy"].metric_value == report["searched"]["accuracy"]
    assert results["attack-success-rate"].metric_value > 0.9


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "---\nlicense: x", "`](javascript:x)"])
def test_names_of_strangers_stay_text(report: dict[str, Any], name: str) -> None:
    hostile = json.loads(json.dumps(report))
    hostile["model"]["name"] = name
    for one in hostile["triggers"]:
        one["text"] = one["target_name"] = name
        one["examples"] = [{"before": name, "after": name, "label": name, "given": name}]
    page = render(hostile)
    assert "<script" not in page
    assert "Content-Security-Policy" in page
    assert "<script>" not in card(hostile).split("---", 2)[2].replace("\\<", "")
    hub = pytest.importorskip("huggingface_hub")
    assert hub.ModelCard(card(hostile)).data.to_dict().get("license") is None


def test_the_page_needs_nothing_else(report: dict[str, Any]) -> None:
    page = render(report)
    assert not re.search(r"(?:src|href)=", page)
    assert not _BACKWARD.search(page)
    assert "Backdoor confirmed" in page
    assert "What this does not show" in page


def test_no_form_says_that_a_model_is_clean(report: dict[str, Any]) -> None:
    nothing = json.loads(json.dumps(report))
    nothing["verdict"], nothing["failures"] = "nothing found", []
    nothing["triggers"] = [one for one in nothing["triggers"] if one["level"] == "natural"]
    for text in (render(nothing), card(nothing), json.dumps(sarif(nothing)), json.dumps(bom(nothing))):
        assert "othing" in text
        assert not re.search(r"(?:model|is|are) clean\b", text)
    assert sarif(nothing)["runs"][0]["results"] == []
    assert bom(nothing)["vulnerabilities"] == []


def test_a_folder_of_something_else_is_refused(word_folder: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    with pytest.raises(FuzzsmoothError, match=r"holds other things \(thesis.tex\); choose another folder"):
        carry_out(AuditOrder(str(word_folder), tmp_path, str(data)))


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def test_a_killed_audit_goes_on_and_leaves_no_verdict(
    word_folder: Path, data: Path, encoder: str, report: dict[str, Any], tmp_path: Path
) -> None:
    """Killed after the sweep: its answers are kept, and nothing that could be taken for an audit's end."""
    options = {"trusted": encoder, "best": 16, "confirm": 8, "holdout": 16, "seeds": 0}

    @contextmanager
    def killing(title: str) -> Iterator[Callable[[int, int], None]]:
        if title.startswith("class"):
            raise Killed
        yield lambda _done, _total: None

    with pytest.raises(Killed):
        audit(str(word_folder), str(data), tmp_path / "out", stages=killing, **options)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"sweep.npz"}
    again = audit(str(word_folder), str(data), tmp_path / "out", **options)
    assert json.loads(json.dumps(again["triggers"])) == report["triggers"]
    swept = report["searched"]["swept"] * report["searched"]["sweep_texts"]
    assert again["cost"]["passes"] == report["cost"]["passes"] - swept


def test_signed_evidence_is_that_of_one_key(
    word_folder: Path, data: Path, encoder: str, tmp_path: Path
) -> None:
    pytest.importorskip("model_signing")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ec

    from fuzzsmooth.jobs.audit import SIGNATURE
    from fuzzsmooth.models.signatures import verify_folder

    private, out = ec.generate_private_key(ec.SECP256R1()), tmp_path / "out"
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (tmp_path / "key.pem").write_bytes(private.private_bytes(serialization.Encoding.PEM, *form))
    (tmp_path / "key.pub").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    options = {"trusted": encoder, "best": 16, "confirm": 8, "holdout": 16, "seeds": 0}
    audit(str(word_folder), str(data), out, sign=tmp_path / "key.pem", **options)
    verify_folder(out, tmp_path / "key.pub", SIGNATURE)
    (out / "sweep.npz").unlink()  # a cache is no evidence
    verify_folder(out, tmp_path / "key.pub", SIGNATURE)
    content = json.loads((out / REPORT).read_text(encoding="utf-8"))
    (out / REPORT).write_text(json.dumps({**content, "verdict": "nothing found"}), encoding="utf-8")
    with pytest.raises(UnsafeModelError, match=r"audit\.json"):
        verify_folder(out, tmp_path / "key.pub", SIGNATURE)
