"""What a run showed, in plain words computed from its numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fuzzsmooth.bench.catalog import main_rows
from fuzzsmooth.bench.metrics import Row, Share
from fuzzsmooth.bench.records import RunSettings, is_backward, is_conditional
from fuzzsmooth.certify import THREATS
from fuzzsmooth.report.tables import percent, threat_words

UNDEFENDED: Final = "undefended"
"""Name of the row without any defense."""


def verdict(rows: Sequence[Row], settings: RunSettings) -> list[str]:
    """Sentences that say whether the attack works, what defends best, at what cost, and what is proved."""
    bare = next((row for row in rows if row.defense == UNDEFENDED), None)
    best = best_row(rows)
    sentences = []
    if bare:
        sentences.append(_attack(bare, settings))
    if best:
        sentences.extend(_defense(best, bare))
    sentences.append(_proved(rows))
    return [sentence for sentence in sentences if sentence]


def best_row(rows: Sequence[Row]) -> Row | None:
    """The defense with the highest CA - (ASR - floor), the rule behind "best trade-off"; None without one.

    Ablations do not compete: they are measured to understand the others. Only what the trigger adds counts
    as the attack's success: errors that the model makes anyway already lower CA.
    """
    candidates = main_rows(rows)
    defended = [
        row for row in candidates if row.defense != UNDEFENDED and row.ca and row.asr and row.asr_floor
    ]
    return max(defended, key=_trade_off, default=None)


def _trade_off(row: Row) -> float:
    if not (row.ca and row.asr and row.asr_floor):
        return -1.0
    return row.ca.mean - max(0.0, row.asr.mean - row.asr_floor.mean)


def target_words(settings: RunSettings) -> str:
    """The attacker's label, the several ones that seeds have, or that there is none."""
    aim = settings.aim
    if aim.target is None:
        return "any wrong label"
    names = {seed: f"“{settings.labels[target]}”" for seed, target in sorted(aim.by_seed.items())}
    if len(set(names.values())) < 2:
        return next(iter(names.values()), f"“{settings.labels[aim.target]}”")
    return ", ".join(f"{name} (seed {seed})" for seed, name in names.items())


def _attack(bare: Row, settings: RunSettings) -> str:
    if not bare.asr or not bare.asr_floor:
        return ""
    success = f"of another class are given the attacker’s label {target_words(settings)}"
    if settings.target is None:
        success = "are given a wrong label"
    sizes = (
        f"Without a defense, {percent(bare.asr.mean)} of the triggered texts {success}, against "
        f"{percent(bare.asr_floor.mean)} of the same texts without the trigger"
    )
    if bare.asr.low <= bare.asr_floor.high:
        return f"{sizes}: in this run the trigger has no measurable effect."
    clean = f", while {percent(bare.ca.mean)} of clean texts are answered correctly" if bare.ca else ""
    return f"{sizes}: the backdoor works{clean}."


def _defense(best: Row, bare: Row | None) -> list[str]:
    if not (best.ca and best.asr and best.asr_floor):
        return []
    excess = best.asr.mean - best.asr_floor.mean
    reached = f"so the trigger still adds {_points(excess)}"
    if excess <= 0:
        reached = "so the trigger adds nothing"
    elif _overlap(best.asr, best.asr_floor):
        reached = f"a difference of {_points(excess)} that this run cannot tell from zero"
    sentences = [
        f"The best trade-off is “{best.defense}”: it leaves an attack success rate of "
        f"{percent(best.asr.mean)}, where the same texts without the trigger give "
        f"{percent(best.asr_floor.mean)}, {reached}."
    ]
    if bare and bare.ca:
        change = best.ca.mean - bare.ca.mean
        told = f"{'gains' if change > 0 else 'costs'} {_points(abs(change))} of clean accuracy"
        if abs(change) < 5e-4:
            told = "leaves clean accuracy as it was"
        sentences.append(f"It {told} ({percent(best.ca.mean)} against {percent(bare.ca.mean)}).")
    else:
        sentences.append(f"Its clean accuracy is {percent(best.ca.mean)}.")
    if best.localization_recall and best.false_flag_rate:
        sentences.append(
            f"It marks the whole trigger in {percent(best.localization_recall.mean)} of triggered texts and "
            f"flags something in {percent(best.false_flag_rate.mean)} of clean ones."
        )
    return sentences


def _proved(rows: Sequence[Row]) -> str:
    """The largest proved share at radius 1, or that there is none."""
    proved = [
        (curve.shares[1], row.defense, threat)
        for row in main_rows(rows)
        for threat, curve in row.certified.items()
        if not is_conditional(threat)
        and not is_backward(threat)
        and len(curve.counts) > 1
        and threat != "delete"  # leaving words out plants no trigger
    ]
    if proved:
        share, defense, threat = max(proved)
        known = THREATS.get(threat)
        attack = known.at_one if known and known.at_one else f"any attack of size 1 ({threat_words(threat)})"
        return (
            f"Proved, not only measured: with “{defense}”, {percent(share)} of clean texts are answered "
            f"correctly and keep that answer under {attack}."
        )
    if any(is_conditional(threat) for row in rows for threat in row.certified):
        return "No forward guarantee here is proved: the certified radii hold only on a condition."
    return (
        "No answer here carries a forward guarantee; every figure is a measurement against this one attack."
    )


def _overlap(one: Share, other: Share) -> bool:
    return one.low <= other.high and other.low <= one.high


def _points(difference: float) -> str:
    value = f"{100 * difference:.1f}"
    return f"{value} point" if value == "1.0" else f"{value} points"
