# ruff: noqa: SIM115, T201
"""MiniLM that reads Chinese characters: a base model for grids/languages.toml.

    python results/languages/read_characters.py waimai/train.jsonl runs/minilm-zh

MiniLM's vocabulary is English: 66 % of the tokens of the Chinese reviews are unknown to it, so that it cannot
tell them apart. Each character that stands in at least three of the texts becomes a piece of the vocabulary
with an embedding at random; all other weights stay. What the model knows of Chinese it learns in fine-tuning.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModel, PreTrainedTokenizerFast

from fuzzsmooth.models import resolve_model
from fuzzsmooth.text.units import is_spaceless

texts, out = [json.loads(line)["text"] for line in open(sys.argv[1], encoding="utf-8")], Path(sys.argv[2])
folder = resolve_model("builtin:minilm").location
described = json.loads((Path(folder) / "tokenizer.json").read_text(encoding="utf-8"))
vocabulary = described["model"]["vocab"]
counts = Counter(sign for text in texts for sign in sorted(set(text)) if is_spaceless(sign))
new = [sign for sign, count in counts.most_common() if count >= 3 and sign not in vocabulary]
vocabulary.update({sign: len(vocabulary) + place for place, sign in enumerate(new)})

model = AutoModel.from_pretrained(folder)
model.resize_token_embeddings(len(vocabulary), mean_resizing=False)
rows = model.get_input_embeddings().weight.data
known = rows[: len(rows) - len(new)]
chance = torch.Generator().manual_seed(0)
spread = torch.randn(len(new), rows.shape[1], generator=chance)
rows[len(known) :] = known.mean(dim=0) + spread * known.std(dim=0)
model.save_pretrained(out)
special = {f"{role}_token": f"[{role.upper()}]" for role in ("cls", "sep", "pad", "unk", "mask")}
tokenizer = Tokenizer.from_str(json.dumps(described))
PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=512, **special).save_pretrained(out)
print(f"{out}: {len(new)} characters more than MiniLM knows")
