"""Text Embeddings Inference: ``/predict`` with ``{"inputs": ...}``.

As ``docs/openapi.json`` of huggingface/text-embeddings-inference 1.9 has it: a string is a text,
``["a", "b"]`` is *one pair* of texts, and a batch is ``[["a"], ["b"]]``. Pairs are refused: defenses answer
single texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route, flag
from fuzzsmooth.apps.service.refusal import Refusal, malformed, unsupported
from fuzzsmooth.common.version import VERSION
from fuzzsmooth.defenses import Answer

ABSTAIN = "ABSTAIN"
"""The label of a text without an answer; its score is 0."""

_TYPES = {413: "Validation", 422: "Validation", 424: "Backend", 429: "Overloaded", 503: "Unhealthy"}


@PROTOCOLS.register("text-embeddings-inference")
class TextEmbeddingsInference(Protocol):
    """The classifier endpoints of Text Embeddings Inference."""

    def routes(self) -> Sequence[Route]:
        """See :meth:`.protocol.Protocol.routes`."""
        text = {"type": "string", "maxLength": self.service.options.max_text}
        one = {"type": "array", "items": text, "minItems": 1, "maxItems": 1}
        batch = {"type": "array", "items": one, "minItems": 1, "maxItems": self.service.options.queue}
        reads = {
            "type": "object",
            "properties": {
                "inputs": {"oneOf": [text, one, batch]},
                "raw_scores": {"enum": [False]},
                "truncate": {"type": "boolean"},
            },
            "required": ["inputs"],
            "example": {"inputs": "a moving, generous film", "truncate": True},
        }
        return [
            Route("POST", "/predict", "Classes of texts", self.predict, _PREDICTIONS, reads),
            Route("GET", "/info", "About the model", self.info, {"type": "object"}),
            Route("GET", "/health", "Whether it is ready", self.health, {"type": "object"}, public=True),
        ]

    def refused(self, refusal: Refusal) -> dict[str, Any]:
        """A sentence and its type."""
        return {"error": refusal.sentence, "error_type": _TYPES.get(refusal.status, "Validation")}

    async def predict(self, call: Call) -> Reply:
        """All classes of each text with their shares of the votes, most first."""
        body = call.object()
        texts, single = _inputs(body.get("inputs"))
        if flag(body, "raw_scores", ""):
            raise unsupported("there are no raw scores of a vote; leave out 'raw_scores'")
        truncate = flag(body, "truncate", "")
        answers = await self.service.ask(texts, certify=False, trace=call.trace)
        if not truncate and any(one.truncated for one in answers):
            raise Refusal(
                413, "truncated", "a text is longer than the model reads; set 'truncate' to have it cut"
            )
        told = [self._classes(one) for one in answers]
        return Reply(told[0] if single else told)

    async def info(self, _call: Call) -> Reply:
        """About the model, as far as it is known here."""
        options, service = self.service.options, self.service
        numbered = {str(index): name for index, name in enumerate(service.labels)}
        return Reply(
            {
                "model_id": service.name,
                "model_sha": service.version,
                "model_type": {
                    "classifier": {
                        "id2label": numbered,
                        "label2id": {name: int(index) for index, name in numbered.items()},
                    }
                },
                "defense": service.defense.name,
                "guarantee": service.defense.guarantee,
                "max_client_batch_size": options.queue,
                "max_batch_requests": options.batch,
                "version": VERSION,
            }
        )

    async def health(self, _call: Call) -> Reply:
        """503 where it is not ready."""
        if not self.service.ready:
            raise Refusal(503, "unready", "not ready", retry_after=1)
        return Reply({"status": "ready"})

    def _classes(self, answer: Answer) -> list[dict[str, Any]]:
        if answer.label is None:
            return [{"label": ABSTAIN, "score": 0.0}]  # no client may take the class of most votes for it
        shares = answer.shares(self.service.labels)
        # The answer comes first among those of equal shares.
        order = sorted(shares, key=lambda name: (-shares[name], name != answer.label_name))
        return [{"label": name, "score": shares[name]} for name in order]


def _inputs(inputs: object) -> tuple[list[str], bool]:
    """The texts, and whether it is one alone."""
    if isinstance(inputs, str):
        return [inputs], True
    if not isinstance(inputs, list) or not inputs:
        raise malformed('\'inputs\' must be a text, or a batch such as [["one"], ["another"]]')
    if all(isinstance(one, str) for one in inputs):
        _check_single(inputs)
        return inputs, True
    texts = []
    for one in inputs:
        if not isinstance(one, list) or not one or not all(isinstance(text, str) for text in one):
            raise malformed('an item of a batch must be a list of one text, as in [["one"], ["another"]]')
        _check_single(one)
        texts += one
    return texts, False


def _check_single(texts: Sequence[str]) -> None:
    if len(texts) > 1:
        raise unsupported(
            "a list of two strings is a pair of texts, which defenses do not answer; a batch is "
            '[["one"], ["another"]]'
        )


_CLASSES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"label": {"type": "string"}, "score": {"type": "number"}},
        "required": ["label", "score"],
    },
}
_PREDICTIONS = {"anyOf": [_CLASSES, {"type": "array", "items": _CLASSES}]}
