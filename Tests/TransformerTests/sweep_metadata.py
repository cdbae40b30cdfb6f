"""Holds amend to what the metadata of a GGUF file describe, key by key: drops and changes each metadata key of each architecture, adds those
that llama.cpp knows beside them, and compares amend's logits with those of the model that the metadata describe, built in transformers.
Where no such model is given here, amend has to refuse the file by the key's name, or, where the key changes nothing in llama.cpp, compute
the logits of the model without it.

    python sweep_metadata.py            # prints the page; status 1 if anything is wrong
    python sweep_metadata.py --store    # writes Fixtures/sweep-gguf.json too: the cases that SweepTests run without Python

What keys mean is llama.cpp's to say: src/llama-model.cpp (load_hparams), src/llama-context.cpp (rope scaling). Files are those of
Fixtures/gguf, models those of Fixtures. Needs gguf 0.19 beside what sweep_configuration.py needs.
"""

import argparse
import collections
import json
import pathlib
import sys
import tempfile

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file

sys.argv, arguments_given = sys.argv[:1], sys.argv[1:]
import sweep_configuration as sweep

FIXTURES = sweep.FIXTURES
REFUSED = "refused"  # by the key's name
SAME = {}  # the model as it is
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
LINEAR = {"rope_type": "linear", "factor": 4.0}


def rope(config, **values):
    """config.json's keys for other rotary embeddings of all layers, or of Gemma 3's that see all tokens."""
    parameters = json.loads(json.dumps(config["rope_parameters"]))
    parameters.get("full_attention", parameters).update(values)
    return {"rope_parameters": parameters}


def cases(architecture, config):
    """(changes of metadata, what transformers' configuration has instead); None drops a key. Without the architecture's name."""
    width = config.get("head_dim", 8)
    if architecture == "gpt2":
        yield {"attention.layer_norm_epsilon": 1e-2}, {"layer_norm_epsilon": 1e-2}
        yield {"attention.head_count": 8}, {"n_head": 8}
        yield {"attention.head_count_kv": 4}, SAME
        yield {"attention.head_count_kv": 2}, REFUSED
        yield {"rope.freq_base": 500.0}, REFUSED
        yield {"attention.layer_norm_rms_epsilon": 1e-3}, REFUSED
    else:
        yield {"attention.layer_norm_rms_epsilon": 1e-2}, {"rms_norm_eps": 1e-2}
        yield {"rope.freq_base": 500.0}, rope(config, rope_theta=500.0)
        yield {"rope.freq_base": None}, REFUSED if architecture == "gemma3" else rope(config, rope_theta=10000.0)
        yield {"rope.dimension_count": width}, SAME
        yield {"rope.dimension_count": 4}, REFUSED
        yield {"attention.head_count_kv": [2] * config["num_hidden_layers"]}, SAME
        yield {"attention.head_count_kv": [2] * (config["num_hidden_layers"] - 1) + [1]}, REFUSED
        yield {"attention.key_length": width, "attention.value_length": width}, SAME
        yield {"attention.value_length": 16}, REFUSED
        for key in ("rope.scaling.factor", "rope.scale_linear"):
            yield {key: 4.0}, rope(config, **LINEAR)
            yield {key: 0.0}, SAME
            yield {key: 4.0, "rope.scaling.type": "linear"}, rope(config, **LINEAR)
            yield {key: 4.0, "rope.scaling.type": "none"}, SAME
        yield {"rope.scaling.factor": 4.0, "rope.scale_linear": 4.0}, rope(config, **LINEAR)
        yield {"rope.scaling.factor": 4.0, "rope.scale_linear": 2.0}, REFUSED
        yield {"rope.scaling.factor": 4.0, "rope.scaling.finetuned": True, "rope.scaling.original_context_length": 16}, rope(config, **LINEAR)
        yield {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16}, rope(config, **YARN)
        yield {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0}, rope(config, **YARN | {"original_max_position_embeddings": 64})
        yield {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 64, "rope.freq_base": 50.0,
               "rope.scaling.yarn_beta_fast": 8.0, "rope.scaling.yarn_beta_slow": 2.0}, rope(
                   config, rope_type="yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=50.0, beta_fast=8.0, beta_slow=2.0)
        yield {"rope.scaling.type": "yarn"}, REFUSED
        yield {"rope.scaling.type": "linear"}, REFUSED
        yield {"rope.scaling.type": "none"}, SAME
        yield {"rope.scaling.type": "longrope", "rope.scaling.factor": 4.0}, REFUSED
        for key in ("attn_factor", "yarn_attn_factor", "yarn_ext_factor"):
            yield {"rope.scaling." + key: 1.0}, SAME
            yield {"rope.scaling." + key: 1.5}, REFUSED
        yield {"rope.scaling.yarn_log_multiplier": 0.1}, REFUSED
        yield {"rope.scaling.alpha": 2.0}, REFUSED
        yield {"rope.dimension_sections": [1, 1, 2, 0]}, REFUSED
    if architecture in ("llama", "qwen2"):
        yield {"attention.sliding_window": 64}, SAME
        yield {"attention.sliding_window": 5}, REFUSED
        yield {"attention.sliding_window": 0}, SAME
        yield {"attn_logit_softcapping": 5.0}, REFUSED
        yield {"final_logit_softcapping": 5.0}, REFUSED
    if architecture == "gemma2":
        yield {"attn_logit_softcapping": None}, {"attn_logit_softcapping": 50.0}
        yield {"final_logit_softcapping": None}, {"final_logit_softcapping": 30.0}
        yield {"attn_logit_softcapping": 2.0}, {"attn_logit_softcapping": 2.0}
        yield {"final_logit_softcapping": 2.0}, {"final_logit_softcapping": 2.0}
        yield {"attention.sliding_window": 3}, {"sliding_window": 3}
        yield {"attention.sliding_window": None}, {"sliding_window": 4096}
        yield {"attention.sliding_window_pattern": 2}, SAME
        yield {"attention.sliding_window_pattern": 3}, REFUSED
    if architecture == "gemma3":
        full = {"layer_types": ["full_attention"] * config["num_hidden_layers"]}
        yield {"final_logit_softcapping": 2.0}, {"final_logit_softcapping": 2.0}
        yield {"attn_logit_softcapping": 5.0}, REFUSED
        yield {"attention.sliding_window": None}, full
        yield {"attention.sliding_window": 0}, full
        yield {"attention.sliding_window": 3}, {"sliding_window": 3}
        yield {"rope.freq_base_swa": 77.0}, {"rope_parameters": config["rope_parameters"] | {"sliding_attention": {"rope_type": "default", "rope_theta": 77.0}}}
        yield {"attention.sliding_window": None, "rope.freq_base_swa": 77.0}, REFUSED
        for period in (1, 2, 3):
            yield {"attention.sliding_window_pattern": period}, {
                "layer_types": ["sliding_attention" if (i + 1) % period else "full_attention" for i in range(config["num_hidden_layers"])]}
        flags = [i % 4 != 1 for i in range(config["num_hidden_layers"])]
        yield {"attention.sliding_window_pattern": flags}, {"layer_types": ["sliding_attention" if flag else "full_attention" for flag in flags]}
        yield {"attention.sliding_window_pattern": flags[1:]}, REFUSED
        yield {"vision.block_count": 2, "mm.tokens_per_image": 4}, SAME
    yield {"attention.head_count": [4] * config.get("num_hidden_layers", config.get("n_layer"))}, SAME
    yield {"feed_forward_length": [config.get("intermediate_size", 128)] * config.get("num_hidden_layers", config.get("n_layer"))}, SAME
    for key in ("block_count", "embedding_length", "feed_forward_length", "attention.head_count", "context_length"):
        yield {key: None}, REFUSED
    yield {"block_count": 2}, REFUSED
    yield {"vocab_size": 97}, SAME
    yield {"vocab_size": 96}, REFUSED
    yield {"expert_count": 0, "expert_used_count": 0}, SAME
    for key, value in (("expert_count", 8), ("logit_scale", 0.5), ("residual_scale", 0.5), ("embedding_scale", 0.5), ("attention.scale", 0.5),
                       ("attention.clamp_kqv", 8.0), ("attention.max_alibi_bias", 8.0), ("attention.causal", False), ("made_up", 1),
                       ("use_parallel_residual", True), ("tensor_data_layout", "other"), ("attention.key_length_mla", 4)):
        yield {key: value}, REFUSED
    for key, value in (("attention.causal", True), ("use_parallel_residual", False), ("residual_scale", 1.0), ("tensor_data_layout", "Meta AI original pth")):
        yield {key: value}, SAME
    yield {"general.quantization_version": 2, "general.type": "model", "general.name": "x", "general.file_type": 0}, SAME
    yield {"general.quantization_version": 1}, REFUSED
    yield {"general.type": "adapter"}, REFUSED
    yield {"adapter.type": "lora"}, REFUSED
    yield {"a_tool.version": "1", "general.sampling.temp": 0.7, "quantize.imatrix.file": "x"}, SAME


def tensor_cases(architecture, config):
    """(name, GGUF tensors to add, Hugging Face's for them and configuration, or REFUSED)."""
    h, f, kv = 32, 48, config.get("num_key_value_heads", 4) * config.get("head_dim", 8)
    rng = np.random.default_rng(3)

    def vector(size):
        return rng.normal(0, 0.5, size).astype(np.float32)

    if architecture == "llama":
        layers = range(config["num_hidden_layers"])
        attention = {part: {layer: vector(size) for layer in layers} for part, size in (("q", h), ("k", kv), ("v", kv), ("output", h))}
        feed = {part: {layer: vector(size) for layer in layers} for part, size in (("gate", f), ("up", f), ("down", h))}
        names = {"q": "q_proj", "k": "k_proj", "v": "v_proj", "output": "o_proj"}
        stored, expected = {}, {}
        for part, values in attention.items():
            for layer, value in values.items():
                heads = {"q": config["num_attention_heads"], "k": config["num_key_value_heads"]}.get(part)
                stored[f"blk.{layer}.attn_{part}.bias"] = value if not heads else value.reshape(heads, 2, -1).swapaxes(1, 2).reshape(-1).copy()
                expected[f"model.layers.{layer}.self_attn.{names[part]}.bias"] = value
        yield "attention biases", stored, (expected, {"attention_bias": True})
        stored2 = {f"blk.{layer}.ffn_{part}.bias": value for part, values in feed.items() for layer, value in values.items()}
        expected2 = {f"model.layers.{layer}.mlp.{part}_proj.bias": value for part, values in feed.items() for layer, value in values.items()}
        yield "feed-forward biases", stored2, (expected2, {"mlp_bias": True})
        yield "all biases", stored | stored2, (expected | expected2, {"attention_bias": True, "mlp_bias": True})
        some = {name: value for name, value in stored.items() if "blk.1." in name and "attn_q" in name}
        filled = {name: value if "layers.1." in name and "q_proj" in name else np.zeros_like(value) for name, value in expected.items()}
        yield "one bias", some, (filled, {"attention_bias": True})
        yield "frequencies", {"blk.0.attn_rot_embd.weight": vector(4)}, ({}, {})
    yield "blk.0.attn_norm_2.weight", {"blk.0.attn_norm_2.weight": vector(h)}, REFUSED
    yield "blk.1.ffn_gate_inp.weight", {"blk.1.ffn_gate_inp.weight": vector(h)}, REFUSED
    yield "output_norm_2.weight", {"output_norm_2.weight": vector(h)}, REFUSED
    if architecture == "gemma3":
        yield "tensors of images", {"v.blk.0.attn_q.weight": vector(4), "mm.input_projection.weight": vector(4)}, ({}, {})
    else:
        yield "mm.input_projection.weight", {"mm.input_projection.weight": vector(4)}, REFUSED


def write(file, source, architecture, changes, tensors):
    """The GGUF file `source` with other metadata, and with further tensors."""
    reader = gguf.GGUFReader(source)
    values = {name: field.contents() for name, field in reader.fields.items() if not name.startswith("GGUF.") and name != "general.architecture"}
    types = {name: field.types[0] for name, field in reader.fields.items()}
    for key, value in changes.items():
        name = key if key.split(".")[0] in ("general", "adapter", "a_tool", "quantize") else f"{architecture}.{key}"
        values.pop(name, None) if value is None else values.update({name: value})
        types.pop(name, None)
    writer = gguf.GGUFWriter(str(file), architecture)
    for name, value in values.items():
        if name in types:
            writer.add_key_value(name, value, types[name])
        else:
            kind = {bool: writer.add_bool, int: writer.add_uint32, float: writer.add_float32, str: writer.add_string, list: writer.add_array}
            kind[type(value)](name, value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data))
    for name, value in tensors.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def described(architecture):
    """The configuration and tensors in Hugging Face's form of Fixtures/gguf's file."""
    directory = FIXTURES / architecture
    config, tensors = json.loads((directory / "config.json").read_text()), load_file(directory / "model.safetensors")
    if architecture == "gemma3":  # as make_gguf.py has it
        config |= {"num_hidden_layers": 6, "layer_types": ["sliding_attention"] * 5 + ["full_attention"]}
        for name in [name for name in tensors if ".layers.0." in name or ".layers.1." in name]:
            tensors[name.replace(".layers.0.", ".layers.4.").replace(".layers.1.", ".layers.5.")] = tensors[name].clone()
    return config, tensors


def run(architecture, amend, counts, wrong, stored):
    config, tensors = described(architecture)
    batch = load_file(FIXTURES / architecture / "golden.safetensors")
    source = FIXTURES / "gguf" / f"{architecture}.gguf"
    with tempfile.TemporaryDirectory() as temporary:
        root, tried = pathlib.Path(temporary), []
        plain = root / "plain.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, plain, metadata={"format": "pt"})
        items = [(", ".join(f"{key} = {value}" for key, value in changes.items()), changes, {}, expected) for changes, expected in cases(architecture, config)]
        items += [(name, {}, added, expected) for name, added, expected in tensor_cases(architecture, config)]
        for number, (label, changes, added, expected) in enumerate(items):
            directory = root / f"models/{number}"
            directory.mkdir(parents=True)
            write(directory / "model.gguf", source, architecture, changes, added)
            extra, values = expected if isinstance(expected, tuple) else ({}, {} if expected == REFUSED else expected)
            weights = plain
            if extra:
                weights = root / f"{number}.safetensors"
                save_file({name: tensor.contiguous() for name, tensor in tensors.items()} | {name: torch.from_numpy(value) for name, value in extra.items()},
                          weights, metadata={"format": "pt"})
            sweep.place(root / f"hf/{number}", config | values, weights)
            logits, problem = sweep.reference(root / f"hf/{number}", batch)
            if problem:
                sys.exit(f"{architecture}, {label}: transformers: {problem}")
            sweep.golden(directory, batch, logits)
            tried.append((label, changes, added, expected, logits))
        results = sweep.selftest(amend, root)
    for number, (label, changes, added, expected, logits) in enumerate(tried):
        error, message = results[str(number)]
        if expected == REFUSED:
            names = message is not None and any(key.rsplit(".", 1)[-1] in message for key in [*changes, *added])
            verdict = "refused" if names else "wrong"
        else:
            verdict = "agreed" if error is not None and error <= sweep.TOLERANCE else "wrong"
        counts[architecture][verdict] += 1
        if verdict == "wrong":
            wrong.append(f"{architecture}: {label}: {message or f'error {error:.1e}'}, expected {expected if expected == REFUSED else 'the same logits'}")
        elif not added:
            rows = logits[batch["labels"] != -100].flatten()
            stored.append({"architecture": architecture, "label": label, "changes": changes} | (
                {"refused": list(changes)} if expected == REFUSED else {"logits": [float(f"{x:.7g}") for x in rows[:: max(1, len(rows) // 24)].tolist()]}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amend", default=str(sweep.HERE.parent.parent / ".build/release/amend"))
    parser.add_argument("--store", action="store_true")
    arguments = parser.parse_args(arguments_given)
    counts, wrong, stored = collections.defaultdict(collections.Counter), [], []
    for architecture in ("gpt2", "llama", "qwen2", "gemma2", "gemma3"):
        run(architecture, arguments.amend, counts, wrong, stored)
    print(f"{'architecture':<14}{'changes':>9}{'agreed':>8}{'refused':>9}{'wrong':>7}")
    for architecture, count in counts.items():
        print(f"{architecture:<14}{sum(count.values()):>9}{count['agreed']:>8}{count['refused']:>9}{count['wrong']:>7}")
    for line in wrong:
        print("WRONG", line)
    if arguments.store:
        (FIXTURES / "sweep-gguf.json").write_text("[\n" + ",\n".join(json.dumps(item) for item in stored) + "\n]\n")
    sys.exit(1 if wrong else 0)


main()
