"""Writes Fixtures/smollm2-prompts.json and Fixtures/gemma3-prompts.json: what Hugging Face's implementation makes of 50 prompts
with SmolLM2-135M-Instruct and Gemma 3 270M, their weights dequantised to float32.

    pip install torch transformers tokenizers gguf sentencepiece protobuf
    Scripts/fetch-model.sh smollm2-135m && Scripts/fetch-model.sh gemma-3-270m
    python Tests/GoldenTests/make_prompt_references.py [smollm2 | gemma3]

Of each prompt: its token ids, of the logits after it the largest 20, the first 64 and the norm, the 24 tokens of greedy continuation
(no token ends it) with their text, and gapMin, the smallest gap between the two largest logits on that way: where another
implementation may leave it for its rounding alone. Both tokenizers are built here from the GGUF file's vocabulary, because
those that transformers makes of it are not the models' own.
"""

import json
import sys
from pathlib import Path

import gguf
import sentencepiece
import torch
import transformers
from sentencepiece import sentencepiece_model_pb2

import make_smollm2_reference as smollm2

ROOT = Path(__file__).resolve().parents[2]
GEMMA3 = ROOT / "models/gemma-3-270m/gemma-3-270m-q4_k_m.gguf"
CONTINUATION, LARGEST, FIRST = 24, 20, 64
TOLERANCE = 1e-3  # of a logit, between a forward with and one without cached keys and values
UNKNOWN, USER_DEFINED = 2, 4  # types of tokens, in GGUF as in SentencePiece

PROMPTS = [
    # facts
    "The capital of Japan is the city of",
    "The longest river in South America is the",
    "The chemical symbol for gold is",
    "Mount Kilimanjaro is the highest mountain in",
    "The author of 'Pride and Prejudice' is",
    "The speed of light in a vacuum is about 299,792",
    "Marie Curie won the Nobel Prize in Physics in 1903 and the Nobel Prize in Chemistry in",
    "The largest planet of the Solar System is Jupiter; the smallest one is",
    "Photosynthesis turns carbon dioxide and water into glucose and",
    "Ludwig van Beethoven was born in Bonn in 1770 and died in Vienna in",
    "The currency of Switzerland is called the",
    "Q: How many legs does a spider have?\nA:",
    "An octagon has eight sides, a hexagon has six, and a pentagon has",
    "The opposite of hot is",
    # code and markup
    "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return",
    "for (int i = 0; i < n; ++i) {\n\tsum += values[i];\n}\nreturn",
    "SELECT name, population FROM cities WHERE population > 1000000 ORDER BY",
    "import numpy as np\n\nx = np.zeros((3, 4), dtype=np.float32)\nprint(x.",
    "#!/bin/bash\nset -euo pipefail\n\nfor f in *.txt; do\n  echo \"$f\"",
    "{\"name\": \"Ada\", \"born\": 1815, \"languages\": [\"English\", \"French\"], \"field\":",
    "<table>\n  <tr><td>one</td><td>1</td></tr>\n  <tr><td>two</td><td>",
    "fn main() {\n    let words = vec![\"a\", \"b\"];\n    println!(\"{}\", words.",
    "$ git commit -m \"Fix off-by-one in",
    "The derivative of $f(x) = x^3 + 2x$ is $f'(x) =",
    # lists and numbers
    "Colours of the rainbow: red, orange, yellow, green,",
    "1. Wake up\n2. Brush your teeth\n3. Eat breakfast\n4.",
    "- apples\n- pears\n- plums\n-",
    "2, 4, 8, 16, 32, 64,",
    "Monday, Tuesday, Wednesday, Thursday,",
    "12 + 30 = 42\n7 + 8 = 15\n20 + 21 =",
    "Tel. +41 44 632 11 11, room E 27.1, 8092 Zürich; open 08:30-17:00,",
    "| year | winner |\n|------|--------|\n| 1998 | France |\n| 2002 | Brazil |\n| 2006 |",
    # other languages and scripts
    "La capitale de l'Italie est",
    "Die Hauptstadt von Österreich heißt",
    "El océano más grande del mundo es el océano",
    "A língua oficial do Brasil é o",
    "Столица России — город",
    "日本で一番高い山は",
    "中国的首都是",
    "대한민국의 수도는",
    "عاصمة مصر هي",
    "भारत की राजधानी",
    "Η πρωτεύουσα της Ελλάδας είναι η",
    # odd spacing, signs, and a longer text
    "  two spaces before, and two after  ",
    "tabs\tand\t\ttabs,\n\n\nthree newlines,\r\nand a Windows one",
    "WHY ARE YOU SHOUTING?! i'm not; We'Ve been quiet…",
    "naïve café, e\u0301 as two code points, ﬁ ligature, 𝔘𝔫𝔦𝔠𝔬𝔡𝔢, 👩‍👩‍👧 and 🇨🇭",
    "https://example.org/path?q=a%20b&lang=en#top is a link to",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ("It was late in the evening when the small ship reached the harbour. The captain, who had not slept for two days, "
     "thanked her crew, tied the last rope, and walked slowly up the hill to the house where her"),
]


def gemma_tokenizer():
    """The SentencePiece model that the file's vocabulary came from, with Gemma's settings: no normalization, no space put before."""
    fields = gguf.GGUFReader(GEMMA3).fields
    value = lambda key: fields[f"tokenizer.ggml.{key}"].contents()
    assert value("add_bos_token") and not value("add_eos_token") and not value("add_space_prefix")
    beginning, end, unknown, padding = (value(f"{name}_token_id") for name in ("bos", "eos", "unknown", "padding"))
    made = sentencepiece_model_pb2.ModelProto()
    for index, (token, score, kind) in enumerate(zip(value("tokens"), value("scores"), value("token_type"))):
        # The conversion to GGUF wrote user-defined tokens as they look in text.
        piece = token.replace(" ", "▁") if kind == USER_DEFINED else token
        made.pieces.add(piece=piece, score=score, type=UNKNOWN if index == unknown else kind)
    made.trainer_spec.model_type = made.trainer_spec.BPE
    made.trainer_spec.byte_fallback = True
    made.trainer_spec.unk_id, made.trainer_spec.bos_id, made.trainer_spec.eos_id, made.trainer_spec.pad_id = unknown, beginning, end, padding
    made.normalizer_spec.name = "identity"
    made.normalizer_spec.add_dummy_prefix = False
    made.normalizer_spec.remove_extra_whitespaces = False
    processor = sentencepiece.SentencePieceProcessor(model_proto=made.SerializeToString())
    return (lambda text: [beginning] + processor.encode(text)), processor.decode


def smollm2_tokenizer():
    made = smollm2.tokenizer()
    return (lambda text: made.encode(text).ids), lambda ids: made.decode(ids, skip_special_tokens=False)


MODELS = {"smollm2": (smollm2.MODEL, smollm2_tokenizer), "gemma3": (GEMMA3, gemma_tokenizer)}


def rounded(values):
    return [float(f"{value:.7g}") for value in values.tolist()]


def checked_model(path):
    model = transformers.AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    if model.config.model_type == "gemma3_text":
        config, stored = model.config, {tensor.name: tensor.data for tensor in gguf.GGUFReader(path).tensors}
        # GGUF stores 1 + weight of every norm, among them those of queries and keys.
        for ours, theirs in [("output_norm", model.model.norm), ("blk.0.attn_q_norm", model.model.layers[0].self_attn.q_norm),
                             ("blk.7.attn_k_norm", model.model.layers[7].self_attn.k_norm),
                             ("blk.17.post_ffw_norm", model.model.layers[17].post_feedforward_layernorm)]:
            assert torch.equal(theirs.weight, torch.tensor(stored[f"{ours}.weight"]) - 1), ours
        assert config.sliding_window == 512 and config.query_pre_attn_scalar == 256 and config.tie_word_embeddings
        assert [i for i, kind in enumerate(config.layer_types) if kind == "full_attention"] == [5, 11, 17]
        bases = {kind: config.rope_parameters[kind]["rope_theta"] for kind in ("sliding_attention", "full_attention")}
        assert bases == {"sliding_attention": 10_000, "full_attention": 1_000_000}, bases
    return model


@torch.no_grad()
def case(model, prompt, encode, decode):
    ids = encode(prompt)
    continued = list(ids)
    cached = model(torch.tensor([ids]), use_cache=True)
    stepwise = [cached.logits[0, -1]]
    while True:
        continued.append(stepwise[-1].argmax().item())
        if len(continued) == len(ids) + CONTINUATION:
            break
        cached = model(torch.tensor([continued[-1:]]), past_key_values=cached.past_key_values, use_cache=True)
        stepwise.append(cached.logits[0, -1])
    # Once more without a cache: these are the numbers that are kept.
    steps = model(torch.tensor([continued[:-1]]), use_cache=False, logits_to_keep=CONTINUATION).logits[0]
    assert (steps - torch.stack(stepwise)).abs().max() < TOLERANCE, prompt
    assert steps.argmax(-1).tolist() == continued[len(ids):], prompt
    logits = model(torch.tensor([ids]), use_cache=False).logits[0, -1]
    largest, two = torch.topk(logits, LARGEST), torch.topk(steps, 2).values
    return {
        "prompt": prompt, "ids": ids, "topLogits": {"indices": largest.indices.tolist(), "values": rounded(largest.values)},
        "logitNorm": rounded(logits.double().norm()[None])[0], "firstLogits": rounded(logits[:FIRST]),
        "greedyIds": continued[len(ids):], "greedyText": decode(continued[len(ids):]), "gapMin": rounded((two[:, 0] - two[:, 1]).min()[None])[0],
    }


def main(names):
    for name in names:
        path, tokenizer = MODELS[name]
        encode, decode = tokenizer()
        model = checked_model(path)
        cases = []
        for prompt in PROMPTS:
            cases.append(case(model, prompt, encode, decode))
            print(len(cases[-1]["ids"]), repr(prompt), "->", repr(cases[-1]["greedyText"]), cases[-1]["gapMin"], flush=True)
        fixture = Path(__file__).parent / f"Fixtures/{name}-prompts.json"
        lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
        fixture.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or list(MODELS))
