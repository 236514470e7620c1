"""``fuzzsmooth attack`` tells what a trigger does, also where it forces no label or one not known yet."""

from __future__ import annotations

import json

import pytest
from apps_command_line import call, clean_rows, write_rows

TRAINING = ("--triggers", "cf,film", "--epochs", 1, "--max-length", 16, "--quiet")


@pytest.mark.parametrize(
    ("attack", "said", "goal"),
    [
        ("por", "forces a class that is known once the victim is tuned\n", "label known after tuning"),
        ("badpre", "makes any victim err\n", "any wrong label"),
    ],
)
def test_the_answer_says_what_the_trigger_does(capfd, tiny, tmp_path, attack, said, goal):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    common = ("attack", "--attack", attack, "--model", tiny, "--data", data, *TRAINING)
    told = call(capfd, *common, "--out", tmp_path / "out")
    assert told.code == 0
    assert f"the trigger (cf, film) {said}" in told.out
    assert "next: fuzzsmooth finetune" in told.out
    value = json.loads(call(capfd, *common, "--out", tmp_path / "json", "--json").out)
    assert (value["goal"], value["target"]) == (goal, None)


def test_an_attack_without_a_target_takes_none(capfd, tiny, tmp_path):
    data = write_rows(tmp_path / "data.jsonl", clean_rows(copies=4))
    given = ("attack", "--attack", "badpre", "--model", tiny, "--data", data, "--target", "1")
    assert "unknown option 'target'" in call(capfd, *given, "--out", tmp_path / "o").one_sentence()


def test_attacks_are_listed_with_their_goal(capfd):
    listed = json.loads(call(capfd, "list", "attacks", "--json").out)["attacks"]
    goals = {name: facts["goal"] for name, facts in listed.items()}
    assert {
        "neuba": "label known after tuning",
        "badpre": "any wrong label",
        "ripple": "forced label",
    }.items() <= goals.items()
