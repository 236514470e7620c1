"""Which modules of a transformer receive parameter noise: the top blocks and what stands above them."""

from __future__ import annotations

from collections import Counter

from torch import nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

_FRS_LAYERS = 10  # H of arXiv 2502.06892, which names it for models of 12 blocks and more


def noised_modules(model: nn.Module, top_layers: int) -> list[tuple[str, nn.Module]]:
    """The modules whose parameters receive noise, in registration order.

    They are the linear and normalization layers inside the top blocks, and the pooler, final norm and
    classifier head above the blocks. The blocks are found generically: the longest ``nn.ModuleList`` of
    blocks of one class. Embeddings never receive noise.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: H of arXiv 2502.06892, blocks counted from the output; 0 is the head alone.

    Returns:
        Pairs of qualified name and module; each is ``nn.Linear``, ``nn.LayerNorm`` or an RMSNorm.

    Raises:
        FuzzsmoothError: If there is no single stack of blocks, ``top_layers`` is outside it, or a parameter
            of the noised region cannot be noised exactly (unsupported layer, parameter used twice, or a
            layer that may stand above or below the blocks).
    """
    stack, count = _block_stack(model)
    require(
        0 <= top_layers <= count,
        f"top_layers is {top_layers}, but the model has {count} transformer blocks; give 0 to {count}",
    )
    chosen: list[tuple[str, nn.Module]] = []
    above = False
    for name, module in model.named_modules():
        if name == stack:
            above = True
        if not list(module.parameters(recurse=False)):
            continue
        if name.startswith(f"{stack}."):
            block = int(name[len(stack) + 1 :].split(".")[0])
            noised = block >= count - top_layers
        else:
            noised = above or not _is_embedding(name, module)
            # Registered before the blocks, yet no embedding: only the forward code knows where it acts.
            require(
                above or not noised,
                f"cannot tell whether '{name}' acts above or below the transformer blocks '{stack}'; "
                "parameter noise does not support this architecture",
            )
        if noised:
            _check_supported(name, module)
            chosen.append((name, module))
    _check_used_once(model, chosen)
    return chosen


def noised_parameters(model: nn.Module, top_layers: int) -> list[nn.Parameter]:
    """The parameters of :func:`noised_modules`, in the same order; same arguments, same errors."""
    modules = noised_modules(model, top_layers)
    return [parameter for _, module in modules for parameter in module.parameters(recurse=False)]


def block_count(model: nn.Module) -> int:
    """How many transformer blocks the model has; errors as :func:`noised_modules`."""
    return _block_stack(model)[1]


def noised_layers(model: nn.Module, top_layers: int | None) -> int:
    """H for this model: ``top_layers``, or by default the 10 of FRS, all blocks of a model with fewer."""
    return min(_FRS_LAYERS, block_count(model)) if top_layers is None else top_layers


def _block_stack(model: nn.Module) -> tuple[str, int]:
    """Name and length of the stack of transformer blocks."""
    stacks: list[tuple[str, int]] = []
    for name, module in model.named_modules():
        # Lists inside a block (experts, for instance) are not stacks of blocks.
        if not isinstance(module, nn.ModuleList) or any(name.startswith(f"{outer}.") for outer, _ in stacks):
            continue
        alike = len({type(block) for block in module}) == 1
        if alike and all(any(True for _ in block.parameters()) for block in module):
            stacks.append((name, len(module)))
    require(
        bool(stacks),
        f"no stack of transformer blocks found in {type(model).__name__}; "
        "parameter noise needs an nn.ModuleList of identical blocks",
    )
    longest = max(length for _, length in stacks)
    best = [stack for stack in stacks if stack[1] == longest]
    if len(best) > 1:
        names = ", ".join(name for name, _ in best)
        raise FuzzsmoothError(
            f"{type(model).__name__} has several equal stacks of blocks ({names}), as encoder-decoders do; "
            "parameter noise needs a model with one stack"
        )
    declared = getattr(getattr(model, "config", None), "num_hidden_layers", longest)
    require(
        declared == longest,
        f"{type(model).__name__} declares {declared} layers but holds {longest} blocks, so it reuses blocks; "
        "parameter noise needs every block to act once",
    )
    return best[0]


def _is_embedding(name: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Embedding) or "emb" in name.lower()


def is_scale_norm(module: nn.Module) -> bool:
    """Whether a module is an RMSNorm in structure: a norm whose one parameter is a 1-D ``weight``."""
    own = dict(module.named_parameters(recurse=False))
    return "norm" in type(module).__name__.lower() and list(own) == ["weight"] and own["weight"].dim() == 1


def _check_supported(name: str, module: nn.Module) -> None:
    if isinstance(module, nn.LayerNorm):
        supported = module.weight.dim() == 1
    else:
        supported = isinstance(module, nn.Linear) or is_scale_norm(module)
    leaf = next(module.children(), None) is None
    require(
        supported and leaf,
        f"parameter noise does not support layer '{name}' ({type(module).__name__}); supported: nn.Linear, "
        "nn.LayerNorm, RMSNorm; choose a smaller top_layers or another model",
    )


def _check_used_once(model: nn.Module, chosen: list[tuple[str, nn.Module]]) -> None:
    """A parameter that two layers share would need the same noise in both."""
    owners = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    for name, module in chosen:
        for parameter in module.parameters(recurse=False):
            require(
                owners[id(parameter)] == 1,
                f"a parameter of '{name}' is tied to another layer; parameter noise needs untied layers",
            )
