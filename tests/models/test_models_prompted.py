"""Prompted language models: their scores are the model's own, about the text alone, however evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import architectures
import numpy as np
import pytest
import torch
from scipy import stats
from transformers import AutoModelForCausalLM

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.engine.tokens import UnitTokenizer
from fuzzsmooth.models import (
    HuggingFaceClassifier,
    WeightNoise,
    head_labels,
    load_classifier,
    prompted,
    quiet_transformers,
)
from fuzzsmooth.models.loading import ModelWarning
from fuzzsmooth.models.prompt import CONTENT_FREE, PromptOptions
from fuzzsmooth.models.states import text_states
from fuzzsmooth.noise.weight import PerturbedParameters, noised_parameters
from fuzzsmooth.text import segmenter

NAMES = [
    "llama", "qwen2", "qwen3", "mistral", "gemma", "gemma2", "gpt2", "gpt-neox", "phi", "gptj", "opt",
]  # fmt: skip
PROMPT = PromptOptions(template="they said: {text}\nit was", label_words=("bad", "good", "odd=story"))
TEXTS = [
    "a good film",
    "",
    "dull",
    "the bad film was long and dull",
    "<s>old</s> film",
    "電影 good",
    "dull " * 60,
]
_folders: dict[str, Path] = {}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory):
    def built(name: str) -> Path:
        if name not in _folders:
            with quiet_transformers():
                _folders[name] = architectures.build(name, tmp_path_factory.mktemp(name), causal=True)
        return _folders[name]

    return built


@pytest.fixture
def llama(folder) -> HuggingFaceClassifier:
    return load_classifier(str(folder("llama")), prompt=PROMPT)


def whole(classifier: HuggingFaceClassifier, row: list[int]) -> list[int]:
    prompt = classifier.model.prompt
    return [*prompt.before, *row, *prompt.after]


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_the_likelihoods_of_the_label_words(folder, name):
    classifier = load_classifier(str(folder(name)), prompt=PROMPT)
    assert classifier.labels == ("bad", "good", "odd")
    assert classifier.shares_prefix
    with quiet_transformers():
        language = AutoModelForCausalLM.from_pretrained(folder(name)).eval()
    # Behind a space: the tokenizer of texts begins them so.
    first = [ids[0] for ids in classifier.tokenizer(list(PROMPT.words))["input_ids"]]
    assert len(set(first)) == 3
    found = classifier.probabilities(TEXTS)
    for row, ours in zip(classifier.encode(TEXTS).ids, found, strict=True):
        with torch.inference_mode():
            logits = language(input_ids=torch.tensor([whole(classifier, row)])).logits[0, -1]
        expected = torch.softmax(logits[first].double(), dim=0).numpy()
        np.testing.assert_allclose(ours, expected, atol=1e-4)
    assert found.std(axis=0).max() > 0.005


@pytest.mark.parametrize("name", NAMES)
def test_what_stands_before_a_text_is_computed_once(folder, name, monkeypatch):
    classifier = load_classifier(str(folder(name)), prompt=PROMPT)
    counted, real = [], prompted.prefix_states
    monkeypatch.setattr("fuzzsmooth.models.passes.prefix_states", lambda m: counted.append(1) or real(m))
    classifier.refresh()
    shared = classifier.logits_of_texts(TEXTS)
    one = np.concatenate([classifier.logits_of_texts([text]) for text in TEXTS])
    assert len(counted) == 1
    classifier.shares_prefix = False
    np.testing.assert_allclose(classifier.logits_of_texts(TEXTS), shared, atol=1e-4)
    np.testing.assert_allclose(one, shared, atol=1e-4)
    assert len(counted) == 1


def test_other_weights_have_another_prefix(llama):
    before = llama.logits_of_texts(TEXTS[:1])
    with PerturbedParameters(noised_parameters(llama.model, 2), 0.1).perturb(1):
        inside = llama.logits_of_texts(TEXTS[:1])
        llama.shares_prefix = False
        np.testing.assert_allclose(inside, llama.logits_of_texts(TEXTS[:1]), atol=1e-4)
        llama.shares_prefix = True
    assert abs(inside - before).max() > 0.01
    np.testing.assert_array_equal(llama.logits_of_texts(TEXTS[:1]), before)


def test_the_folder_is_a_classifier_like_any_other(llama, tmp_path):
    llama.save(tmp_path / "saved")
    with pytest.warns(ModelWarning, match="puts each text into a prompt of .* they said: {text}"):
        loaded = load_classifier(str(tmp_path / "saved"))
    assert loaded.fingerprint == llama.fingerprint
    assert loaded.labels == head_labels(str(tmp_path / "saved")) == ("bad", "good", "odd")
    assert loaded.encode(TEXTS).ids == llama.encode(TEXTS).ids
    assert loaded.max_length == llama.max_length == architectures.LONGEST - len(llama.model.prompt)
    np.testing.assert_array_equal(loaded.logits_of_texts(TEXTS), llama.logits_of_texts(TEXTS))
    again = load_classifier(str(tmp_path / "saved"), num_labels=3, labels=("bad", "good", "odd"))
    assert again.fingerprint == llama.fingerprint


def test_units_are_those_of_the_text(folder):
    classifier = load_classifier(str(folder("qwen2")), prompt=PROMPT)
    special = set(classifier.tokenizer.all_special_ids)
    assert not special & set(classifier.encode(["<s> good </s>"]).ids[0])  # names in a text are spelled
    assert UnitTokenizer(classifier, segmenter("word")).trusted
    # Behind the space of the template a first word reads as behind another word.
    first, second = classifier.encode(["film", "a film"]).ids
    assert second[-len(first) :] == first


def test_a_fixed_shape_answers_a_text_bit_by_bit_alike(llama):
    steady = llama.reproducible()
    assert steady.fixed_shapes
    together = steady.logits_of_texts(TEXTS)
    alone = np.concatenate([steady.logits_of_texts([text]) for text in reversed(TEXTS)])[::-1]
    np.testing.assert_array_equal(together, alone)


def test_noise_has_the_law_of_noise_written_into_the_weights(llama):
    row = llama.encode(["the bad film was long"]).ids[0]
    found = llama.logits([row] * 1200, noise=WeightNoise(0.1, None), seeds=range(1200))
    reference = []
    for seed in range(300):
        with PerturbedParameters(noised_parameters(llama.model, 2), 0.1).perturb(seed):
            reference.append(llama.logits([row], one_batch=True)[0])
    theirs = np.array(reference)
    spread = found.std(axis=0) / theirs.std(axis=0)
    assert ((spread > 0.85) & (spread < 1.18)).all(), spread
    assert min(stats.ks_2samp(a, b).pvalue for a, b in zip(found.T, theirs.T, strict=True)) > 1e-3
    # A control: less noise has another law.
    other = llama.logits([row] * 600, noise=WeightNoise(0.06, None), seeds=range(600))
    assert min(stats.ks_2samp(a, b).pvalue for a, b in zip(other.T, theirs.T, strict=True)) < 1e-6


def test_noisy_copies_and_states_see_the_template(llama):
    rows = llama.encode(TEXTS[:4]).ids
    noise = WeightNoise(0.1, 1, copies=True)
    found = llama.logits(rows, noise=noise, seeds=[7] * 4)
    with PerturbedParameters(noised_parameters(llama.model, 1), 0.1).perturb(7):
        np.testing.assert_allclose(found, llama.logits(rows), atol=1e-4)
    states = torch.from_numpy(text_states(llama, TEXTS[:4]))
    with torch.inference_mode():
        np.testing.assert_allclose(llama.model.score(states).numpy(), llama.logits(rows), atol=1e-4)


def test_calibration_divides_by_what_is_answered_without_content(folder, llama, tmp_path):
    calibrated = load_classifier(str(folder("llama")), prompt=PROMPT.replace(calibrate=True))
    free = llama.probabilities(CONTENT_FREE).mean(axis=0)
    wanted = llama.probabilities(TEXTS) / free
    np.testing.assert_allclose(
        calibrated.probabilities(TEXTS), wanted / wanted.sum(axis=1, keepdims=True), atol=1e-5
    )
    assert calibrated.fingerprint != llama.fingerprint
    calibrated.save(tmp_path / "saved")
    assert load_classifier(str(tmp_path / "saved")).fingerprint == calibrated.fingerprint


def refused(folder: Path, options: PromptOptions) -> str:
    with pytest.raises(FuzzsmoothError) as caught:
        load_classifier(str(folder), prompt=options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_prompt_is_refused_in_one_sentence(folder):
    path = folder("llama")
    assert "begin with the same token" in refused(path, PROMPT.replace(label_words=("a=good", "b=good")))
    assert "marks of no chat format" in refused(path, PROMPT.replace(chat=True))
    assert "ends with the text" in refused(path, PROMPT.replace(template="said: {text}"))
    assert "but the model reads 48; shorten it" in refused(
        path, PROMPT.replace(template="film " * 50 + "{text} it")
    )
    for changes, sentence in (
        ({"template": "they said"}, "no slot for the text; write {text}"),
        ({"template": "{text} {text} it"}, "more than one slot"),
        ({"label_words": ("good",)}, "a word for each of at least two classes"),
        ({"label_words": ("a=good", "a=bad")}, "are not distinct"),
        ({"template": None}, "need a template; give it too"),
    ):
        with pytest.raises(FuzzsmoothError) as caught:
            PROMPT.replace(**changes)
        assert sentence in str(caught.value)
    encoder = architectures.build("bert", path.parent / "prompted-bert")
    assert "is no causal language model" in refused(encoder, PROMPT) or "no causal" in refused(
        encoder, PROMPT
    )


@pytest.mark.parametrize(
    "prompt", [None, [], {"before": [1], "after": []}, {"before": [1], "after": [10**6]}, {"after": [1]}]
)
def test_a_saved_prompt_that_is_none_is_refused(llama, tmp_path, prompt):
    llama.save(tmp_path / "saved")
    file = tmp_path / "saved" / "config.json"
    config = json.loads(file.read_text())
    wanted = {**prompt, "offsets": [0, 0, 0]} if isinstance(prompt, dict) else prompt
    file.write_text(json.dumps(config | {"fuzzsmooth_prompt": wanted}))
    if prompt is None:
        assert not prompted.is_prompted(load_classifier(str(tmp_path / "saved")).model)
        return
    with pytest.raises(FuzzsmoothError, match="make the prompted model again"):
        load_classifier(str(tmp_path / "saved"))


def test_the_chat_format_is_told_by_the_marks_of_the_vocabulary(folder, tmp_path):
    from fuzzsmooth.models.prompt import prompt_tokens

    tokenizer = architectures.trained_tokenizer("bytes-bare")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokens, spaced = prompt_tokens(PROMPT.replace(chat=True), tokenizer, "a model")
    before, after = (tokenizer.decode(ids) for ids in (tokens.before, tokens.after))
    assert before == "<|im_start|>user\nthey said:"
    assert after == "\nit was<|im_end|>\n<|im_start|>assistant\n"
    assert spaced
    # The answer begins a line, so its word begins without a space.
    assert tokens.answers[1] == tokenizer("good")["input_ids"][0]


def test_a_space_that_is_a_token_belongs_to_the_template(folder):
    """As words of rare pieces begin in SentencePiece; otherwise all words would begin alike."""
    classifier = load_classifier(str(folder("llama")), prompt=PROMPT.replace(label_words=("dull", "film")))
    prompt = classifier.model.prompt
    assert classifier.tokenizer.convert_ids_to_tokens(prompt.after[-1]) == "▁"
    with quiet_transformers():
        language = AutoModelForCausalLM.from_pretrained(folder("llama")).eval()
    words = classifier.tokenizer.convert_tokens_to_ids(["dull", "film"])
    row = classifier.encode(["a good story"]).ids[0]
    with torch.inference_mode():
        logits = language(input_ids=torch.tensor([whole(classifier, row)])).logits[0, -1, words]
    np.testing.assert_allclose(classifier.logits([row])[0], logits.numpy(), atol=1e-4)
