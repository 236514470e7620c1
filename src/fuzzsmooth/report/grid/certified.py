"""Tables of radii, each kind of guarantee in columns of its own, and of certificates held against attacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from fuzzsmooth.bench.grid.changes import edits
from fuzzsmooth.bench.grid.guarantees import can_check, checks
from fuzzsmooth.bench.grid.measured import Measured, Reading, Setting
from fuzzsmooth.bench.metrics import RADIUS_CAP, Curve, Share, share_over_seeds
from fuzzsmooth.bench.records import CLEAN, is_backward, is_conditional
from fuzzsmooth.report.grid.accuracy import SETTING
from fuzzsmooth.report.grid.sheet import Sheet, Value
from fuzzsmooth.report.tables import threat_words
from fuzzsmooth.text import segmenter

_RADII: Final = (0, 1, 2, 3, 4, 5, 8, 10, 15, 20)
_CAP: Final = f"Radii above {RADIUS_CAP} count as {RADIUS_CAP}."
_MEAN: Final = (
    "Mean radius: over all clean texts, 0 for one that is not answered right; a curve is the share of clean "
    "texts answered right and certified at that radius or more, with its 95 % interval; balanced: its mean "
    "over the classes. " + _CAP
)


def radius_sheets(reading: Reading, name: str) -> list[Sheet]:
    """Radii: proved, conditional and empirical ones in tables of their own."""
    sheets = []
    for kind in ("proved", "conditional"):
        curves = list(_curves(reading, conditional=kind == "conditional"))
        reached = max((len(curve.points) - 1 for *_, curve in curves), default=0)
        radii = [radius for radius in _RADII if radius <= reached]
        rows = [
            (
                *setting.name,
                row.name,
                str(row.fact.get("needs", "")),
                threat_words(threat),
                "received text" if is_backward(threat) else "clean text",
                _mean_radius(curve),
                len(curve.points) - 1,
                *(_at(curve, radius, len(row.row.seeds)) for radius in radii),
                *(_balanced(row, threat, radius) for radius in radii),
            )
            for setting, row, threat, curve in curves
        ]
        columns = (
            *SETTING,
            "Row",
            "Needs",
            "Threat",
            "From",
            f"{kind.capitalize()} mean",
            f"{kind.capitalize()} max",
            *(f"{kind.capitalize()} r ≥ {radius}" for radius in radii),
            *(f"{kind.capitalize()} balanced r ≥ {radius}" for radius in radii),
        )
        title = f"certified radii, {kind}"
        sheets.append(Sheet(f"{name}-{kind}", title, columns, tuple(rows), (_MEAN,)))
    return [*sheets, _empirical(reading, name)]


def _empirical(reading: Reading, name: str) -> Sheet:
    """How much of the attacks' own triggers each row has withstood."""
    rows: list[tuple[Value, ...]] = []
    for setting in reading.settings:
        for row in setting.rows:
            sizes = _withstood(row) if can_check(row) else []
            if sizes:
                changed, kept = (np.array(column) for column in zip(*sizes, strict=True))
                rows.append(
                    (
                        *setting.name,
                        row.name,
                        str(row.fact.get("needs", "")),
                        len(sizes),
                        float(changed.mean()),
                        float((changed * kept).mean()),
                        int((changed * kept).max()),
                    )
                )
    columns = (
        *SETTING,
        "Row",
        "Needs",
        "Texts",
        "Empirical size of the trigger",
        "Empirical mean",
        "Empirical max",
    )
    note = (
        "Empirical radius of a text: the edits by which the attack changed it where the answer was right "
        "with and without the trigger, 0 elsewhere. It is about the trigger that was tried and no other."
    )
    title = "radii, empirical: what survived the attack"
    return Sheet(f"{name}-empirical", title, columns, tuple(rows), (note,))


def radius_steps(reading: Reading, name: str) -> list[Sheet]:
    """Every certified row at every radius, a line each."""
    rows: list[tuple[Value, ...]] = []
    for conditional in (False, True):
        for setting, row, threat, curve in _curves(reading, conditional=conditional):
            bound = row.row.certified_asr.get(threat)
            rows += [
                (
                    *setting.name,
                    row.name,
                    "conditional" if conditional else "proved",
                    threat,
                    str(row.fact.get("unit", "")),
                    "received text" if is_backward(threat) else "clean text",
                    radius,
                    None if conditional else point,
                    point if conditional else None,
                    _balanced(row, threat, radius),
                    bound.points[radius] if bound and radius < len(bound.points) else None,
                )
                for radius, point in enumerate(curve.points)
            ]
    columns = (
        *SETTING,
        "Row",
        "Guarantee",
        "Threat",
        "Unit",
        "From",
        "Radius",
        "Proved accuracy",
        "Conditional accuracy",
        "Balanced accuracy",
        "Certified ASR",
    )
    notes = (
        "Certified ASR: share of clean texts of other classes that are not certified to keep an answer other "
        "than the target. " + _CAP,
    )
    return [Sheet(name, "certified accuracy at every radius", columns, tuple(rows), notes)]


def guarantee_sheet(reading: Reading, name: str) -> list[Sheet]:
    """Certificates held against the triggered texts: pairs within the radius, and how many are violated."""
    rows: list[tuple[Value, ...]] = []
    unchecked: set[str] = set()
    checked = broken = 0
    for setting in reading.settings:
        for row in setting.rows:
            if not can_check(row):
                if row.row.certified:
                    unchecked.add(row.name)
                continue
            for check in checks(row):
                kind = "conditional" if is_conditional(check.threat) else "proved"
                if kind == "proved":
                    checked, broken = checked + check.checked, broken + check.violated
                rows.append(
                    (
                        *setting.name,
                        row.name,
                        kind,
                        check.threat,
                        check.checked,
                        check.violated,
                        check.abstained,
                        check.beyond,
                        check.another,
                    )
                )
    notes = [
        f"Proved: {checked} pairs of a certified text and its triggered form within the radius, {broken} "
        "violated.",
        "Checked: pairs whose change is of the threat and within the radius. Violated: answered with another "
        "label. Abstained: not answered, which violates nothing. Beyond: a larger change. Another: a change "
        "that is not of the threat.",
        "A sampled certificate is wrong with probability alpha at most; a conditional one may be violated "
        "where its condition does not hold.",
    ]
    if unchecked:
        notes.append(f"Not checked, as their units are tokens of a model: {', '.join(sorted(unchecked))}.")
    columns = (
        *SETTING,
        "Row",
        "Guarantee",
        "Threat",
        "Checked",
        "Violated",
        "Abstained",
        "Beyond",
        "Another",
    )
    return [Sheet(name, "certificates held against the triggered texts", columns, tuple(rows), tuple(notes))]


def _curves(reading: Reading, *, conditional: bool) -> Iterator[tuple[Setting, Measured, str, Curve]]:
    for setting in reading.settings:
        for row in setting.rows:
            for threat, curve in row.row.certified.items():
                if is_conditional(threat) == conditional:
                    yield setting, row, threat, curve


def _mean_radius(curve: Curve) -> float:
    """The mean over texts is the sum over radii of the share that reaches them."""
    return sum(curve.shares[1:])


def _at(curve: Curve, radius: int, seeds: int) -> Share:
    """The share at a radius; past the last one it is 0."""
    if radius < len(curve.points):
        return curve.points[radius]
    return share_over_seeds([0] * seeds, [curve.total // seeds] * seeds)


def _balanced(row: Measured, threat: str, radius: int) -> float:
    """The share at a radius as the mean over the classes; past the last one it is 0."""
    shares = row.row.certified_balanced[threat]
    return shares[radius] if radius < len(shares) else 0.0


def _withstood(row: Measured) -> list[tuple[int, bool]]:
    """For each triggered text its distance from the clean one, and whether both were answered right."""
    cut = segmenter(row.fact["unit"])
    clean = {(one.seed, one.index): one for one in row.records if one.split == CLEAN}
    found = []
    for record in row.records:
        partner = clean.get((record.seed, record.index))
        if record.split != CLEAN and partner is not None:
            before, after = (cut.segment(text).units for text in (partner.text, record.text))
            right = partner.prediction == record.label == record.prediction
            found.append((edits(before, after), right))
    return found
