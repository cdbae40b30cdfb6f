"""Makes Fixtures/cases: small models whose files say what a reader easily passes over (a head beside a tied embedding, biases, rotary
embeddings in each of their spellings, soft caps that are left out, windows, layouts of multimodal releases), in every family that has the
part, and what transformers computes with them, gradients too.

    python make_cases.py        # the same numbers every time

A case is a directory: config.json and model.safetensors, or model.gguf; and golden.safetensors with what GoldenTests compare. For a GGUF
file the numbers are those of the model that its metadata and tensors describe. Models are the first two layers of those of Fixtures,
Hugging Face's rounded to bfloat16.
Needs torch, transformers 5.24, safetensors, and gguf 0.19.
"""

import copy
import json
import os
import pathlib
import shutil
import tempfile

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import transformers
from transformers.pytorch_utils import Conv1D

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
FIXTURES = pathlib.Path(__file__).resolve().parent / "Fixtures"
CASES = FIXTURES / "cases"
DROP = object()
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
LINEAR = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}
DYNAMIC = {"rope_type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 10000.0}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
          "rope_theta": 10000.0}


def family(name):
    """config.json and tensors of a golden model, cut to two layers."""
    config = json.loads((FIXTURES / name / "config.json").read_text())
    config["n_layer" if "n_layer" in config else "num_hidden_layers"] = 2
    if name.startswith("gemma"):
        config["layer_types"] = ["sliding_attention", "full_attention"]
    else:
        config.pop("layer_types", None)
    layer = "transformer.h." if name.startswith("gpt") else "model.layers."
    tensors = load_file(FIXTURES / name / "model.safetensors")
    return config, {key: value.bfloat16() for key, value in tensors.items() if not key.startswith(layer) or int(key[len(layer):].split(".")[0]) < 2}


def changed(config, **values):
    config = copy.deepcopy(config)
    for key, value in values.items():
        config.pop(key, None) if value is DROP else config.update({key: value})
    return config


def random(seed, *shape):
    return (0.3 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))).bfloat16()


def head(config, tensors):
    """A head of its own beside an embedding that config.json ties it to."""
    return changed(config, tie_word_embeddings=True), tensors | {"lm_head.weight": random(1, 97, config.get("hidden_size", config.get("n_embd")))}


def biases(config, attention, feed_forward):
    """Hugging Face's tensors of a Llama with biases."""
    sizes = {"self_attn.q_proj": 32, "self_attn.k_proj": 16, "self_attn.v_proj": 16, "self_attn.o_proj": 32} if attention else {}
    sizes |= {"mlp.gate_proj": 48, "mlp.up_proj": 48, "mlp.down_proj": 32} if feed_forward else {}
    return {f"model.layers.{layer}.{part}.bias": random(10 * layer + index, size)
            for layer in range(2) for index, (part, size) in enumerate(sizes.items())}


def of_images(config, tensors, old):
    """Gemma 3 as the text part of a multimodal release, in the layout of transformers 4 (`old`) or 5."""
    vision = dict(model_type="siglip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                  patch_size=14, num_channels=3)
    text = {key: value for key, value in config.items() if key not in ("architectures", "transformers_version")}
    outer = dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4,
                 boi_token_index=94, eoi_token_index=95, image_token_index=96, tie_word_embeddings=True, dtype="float32")
    torch.manual_seed(5)
    model = transformers.Gemma3ForConditionalGeneration(transformers.Gemma3Config.from_dict(copy.deepcopy(outer)))
    new = {name: tensor.clone() for name, tensor in model.state_dict().items() if "vision_tower" in name or "multi_modal" in name}
    new |= {name.replace("model.", "model.language_model.", 1): tensor for name, tensor in tensors.items()}
    if old:
        new = {name.replace("model.language_model.", "language_model.model.", 1).removeprefix("model."): tensor for name, tensor in new.items()}
    return outer, new


def modules(model):
    """The edited modules: the first layer's first of the feed-forward part, the second layer's others."""
    found = [name for name, part in model.named_modules() if ".mlp." in name and isinstance(part, (torch.nn.Linear, Conv1D))
             and not any(part in name for part in ("vision", "multi_modal"))]
    return [name for name in found if (".0.mlp." in name) == name.endswith(("gate_proj", "c_fc", "fc_in"))]


def golden(config, tensors, batch):
    """What transformers computes, with the names of the edited modules as it has them."""
    with tempfile.TemporaryDirectory() as directory:
        (pathlib.Path(directory) / "config.json").write_text(json.dumps(config))
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, pathlib.Path(directory) / "model.safetensors", metadata={"format": "pt"})
        model, info = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"], info
    model.eval()
    rows, result = batch["labels"] != -100, {}
    for name in modules(model):
        def forward(_, inputs, output, name=name):
            result[name + ".keys"] = inputs[0][rows].detach()
            output.register_hook(lambda gradient, name=name: result.__setitem__(name + ".grads", gradient[rows].detach()))
        model.get_submodule(name).register_forward_hook(forward)
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    loss = torch.nn.functional.cross_entropy(logits[rows], batch["labels"][rows])
    loss.backward()
    return batch | result | {"logits": logits.detach(), "loss": loss.detach()[None]}


def batch_of(name):
    return {key: value for key, value in load_file(FIXTURES / name / "golden.safetensors").items() if key in ("input_ids", "attention_mask", "labels")}


def write_golden(case, tensors):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, CASES / case / "golden.safetensors")


def hugging_face():
    """(case, family, config.json, tensors)."""
    models = {name: family(name) for name in ("gpt2", "gptj", "llama", "llama3", "mistral", "qwen2", "gemma2", "gemma3")}
    for name in ("gpt2", "llama", "mistral", "qwen2", "gemma2", "gemma3"):  # GPT-J's head has a bias and is never tied
        yield f"{name}-distinct-head", name, *head(*models[name])
    config, tensors = models["gpt2"]
    yield "gpt2-scaled-by-layer", "gpt2", changed(config, scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False), tensors
    config, tensors = models["llama"]
    yield "llama-attention-biases", "llama", changed(config, attention_bias=True), tensors | biases(config, True, False)
    yield "llama-all-biases", "llama", changed(config, attention_bias=True, mlp_bias=True), tensors | biases(config, True, True)
    for name in ("llama", "mistral", "qwen2", "gemma2"):
        config, tensors = models[name]
        old = changed(config, rope_parameters=DROP, rope_theta=500.0)
        yield f"{name}-linear", name, changed(old, rope_scaling={"type": "linear", "factor": 4.0}), tensors
        yield f"{name}-yarn", name, changed(config, rope_parameters=YARN), tensors
        yield f"{name}-two-ropes", name, changed(config, rope_scaling={"rope_type": "linear", "factor": 2.0}), tensors
    config, tensors = models["llama"]
    yield "llama-dynamic", "llama", changed(config, rope_parameters=DYNAMIC), tensors
    yield "llama-llama3", "llama", changed(config, rope_parameters=LLAMA3), tensors
    config, tensors = models["gemma2"]
    yield "gemma2-caps-left-out", "gemma2", changed(config, attn_logit_softcapping=DROP, final_logit_softcapping=DROP), tensors
    yield "gemma2-no-caps", "gemma2", changed(config, attn_logit_softcapping=None, final_logit_softcapping=None), tensors
    config, tensors = models["gemma3"]
    ropes = config["rope_parameters"]
    yield "gemma3-linear", "gemma3", changed(config, rope_parameters=ropes | {"full_attention": LINEAR}), tensors
    yield "gemma3-cap", "gemma3", changed(config, final_logit_softcapping=3.0), tensors
    yield "gemma3-images", "gemma3", *of_images(config, tensors, old=False)
    yield "gemma3-images-old", "gemma3", *of_images(config, tensors, old=True)


def gguf_cases():
    """(case, architecture, metadata to change, config.json of the model that this describes, GGUF tensors to add, Hugging Face's for them)."""
    for name in ("llama", "qwen2", "gemma2"):
        config, _ = family(name)
        yield f"{name}-old-scale", name, {"rope.scale_linear": 4.0}, changed(config, rope_parameters=LINEAR), {}, {}
        yield f"{name}-scale-without-type", name, {"rope.scaling.factor": 4.0}, changed(config, rope_parameters=LINEAR), {}, {}
        yield f"{name}-yarn", name, {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 16}, changed(
            config, rope_parameters=YARN), {}, {}
    config, _ = family("llama")
    for case, attention, feed_forward in (("attention-biases", True, False), ("all-biases", True, True)):
        expected, stored = biases(config, attention, feed_forward), {}
        for name, value in expected.items():
            _, _, layer, _, part, _ = name.split(".")
            heads = {"q_proj": 4, "k_proj": 2}.get(part)
            there = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output"}.get(part) or "ffn_" + part.removesuffix("_proj")
            stored[f"blk.{layer}.{there}.bias"] = value.reshape(heads, 2, -1).transpose(1, 2).reshape(-1) if heads else value
        yield f"llama-{case}", "llama", {}, changed(config, attention_bias=attention, mlp_bias=feed_forward), stored, expected
    config, _ = family("gemma2")
    yield "gemma2-caps-left-out", "gemma2", {"attn_logit_softcapping": None, "final_logit_softcapping": None}, changed(
        config, attn_logit_softcapping=50.0, final_logit_softcapping=30.0), {}, {}
    config, _ = family("gemma3")
    full = changed(config, layer_types=["full_attention"] * 2)
    yield "gemma3-windowless-cap", "gemma3", {"attention.sliding_window": None, "final_logit_softcapping": 3.0}, changed(full, final_logit_softcapping=3.0), {}, {}
    yield "gemma3-pattern", "gemma3", {"attention.sliding_window_pattern": 2}, config, {}, {}


def write_gguf(case, architecture, changes, added):
    """The first two layers of Fixtures/gguf's file with other metadata and further tensors."""
    reader = gguf.GGUFReader(FIXTURES / "gguf" / f"{architecture}.gguf")
    fields = {name: (field.contents(), field.types[0]) for name, field in reader.fields.items()
              if not name.startswith("GGUF.") and name != "general.architecture"}
    fields[f"{architecture}.block_count"] = (2, gguf.GGUFValueType.UINT32)
    kinds = {int: gguf.GGUFValueType.UINT32, float: gguf.GGUFValueType.FLOAT32, str: gguf.GGUFValueType.STRING}
    for key, value in changes.items():
        if value is None:
            fields.pop(f"{architecture}.{key}", None)
        else:
            fields[f"{architecture}.{key}"] = (value, kinds[type(value)])
    writer = gguf.GGUFWriter(str(CASES / case / "model.gguf"), architecture)
    for name, (value, kind) in fields.items():
        writer.add_key_value(name, value, kind)
    for tensor in reader.tensors:
        if not tensor.name.startswith("blk.") or int(tensor.name.split(".")[1]) < 2:
            writer.add_tensor(tensor.name, np.array(tensor.data))
    for name, value in added.items():
        writer.add_tensor(name, value.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    shutil.rmtree(CASES, ignore_errors=True)
    for case, name, config, tensors in hugging_face():
        (CASES / case).mkdir(parents=True)
        (CASES / case / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, CASES / case / "model.safetensors", metadata={"format": "pt"})
        write_golden(case, golden(config, tensors, batch_of(name)))
    for case, name, changes, config, added, expected in gguf_cases():
        case = "gguf-" + case
        (CASES / case).mkdir(parents=True)
        write_gguf(case, name, changes, added)
        tensors = load_file(FIXTURES / name / "model.safetensors")
        write_golden(case, golden(config, {key: tensors[key] for key in family(name)[1]} | expected, batch_of(name)))


main()
