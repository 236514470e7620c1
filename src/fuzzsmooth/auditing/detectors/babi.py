"""Greedy token accretion with an implicit blacklist, after BABI (arXiv 2509.16203); no code is public."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fuzzsmooth.auditing.detector import DETECTORS, Detection, Detector, Suspect
from fuzzsmooth.auditing.effects import Parts, against, row_of
from fuzzsmooth.auditing.hosts import Host
from fuzzsmooth.auditing.material import choose_material
from fuzzsmooth.auditing.options import AuditOptions
from fuzzsmooth.auditing.pieces import all_pieces, spelled
from fuzzsmooth.auditing.prober import Array, Prober

_FIRST_TEXTS, _TEXTS = 2, 12
_CARRIED = 256  # singletons scored on all texts
_GROWN = 16  # singletons that longer triggers grow from
_APPENDED = 64  # tokens tried behind each
_LENGTH = 3
_WEIGHT = 0.5  # of the blacklist; the paper's is not public
_BATCH = 1024


@DETECTORS.register("babi")
class Babi(Detector):
    """Greedy accretion of tokens; those whose activations look like the target class are penalized."""

    paper: ClassVar[str] = "BABI, arXiv 2509.16203, from its description"

    def detect(self, suspect: Suspect) -> Detection:
        """Grow triggers token by token; the score is the misclassification rate times the confidence.

        The objective of a candidate is the mean probability of the target over clean texts of others, less
        how much its own activations are like those of clean texts of the target class (cosine of the means
        over tokens in the middle layer, against the mean of all classes): words that mean the class are.
        """
        prober = Prober(suspect.model)
        material = choose_material(
            suspect.model, suspect.texts, suspect.labels, AuditOptions(seed=suspect.seed)
        )
        pieces = all_pieces(suspect.model.tokenizer, len(suspect.model.model.get_input_embeddings().weight))
        best = Detection(-1.0)
        for target in range(prober.classes):
            hosts = against(material.confirm, target, _TEXTS)
            own = [host for host in material.confirm if host.label == target]
            if not hosts or not own:
                continue
            every = self._states(prober, [np.array(host.ids) for host in material.confirm])
            middle = every.mean(axis=0)
            mine = np.array([host.label == target for host in material.confirm])
            direction = np.stack([middle, every[mine].mean(axis=0) - middle])
            singles: list[Parts] = [(part,) for part in pieces.parts[: pieces.single]]
            first = self._objective(prober, hosts[:_FIRST_TEXTS], singles, target, direction)[0]
            carried = [singles[at] for at in np.argsort(-first, kind="stable")[:_CARRIED]]
            beam, scores = carried, self._objective(prober, hosts, carried, target, direction)
            found = self._best(beam, *scores)
            for _ in range(_LENGTH - 1):
                ranked = np.argsort(-scores[0], kind="stable")
                heads = [beam[at] for at in ranked[:_GROWN]]
                tails = [one[0] for one in carried[:_APPENDED]]
                beam = [(*head, tail) for head in heads for tail in tails if tail not in head]
                rough = self._objective(prober, hosts[:_FIRST_TEXTS], beam, target, direction)[0]
                beam = [beam[at] for at in np.argsort(-rough, kind="stable")[:_APPENDED]]
                scores = self._objective(prober, hosts, beam, target, direction)
                found = max(found, self._best(beam, *scores), key=lambda pair: pair[0])
            if found[0] > best.score:
                text = " ".join(spelled(suspect.model.tokenizer, part) for part in found[1])
                best = Detection(found[0], target=target, trigger=text, placing="start")
        return Detection(
            best.score, target=best.target, trigger=best.trigger, placing="start", passes=prober.passes
        )

    @staticmethod
    def _best(beam: list[Parts], objective: Array, strength: Array) -> tuple[float, Parts]:
        at = int(objective.argmax())
        return float(strength[at]), beam[at]

    def _objective(
        self, prober: Prober, hosts: list[Host], candidates: list[Parts], target: int, direction: Array
    ) -> tuple[Array, Array]:
        """Objective, and rate times confidence, of each candidate, both of shape (candidates,)."""
        rows = [row_of(host, parts, "start", 0, at) for parts in candidates for at, host in enumerate(hosts)]
        logits = prober.logits(rows).astype(np.float64)
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        wanted = chances[:, target].reshape(len(candidates), len(hosts))
        moved = (logits.argmax(axis=1) == target).reshape(wanted.shape)
        states = self._states(prober, [hosts[0].alone(parts) for parts in candidates]) - direction[0]
        length = np.linalg.norm(states, axis=1) * np.linalg.norm(direction[1])
        alike = states @ direction[1] / np.maximum(length, 1e-9)
        confidence = (wanted * moved).sum(axis=1) / np.maximum(1, moved.sum(axis=1))
        return wanted.mean(axis=1) - _WEIGHT * alike, moved.mean(axis=1) * confidence

    def _states(self, prober: Prober, rows: list[Any]) -> Array:
        """States of the middle layer, the mean over the tokens of each row, shape (rows, width)."""
        import torch  # which a list of detectors must not wait for

        from fuzzsmooth.models.rows import pad_rows, to_device

        passes: Any = prober.classifier
        states = []
        with torch.inference_mode(), passes.evaluating() as model:
            for start in range(0, len(rows), _BATCH):
                ids, mask = pad_rows(rows[start : start + _BATCH], passes.pad_id)
                seen = to_device(mask, passes.device)
                output = model(
                    input_ids=to_device(ids, passes.device), attention_mask=seen, output_hidden_states=True
                )
                layers = output.hidden_states
                own = layers[len(layers) // 2].float() * seen[..., None]
                states.append((own.sum(dim=1) / seen.sum(dim=1, keepdim=True)).cpu().numpy())
        prober.passes += len(rows)
        return np.concatenate(states).astype(np.float64)
