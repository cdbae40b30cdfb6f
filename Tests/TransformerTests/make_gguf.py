"""Makes Fixtures/gguf: the golden models as llama.cpp's converter would write them, and Fixtures/llama-blocks, a Llama whose GGUF file
holds weights in ggml's blocks and whose Hugging Face directory holds their values. Needs gguf 0.19, numpy, safetensors.

    python make_gguf.py        # the same bytes every time
"""

import json
import pathlib

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.numpy import load_file, save_file

FIXTURES = pathlib.Path(__file__).resolve().parent / "Fixtures"

LAYER_NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}
GEMMA_NAMES = {"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm", "post_feedforward_layernorm": "post_ffw_norm"}
GPT2_NAMES = {
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
OUTER_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
}


def gguf_name(architecture, name):
    stem, kind = name.rsplit(".", 1)
    if stem in OUTER_NAMES:
        return f"{OUTER_NAMES[stem]}.{kind}"
    _, _, layer, part = stem.split(".", 3)
    names = GPT2_NAMES if architecture == "gpt2" else LAYER_NAMES | (GEMMA_NAMES if architecture.startswith("gemma") else {})
    return f"blk.{layer}.{names[part]}.{kind}"


def pairs(weight, heads):
    """The rows of a head's halves as neighbours: llama.cpp turns pairs (convert_hf_to_gguf.py, LlamaModel.permute)."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def convert(architecture, config, name, tensor):
    if architecture == "llama" and name.endswith("q_proj.weight"):
        tensor = pairs(tensor, config["num_attention_heads"])
    if architecture == "llama" and name.endswith("k_proj.weight"):
        tensor = pairs(tensor, config["num_key_value_heads"])
    if architecture == "gpt2" and ".h." in name and tensor.ndim == 2:
        tensor = tensor.T  # Conv1D
    if architecture.startswith("gemma") and name.endswith("norm.weight"):
        tensor = tensor + np.float32(1)
    return np.ascontiguousarray(tensor)


def write(file, architecture, config, tensors, kinds=lambda name: Type.F32):
    """tensors: {GGUF name: array}."""
    writer = GGUFWriter(str(file), architecture)
    if architecture == "gpt2":
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_feed_forward_length(4 * config["n_embd"])
        writer.add_block_count(config["n_layer"])
        writer.add_head_count(config["n_head"])
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    else:
        writer.add_context_length(config["max_position_embeddings"])
        writer.add_embedding_length(config["hidden_size"])
        writer.add_feed_forward_length(config["intermediate_size"])
        writer.add_block_count(config["num_hidden_layers"])
        writer.add_head_count(config["num_attention_heads"])
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    if architecture == "llama":
        writer.add_rope_dimension_count(config["head_dim"])
    if architecture in ("llama", "qwen2"):
        writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    if architecture.startswith("gemma"):
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
        writer.add_sliding_window(config["sliding_window"])
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if architecture == "gemma3":
        writer.add_rope_freq_base(config["rope_parameters"]["full_attention"]["rope_theta"])
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor, raw_dtype=kinds(name))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def rope_divisors(config):
    """What the converter stores for rope_type llama3 (LlamaModel.generate_extra_tensors)."""
    rope, size = config["rope_parameters"], config["head_dim"]
    divisors = []
    for frequency in 1.0 / rope["rope_theta"] ** (np.arange(0, size, 2, dtype=np.float32) / size):
        wavelength = 2 * np.pi / frequency
        if wavelength < rope["original_max_position_embeddings"] / rope["high_freq_factor"]:
            divisors.append(1)
        elif wavelength > rope["original_max_position_embeddings"] / rope["low_freq_factor"]:
            divisors.append(rope["factor"])
        else:
            low, high = rope["low_freq_factor"], rope["high_freq_factor"]
            smooth = (rope["original_max_position_embeddings"] / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(divisors, dtype=np.float32)


def golden(family, architecture):
    config = json.loads((FIXTURES / family / "config.json").read_text())
    tensors = load_file(FIXTURES / family / "model.safetensors")
    if family == "gemma3":  # six layers: in GGUF the sixth is the first that sees all tokens
        config["num_hidden_layers"] = 6
        for name in [name for name in tensors if ".layers.0." in name or ".layers.1." in name]:
            copy = name.replace(".layers.0.", ".layers.4.").replace(".layers.1.", ".layers.5.")
            tensors[copy] = tensors[name]
    converted = {gguf_name(architecture, name): convert(architecture, config, name, tensor) for name, tensor in tensors.items()}
    if family == "llama3":
        converted["rope_freqs.weight"] = rope_divisors(config)
    write(FIXTURES / "gguf" / f"{family}.gguf", architecture, config, converted)


# Of the weights in blocks, each type once at least; the attention of a Llama file from llama.cpp often has others than the rest.
KINDS = {
    "token_embd": Type.Q8_0, "attn_q": Type.Q8_0, "attn_k": Type.Q5_1, "attn_v": Type.Q5_0, "attn_output": Type.Q4_0, "ffn": Type.Q4_1,
    "output.": Type.F16,
}


def blocks():
    directory = FIXTURES / "llama-blocks"
    directory.mkdir(exist_ok=True)
    config = json.loads((FIXTURES / "llama" / "config.json").read_text())
    config |= dict(hidden_size=64, intermediate_size=64, head_dim=16, num_hidden_layers=2)
    rng = np.random.default_rng(7)
    h, kv = 64, 32
    shapes = {"model.embed_tokens": (97, h), "model.norm": (h,), "lm_head": (97, h)}
    for layer in range(2):
        parts = {"input_layernorm": (h,), "post_attention_layernorm": (h,), "self_attn.q_proj": (h, h), "self_attn.k_proj": (kv, h),
                 "self_attn.v_proj": (kv, h), "self_attn.o_proj": (h, h), "mlp.gate_proj": (64, h), "mlp.up_proj": (64, h), "mlp.down_proj": (h, 64)}
        shapes |= {f"model.layers.{layer}.{part}": shape for part, shape in parts.items()}
    stored, values = {}, {}
    for name, shape in shapes.items():
        name += ".weight"
        plain = (rng.normal(0, 0.15, shape) if len(shape) == 2 else rng.normal(1, 0.1, shape)).astype(np.float32)
        there = gguf_name("llama", name)
        kind = next((kind for part, kind in KINDS.items() if len(shape) == 2 and part in there), Type.F32)
        # Rows are quantised one by one, so that permuting them afterwards is permuting those of the values.
        data = quantize(plain, kind) if kind != Type.F32 else plain
        values[name] = np.ascontiguousarray(dequantize(data, kind) if kind != Type.F32 else plain, dtype=np.float32)
        stored[there] = (convert("llama", config, name, data), kind)
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(values, directory / "model.safetensors")
    write(FIXTURES / "gguf" / "llama-blocks.gguf", "llama", config, {name: data for name, (data, _) in stored.items()}, lambda name: stored[name][1])


(FIXTURES / "gguf").mkdir(exist_ok=True)
for family, architecture in dict(gpt2="gpt2", llama="llama", llama3="llama", qwen2="qwen2", gemma2="gemma2", gemma3="gemma3").items():
    golden(family, architecture)
blocks()
