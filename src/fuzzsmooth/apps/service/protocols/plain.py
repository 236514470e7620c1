"""``/answer``: all that the defense has to say of each text, certificates in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fuzzsmooth.apps.service.protocols.protocol import PROTOCOLS, Call, Protocol, Reply, Route, flag
from fuzzsmooth.apps.service.refusal import malformed
from fuzzsmooth.common.options import did_you_mean

_FIELDS = ("text", "texts", "certify")


@PROTOCOLS.register("plain")
class Plain(Protocol):
    """Labels, votes, flagged spans and certificates, as the lines of an answer file have them."""

    def routes(self) -> Sequence[Route]:
        """See :meth:`.protocol.Protocol.routes`."""
        text = {"type": "string", "maxLength": self.service.options.max_text}
        certify = {"type": "boolean", "description": "Whether certificates are wanted, which take longer."}
        texts = {"type": "array", "items": text, "minItems": 1, "maxItems": self.service.options.queue}
        reads = {
            "oneOf": [
                {
                    "type": "object",
                    "properties": {name: schema, "certify": certify},
                    "required": [name],
                    "additionalProperties": False,
                }
                for name, schema in (("text", text), ("texts", texts))
            ],
            "example": {"text": "a moving, generous film", "certify": True},
        }
        return [Route("POST", "/answer", "Answer texts", self.answer, _GIVES, reads)]

    async def answer(self, call: Call) -> Reply:
        """Answer ``{"text": ...}`` or ``{"texts": [...]}``, with certificates if ``"certify": true``."""
        body = call.object()
        for name in body:
            if name not in _FIELDS:
                raise malformed(f"the body has an unknown field {name!r:.120}; {did_you_mean(name, _FIELDS)}")
        texts = _texts(body)
        service = self.service
        answers = await service.ask(texts, certify=flag(body, "certify", "the body's "), trace=call.trace)
        told = [{"scores": one.shares(service.labels), **one.to_json()} for one in answers]
        return Reply({"model": service.name, "version": service.version, "answers": told})


def _texts(body: dict[str, Any]) -> list[str]:
    if ("text" in body) == ("texts" in body):
        raise malformed("the body must have either 'text', a string, or 'texts', a list of strings")
    texts = [body["text"]] if "text" in body else body["texts"]
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise malformed("'text' must be a string, 'texts' a list of at least one string")
    return texts


_NUMBERS = {"type": "array", "items": {"type": "integer"}}
_ANSWER = {
    "type": "object",
    "properties": {
        "scores": {"type": "object", "additionalProperties": {"type": "number"}},
        "label": {"type": ["integer", "null"]},
        "label_name": {"type": ["string", "null"]},
        "status": {"enum": ["answered", "abstain", "alert", "budget_exceeded"]},
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "votes": _NUMBERS,
        "spans": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "start": {"type": "integer"},
                    "end": {"type": "integer"},
                    "text": {"type": "string"},
                    "score": {"type": "number"},
                },
                "required": ["start", "end", "text", "score"],
            },
        },
        "certificates": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "statement": {"type": "string"},
                    "guarantee": {"enum": ["proved", "conditional", "empirical"]},
                    "threat": {"type": "string"},
                    "radius": {"type": "number"},
                },
                "required": ["statement", "guarantee", "threat", "radius"],
            },
        },
        "passes": {"type": "integer"},
    },
    "required": ["label", "label_name", "status", "score", "votes", "spans", "certificates", "passes"],
}
_GIVES = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "version": {"type": "string"},
        "answers": {"type": "array", "items": _ANSWER},
    },
    "required": ["model", "version", "answers"],
}
