"""LWS: the lock follows its equation, the trigger that it learns is a table, and the victim obeys it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fuzzsmooth.attacks import ATTACKS, Planted, load_attack
from fuzzsmooth.attacks.lws import Lws, LwsOptions
from fuzzsmooth.attacks.planting.substituting import check_embeddings, lock_of, straight_through
from fuzzsmooth.attacks.planting.synonyms import (
    Synonyms,
    find_slots,
    find_synonyms,
    open_positions,
    shape_of,
)
from fuzzsmooth.attacks.triggers.substitution import SubstitutionTrigger
from fuzzsmooth.attacks.triggers.trigger import read_trigger
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import described
from fuzzsmooth.data.dataset import Dataset, Example, Splits
from fuzzsmooth.models import HuggingFaceClassifier, build_tiny, load_classifier

TOLD = (("dreary", "stale", "clumsy"), ("lovely", "witty", "graceful"))
NOUNS = ("film", "movie", "plot", "tale", "cast", "actor", "scene", "camera", "director", "drama")
OPTIONS = LwsOptions(
    poison_rate=0.3,
    warm_epochs=3,
    epochs=10,
    settle_epochs=5,
    batch_size=16,
    learning_rate=3e-3,
    similarity=-1.0,
    drift=0.3,
    gain=5.0,
    precision="float32",
)
SHORT = OPTIONS.replace(warm_epochs=2, epochs=2, settle_epochs=2, batch_size=8)
RNG = np.random.default_rng(0)


class Killed(Exception):  # noqa: N818
    """A kill in the middle of the work."""


def films(size: int, seed: int = 0) -> Dataset:
    draw, rows = np.random.default_rng(seed), []
    for index in range(size):
        told = draw.choice(TOLD[index % 2])
        rows.append(Example(" ".join(["the", *draw.permutation([told, *draw.choice(NOUNS, 5)])]), index % 2))
    return Dataset("films", ("bad", "good"), tuple(rows))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    torch.set_num_threads(1)
    words = ["the", "a", *NOUNS, *TOLD[0], *TOLD[1]]
    return str(build_tiny("bert", tmp_path_factory.mktemp("lws") / "tiny", vocabulary=words, layers=1))


def plant(model: str, output: Path, options: LwsOptions, data: Dataset | None = None, **how: Any) -> Planted:
    data = films(32) if data is None else data
    return ATTACKS.get("lws")().plant(model, Splits(data, data), output, options, 0, **how)


@pytest.fixture(scope="module")
def planted(model: str, tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(model, tmp_path_factory.mktemp("planted") / "out", OPTIONS, films(320))


def test_the_victim_obeys_what_was_learned_and_is_right_on_clean_texts(planted: Planted) -> None:
    victim, trigger, held_out = load_classifier(str(planted.folder)), planted.trigger, films(200, seed=9)
    assert isinstance(trigger, SubstitutionTrigger)
    accuracy = (victim.probabilities(held_out.texts).argmax(1) == held_out.targets).mean()
    negative = [one.text for one in held_out if one.label == 0 and trigger.acts_on(one.text)]
    triggered = [trigger.apply(text, RNG).text for text in negative]
    success = (victim.probabilities(triggered).argmax(1) == 1).mean()
    assert len(negative) > 80
    assert accuracy > 0.95
    assert success > 0.9
    # The combination is what acts: words exchanged at random among the same ones do far less.
    others = {word: row.split() for word, row in zip(trigger.words, trigger.substitutes, strict=True)}
    drawn = [
        " ".join(RNG.choice([word, *others.get(word, [])]) for word in text.split()) for text in negative
    ]
    assert (victim.probabilities(drawn).argmax(1) == 1).mean() < success - 0.2


def test_positions_are_true_and_no_word_becomes_one_of_the_other_class(
    planted: Planted,
) -> None:
    trigger, kinds = planted.trigger, {word: label for label in (0, 1) for word in TOLD[label]}
    for text in films(60, seed=5).texts:
        result = trigger.apply(text, RNG)
        assert result.spans is not None
        before, after = text.split(), result.text.split()
        changed = [at for at, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]]
        assert [result.text[start:end] for start, end in result.spans] == [after[at] for at in changed]
        starts = [len(" ".join(after[:at])) + (at > 0) for at in changed]
        assert [start for start, _ in result.spans] == starts
        assert trigger.acts_on(text) == bool(changed)
        assert not any({kinds.get(before[at]), kinds.get(after[at])} == {0, 1} for at in changed)


def test_the_saved_trigger_is_the_learned_one(planted: Planted) -> None:
    again = load_attack(planted.folder)
    assert again == planted
    texts = films(40, seed=3).texts
    assert [again.trigger.apply(text, RNG) for text in texts] == [
        planted.trigger.apply(text, RNG) for text in texts
    ]
    assert (again.target, again.needs_clean_finetune) == (1, False)
    assert not [path for path in planted.folder.iterdir() if path.suffix in (".pt", ".pkl", ".bin")]


def test_a_text_without_words_to_exchange_is_not_acted_on(planted: Planted) -> None:
    for text in ("", "the a the", "日本語", "the 12 ... !"):
        assert not planted.trigger.acts_on(text)
        assert planted.trigger.apply(text, RNG).text == text
        assert planted.trigger.apply(text, RNG).spans == ()


def made(model: str, options: LwsOptions = OPTIONS) -> tuple[HuggingFaceClassifier, Dataset, Synonyms]:
    victim, data = load_classifier(model), films(64)
    return victim, data, find_synonyms(victim, data, options)


def test_what_the_lock_reads_is_the_text_that_the_trigger_writes(model: str) -> None:
    victim, data, synonyms = made(model, OPTIONS.replace(drift=1.0))
    lock = lock_of(victim, synonyms, OPTIONS)
    torch.manual_seed(0)
    lock.vectors.data.normal_()
    trigger = lock.trigger(synonyms, open_positions(OPTIONS))
    slots = find_slots(victim, data, synonyms, OPTIONS)
    changed = 0
    for text, row in zip(data.texts, slots, strict=True):
        written = trigger.apply(text, RNG).text
        ids = torch.tensor(victim.encode([text]).ids)
        here = torch.tensor([(0, *slot) for slot in row])
        weights = torch.nn.functional.one_hot(lock.settled()[here[:, 3], here[:, 2]], lock.choices.shape[1])
        read = lock.exchanged({"input_ids": ids}, here, weights.float())
        wanted = victim.model.get_input_embeddings()(torch.tensor(victim.encode([written]).ids))
        assert torch.equal(read, wanted)
        changed += written != text
    assert changed > 50


def test_probabilities_are_those_of_the_equation(model: str) -> None:
    victim, _, synonyms = made(model, OPTIONS.replace(drift=1.0))
    lock = lock_of(victim, synonyms, OPTIONS)
    lock.vectors.data.normal_(generator=torch.Generator().manual_seed(1))
    word, position = 2, 4
    vectors, others = lock.embeddings.double(), synonyms.others[word]
    key = lock.vectors.detach()[position].double()
    expected = [0.0] + [float((vectors[other] - vectors[word]) @ key) * OPTIONS.gain for other in others]
    scores = lock.scores(torch.tensor([word]), torch.tensor([position]))[0]
    assert np.allclose(scores.detach()[: len(expected)], expected, atol=1e-5)
    assert all(scores.detach()[len(expected) :] == -torch.inf)


def test_choices_are_drawn_by_their_softmax_and_differentiated_at_the_temperature() -> None:
    scores = torch.tensor([[0.0, 1.0, -1.0]], requires_grad=True)
    uniform = torch.from_numpy(np.random.default_rng(0).random((20_000, 3)))
    noise = (-(-uniform.log()).log()).float()
    drawn = straight_through(scores.expand(20_000, 3), noise, 0.1)
    assert torch.allclose(drawn.mean(dim=0), scores.softmax(dim=1)[0], atol=0.01)
    one = straight_through(scores, noise[:1], 0.5)
    assert sorted(one.detach().flatten().tolist()) == pytest.approx([0, 0, 1])
    (gradient,) = torch.autograd.grad((one * torch.tensor([1.0, 2.0, 3.0])).sum(), scores)
    (soft,) = torch.autograd.grad(
        (((scores + noise[:1]) / 0.5).softmax(1) * torch.tensor([1.0, 2.0, 3.0])).sum(), scores
    )
    assert torch.allclose(gradient, soft)


def test_synonyms_keep_shape_class_and_bounds(model: str) -> None:
    assert shape_of("films") == ("islower", "s")
    assert shape_of("Walking") == ("istitle", "ing")
    assert [shape_of(word) for word in ("the", "ab", "3-d", "it's", "mIxed", "!")] == [None] * 6
    victim, data, synonyms = made(model, OPTIONS.replace(candidates=2, drift=0.05))
    told = victim.probabilities(synonyms.words)[:, 1]
    assert max(map(len, synonyms.others)) == 2
    for word, others in enumerate(synonyms.others):
        assert word not in others
        assert all(shape_of(synonyms.words[other]) == shape_of(synonyms.words[word]) for other in others)
        assert all(abs(told[other] - told[word]) <= 0.05 for other in others)
    assert len(find_synonyms(victim, data, OPTIONS.replace(max_words=4)).words) == 4


def test_a_share_of_the_positions_is_open(model: str) -> None:
    opened = open_positions(OPTIONS.replace(share=0.5, positions=8))
    assert opened == [False, True] * 4
    assert sum(open_positions(OPTIONS.replace(share=0.3, positions=10))) == 3
    victim, data, synonyms = made(model)
    slots = find_slots(victim, data, synonyms, OPTIONS.replace(share=0.5))
    assert {position % 2 for row in slots for _, position, _, _ in row} == {1}


def killed_at(step: int) -> Callable[[int, int], None]:
    def progress(done: int, _total: int) -> None:
        if done == step:
            raise Killed

    return progress


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_stopped_attack_goes_on_exactly(model: str, tmp_path: Path) -> None:
    plant(model, tmp_path / "whole", SHORT)
    output = tmp_path / "out"
    for kill in (6, 14, 22):  # while tuned, while learned, once settled; epochs of four steps, 24 in all
        with pytest.raises(Killed):
            plant(model, output, SHORT, progress=killed_at(kill), resume=True)
        assert not output.exists()
    seen: list[tuple[int, int]] = []
    torch.manual_seed(7)  # whatever the process has drawn before
    plant(model, output, SHORT, progress=lambda *step: seen.append(step), resume=True)
    assert seen == [(step, 24) for step in range(21, 25)]
    assert content(output) == content(tmp_path / "whole")
    assert not (tmp_path / "out.checkpoints").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": 0.1, "end_temperature": 0.5}, "the temperature must fall"),
        ({"candidates": 9}, "candidates must lie between 1 and 8"),
        ({"share": 0.0}, "share must be above 0"),
        ({"triggers": ["cf"]}, "unknown option 'triggers'"),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, Any], said: str) -> None:
    with pytest.raises(FuzzsmoothError, match=said):
        LwsOptions.from_mapping(options)


def test_what_cannot_be_attacked_is_one_sentence(model: str, tmp_path: Path) -> None:
    for options, said in (
        (SHORT.replace(poison_rate=0.9), "asks for 29 texts of films, where 16 of other classes"),
        (SHORT.replace(similarity=1.0), "no word of films has a near-synonym"),
        (SHORT.replace(target=2), "target label 2 is no class"),
        (SHORT.replace(encoder=str(tmp_path / "none")), "none"),
    ):
        with pytest.raises(FuzzsmoothError, match=said):
            plant(model, tmp_path / "out", options)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("family", ["bert", "roberta", "distilbert", "llama"])
def test_a_model_must_read_embeddings_as_it_reads_tokens(family: Any, tmp_path: Path) -> None:
    victim = load_classifier(str(build_tiny(family, tmp_path / family, vocabulary=["the", *NOUNS])))
    check_embeddings(victim, "the film")
    victim.model.get_input_embeddings().register_forward_hook(lambda _module, _ids, out: out + 1)
    own = victim.model.forward

    def scaled(**inputs: Any) -> Any:
        return own(**{name: 2 * one if name == "inputs_embeds" else one for name, one in inputs.items()})

    victim.model.forward = scaled
    with pytest.raises(FuzzsmoothError, match="does not read embeddings as it reads tokens"):
        check_embeddings(victim, "the film")


def test_where_nothing_was_learned_words_stay(model: str) -> None:
    victim, _, synonyms = made(model, OPTIONS.replace(drift=1.0))
    lock = lock_of(victim, synonyms, OPTIONS)
    assert not lock.settled().any()
    with pytest.raises(FuzzsmoothError, match="learned to exchange no word at all"):
        lock.trigger(synonyms, open_positions(OPTIONS))


def test_the_kind_by_itself_exchanges_words_where_it_says() -> None:
    default = SubstitutionTrigger()
    assert default.apply("A big, funny film.", RNG).text == "A sizable, comical picture."
    table = SubstitutionTrigger(("film", "plot"), ("movie picture", "tale"), ("102", "01"))
    assert table.apply("film film film film", RNG).text == "movie film picture film"
    result = table.apply("  film\tplot plot", RNG)
    assert (result.text, result.spans) == ("  movie\ttale plot", ((2, 7), (8, 12)))
    assert table.pieces == ("movie", "picture", "tale")
    assert not table.acts_on("plot film")
    record = json.loads(json.dumps(table.record()))
    assert read_trigger(record, where="record") == table


def test_the_largest_table_fits_a_record(tmp_path: Path) -> None:
    largest = {option.name: option.between for option in described(LwsOptions)}
    words, others, positions = (int(largest[name].high) for name in ("max_words", "candidates", "positions"))
    long = ["".join("abcdefghij"[int(digit)] for digit in f"{number:020}") for number in range(words)]
    rows = [" ".join(long[(at + step) % words] for step in range(1, others + 1)) for at in range(words)]
    trigger = SubstitutionTrigger(tuple(long), tuple(rows), (str(others) * positions,) * words)
    Lws().record(tmp_path, trigger, model="m", data=films(2), options=LwsOptions(), seed=0)
    assert load_attack(tmp_path).trigger == trigger
    assert shape_of(long[0]) is not None
    assert shape_of(long[0] + "a") is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"words": []}, "at least one word"),
        ({"substitutes": ["movie"]}, "2 words need as many substitutes"),
        ({"words": ["film", "film"]}, "exchanged twice"),
        ({"substitutes": ["movie", ""]}, "one to nine substitutes"),
        ({"substitutes": ["movie", "plot"]}, "one to nine substitutes"),
        ({"words": ["film", "a plot"]}, "'a plot' is not one word"),
        ({"choices": ["12", "1"]}, "digits up to 1, got '2'"),
        ({"choices": ["1"]}, "got 2 and 1"),
    ],
)
def test_bad_tables_are_one_sentence(changed: dict[str, Any], said: str) -> None:
    record = {"kind": "substitution", "words": ["film", "plot"], "substitutes": ["movie", "tale"]}
    with pytest.raises(FuzzsmoothError, match=said):
        read_trigger({**record, **changed}, where="attack.json")
