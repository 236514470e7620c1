"""``pipeline("certified-text-classification")``: a defended model as a pipeline of transformers.

Importing this module registers the task; so does ``fuzzsmooth.pipeline``, the short way in, whose first use
imports it. ``import fuzzsmooth`` alone does not, since it would have to import transformers and torch.

The pipeline holds a defense and no bare model. What ``transformers.pipeline`` loads by name is loaded by
:func:`fuzzsmooth.protect`, as safely as everywhere; a refusal is told as it is instead of another class of
model being tried, as transformers does.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from transformers import Pipeline
from transformers.pipelines import PIPELINE_REGISTRY

from fuzzsmooth.apps.interop.telling import told
from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require
from fuzzsmooth.defenses import Answer, Defense, protect
from fuzzsmooth.models import Classifier

TASK = "certified-text-classification"


class DefendedModel:
    """What transformers takes for a model: a defense, or why there is none.

    Attributes:
        defense: The defense, or None where loading was refused.
        refusal: Why, or None.
    """

    def __init__(self, defense: Defense | None, refusal: FuzzsmoothError | None = None) -> None:
        self.defense = defense
        self.refusal = refusal
        model = None if defense is None else getattr(defense.classifier, "model", None)
        self.config = getattr(model, "config", None)
        self.device = getattr(model, "device", None)
        self.dtype = getattr(model, "dtype", None)
        self.input_modalities = ("text",)

    @classmethod
    def from_pretrained(cls, name: str, **given: Any) -> DefendedModel:
        """Load by name; of what transformers gives, only ``protecting`` is used.

        Args:
            name: As :func:`fuzzsmooth.protect` takes it.
            **given: ``protecting``, the arguments of :func:`fuzzsmooth.protect`; others are of transformers.
        """
        try:
            return cls(protect(name, **dict(given.get("protecting") or {})))
        except FuzzsmoothError as error:  # transformers would try another class of model
            return cls(None, error)

    def can_generate(self) -> bool:
        """It classifies."""
        return False


class CertifiedTextClassificationPipeline(Pipeline):  # type: ignore[misc]  # transformers is untyped
    """Answers texts by a defense, with certificates.

    Args:
        model: A defense from :func:`fuzzsmooth.protect`, or what ``transformers.pipeline`` has loaded.
        device: None, or the device that the model is on: it is chosen when the model is loaded.
        certify: Whether answers are certified, which takes longer than predictions.
        top_k: How many classes are told of each text, None for all; the answer alone by default.
        **more: As for any pipeline: ``batch_size``, ``task``.

    Raises:
        FuzzsmoothError: If the model is neither, or was refused.
    """

    _load_processor = False
    _load_image_processor = False
    _load_video_processor = False
    _load_feature_extractor = False
    _load_tokenizer = False

    def __init__(self, model: Any, device: Any = None, **more: Any) -> None:
        import torch

        held = DefendedModel(model) if isinstance(model, Defense) else model
        require(
            isinstance(held, DefendedModel),
            f"{TASK} needs a protected model, and got an object of type {type(held).__name__}; give the "
            "name of a model, or fuzzsmooth.protect(model, defense)",
        )
        if held.refusal is not None:
            raise held.refusal
        place = torch.device("cpu") if held.device is None else held.device
        if device is not None and torch.device("cpu" if device == -1 else device).type != place.type:
            raise FuzzsmoothError(
                f"the model is on {place}; to have it elsewhere, load it there: "
                "fuzzsmooth.pipeline(model, loading={'device': ...})"
            )
        held.device = place
        assert held.defense is not None
        self.defense: Defense = held.defense
        super().__init__(model=held, device=place, **{"task": TASK, **more})

    def _sanitize_parameters(self, certify: Any = None, top_k: Any = "") -> Any:
        if certify is not None:
            require(isinstance(certify, bool), f"certify must be True or False, not {certify!r}")
        if top_k != "":
            require(
                top_k is None or (isinstance(top_k, int) and top_k >= 1),
                f"top_k must be a number of classes from 1 on, or None for all, not {top_k!r}",
            )
        forward = {} if certify is None else {"certify": certify}
        return {}, forward, {} if top_k == "" else {"top_k": top_k}

    def __call__(self, inputs: Any, *, batch_size: int | None = None, **parameters: Any) -> Any:
        """Answer texts.

        Args:
            inputs: A text, a list of texts, or a data set or generator of them, which is gone through lazily.
                In place of a text there may be a row with the key "text".
            batch_size: Texts per call of the defense; by default what it works best with. Answers in float32
                on a processor do not depend on it.
            **parameters: ``certify`` and ``top_k``, for this call.

        Returns:
            One dictionary per text, as :func:`fuzzsmooth.apps.interop.telling.told` has it, in a list (for
            one text, too), or an iterator of them for a data set or generator. With ``top_k``, a list per
            text: the answer, then the other classes with ``label`` and ``score`` alone.

        Raises:
            FuzzsmoothError: If something is no text, or a parameter is bad.
        """
        _, forward, post = self._sanitize_parameters(**parameters)
        forward, post = {**self._forward_params, **forward}, {**self._postprocess_params, **post}
        size = batch_size or self._batch_size or self.defense.together(certify=forward.get("certify", True))
        require(
            isinstance(size, int) and size >= 1, f"batch_size must be a whole number from 1 on, not {size!r}"
        )
        alone = isinstance(inputs, str | Mapping)
        answered = self._stream([inputs] if alone else _series(inputs), size, forward, post)
        if alone and "top_k" in parameters:
            return next(answered)
        return list(answered) if alone or isinstance(inputs, list | tuple) else answered

    def _stream(
        self, inputs: Iterable[Any], size: int, forward: Mapping[str, Any], post: Mapping[str, Any]
    ) -> Iterator[Any]:
        going = iter(inputs)
        while some := list(itertools.islice(going, size)):
            answers = self._forward([self.preprocess(one) for one in some], **forward)
            yield from (self.postprocess(one, **post) for one in answers)

    def preprocess(self, input_: Any) -> str:
        """The text of an input."""
        text = input_.get("text") if isinstance(input_, Mapping) else input_
        if isinstance(input_, Mapping) and input_.get("text_pair") is not None:
            raise FuzzsmoothError("pairs of texts are not answered; join the two into one text")
        require(isinstance(text, str), _WANTED)
        return str(text)

    def _forward(self, texts: list[str], certify: bool = True) -> list[Answer]:
        return self.defense.certify(texts) if certify else self.defense.predict(texts)

    def postprocess(self, answer: Answer, top_k: int | str | None = "") -> Any:
        """The answer as dictionaries."""
        first = told(answer)
        if top_k == "":
            return first
        others = sorted(answer.shares(self.defense.labels).items(), key=lambda pair: -pair[1])
        rest = [{"label": name, "score": share} for name, share in others if name != answer.label_name]
        return [first, *rest][: None if top_k is None else int(top_k)]

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write the protected model; :func:`fuzzsmooth.protect` and this pipeline take the folder."""
        require(not kwargs, f"save_pretrained takes a folder alone; leave out {', '.join(kwargs)}")
        self.defense.save_pretrained(os.fspath(save_directory))

    def push_to_hub(self, repo_id: str, **kwargs: Any) -> Any:
        """Upload the protected model; see :func:`fuzzsmooth.apps.interop.hub.push_to_hub`."""
        from fuzzsmooth.apps.interop.hub import push_to_hub

        return push_to_hub(self.defense, repo_id, **kwargs)


def pipeline(
    model: str | os.PathLike[str] | Classifier | Defense,
    defense: str | None = None,
    *,
    certify: bool = True,
    batch_size: int | None = None,
    **protecting: Any,
) -> CertifiedTextClassificationPipeline:
    """A pipeline around a model, as ``transformers.pipeline("certified-text-classification", ...)`` gives it.

    Args:
        model: As :func:`fuzzsmooth.protect` takes it, or what that gave.
        defense: As there.
        certify: Whether answers are certified unless a call says otherwise.
        batch_size: Texts per call of the defense, unless a call says otherwise.
        **protecting: ``references``, ``loading`` and options, as there.

    Raises:
        FuzzsmoothError: As there.
    """
    if isinstance(model, Defense):
        require(
            defense is None and not protecting, "the model is protected already; give its defense to protect"
        )
        chosen = model
    else:
        chosen = protect(model, defense, **protecting)
    return CertifiedTextClassificationPipeline(chosen, certify=certify, batch_size=batch_size)


_WANTED = "expected a text, a list of texts, or rows with the key 'text'"


def _series(inputs: Any) -> Iterable[Any]:
    """What can be gone through; a data set of torch is so by its indices alone."""
    if hasattr(inputs, "__iter__"):
        return inputs  # type: ignore[no-any-return]
    require(hasattr(inputs, "__getitem__") and hasattr(inputs, "__len__"), _WANTED)
    return (inputs[index] for index in range(len(inputs)))


def register() -> None:
    """Make the task known to ``transformers.pipeline``; done once, when this module is imported."""
    if TASK not in PIPELINE_REGISTRY.supported_tasks:
        PIPELINE_REGISTRY.register_pipeline(
            TASK,
            pipeline_class=CertifiedTextClassificationPipeline,
            pt_model=DefendedModel,
            type="text",
        )


register()
