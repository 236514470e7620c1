"""Rows of an experiment and what they ablate agree."""

from __future__ import annotations

from defended import options_for
from fuzzsmooth.bench.catalog import ablates, ablation_groups
from fuzzsmooth.bench.rows import defenses


def test_all_rows_but_the_usual_five_are_ablations_of_one_of_those() -> None:
    rows = defenses(options_for(), (8, 512))
    usual = [name for name in rows if ablates(name) is None]
    assert usual == ["undefended", "frs-kl", "frs-transplant", "windows", "certified"]
    assert {ablates(name) for name in rows} - {None} <= set(usual)


def test_an_ablation_shares_the_mode_of_its_base_and_differs_from_it() -> None:
    rows = defenses(options_for(), (8,))
    groups = ablation_groups(rows)
    assert sum(map(len, groups.values())) == len(rows) - 5
    for base, names in groups.items():
        full = rows[base]
        assert full.options is not None
        for name in names:
            changed = rows[name]
            assert changed.options is not None
            assert changed.options.mode == full.options.mode
            assert (changed.options, changed.victim) != (full.options, full.victim)


def test_every_row_says_what_it_is() -> None:
    rows = defenses(options_for(), (8, 512))
    summaries = [row.summary for row in rows.values()]
    assert all(summaries)
    assert len(set(summaries)) == len(summaries)
    assert "8 evaluations" in rows["budget-8"].summary


def test_an_unknown_name_is_never_put_aside() -> None:
    assert ablates("somebodys own row") is None
    assert ablation_groups(["undefended", "mine"]) == {}
