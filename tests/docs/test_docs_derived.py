"""What the site derives: every flag of every command, documents with moved links, parts of documents."""

from __future__ import annotations

import re

import docs_site  # noqa: F401 - the hooks of the site are found from here on
import pytest
from docs_pages import ROOT
from site_commands import command_pages
from site_markdown import code, plain, row
from site_registries import registry_pages
from site_repository import Repository, block, section
from test_docs_commands import COMMAND

from fuzzsmooth.defenses import DEFENSES


def leaves(command, words=()):
    if not hasattr(command, "commands"):
        return [(words, command)]
    return [leaf for name, inner in command.commands.items() for leaf in leaves(inner, (*words, name))]


def test_every_command_is_there_with_every_flag() -> None:
    pages = command_pages()
    found = leaves(COMMAND)
    assert list(pages) == [" ".join(words) for words, _ in found]
    for words, command in found:
        page = pages[" ".join(words)]
        shown = [one for one in command.get_params(command.context_class(command)) if not one.hidden]
        flags = [name for one in shown if one.param_type_name == "option" for name in one.opts]
        assert [flag for flag in flags if f"`{flag}`" not in page] == []
        hidden = [one for one in command.get_params(command.context_class(command)) if one.hidden]
        assert [name for one in hidden for name in one.opts if f"`{name}`" in page] == []


def test_every_option_of_a_defense_is_told_with_its_default() -> None:
    page = registry_pages()["defenses"]
    for kind in DEFENSES.all().values():
        for name, default in kind.options_type().to_mapping().items():
            names = [f"{name}.{inner}" for inner in default] if isinstance(default, dict) else [name]
            assert [one for one in names if f"| `{one}`" not in page] == []
    part = page.partition("{ #deletion }")[2].partition("\n## ")[0]
    assert re.search(r"\| `rate` \| `float` \| `0\.7` \| Probability with which each unit is deleted", part)


def test_links_are_moved_to_where_their_targets_are() -> None:
    repository = Repository()
    text = (
        "[a](docs/design.md#1-the-threat) [b](results/README.md) ![c](results/demo/tradeoff.png) "
        "[d](deploy) [e](#x)"
    )
    assert repository.moved(text, "README.md", repository.pages["README.md"]) == (
        "[a](../design.md#1-the-threat) [b](../results/index.md) ![c](../results/demo/tradeoff.png) "
        "[d](../source/deploy/index.md) [e](#x)"
    )
    assert repository.copied == {"results/demo/tradeoff.png": "results/demo/tradeoff.png"}
    assert "source/deploy/kserve.yaml.md" in repository.source_pages()
    fenced = "```\n[a](docs/design.md)\n```"
    assert repository.moved(fenced, "README.md", "project/readme.md") == fenced


def test_parts_of_documents_are_found_and_what_is_missing_is_told() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    part = section(contributing, "a-defense")
    assert "class CommonWords" in part
    assert "class Alias" not in part
    assert block((ROOT / "README.md").read_text("utf-8"), "headline").startswith("| data |")
    with pytest.raises(ValueError, match="no heading 'nonsense'"):
        section(contributing, "nonsense")
    with pytest.raises(ValueError, match="no block of results 'nonsense'"):
        block(contributing, "nonsense")


def test_what_a_table_or_a_text_would_take_for_markup_is_escaped() -> None:
    assert row("a\nb", code("x|y")) == "| a b | <code>x&#124;y</code> |"
    assert plain("a*b_c :class:`~fuzzsmooth.certify.Certificate` ``w|x``") == r"a\*b\_c `Certificate` `w|x`"
