"""Rows of an experiment and what they ablate agree."""

from __future__ import annotations

from fuzzsmooth.bench.catalog import ablates, ablation_groups
from fuzzsmooth.bench.rows import bench_row, row_names
from fuzzsmooth.defenses import DEFENSES


def test_all_variants_but_the_usual_are_ablations_of_one_of_those() -> None:
    rows = row_names()
    usual = [name for name in rows if ablates(name) is None]
    assert usual == [*DEFENSES.all(), "frs-kl", "frs-transplant"]
    assert {ablates(name) for name in rows} - {None} <= set(usual)


def test_an_ablation_is_the_defense_of_its_base_and_differs_from_it() -> None:
    rows = {name: bench_row(name, {}) for name in row_names()}
    groups = ablation_groups(rows)
    for base, names in groups.items():
        full = rows[base]
        for name in names:
            changed = rows[name]
            assert issubclass(changed.defense, full.defense)
            if name != "budget-128":  # the default
                parts = [(one.defense, one.options, one.victim) for one in (changed, full)]
                assert parts[0] != parts[1]


def test_every_row_says_what_it_is() -> None:
    summaries = [bench_row(name, {}).summary for name in row_names()]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)
    assert "8 evaluations" in bench_row("budget-8", {}).summary


def test_an_unknown_name_is_never_put_aside() -> None:
    assert ablates("somebodys own row") is None
    assert ablation_groups(["undefended", "mine"]) == {}
