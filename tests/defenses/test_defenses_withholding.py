"""STRIP, RAP and PSIM: they find a planted trigger, keep their false rejections, and tell where they fail."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_models import LABELS, RARE, clean, dataset, material, rule, triggered, victim

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.defenses.detecting import rejection_threshold
from fuzzsmooth.defenses.psim import Psim, randomly_labeled
from fuzzsmooth.defenses.rap import Rap, rarest_word
from fuzzsmooth.defenses.strip import Strip, mean_entropies, telling_words
from fuzzsmooth.models import build_tiny, load_classifier
from fuzzsmooth.training.prompt_tuning import PromptTuning, tune_prompt

# The tiny model is very sure of itself: its one row has to be moved further than that of a real one.
RAP = {
    "perturbation_word": RARE,
    "target": "pos",
    "perturbation_step": 10.0,
    "perturbation_epochs": 20,
    "false_rejection": 0.05,
}


def shares(defense: Strip | Rap | Psim) -> tuple[float, float]:
    """The shares of clean and of triggered texts that get no answer; all others are answered."""
    found = []
    for given in ([one.text for one in clean()], triggered()):
        answers = defense.predict(given)
        assert len(answers) == len(given), "no text is dropped"
        assert all((one.label is None) == (one.status == "abstain") for one in answers)
        found.append(float(np.mean([one.label is None for one in answers])))
    return found[0], found[1]


def test_a_threshold_loses_no_more_clean_texts_than_allowed() -> None:
    rng = np.random.default_rng(0)
    for count in (1, 7, 100, 250):
        scores = rng.normal(size=count)
        for share in (0.0, 0.01, 0.05, 0.5, 1.0):
            threshold = rejection_threshold(scores, share, "x")
            assert (scores < threshold).mean() <= share
    assert (scores < rejection_threshold(scores, 0.1, "x")).sum() == 25, "and not fewer than it may"
    with pytest.raises(FuzzsmoothError, match="has no clean texts to set its threshold on"):
        rejection_threshold([], 0.1, "x")


def test_strip_averages_over_the_copies_of_one_text() -> None:
    """Entropies of 0, 1, 2 and 3 bits, 5 copies each; averaged across texts it would be 1.2, 1.4, ..."""
    rows = np.array([[2.0**-bits] * 2**bits + [0.0] * (8 - 2**bits) for bits in range(4)])
    assert mean_entropies(np.repeat(rows, 5, axis=0), 5).tolist() == [0, 1, 2, 3]


def test_strip_finds_a_planted_trigger_and_nothing_where_there_is_none(tmp_path: Path) -> None:
    found = {}
    for planted in (True, False):
        defense = Strip(rule(planted=planted), {"false_rejection": 0.02})
        defense.fit(material(), tmp_path / str(planted))
        found[planted] = shares(defense)
    assert found[True][1] > 0.6, "half of the words are swapped, so the trigger stays in half of the copies"
    assert found[True][0] <= 0.1
    assert found[False][1] <= 0.1, "without a backdoor the same texts are answered"


def test_strip_perturbs_a_text_alike_whatever_is_asked_beside(tmp_path: Path) -> None:
    defense = Strip(rule(planted=True), {})
    defense.fit(material(), tmp_path)
    given = [one.text for one in clean(10)]
    assert defense.entropies(given).tolist() == [defense.entropies([text])[0] for text in given]
    lent = {word for _, words in defense._lenders for word in words}
    text = "zz yy xx ww"
    for copy in defense.perturbed(text):
        new = [word for word in copy.split() if word not in text.split()]
        assert len(new) == 2
        assert set(new) <= lent
    assert defense.predict([""])[0].passes == 21, "an empty text has nothing to swap, and is answered"


def test_words_of_high_tf_idf_come_first() -> None:
    assert telling_words(["a a rare", "a film", "a film"])[0] == ("rare", "a")


def test_rap_finds_a_planted_trigger(tmp_path: Path) -> None:
    classifier = victim()
    before = classifier.fingerprint
    defense = Rap(classifier, RAP)
    defense.fit(material(), tmp_path)
    assert defense.warnings == ()
    assert defense.thresholds[1] >= 0
    rejected, found = shares(defense)
    assert found > 0.5
    assert rejected < found / 3
    assert classifier.fingerprint == before, "the wrapped model stays as it is"
    classifier.refresh()
    assert classifier.fingerprint == before
    again = Rap(victim(), RAP)
    again.restore(tmp_path)
    assert shares(again) == (rejected, found), "what was learned is found again"


def test_rap_changes_one_embedding_and_keeps_its_norm(tmp_path: Path) -> None:
    defense = Rap(victim(), {**RAP, "perturbation_epochs": 1, "perturbation_retries": 0})
    defense.fit(material(), tmp_path)
    defense.predict([clean()[1].text])
    own, twin = (one.model.get_input_embeddings().weight for one in (defense.classifier, defense._twin))
    changed = (own != twin).any(dim=1).nonzero().flatten().tolist()
    assert changed == [defense._word(defense.classifier)]
    assert twin[changed[0]].norm().item() == pytest.approx(own[changed[0]].norm().item(), rel=1e-5)
    body = dict(defense._twin.model.named_parameters())
    same = [name for name, one in defense.classifier.model.named_parameters() if one.equal(body[name])]
    assert len(same) == len(body) - 1


def test_rap_tells_where_its_calibration_fails(tmp_path: Path) -> None:
    """A step of next to nothing leaves the word as it is, which lowers nothing."""
    options = {"perturbation_word": RARE, "perturbation_step": 1e-9, "perturbation_retries": 1}
    defense = Rap(victim(), options)
    defense.fit(material(), tmp_path)
    assert min(defense.thresholds.values()) < 0
    assert "does not lower it on clean texts" in defense.warnings[0]
    again = Rap(victim(), options)
    again.restore(tmp_path)
    assert again.warnings == defense.warnings


def test_rap_takes_the_rarest_word_unless_one_is_named(tmp_path: Path) -> None:
    build_tiny("bert", tmp_path / "tiny", vocabulary=["the", "film", "zqx", "good", "##zq", "[unused]", "ZZ"])
    assert rarest_word(load_classifier(str(tmp_path / "tiny"), labels=LABELS)) == "zqx"
    defense = Rap(victim(), {"perturbation_retries": 0, "target": "pos"})
    defense.fit(material(), tmp_path / "fitted")
    assert defense._name == RARE


def test_rap_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(FuzzsmoothError, match="one piece of the vocabulary, which 'zzz' is not"):
        Rap(victim(), {"perturbation_word": "zzz"}).fit(material(), tmp_path / "a")
    with pytest.raises(FuzzsmoothError, match="no class 'maybe'"):
        Rap(victim(), {"perturbation_word": RARE, "target": "maybe"}).fit(material(), tmp_path / "b")
    with pytest.raises(FuzzsmoothError, match="needs a local Hugging Face model"):
        Rap(rule(planted=True), {}).fit(material(), tmp_path / "c")
    defense = Rap(victim(), {"perturbation_word": RARE, "perturbation_retries": 0})
    defense.fit(material(), tmp_path / "d")
    (tmp_path / "d" / "rap.safetensors").write_bytes(b"broken")
    with pytest.raises(FuzzsmoothError, match="missing or damaged; fit the defense anew"):
        defense.restore(tmp_path / "d")


def test_psim_has_its_threshold_as_a_parameter_and_knows_no_trigger(tmp_path: Path) -> None:
    for threshold, expected in ((0.0, 1.0), (1.0, 0.0)):
        defense = Psim(victim(), {"confidence_threshold": threshold, "confidence_step": 0.01})
        defense.fit(material(), tmp_path / str(threshold))
        assert shares(defense) == (expected, expected)
        assert bool(defense.warnings) == (threshold == 0)
    again = Psim(victim(), {"confidence_threshold": 0.0, "confidence_step": 0.01})
    again.restore(tmp_path / "0.0")
    assert "surer than 0 of 100 % of clean held-out texts" in again.warnings[0]


def test_psim_is_unsure_of_clean_texts_after_random_labels(tmp_path: Path) -> None:
    """What the paper builds on: random labels take the confidence, which was there before."""
    options = {"confidence_step": 0.02, "confidence_epochs": 10, "seed": 1}
    defense = Psim(victim(), options)
    defense.fit(material(), tmp_path)
    given = [one.text for one in clean()]
    assert np.median(victim().probabilities(given).max(axis=1)) > 0.9
    assert np.median(defense.confidences(given)) < 0.7
    again = Psim(victim(), options)
    again.restore(tmp_path)
    assert np.allclose(again.confidences(given), defense.confidences(given), atol=1e-5)


def test_psim_trains_virtual_tokens_and_the_head_alone() -> None:
    classifier, before = victim(), victim()
    data = randomly_labeled(material().data, 0)
    assert 0.3 < np.mean(data.targets) < 0.7
    assert data.targets != material().data.targets
    prompt = tune_prompt(classifier, data, PromptTuning(step=0.01))
    assert prompt.shape == (5, 32)
    old = dict(before.model.named_parameters())
    changed = [name for name, one in classifier.model.named_parameters() if not one.equal(old[name])]
    assert changed == ["classifier.weight", "classifier.bias"]
    assert all(one.requires_grad for one in classifier.model.parameters())
    again = tune_prompt(victim(), data, PromptTuning(step=0.01))
    assert np.array_equal(prompt, again), "a function of model, data and seed"


def test_virtual_tokens_are_for_encoders(tmp_path: Path) -> None:
    build_tiny("llama", tmp_path, vocabulary=["good", "bad"])
    decoder = load_classifier(str(tmp_path), labels=LABELS)
    with pytest.raises(FuzzsmoothError, match="reads from left to right"):
        tune_prompt(decoder, dataset(clean(4)), PromptTuning())


def test_defenses_that_need_clean_texts_say_so(tmp_path: Path) -> None:
    nothing = replace(material(), held_out=dataset([]))
    with pytest.raises(FuzzsmoothError, match="'strip' needs clean texts that nothing is trained on"):
        Strip(rule(planted=True), {}).fit(nothing, tmp_path / "a")
