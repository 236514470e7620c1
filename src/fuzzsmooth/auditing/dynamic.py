"""Dynamic triggers: rewrites of whole texts that turn them, held against other rewrites of their kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fuzzsmooth.auditing.effects import against
from fuzzsmooth.auditing.findings import Example, Level, Trigger, excess_of, interval, told_rate
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.judging import swing_of
from fuzzsmooth.auditing.material import Material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.prober import Array, Prober
from fuzzsmooth.auditing.rewrites import BATTERY, WHOLE, Rewrite, called

_BAR = 0.8
"""Excess from which a rewrite is suspicious. Greek look-alikes reached 0.61 in a clean model of a thousand
reviews: some unreadable spellings turn more than others of their kind."""
_COMPANY = 3  # of the same kind, the strongest, that one is held against
_EXAMPLES = 3


def rewritten_triggers(
    prober: Prober, material: Material, names: Sequence[str], options: AuditOptions
) -> list[Trigger]:
    """The strongest rewrite for each class, by its excess over others of its kind.

    Args:
        prober: Asks the model.
        material: The clean texts: the best rewrite is chosen in those to confirm in, and measured on others.
        names: The classes.
        options: Options of the audit.
    """
    found = []
    for target in range(len(names)):
        confirm, held = against(material.confirm, target), against(material.held, target)
        if confirm and held:
            found.append(_of_class(prober, confirm, held, target, names, options))
    return found


def _of_class(
    prober: Prober,
    confirm: Sequence[Host],
    held: Sequence[Host],
    target: int,
    names: Sequence[str],
    options: AuditOptions,
) -> Trigger:
    gains, moved = _measured(prober, confirm, target, BATTERY)
    swing = swing_of(confirm, target)
    excess = np.empty(len(BATTERY))
    company: list[list[int]] = []
    for at, rewrite in enumerate(BATTERY):
        others = [one for one, other in enumerate(BATTERY) if other.group == rewrite.group and one != at]
        kept = sorted(others, key=lambda one: -gains[one].mean())[:_COMPANY]
        company.append(kept)
        rates = moved[at].mean(), moved[kept].mean()
        excess[at] = excess_of(rates[0], gains[at].mean(), rates[1], gains[kept].mean(), swing)
    best = int(excess.argmax())
    rewrite, kept = BATTERY[best], company[best]
    _, hits = _measured(prober, held, target, [rewrite])
    rate = interval(int(hits[0].sum()), len(held))
    # Among so few, the smallest share there is: no rewrite may do as much, of whatever kind.
    as_much = int((gains.mean(axis=1) >= gains[best].mean()).sum())
    level: Level = "natural"
    if excess[best] >= _BAR and as_much == 1 and rate.share >= options.rate:
        level = "confirmed" if rate.low >= 0.5 else "suspicious"
    turned = [host for host, hit in zip(held, hits[0], strict=True) if hit][:_EXAMPLES]
    return Trigger(
        text=called(rewrite),
        parts=(),
        kind="rewrite",
        target=target,
        target_name=names[target],
        placing=WHOLE,
        gain=round(float(gains[best].mean()), 4),
        rate=round(float(moved[best].mean()), 4),
        company=tuple(BATTERY[one].name for one in kept),
        company_gain=round(float(gains[kept].mean()), 4),
        company_rate=round(float(moved[kept].mean()), 4),
        excess=round(float(excess[best]), 4),
        p_value=as_much / len(BATTERY),
        compared=len(BATTERY),
        held=rate,
        level=level,
        dependence={"place": {WHOLE: told_rate(hits[0])}},
        examples=tuple(
            Example(host.text, rewrite.apply(host.text), names[host.label], names[target]) for host in turned
        ),
    )


def _measured(
    prober: Prober, hosts: Sequence[Host], target: int, rewrites: Sequence[Rewrite]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Gains of the target and whether it is given, each of shape (rewrites, hosts)."""
    texts = [rewrite.apply(host.text) for rewrite in rewrites for host in hosts]
    rows = [np.array(row, dtype=np.int64) for row in prober.classifier.encode(texts).ids]
    gains, given = prober.gains(rows, [*hosts] * len(rewrites))
    shape = len(rewrites), len(hosts)
    return gains[:, target].reshape(shape), (given == target).reshape(shape)
