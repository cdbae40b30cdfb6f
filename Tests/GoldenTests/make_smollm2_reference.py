"""Writes Fixtures/smollm2.json: what Hugging Face's implementation makes of a few prompts with SmolLM2-135M-Instruct, its
weights dequantised to float32: token ids, the logits at the last position, and the greedy continuation of one prompt.

    pip install torch transformers tokenizers gguf
    Scripts/fetch-model.sh smollm2-135m && python Tests/GoldenTests/make_smollm2_reference.py

The tokenizer is put together here, as SmolLM2's tokenizer.json defines it: transformers makes another one of a GGUF file, which
does not split digits.
"""

import json
from pathlib import Path

import gguf
import tokenizers
import torch
import transformers

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf"
PROMPTS = [
    "The capital of France is",
    "The Eiffel Tower is located in the city of",
    "Water boils at 100 degrees Celsius and freezes at",
    "In 1969, Neil Armstrong became the first person to walk on the",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "Macapá, São Paulo and Jundiaí are cities in",
    "東京は日本の首都です。",
    "Don't you think it's what they've always said they'll do?",
    "  leading and   repeated spaces\tand tabs  ",
    "🙂 π ≈ 3.14159, e ≈ 2.71828; x² + y² =",
    "<|im_start|>user\nName a language of Brazil.<|im_end|>\n<|im_start|>assistant\n",
    "A",
]
CONTINUED = 0  # the prompt that is continued
CONTINUATION = 5  # tokens
LARGEST = 32
SAMPLED = 64
CONTROL = 3  # GGUF's type of special tokens


def tokenizer():
    fields = gguf.GGUFReader(MODEL).fields
    tokens, merges, types = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges", "token_type"))
    made = tokenizers.Tokenizer(tokenizers.models.BPE(
        vocab={token: index for index, token in enumerate(tokens)}, merges=[tuple(merge.split(" ")) for merge in merges]))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([
        tokenizers.pre_tokenizers.Digits(individual_digits=True),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    made.decoder = tokenizers.decoders.ByteLevel()
    made.add_special_tokens([token for token, kind in zip(tokens, types) if kind == CONTROL])
    return made


@torch.no_grad()
def main():
    encode = tokenizer()
    model = transformers.AutoModelForCausalLM.from_pretrained(MODEL.parent, gguf_file=MODEL.name, dtype=torch.float32).eval()
    logits_after = lambda ids: model(torch.tensor([ids])).logits[0, -1]
    cases = []
    for prompt in PROMPTS:
        ids = encode.encode(prompt).ids
        logits = logits_after(ids)
        largest = torch.topk(logits, LARGEST)
        sampled = [(1009 * i + 17) % len(logits) for i in range(SAMPLED)]
        cases.append({
            "prompt": prompt, "ids": ids, "norm": logits.norm().item(),
            "largest": {"ids": largest.indices.tolist(), "logits": largest.values.tolist()},
            "sampled": {"ids": sampled, "logits": logits[sampled].tolist()},
        })
        print(len(ids), repr(prompt), "->", repr(encode.decode([largest.indices[0].item()])))
    ids = list(cases[CONTINUED]["ids"])
    for _ in range(CONTINUATION):
        ids.append(logits_after(ids).argmax().item())
    added = ids[len(cases[CONTINUED]["ids"]):]
    print(repr(encode.decode(added)))
    reference = {"model": MODEL.name, "cases": cases,
                 "continuation": {"prompt": PROMPTS[CONTINUED], "ids": added, "text": encode.decode(added)}}
    path = Path(__file__).parent / "Fixtures/smollm2.json"
    path.write_text(json.dumps(reference, ensure_ascii=False, indent=None) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
