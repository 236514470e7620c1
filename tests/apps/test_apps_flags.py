"""Flags are what the options classes say, whoever registers them, and no more."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pytest
from apps_command_line import call

import fuzzsmooth.apps.cli
import fuzzsmooth.jobs
from fuzzsmooth.apps.cli.options_as_flags import flags_of, union
from fuzzsmooth.common.options import Between, Options, described
from fuzzsmooth.defenses import DEFENSES
from fuzzsmooth.defenses.undefended import Undefended


@dataclass(frozen=True, kw_only=True)
class Inner(Options):
    """Nested."""

    budget: Annotated[int, Between(1, 9), "How much. More is better."] = 4
    references: Annotated[int, "How many."] = 2


@dataclass(frozen=True, kw_only=True)
class ToyOptions(Options):
    """Of a toy."""

    strength: Annotated[
        float, "How strong it is, see :class:`fuzzsmooth.jobs.Toy`. Beyond that: nothing."
    ] = 0.5
    flavor: Annotated[Literal["sweet", "sour"], "What it tastes of."] = "sweet"
    loud: Annotated[bool, "Whether it beeps."] = False
    names: Annotated[tuple[str, ...], "What it is called."] = ("a", "b")
    sizes: Annotated[tuple[int, ...], "How large."] = ()
    limit: Annotated[int | None, "At most so many."] = None
    table: Annotated[dict[str, int], "No flag can hold this."] = None  # type: ignore[assignment]
    search: Annotated[Inner, "The search."] = Inner()

    def __post_init__(self) -> None:
        """A table that is None is none of the matter here."""


def test_a_flag_says_what_its_option_says():
    flags = {flag.path: flag for flag in flags_of(ToyOptions, "toy")}
    assert ("table",) not in flags
    assert flags["strength",].help == "How strong it is, see Toy"
    assert flags["strength",].default == "0.5"
    assert flags["loud",].default == "off"
    assert flags["names",].default == "a,b"
    assert (flags["limit",].type, flags["limit",].default) == (int, "")
    assert (flags["search", "budget"].help, flags["search", "budget"].panel) == ("How much", "Search")


def test_owners_that_differ_are_told_apart():
    @dataclass(frozen=True, kw_only=True)
    class Other(Options):
        """Has some of the same."""

        strength: Annotated[float, "How strong it is, see Toy."] = 0.9
        flavor: Annotated[Literal["sour", "bitter"], "What it tastes of."] = "sour"
        budget: Annotated[int, "How much."] = 4

    flags = union({"toy": flags_of(ToyOptions, "defense"), "other": flags_of(Other, "defense")})
    found = {flag.path[-1]: flag for flag in flags}
    assert found["strength"].default == "toy: 0.5; other: 0.9"
    assert found["strength"].panel == "Defenses toy, other"
    assert found["flavor"].type == Literal["sweet", "sour", "bitter"]
    assert found["budget"].of("toy") == ("search", "budget")
    assert found["budget"].of("other") == ("budget",)
    assert found["loud"].owners == ["toy"]


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> str:
    """A defense that somebody else has registered."""

    class Toy(Undefended):
        """A toy: flips nothing."""

        options_type = ToyOptions
        name = "toy"

    DEFENSES.all()
    monkeypatch.setitem(DEFENSES._things, "toy", Toy)
    return "toy"


def test_a_defense_of_another_package_has_its_flags_and_is_used(capfd, toy, tiny):
    helped = call(capfd, "predict", "--help").out
    assert "--strength" in helped
    assert "--loud" in helped
    asked = ("predict", "--model", tiny, "--text", "a film", "--defense", "toy", "--json")
    given = ("--strength", 0.7, "--flavor", "sour", "--loud", "--names", "x, y", "--sizes", "1,2")
    answer = call(capfd, *asked, *given, "--search-references", 3, "--budget", 5)
    assert answer.code == 0, answer.err
    assert "toy" in call(capfd, "list", "defenses").out
    assert "whole numbers" in call(capfd, *asked, "--sizes", "one").one_sentence()
    lacks = call(capfd, *asked, "--copies", 3).one_sentence()
    assert lacks.startswith("defense 'toy' has no --copies, which is for deletion, frs")
    other = ("predict", "--model", tiny, "--text", "a film", "--defense", "windows", "--strength", 1)
    assert "defense 'windows' has no --strength, which is for toy" in call(capfd, *other).one_sentence()


def test_no_option_of_a_registered_defense_lacks_its_flag(capfd):
    helped = call(capfd, "certify", "--help").out
    for kind in DEFENSES.all().values():
        for option in described(kind.options_type):
            if not (isinstance(option.type, type) and issubclass(option.type, Options)):
                assert f"--{option.name.replace('_', '-')}" in helped, (kind.name, option.name)


def test_modes_are_told_to_be_defenses(capfd, tiny):
    told = call(capfd, "certify", "--model", tiny, "--text", "a", "--mode", "certified").one_sentence()
    assert "did you mean --defense" in told


def test_a_file_may_name_the_defense(capfd, tiny, tmp_path):
    (tmp_path / "o.toml").write_text('defense = "windows"\nfuzzing = false\nreach = 1\n', "utf-8")
    asked = ("certify", "--model", tiny, "--text", "a good film", "--config", tmp_path / "o.toml", "--json")
    (record,) = call(capfd, *asked).lines
    assert record["certificates"][0]["radius"] in (1, 0, -1)
    assert record["statistics"] == "ablation"
    overruled = call(capfd, *asked, "--defense", "deletion").one_sentence()
    assert "unknown option 'reach'" in overruled


def test_an_empirical_defense_has_no_certificates_and_says_so(capfd, tiny):
    asked = ("certify", "--model", tiny, "--text", "a good film", "--defense", "undefended")
    answer = call(capfd, *asked)
    assert answer.code == 0, answer.err
    assert "is empirical" in answer.err
    assert call(capfd, "predict", *asked[1:]).code == 0
    assert "certifies nothing here" in call(capfd, *asked, "--threat", "edit").one_sentence()


def _functions(file: Path) -> list[tuple[str, int]]:
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [
        (f"{file.name}:{node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, kinds)
    ]


def test_files_and_functions_stay_short():
    cli = Path(fuzzsmooth.apps.cli.__file__).parent
    files = [*cli.rglob("*.py"), *Path(fuzzsmooth.jobs.__file__).parent.rglob("*.py")]
    assert len(files) > 30, "there is something to count"
    sizes = {file: len(file.read_text("utf-8").splitlines()) for file in files}
    assert {file.name: size for file, size in sizes.items() if size > 350} == {}
    commands = {file.name: size for file, size in sizes.items() if file.parent.name == "commands"}
    assert {name: size for name, size in commands.items() if size > 100} == {}
    assert [(name, size) for file in files for name, size in _functions(file) if size > 60] == []


@pytest.mark.parametrize("value", ["5", "['deletion']", "{a = 1}"])
def test_a_defense_in_a_file_of_options_that_is_no_name(capfd, tiny, tmp_path, value):
    config = tmp_path / "c.toml"
    config.write_text(f"defense = {value}\n", encoding="utf-8")
    told = call(capfd, "predict", "--model", tiny, "--text", "a film", "--config", config).one_sentence()
    assert "defense must be the name of a defense" in told
