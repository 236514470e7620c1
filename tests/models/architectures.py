"""Tiny random classifiers of the architectures that transformers knows, with tokenizers trained here."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

LONGEST = 48
"""Tokens that a tiny model reads."""

CORPUS = [
    "a good film that is not dull at all",
    "the bad film was long and dull, and nobody laughed",
    "bright old music; new stories about people who walk the city",
    "it's a fine story (yes!) with 3 good ends and 1,000 bright lights",
    "they said: what a slow, dull, and endless evening",
]

_COMMON = {"vocab_size": 384, "num_labels": 3}
_WIDE = _COMMON | {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": LONGEST,
}
_GROUPED = _WIDE | {"num_key_value_heads": 2}
_HEADED = _GROUPED | {"head_dim": 8}
_FROM_TWO = {"max_position_embeddings": LONGEST + 2}  # positions start after the padding index
_GPT = _COMMON | {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": LONGEST}
_XLM = _COMMON | {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "max_position_embeddings": LONGEST}
_SEQUENCES = _COMMON | {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "max_position_embeddings": LONGEST,
}


class Architecture(NamedTuple):
    """How a tiny model is made: the model type, the kind of its tokenizer, and its configuration."""

    model_type: str
    tokenizer: str
    config: dict[str, Any]


ARCHITECTURES = {
    "bert": Architecture("bert", "wordpiece", _WIDE),
    "roberta": Architecture("roberta", "bytes", _WIDE | _FROM_TWO),
    "distilbert": Architecture(
        "distilbert",
        "wordpiece",
        _COMMON
        | {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": LONGEST},
    ),
    "electra": Architecture("electra", "wordpiece", _WIDE | {"embedding_size": 16}),
    "gpt2": Architecture("gpt2", "bytes-bare", _GPT),
    "llama": Architecture("llama", "fallback", _GROUPED),
    "albert": Architecture("albert", "unigram-pair", _WIDE | {"embedding_size": 16}),
    "deberta-v3": Architecture(
        "deberta-v2",
        "unigram-pair",
        _WIDE
        | {
            "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "share_att_key": True,
            "norm_rel_ebd": "layer_norm", "position_buckets": 8, "max_relative_positions": -1,
            "position_biased_input": False, "type_vocab_size": 0,
        },
    ),
    "modernbert": Architecture(
        "modernbert", "wordpiece", _WIDE | {"local_attention": 8, "global_attn_every_n_layers": 2}
    ),
    "bigbird": Architecture("big_bird", "unigram-pair", _WIDE | {"block_size": 2, "num_random_blocks": 1}),
    "fnet": Architecture("fnet", "unigram-pair", _WIDE),
    "xlm-roberta": Architecture("xlm-roberta", "unigram", _WIDE | _FROM_TWO),
    "camembert": Architecture("camembert", "unigram", _WIDE | _FROM_TWO),
    "bart": Architecture("bart", "bytes", _SEQUENCES),
    "t5": Architecture(
        "t5", "unigram-end", _COMMON | {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    ),
    "opt": Architecture(
        "opt",
        "bytes",
        _COMMON
        | {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 48,
            "max_position_embeddings": LONGEST, "word_embed_proj_dim": 32, "init_std": 0.2,
        },
    ),
    "opt-projected": Architecture(
        "opt",
        "bytes",
        _COMMON
        | {
            "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 48,
            "max_position_embeddings": LONGEST, "word_embed_proj_dim": 16, "init_std": 0.2,
            "do_layer_norm_before": False,
        },
    ),
    "bloom": Architecture("bloom", "bytes-bare", _COMMON | {"hidden_size": 32, "n_layer": 2, "n_head": 4}),
    "mpnet": Architecture("mpnet", "wordpiece", _WIDE | _FROM_TWO),
    "xlnet": Architecture(
        "xlnet", "unigram-last", _COMMON | {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 48}
    ),
    "gpt-neox": Architecture("gpt_neox", "bytes-bare", _WIDE),
    "qwen2": Architecture("qwen2", "bytes-bare", _GROUPED),
    "gemma": Architecture("gemma", "fallback", _HEADED),
    "deberta": Architecture(
        "deberta", "bytes", _WIDE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"],
                                     "max_relative_positions": 8, "position_biased_input": False},
    ),
    "qwen3": Architecture("qwen3", "bytes-bare", _HEADED),
    "mistral": Architecture("mistral", "fallback", _HEADED),
    "funnel": Architecture(
        "funnel",
        "wordpiece",
        _COMMON | {"d_model": 32, "n_head": 4, "d_head": 8, "d_inner": 48, "block_sizes": [1, 1]},
    ),
    "longformer": Architecture("longformer", "bytes", _WIDE | _FROM_TWO | {"attention_window": [8, 8]}),
    "mobilebert": Architecture(
        "mobilebert", "wordpiece", _WIDE | {"embedding_size": 16, "intra_bottleneck_size": 16}
    ),
    "squeezebert": Architecture(
        "squeezebert",
        "wordpiece",
        _WIDE | {"embedding_size": 32, "q_groups": 2, "k_groups": 2, "v_groups": 2,
                 "intermediate_groups": 2, "output_groups": 2},
    ),
    "convbert": Architecture("convbert", "wordpiece", _WIDE | {"embedding_size": 16, "head_ratio": 2}),
    "xmod": Architecture("xmod", "unigram", _WIDE | _FROM_TWO | {"languages": ["en_XX", "de_DE"],
                                                                "default_language": "en_XX"}),
    "openai-gpt": Architecture("openai-gpt", "wordpiece-bare", _GPT),
    "phi": Architecture("phi", "bytes-bare", _WIDE),
    "phi3": Architecture("phi3", "fallback", _GROUPED),
    "gemma2": Architecture("gemma2", "fallback", _HEADED),
    "gemma3": Architecture("gemma3_text", "fallback", _HEADED),
    "falcon": Architecture("falcon", "bytes-bare", _WIDE),
    "gpt-neo": Architecture(
        "gpt_neo", "bytes-bare", _COMMON | {"hidden_size": 32, "num_layers": 2, "num_heads": 4,
                                            "max_position_embeddings": LONGEST,
                                            "attention_types": [[["global", "local"], 1]]},
    ),
    "gptj": Architecture("gptj", "bytes-bare", _GPT | {"rotary_dim": 4}),
    "starcoder2": Architecture("starcoder2", "bytes-bare", _GROUPED),
    "stablelm": Architecture("stablelm", "bytes-bare", _GROUPED),
    "mixtral": Architecture("mixtral", "fallback", _GROUPED | {"num_local_experts": 2}),
    "ernie": Architecture("ernie", "wordpiece", _WIDE),
    "rembert": Architecture("rembert", "unigram-pair", _WIDE | {"input_embedding_size": 16}),
    "roformer": Architecture("roformer", "wordpiece", _WIDE),
    "luke": Architecture("luke", "bytes", _WIDE | _FROM_TWO | {"entity_vocab_size": 4, "entity_emb_size": 8}),
    "ibert": Architecture("ibert", "bytes", _WIDE | _FROM_TWO),
    "nystromformer": Architecture("nystromformer", "unigram-pair", _WIDE | {"segment_means_seq_len": LONGEST,
                                                                            "num_landmarks": 4}),
    "xlm": Architecture("xlm", "wordpiece", _XLM),
    "flaubert": Architecture("flaubert", "wordpiece", _XLM),
}  # fmt: skip
"""The architectures, by the names that people know them under."""

_NAMES = {
    "wordpiece": ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"),
    "bytes": ("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
    "unigram": ("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
    "fallback": ("<s>", "</s>", "<pad>", "<unk>", "<mask>"),
}
_TEMPLATES = {
    "wordpiece": "{0} $A {1}",
    "wordpiece-bare": "$A",
    "bytes": "{0} $A {1}",
    "bytes-bare": "$A",
    "unigram": "{0} $A {1}",
    "unigram-pair": "{0} $A {1}",
    "unigram-end": "$A {1}",
    "unigram-last": "$A {1} {0}",
    "fallback": "{0} $A",
}


def build(name: str, folder: Path, *, seed: int = 0, causal: bool = False) -> Path:
    """Write a random model of an architecture, and its tokenizer, as real folders are.

    It is a classifier, or a causal language model.
    """
    kind = ARCHITECTURES[name]
    tokenizer = trained_tokenizer(kind.tokenizer)
    special = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("bos", "eos", "pad")}
    config = AutoConfig.for_model(kind.model_type, **kind.config | special)
    if kind.model_type in ("bart", "t5"):
        config.decoder_start_token_id = config.pad_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        kinds = AutoModelForCausalLM if causal else AutoModelForSequenceClassification
        model = kinds.from_config(config)
        _spread(model)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _spread(model: torch.nn.Module) -> None:
    """Weights large enough that no layer is close to linear, and no norm is the identity."""
    for name, parameter in model.named_parameters():
        if parameter.dim() == 1:
            parameter.data += 0.1 * torch.randn_like(parameter)
        elif "emb" in name or parameter.std() < 0.1:
            parameter.data = torch.randn_like(parameter) * (0.5 if "emb" in name else 0.15)


@cache
def _backend(kind: str) -> str:
    family = kind.partition("-")[0]
    names = list(_NAMES[family])
    if family == "wordpiece":
        backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=300, special_tokens=names, show_progress=False)
    elif family == "bytes":
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=340, special_tokens=names, show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )  # fmt: skip
    elif family == "unigram":
        backend = Tokenizer(models.Unigram())
        backend.normalizer = normalizers.NFKC()
        backend.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=120, special_tokens=names, unk_token="<unk>", show_progress=False
        )
    else:
        bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
        backend = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        trainer = trainers.BpeTrainer(vocab_size=380, special_tokens=names + bytes_, show_progress=False)
    backend.train_from_iterator(CORPUS * 4, trainer)
    if family == "fallback":
        # Byte tokens are vocabulary, not names that a text may spell.
        backend = Tokenizer(backend.model)
        backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    template = _TEMPLATES[kind].format(*names)
    used = [part for part in template.split() if part != "$A"]
    if used:
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=[(part, backend.token_to_id(part)) for part in used]
        )
    return str(backend.to_str())


def trained_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A tokenizer of one of the kinds that the architectures use, trained on the corpus above."""
    first, last, pad, unknown, mask = _NAMES[kind.partition("-")[0]]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_backend(kind)),
        model_max_length=LONGEST,
        bos_token=first, cls_token=first, eos_token=last, sep_token=last, pad_token=pad,
        unk_token=unknown, mask_token=mask,
    )  # fmt: skip
