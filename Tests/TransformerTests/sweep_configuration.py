"""Holds amend to transformers, key by key: drops, nulls and changes each key of each family's config.json in turn, also those that
transformers' configuration classes know and the file does not have, and compares the logits of both programs. Where amend refuses, the
refusal must name the key.

    python sweep_configuration.py                # prints the page; status 1 if anything is wrong
    python sweep_configuration.py --store        # writes Fixtures/sweep too: the cases that SweepTests run without Python
    python sweep_configuration.py --only gemma3 --verbose

Models are those of Fixtures, and two of Gemma 3's multimodal layouts made of them. Needs torch, transformers 5.24, safetensors, and
.build/release/amend (or --amend).
"""

import argparse
import collections
import copy
import dataclasses
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import transformers

torch.set_num_threads(1)
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))  # a size may become one of a large model
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE / "Fixtures"
FAMILIES = ["gpt2", "gptj", "llama", "llama3", "mistral", "qwen2", "gemma2", "gemma3", "gemma3-images", "gemma3-images-old"]
TOLERANCE = 1e-4
DROP = object()

ROPES = [
    {}, {"rope_type": "default"}, {"rope_theta": 500.0}, {"rope_type": "default", "rope_theta": 1000000.0}, {"type": "linear", "factor": 4.0},
    {"rope_type": "linear", "factor": 2, "rope_theta": 300.0}, {"rope_type": "linear"}, {"type": "default", "rope_type": "linear", "factor": 2.0},
    {"rope_type": "dynamic", "factor": 2.0}, {"type": "dynamic", "factor": 4.0, "original_max_position_embeddings": 16},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, {"type": "yarn", "factor": 4.0},
    {"rope_type": "yarn", "factor": None, "original_max_position_embeddings": 16},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "attention_factor": 1.7},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 8, "beta_slow": 2, "rope_theta": 200.0},
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 0, "beta_slow": None, "truncate": False, "rope_theta": 50.0},
    {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32, "mscale": 0.7, "mscale_all_dim": 0.3},
    {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 32, "mscale": 0.7, "finetuned": True},
    {"rope_type": "yarn", "factor": 0.5, "original_max_position_embeddings": 32}, {"rope_type": "yarn", "original_max_position_embeddings": 32},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 16, "rope_theta": 500.0},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    {"rope_type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4, "original_max_position_embeddings": 16, "factor": 4.0},
    {"rope_type": "proportional", "factor": 2.0}, {"rope_type": "foo"}, {"rope_type": None}, {"rope_type": "default", "factor": 4.0},
    {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}, {"rope_type": "default", "partial_rotary_factor": 1.0},
    {"type": "mrope", "mrope_section": [1, 1, 2]}, {"rope_theta": None},
    {"full_attention": {"rope_type": "default", "rope_theta": 500.0}, "sliding_attention": {"rope_type": "default", "rope_theta": 100.0}},
    {"full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 500.0}, "sliding_attention": {"rope_type": "default"}},
    {"full_attention": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}},
    {"full_attention": {"type": "dynamic", "factor": 4.0}, "sliding_attention": None}, {"full_attention": None, "sliding_attention": {"rope_theta": 77.0}},
    {"full_attention": {"rope_type": "yarn", "factor": 4.0, "truncate": False}, "sliding_attention": {"rope_type": "linear", "factor": 2.0}},
    {"full_attention": {"rope_theta": 500.0}, "truncate": False},
]
KINDS = ["full_attention", "sliding_attention"]
SPECIAL = {
    "rope_parameters": ROPES, "rope_scaling": ROPES,
    "hidden_act": ["silu", "swish", "gelu", "gelu_new", "gelu_pytorch_tanh", "relu"],
    "hidden_activation": ["silu", "gelu", "gelu_new", "gelu_fast", "gelu_python_tanh", "gelu_pytorch_tanh", "relu"],
    "activation_function": ["silu", "gelu", "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh", "gelu_pytorch_tanh", "relu"],
    "architectures": [[], ["LlamaForSequenceClassification"], ["Gemma2ForTokenClassification"], ["GPT2DoubleHeadsModel"], ["FooForCausalLM"]],
    "layer_types": [[KINDS[i % 2] for i in range(4)], [KINDS[0]] * 4, [KINDS[1]] * 4, ["linear_attention"] * 4, [KINDS[0]] * 3],
    "quantization_config": [{"quant_method": "gptq", "bits": 4}, {"quant_method": "bitsandbytes", "load_in_8bit": True}, {}],
    "sliding_window": [3, 8, 0, 4096, -1], "max_window_layers": [0, 2, 4], "num_key_value_heads": [1, 4, 3],
    "torch_dtype": ["bfloat16", "float16"], "dtype": ["bfloat16", "float16"], "num_labels": [1, 2, 5], "problem_type": ["regression"],
    "sliding_window_pattern": [1, 2, 3, 6], "_sliding_window_pattern": [2, 6], "pruned_heads": [{}, {"1": [0]}], "rotary_dim": [2, 8, 0],
    "attn_logit_softcapping": [2.0, 0, 50.0], "final_logit_softcapping": [2.0, 0, 30.0], "per_layer_config": [{"0": {"head_dim": 4}}],
    "partial_rotary_factor": [1.0, 0.5], "rope_theta": [500.0, 10000, 1000000.0], "rope_local_base_freq": [10000.0, 50.0],
    "original_max_position_embeddings": [16, 64], "model_type": ["foo", "gpt2", "llama", "mistral", "qwen2", "gemma2", "gemma3_text"],
    "max_position_embeddings": [128, 32, 5], "n_positions": [128, 32], "vision_config": [{"hidden_size": 8}],
    "id2label": [{"0": "a", "1": "b"}], "label2id": [{"a": 0}], "eos_token_id": [[1, 2]], "task_specific_params": [{"x": {"max_length": 3}}],
    "pad_token_id": [5, 96, 500], "tie_word_embeddings": [True, False], "query_pre_attn_scalar": [1, 12, 144, 3.5],
    "auto_map": [{"AutoModelForCausalLM": "modeling.Foo"}], "pretraining_tp": [1, 2], "made_up": [0, 1.5, {"a": 1}],
}
# Keys of older releases and of published files that no configuration class has as a field.
EXTRA = [
    "rope_theta", "rope_scaling", "rope_parameters", "rope_local_base_freq", "sliding_window_pattern", "_sliding_window_pattern", "sliding_window",
    "sliding_window_size", "layer_types", "partial_rotary_factor", "original_max_position_embeddings", "quantization_config", "compression_config",
    "head_dim", "hidden_act", "hidden_activation", "attention_bias", "mlp_bias", "qkv_bias", "attention_out_bias", "use_bidirectional_attention",
    "is_decoder", "pruned_heads", "num_labels", "torch_dtype", "model_type", "per_layer_config", "auto_map", "scale_attn_weights",
    "scale_attn_by_inverse_layer_idx", "n_ctx", "rotary", "rotary_dim", "use_mrope", "rope_interleaved", "attention_multiplier", "logit_scale",
    "embedding_multiplier", "residual_multiplier", "logits_scaling", "num_experts", "num_local_experts", "use_qk_norm", "qk_layernorm",
    "attn_logit_softcapping", "final_logit_softcapping", "query_pre_attn_scalar", "tokenizer_class", "cache_implementation", "temperature",
    "max_length", "attn_implementation", "_attn_implementation", "pretraining_tp", "clip_qkv", "alibi", "attention_chunk_size", "task_specific_params",
    "use_sliding_window", "max_window_layers", "made_up", "hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings",
    "norm_eps", "layer_norm_eps", "rms_norm_eps", "intermediate_size", "ffn_dim", "tie_encoder_decoder", "cross_attention_hidden_size",
]


def guesses(key, value):
    """Other values for a key that has `value` now."""
    leaf = key.rsplit(".", 1)[-1]
    found = list(SPECIAL.get(leaf, []))
    if leaf in ("made_up", "model_type"):
        return found
    if isinstance(value, bool):
        found.append(not value)
    elif isinstance(value, int):
        found += [value + 1, 2 * value, value // 2, 0, -1]
    elif isinstance(value, float):
        found += [2 * value, value / 2, 0.0, -value, 1]
    elif isinstance(value, str):
        found += ["foo"]
    elif isinstance(value, list):
        found += [value[:-1], value[::-1]]
    elif not found:
        found += [True, False, 0, 1, 3, 0.5, "foo"]
    return found


def changed(config, path, value):
    result = copy.deepcopy(config)
    *outer, leaf = path
    place = result
    for name in outer:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    if value is DROP:
        place.pop(leaf, None)
    else:
        place[leaf] = value
    return result


def paths(config, family):
    """The keys to change: those of the file (in objects too), of the configuration class, and of EXTRA."""
    kind = type(transformers.AutoConfig.for_model(config["model_type"]))
    yield from ((name,) for name in dict.fromkeys([*config, *(f.name for f in dataclasses.fields(kind)), *EXTRA]))
    for name in ("rope_parameters",):
        for key, value in (config.get(name) or {}).items():
            yield (name, key)
            if isinstance(value, dict):
                yield from ((name, key, inner) for inner in [*value, "factor", "made_up"])
        yield (name, "made_up")
    if "text_config" in config:
        text = config["text_config"]
        fields = [f.name for f in dataclasses.fields(transformers.Gemma3TextConfig)]
        yield from (("text_config", name) for name in dict.fromkeys([*text, *fields, *EXTRA]))
        for key, value in (text.get("rope_parameters") or {}).items():
            yield from (("text_config", "rope_parameters", key, inner) for inner in value)


def cases(config, family):
    """(key, label, config) of each change, once."""
    seen = {json.dumps(config, sort_keys=True)}
    for path in paths(config, family):
        place = config
        for name in path[:-1]:
            place = place.get(name) if isinstance(place, dict) else None
        value = (place or {}).get(path[-1], DROP)
        for other in [DROP, None, *guesses(path[-1], None if value is DROP else value)]:
            new = changed(config, path, other)
            text = json.dumps(new, sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            label = "dropped" if other is DROP else json.dumps(other)
            yield ".".join(path), label, new


# Changes of several keys at once, which matter together.
def pairs(config, family):
    def both(**values):
        new = copy.deepcopy(config)
        target = new.get("text_config", new)
        for key, value in values.items():
            target.pop(key, None) if value is DROP else target.update({key: value})
        return new

    if "gpt" in family:
        yield "scale_attn_by_inverse_layer_idx", "unscaled too", both(scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False)
        return
    for theta in (500.0, 10000.0):
        for rope in (DROP, {"rope_type": "linear", "factor": 4.0}, {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}):
            label = "without rope_parameters, " + ("no scaling" if rope is DROP else json.dumps(rope))
            yield "rope_theta, rope_scaling", f"{theta} {label}", both(rope_parameters=DROP, rope_theta=theta, rope_scaling=rope)
            yield "rope_theta, rope_scaling, rope_local_base_freq", f"{theta} {label}, local base", both(
                rope_parameters=DROP, rope_theta=theta, rope_scaling=rope, rope_local_base_freq=123.0)
    yield "original_max_position_embeddings", "beside yarn", both(
        rope_parameters={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, original_max_position_embeddings=48)
    for window in (DROP, None, 3):
        for layers in (0, 2, 28):
            yield "sliding_window, use_sliding_window, max_window_layers", f"{window}, on, {layers}", both(
                use_sliding_window=True, sliding_window=window if window is not DROP else DROP, layer_types=DROP, max_window_layers=layers)
    yield "layer_types, use_sliding_window", "sliding without use_sliding_window", both(layer_types=["sliding_attention"] * 4, use_sliding_window=False, sliding_window=3)
    for pattern in (1, 2, 3):
        yield "sliding_window_pattern", f"{pattern} without layer_types", both(layer_types=DROP, sliding_window_pattern=pattern)
        yield "_sliding_window_pattern", f"{pattern} without layer_types", both(layer_types=DROP, _sliding_window_pattern=pattern)
        yield "sliding_window_pattern", f"{pattern} with another underscored", both(
            layer_types=DROP, sliding_window_pattern=pattern, _sliding_window_pattern=6)


# MARK: models


def images(config, tensors, old):
    """Gemma 3 as the text part of a multimodal release, in the layout of transformers 4 (`old`) or 5."""
    vision = dict(model_type="siglip_vision_model", hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28,
                  patch_size=14, num_channels=3)
    text = {key: value for key, value in config.items() if key not in ("architectures", "transformers_version")}
    outer = dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4,
                 boi_token_index=94, eoi_token_index=95, image_token_index=96, initializer_range=0.02, tie_word_embeddings=True, dtype="float32",
                 transformers_version="5.24.0")
    torch.manual_seed(5)
    model = transformers.Gemma3ForConditionalGeneration(transformers.Gemma3Config.from_dict(copy.deepcopy(outer)))
    new = {name: tensor.clone() for name, tensor in model.state_dict().items() if "vision_tower" in name or "multi_modal" in name}
    new |= {name.replace("model.", "model.language_model.", 1): tensor for name, tensor in tensors.items()}
    if old:
        new = {re.sub("^model.language_model.", "language_model.model.", name): tensor for name, tensor in new.items()}
        new = {re.sub("^model.(vision|multi)", r"\1", name): tensor for name, tensor in new.items()}
    return outer, new


def load_family(family):
    source = FIXTURES / family.removesuffix("-old").removesuffix("-images")
    config, tensors = json.loads((source / "config.json").read_text()), load_file(source / "model.safetensors")
    if "images" in family:
        config, tensors = images(config, tensors, family.endswith("old"))
    return config, tensors, load_file(source / "golden.safetensors")


def place(directory, config, weights):
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config))
    os.link(weights, directory / "model.safetensors")


def reference(directory, batch):
    """(logits at answers [rows, vocabulary], None) by transformers, or (None, why not)."""
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        if info["missing_keys"]:
            return None, f"lacks {len(info['missing_keys'])} tensors"
        with torch.no_grad():
            logits = model.eval()(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        if logits.dtype != torch.float32 or not torch.isfinite(logits).all():
            return None, "logits are not finite"
        return logits, None
    except Exception as error:  # noqa: BLE001, whatever it is: transformers does not compute this
        return None, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:150]


def golden(directory, batch, logits):
    labels = batch["labels"]
    chosen = labels != -100
    losses = -torch.log_softmax(logits[chosen].double(), -1).gather(1, labels[chosen][:, None])[:, 0]
    save_file({"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"], "labels": labels, "logits": logits.contiguous(),
               "loss": losses.mean().float().reshape(1)}, directory / "golden.safetensors")


def selftest(amend, root):
    """{case: (error, message)} of amend."""
    run = subprocess.run([amend, "selftest", "--goldens", str(root)], capture_output=True, text=True, check=False)
    results = {}
    for line in run.stdout.splitlines():
        match = re.match(r"(?:passed|FAILED|not supported) +models/([^:]+): (.*)", line)
        if match:
            number = re.match(r"([0-9.e+-]+|inf|nan) \(tolerance", match[2])
            results[match[1]] = (float(number[1]), None) if number else (None, match[2])
    if run.returncode not in (0, 1) or not results:
        sys.exit(f"amend selftest: status {run.returncode}\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
    return results


def sweep(family, arguments, page):
    config, tensors, batch = load_family(family)
    tried, stored = [], []
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/tmp")) as temporary:
        root = pathlib.Path(temporary)
        weights = root / "model.safetensors"
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, weights, metadata={"format": "pt"})
        place(root / "models/base", config, weights)
        base, problem = reference(root / "models/base", batch)
        if problem:
            sys.exit(f"{family}: {problem}")
        golden(root / "models/base", batch, base)
        for number, (key, label, new) in enumerate([*cases(config, family), *pairs(config, family)]):
            directory = root / f"models/{number}"
            place(directory, new, weights)
            logits, problem = reference(directory, batch)
            golden(directory, batch, base if logits is None else logits)
            tried.append((str(number), key, label, new, logits, problem))
        results = selftest(arguments.amend, root)
    if results["base"][0] is None or results["base"][0] > TOLERANCE:
        page.wrong.append(f"{family}: the model itself: {results['base']}")
    for number, key, label, new, logits, problem in tried:
        error, message = results[number]
        names = any(part in (message or "") for part in re.split("[., ]+", key))
        verdict = page.add(family, key, label, error, message, problem, names)
        moved = logits is not None and not torch.equal(logits, base)
        if verdict == "refused" and key == "max_position_embeddings":
            continue  # a context too short for the prompts: refused when they are read, not when the model is
        if verdict == "agreed" and (moved or number.endswith("7")) or verdict == "refused" and key != "model_type" and int(number) % 3 == 0:
            stored.append(entry(config, key, label, new, logits if verdict == "agreed" else None, batch))
    if arguments.store:
        (FIXTURES / "sweep").mkdir(exist_ok=True)
        text = ",\n".join(json.dumps(item) for item in thinned(stored))
        (FIXTURES / "sweep" / f"{family}.json").write_text(f'{{"base": {json.dumps(config if "images" in family else None)},\n"cases": [\n{text}\n]}}\n')


def entry(config, key, label, new, logits, batch):
    """A case as SweepTests read it: keys to set and to drop ("text_config/head_dim"), and some of the logits at answers, or what the refusal names."""
    item = {"key": key, "label": label, "set": {}, "drop": []}

    def compare(old, new, prefix):
        for name in old | new:
            if name == "text_config" and isinstance(new.get(name), dict) and isinstance(old.get(name), dict):
                compare(old[name], new[name], name + "/")
            elif name not in new:
                item["drop"].append(prefix + name)
            elif name not in old or json.dumps(old[name]) != json.dumps(new[name]):
                item["set"][prefix + name] = new[name]

    compare(config, new, "")
    if logits is None:
        return item | {"refused": re.split("[., ]+", key)}
    rows = logits[batch["labels"] != -100].flatten()
    return item | {"logits": [float(f"{value:.7g}") for value in rows[:: max(1, len(rows) // 24)].tolist()]}


def thinned(stored):
    """A few of each key: all that change rotary embeddings, which have the most cases."""
    count = collections.Counter()
    for item in stored:
        kind = (item["key"], "refused" in item)
        count[kind] += 1
        if count[kind] <= (4 if "logits" in item else 1) or "logits" in item and "rope" in item["key"] and "text_config" not in item["key"]:
            yield item


class Page:
    def __init__(self, verbose):
        self.verbose = verbose
        self.counts = collections.defaultdict(collections.Counter)
        self.keys = collections.defaultdict(set)
        self.wrong, self.notes = [], []

    def add(self, family, key, label, error, message, problem, names):
        self.keys[family].add(key)
        if problem is None:
            if message is not None:
                verdict = "refused" if names else "wrong"
            else:
                verdict = "agreed" if error <= TOLERANCE else "wrong"
        else:
            verdict = "refused by both" if message is not None else "refused by transformers alone"
        self.counts[family][verdict] += 1
        said = message if message is not None else f"error {error:.1e}"
        line = f"{family}: {key} = {label}: {said.split('/config.json: ')[-1]}" + (f" [transformers: {problem}]" if problem else "")
        if verdict == "wrong":
            self.wrong.append(line)
        if self.verbose or verdict == "refused by transformers alone":
            self.notes.append(f"{verdict}: {line}")
        return verdict

    def show(self):
        columns = ["agreed", "refused", "wrong", "refused by both", "refused by transformers alone"]
        print(f"{'family':<20}{'keys':>6}{'changes':>9}" + "".join(f"{column:>{len(column) + 2}}" for column in columns))
        for family, counts in self.counts.items():
            print(f"{family:<20}{len(self.keys[family]):>6}{sum(counts.values()):>9}"
                  + "".join(f"{counts[column]:>{len(column) + 2}}" for column in columns))
        for line in self.notes:
            print(line)
        for line in self.wrong:
            print("WRONG", line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--amend", default=str(HERE.parent.parent / ".build/release/amend"))
    parser.add_argument("--only", nargs="*", choices=FAMILIES)
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    page = Page(arguments.verbose)
    for family in arguments.only or FAMILIES:
        sweep(family, arguments, page)
        print(f"{family} done", file=sys.stderr)
    page.show()
    sys.exit(1 if page.wrong else 0)


if __name__ == "__main__":
    main()
