"""Which modules of a transformer receive parameter noise: the top blocks and what stands above them."""

from __future__ import annotations

from collections import Counter

from torch import nn

from fuzzsmooth.common.errors import FuzzsmoothError
from fuzzsmooth.common.options import require

WAY_OUT = "do without it (--sigma 0)"
"""How to go on where a model cannot have parameter noise, as the end of a sentence."""

_FRS_LAYERS = 10  # H of arXiv 2502.06892, which names it for models of 12 blocks and more


class ExactNoiseError(FuzzsmoothError):
    """A model whose noise cannot be drawn in activation space; written into its weights it can."""


def noised_modules(model: nn.Module, top_layers: int) -> list[tuple[str, nn.Module]]:
    """The modules that :func:`noised_parameters` belong to, where each can be noised in activation space.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: As in :func:`noised_parameters`.

    Returns:
        Pairs of qualified name and module, in registration order; each is linear (``nn.Linear``, or GPT-2's
        ``Conv1D``), ``nn.LayerNorm`` or an RMSNorm.

    Raises:
        ExactNoiseError: If the noised region holds another kind of layer.
        FuzzsmoothError: As :func:`noised_parameters`.
    """
    chosen = _region(model, top_layers)
    for name, module in chosen:
        _check_supported(name, module)
    return chosen


def noised_parameters(model: nn.Module, top_layers: int) -> list[nn.Parameter]:
    """The parameters that receive noise, in registration order.

    They are those inside the top blocks, and of the pooler, final norm and classifier head above the blocks.
    The blocks are found generically: the longest ``nn.ModuleList`` of blocks of one class. Embeddings never
    receive noise, wherever they stand.

    Args:
        model: A Hugging Face sequence classifier.
        top_layers: H of arXiv 2502.06892, blocks counted from the output; 0 is the head alone.

    Raises:
        FuzzsmoothError: If there is no single stack of blocks, ``top_layers`` is outside it, a layer may
            stand above or below the blocks, or a parameter of the region is tied to one outside.
    """
    return [parameter for _, parameter in noised_named_parameters(model, top_layers)]


def noised_named_parameters(model: nn.Module, top_layers: int) -> list[tuple[str, nn.Parameter]]:
    """:func:`noised_parameters` with their qualified names; same arguments, same errors."""
    return [
        (f"{name}.{own}", parameter)
        for name, module in _region(model, top_layers)
        for own, parameter in module.named_parameters(recurse=False)
    ]


def _region(model: nn.Module, top_layers: int) -> list[tuple[str, nn.Module]]:
    """The modules with parameters of their own in the top blocks and above, embeddings left out."""
    stack, count = block_stack(model)
    require(
        0 <= top_layers <= count,
        f"top_layers is {top_layers}, but the model has {count} transformer blocks; give 0 to {count}",
    )
    body = _body(model, stack)
    chosen: list[tuple[str, nn.Module]] = []
    passed = False
    for name, module in model.named_modules():
        passed = passed or name == stack
        if not list(module.parameters(recurse=False)) or isinstance(module, nn.Embedding):
            continue
        if name.startswith(f"{stack}."):
            noised = int(name[len(stack) + 1 :].split(".")[0]) >= count - top_layers
        else:
            outside = not f"{name}.".startswith(body)
            noised = outside or passed or _stands_above(name, module, stack)
        if noised:
            chosen.append((name, module))
    _check_used_once(model, chosen)
    return chosen


def _body(model: nn.Module, stack: str) -> str:
    """Prefix of the names of the model without its head, which acts on what that model gives."""
    prefix = f"{getattr(model, 'base_model_prefix', '')}."
    return prefix if stack.startswith(prefix) else ""


def _stands_above(name: str, module: nn.Module, stack: str) -> bool:
    """Where a layer acts that is registered before the blocks; only its name can tell."""
    last = name.rpartition(".")[2]
    if last.startswith("final_") or last.endswith("_out"):
        return True
    # Registered before the blocks, yet no embedding: only the forward code knows where it acts.
    own = [key for key, _ in module.named_parameters(recurse=False)]
    below = "emb" in name.lower() or last.endswith("_in") or all("emb" in key for key in own)
    require(
        below,
        f"cannot tell whether '{name}' acts above or below the transformer blocks '{stack}', so parameter "
        f"noise does not support this architecture; {WAY_OUT}",
    )
    return False


def block_count(model: nn.Module) -> int:
    """How many transformer blocks the model has; errors as :func:`noised_modules`."""
    return block_stack(model)[1]


def transformer_blocks(model: nn.Module) -> list[nn.Module]:
    """The transformer blocks of the model, from the input to the output; errors as :func:`noised_modules`."""
    return list(model.get_submodule(block_stack(model)[0]).children())


def noised_layers(model: nn.Module, top_layers: int | None) -> int:
    """H for this model: ``top_layers``, or by default the 10 of FRS, all blocks of a model with fewer."""
    return min(_FRS_LAYERS, block_count(model)) if top_layers is None else top_layers


def block_stack(model: nn.Module) -> tuple[str, int]:
    """Name and length of the stack of transformer blocks; errors as :func:`noised_modules`."""
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
        f"parameter noise needs a stack of identical transformer blocks (an nn.ModuleList), which "
        f"{type(model).__name__} has not; {WAY_OUT}",
    )
    longest = max(length for _, length in stacks)
    best = [stack for stack in stacks if stack[1] == longest]
    if len(best) > 1:
        names = ", ".join(name for name, _ in best)
        raise FuzzsmoothError(
            f"parameter noise needs a model with one stack of blocks, but {type(model).__name__} has several "
            f"equal ones ({names}); {WAY_OUT}"
        )
    declared = getattr(getattr(model, "config", None), "num_hidden_layers", longest)
    require(
        declared == longest,
        f"parameter noise needs every block to act once, but {type(model).__name__} declares {declared} "
        f"layers and its longest stack has {longest} blocks; {WAY_OUT}",
    )
    return best[0]


def is_linear(module: nn.Module) -> bool:
    """Whether a module is linear with its weight as a matrix: ``nn.Linear``, or GPT-2's transposed one."""
    if isinstance(module, nn.Linear):
        return True
    weight = getattr(module, "weight", None)
    if type(module).__name__ != "Conv1D" or not isinstance(weight, nn.Parameter) or weight.dim() != 2:
        return False
    return bool(weight.size(1) == getattr(module, "nf", None))


def is_scale_norm(module: nn.Module) -> bool:
    """Whether a module is an RMSNorm in structure: a norm whose one parameter is a 1-D ``weight``."""
    own = dict(module.named_parameters(recurse=False))
    return "norm" in type(module).__name__.lower() and list(own) == ["weight"] and own["weight"].dim() == 1


def _check_supported(name: str, module: nn.Module) -> None:
    if isinstance(module, nn.LayerNorm):
        supported = module.weight.dim() == 1
    else:
        supported = is_linear(module) or is_scale_norm(module)
    if not supported or next(module.children(), None) is not None:
        raise ExactNoiseError(
            f"the exact sampler of parameter noise does not know layer '{name}' ({type(module).__name__}), "
            f"only linear and normalization layers; choose a smaller top_layers, or {WAY_OUT}"
        )


def _check_used_once(model: nn.Module, chosen: list[tuple[str, nn.Module]]) -> None:
    """A parameter that two layers share would need the same noise in both."""
    owners = Counter(id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False))
    for name, module in chosen:
        for parameter in module.parameters(recurse=False):
            require(
                owners[id(parameter)] == 1,
                f"parameter noise needs untied layers, but a parameter of '{name}' is tied to another layer; "
                f"{WAY_OUT}",
            )
