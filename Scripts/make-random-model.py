#!/usr/bin/env python3
"""Writes a model of random weights with the shape of a real one, as a Hugging Face directory: to measure and test without weights.

    make-random-model.py SHAPE DIRECTORY [--seed N] [--shard-bytes N]

SHAPE is smollm2-135m, qwen2.5-0.5b, llama-3.2-1b, llama-3.2-3b, llama-3-8b (0.3, 1.0, 2.5, 6.4 and 16 GB, bfloat16) or a tiny model of a
family: gpt2, gptj, llama, mistral, qwen2, gemma2, gemma3. DIRECTORY gets
config.json, model-0000x-of-0000y.safetensors, model.safetensors.index.json and tokenizer.json: byte-level BPE with a few merges and
Llama 3's pipeline. Needs numpy. The same SHAPE and seed give the same bytes, whatever the shards' size.

Weights are normal with deviation 0.02. One block of them is drawn and every tensor takes it up at a place of its own, so that
writing, not drawing, sets the pace, and memory does not grow with the model. Norms are 1 (Gemma, which adds 1, stores 0), biases random.
"""

import argparse
import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy

DEVIATION = 0.02
BLOCK = (1 << 24) + 43  # numbers drawn, 34 MB as bfloat16; a prime, so that rows of a matrix do not line up with it
BYTES_PER_NUMBER = 2

LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                  r"|\s*[\r\n]+|\s+(?!\S)|\s+")
MERGED_WORDS = [" the", " of", " and", " to", " in", " is", " was", " that", " for", " city", " capital", " language", " The", " France", " Paris", "ing", "ed",
                "tion"]


# ---------------------------------------------------------------- shapes: config.json, and the tensors it implies

def tiny(**changed):
    """What the tiny models of Llama's relatives have in common: more layers than sliding ones, groups of query heads."""
    return {
        "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 7, "num_attention_heads": 4, "num_key_value_heads": 2,
        "head_dim": 16, "vocab_size": 512, "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "bos_token_id": 510, "eos_token_id": 511, "tie_word_embeddings": False, "torch_dtype": "bfloat16", **changed,
    }


def gpt(model_type, architecture, **changed):
    return {
        "architectures": [architecture], "model_type": model_type, "activation_function": "gelu_new", "n_embd": 64, "n_head": 4,
        "n_layer": 7, "n_inner": None, "n_positions": 256, "vocab_size": 512, "layer_norm_epsilon": 1e-5, "bos_token_id": 510,
        "eos_token_id": 511, "torch_dtype": "bfloat16", **changed,
    }


def real(**changed):
    """Of a published config.json, what Llama's relatives have in common."""
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_scaling": None,
        "attention_bias": False, "initializer_range": DEVIATION, "tie_word_embeddings": True, "torch_dtype": "bfloat16", **changed,
    }


LLAMA3 = {"vocab_size": 128256, "bos_token_id": 128000, "eos_token_id": 128001, "rope_theta": 500000.0, "num_key_value_heads": 8}
LLAMA32 = LLAMA3 | {
    "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
}
GEMMA = {"hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": 16, "sliding_window": 8, "tie_word_embeddings": True}
SHAPES = {
    "smollm2-135m": real(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
                         vocab_size=49152, bos_token_id=49150, eos_token_id=49151, max_position_embeddings=8192, rope_theta=100000.0),
    "qwen2.5-0.5b": real(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                         num_attention_heads=14, num_key_value_heads=2, vocab_size=151936, bos_token_id=151643, eos_token_id=151645,
                         max_position_embeddings=32768, rms_norm_eps=1e-6, rope_theta=1000000.0, use_sliding_window=False),
    "llama-3.2-1b": real(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32, head_dim=64, **LLAMA32),
    "llama-3.2-3b": real(hidden_size=3072, intermediate_size=8192, num_hidden_layers=28, num_attention_heads=24, head_dim=128, **LLAMA32),
    "llama-3-8b": real(hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32, max_position_embeddings=8192,
                       **LLAMA3 | {"tie_word_embeddings": False}),
    "gpt2": gpt("gpt2", "GPT2LMHeadModel", tie_word_embeddings=True),
    "gptj": gpt("gptj", "GPTJForCausalLM", rotary_dim=8, tie_word_embeddings=False),
    "llama": tiny(architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu"),
    "mistral": tiny(architectures=["MistralForCausalLM"], model_type="mistral", hidden_act="silu", sliding_window=8),
    "qwen2": tiny(architectures=["Qwen2ForCausalLM"], model_type="qwen2", hidden_act="silu", use_sliding_window=False),
    "gemma2": tiny(architectures=["Gemma2ForCausalLM"], model_type="gemma2", attn_logit_softcapping=50.0,
                   final_logit_softcapping=30.0, **GEMMA),
    "gemma3": tiny(architectures=["Gemma3ForCausalLM"], model_type="gemma3_text", rope_theta=1000000.0, rope_local_base_freq=10000.0,
                   sliding_window_pattern=6, **GEMMA),
}


def tensors(config):
    """(name, shape) of every tensor, in the order of the files."""
    return gpt_tensors(config) if "n_embd" in config else llama_tensors(config)


def gpt_tensors(config):
    width, vocabulary, is_gpt2 = config["n_embd"], config["vocab_size"], config["model_type"] == "gpt2"
    inner = config["n_inner"] or 4 * width
    if is_gpt2:  # Conv1D: [in, out]
        linears = {"attn.c_attn": (width, 3 * width), "attn.c_proj": (width, width), "mlp.c_fc": (width, inner), "mlp.c_proj": (inner, width)}
        norms, biased, output = ["ln_1", "ln_2"], set(linears), 1
    else:
        linears = {f"attn.{name}": (width, width) for name in ("k_proj", "out_proj", "q_proj", "v_proj")}
        linears |= {"mlp.fc_in": (inner, width), "mlp.fc_out": (width, inner)}
        norms, biased, output = ["ln_1"], {"mlp.fc_in", "mlp.fc_out"}, 0
    yield "transformer.wte.weight", (vocabulary, width)
    if is_gpt2:
        yield "transformer.wpe.weight", (config["n_positions"], width)
    for layer in range(config["n_layer"]):
        for name in norms:
            yield f"transformer.h.{layer}.{name}.weight", (width,)
            yield f"transformer.h.{layer}.{name}.bias", (width,)
        for name, shape in linears.items():
            yield f"transformer.h.{layer}.{name}.weight", shape
            if name in biased:
                yield f"transformer.h.{layer}.{name}.bias", (shape[output],)
    yield "transformer.ln_f.weight", (width,)
    yield "transformer.ln_f.bias", (width,)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (vocabulary, width)
        yield "lm_head.bias", (vocabulary,)


def llama_tensors(config):
    width, inner, family = config["hidden_size"], config["intermediate_size"], config["model_type"]
    head = config.get("head_dim") or width // config["num_attention_heads"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    norms = ["input_layernorm", "post_attention_layernorm"]
    if family in ("gemma2", "gemma3_text"):
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    linears = {"self_attn.q_proj": (queries, width), "self_attn.k_proj": (keys, width), "self_attn.v_proj": (keys, width),
               "self_attn.o_proj": (width, queries), "mlp.gate_proj": (inner, width), "mlp.up_proj": (inner, width),
               "mlp.down_proj": (width, inner)}
    yield "model.embed_tokens.weight", (config["vocab_size"], width)
    for layer in range(config["num_hidden_layers"]):
        for name, shape in linears.items():
            yield f"model.layers.{layer}.{name}.weight", shape
            if family == "qwen2" and name[-6:] in ("q_proj", "k_proj", "v_proj"):
                yield f"model.layers.{layer}.{name}.bias", shape[:1]
        for name in norms:
            yield f"model.layers.{layer}.{name}.weight", (width,)
        if family == "gemma3_text":
            yield f"model.layers.{layer}.self_attn.q_norm.weight", (head,)
            yield f"model.layers.{layer}.self_attn.k_norm.weight", (head,)
    yield "model.norm.weight", (width,)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (config["vocab_size"], width)


# ---------------------------------------------------------------- weights

def bfloat16(values):
    """Rounded to the nearest, ties to even; as uint16."""
    bits = values.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


class Weights:
    def __init__(self, config, seed):
        random = numpy.random.Generator(numpy.random.Philox(seed))
        self.isGemma = config["model_type"].startswith("gemma")
        self.block = bfloat16(random.standard_normal(BLOCK, dtype=numpy.float32) * numpy.float32(DEVIATION))
        # All places are different, so no tensor repeats another: of the block's numbers each starts at most one.
        count = sum(1 for _ in tensors(config))
        self.places = random.choice(BLOCK, size=count, replace=False)

    def write(self, file, index, name, shape):
        count = int(numpy.prod(shape))
        if "norm" in name or ".ln_" in name:
            value = 0.0 if self.isGemma or name.endswith("bias") else 1.0
            file.write(bfloat16(numpy.full(count, value)).tobytes())
            return
        place = int(self.places[index])
        while count > 0:
            piece = self.block[place:place + count]
            file.write(piece)
            count -= len(piece)
            place = 0


# ---------------------------------------------------------------- files

def shards(config, limit):
    """Lists of (index, name, shape), each of at most `limit` bytes unless a single tensor is larger."""
    shard, size = [], 0
    for index, (name, shape) in enumerate(tensors(config)):
        bytes_ = BYTES_PER_NUMBER * int(numpy.prod(shape))
        if shard and size + bytes_ > limit:
            yield shard
            shard, size = [], 0
        shard.append((index, name, shape))
        size += bytes_
    yield shard


def write_weights(directory, config, seed, limit):
    weights, parts = Weights(config, seed), list(shards(config, limit))
    total, places = 0, {}
    for number, shard in enumerate(parts, 1):
        file_name = f"model-{number:05}-of-{len(parts):05}.safetensors"
        header, offset = {"__metadata__": {"format": "pt"}}, 0
        for _, name, shape in shard:
            end = offset + BYTES_PER_NUMBER * int(numpy.prod(shape))
            header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
            places[name], offset = file_name, end
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        with open(directory / file_name, "wb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for index, name, shape in shard:
                weights.write(file, index, name, shape)
        total += offset
        print(f"{file_name}: {offset / 1e9:.2f} GB", file=sys.stderr)
    write_json(directory / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def byte_letters():
    """GPT-2's printable letter for each byte (Radford et al. 2019)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters, spare = {byte: chr(byte) for byte in printable}, itertools.count(256)
    return [letters[byte] if byte in letters else chr(next(spare)) for byte in range(256)]


def tokenizer(config):
    letters = byte_letters()
    vocabulary, merges = {letter: index for index, letter in enumerate(sorted(letters))}, []
    for word in MERGED_WORDS:
        pieces = [letters[byte] for byte in word.encode()]
        while len(pieces) > 1:  # from the left, as far as earlier words have not merged the same
            pair = (pieces[0], pieces[1])
            if pair not in merges:
                merges.append(pair)
                vocabulary.setdefault("".join(pair), len(vocabulary))
            pieces[:2] = ["".join(pair)]
    begin, end = config["bos_token_id"], config["eos_token_id"]
    assert len(vocabulary) <= min(begin, end)
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    text, byte_level = {"Sequence": {"id": "A", "type_id": 0}}, {"add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    prefix = {"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None, "normalizer": None,
        "added_tokens": [{"id": index, "content": content, **special}
                         for index, content in sorted([(begin, "<|begin_of_text|>"), (end, "<|end_of_text|>")])],
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": LLAMA3_PATTERN}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", **byte_level}]},
        "post_processor": {"type": "TemplateProcessing", "single": [prefix, text],
                           "pair": [prefix, text, {"Sequence": {"id": "B", "type_id": 1}}],
                           "special_tokens": {"<|begin_of_text|>": {
                               "id": "<|begin_of_text|>", "ids": [begin], "tokens": ["<|begin_of_text|>"]}}},
        "decoder": {"type": "ByteLevel", **byte_level},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
                  "fuse_unk": False, "byte_fallback": False, "ignore_merges": True, "vocab": vocabulary,
                  "merges": [list(pair) for pair in merges]},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shard-bytes", type=int, default=5_000_000_000, help="the most that one file holds (default: 5 GB)")
    arguments = parser.parse_args()
    config = SHAPES[arguments.shape]
    needed = BYTES_PER_NUMBER * sum(int(numpy.prod(shape)) for _, shape in tensors(config))
    arguments.directory.mkdir(parents=True, exist_ok=True)
    if any(arguments.directory.iterdir()):
        parser.error(f"{arguments.directory} is not empty")
    free = shutil.disk_usage(arguments.directory).free
    if free < needed + (64 << 20):
        parser.error(f"{arguments.directory} has {free / 1e9:.1f} GB free; {arguments.shape} takes {needed / 1e9:.1f} GB")
    write_weights(arguments.directory, config, arguments.seed, arguments.shard_bytes)
    write_json(arguments.directory / "config.json", config)
    write_json(arguments.directory / "tokenizer.json", tokenizer(config))


if __name__ == "__main__":
    main()
