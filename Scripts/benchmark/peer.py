#!/usr/bin/env python3
"""EMSEdit (arXiv 2508.04012) in plain PyTorch: what benchmark.sh --peer races amend against.

    peer.py train    CONFIG --editor FILE [--dtype f32|bf16] [--threads N] [key.path=value …]
    peer.py evaluate CONFIG --editor FILE [--dtype f32|bf16] [--threads N] [key.path=value …]

Written as the field's research code is, for an accelerator with memory to spare: right-padded micro-batches, logits at every
position, hooks that record keys and value gradients, the rows of all modules of a shape in one pass, dense normal equations,
edits added to the weights, gradients of whole weights. One process. It has amend's configuration, data file, order of
records, answers and losses, and an initial hypernetwork of its own; the hypernetwork of Tests/Reference/oracle.py;
transformers' tokenizer; sequential editing and CounterFact records only. Prints one JSON object. Loading the model and
the data is not timed, tokenising is. --dtype is the frozen model's, edits included; the hypernetwork and the solve are
float32.
"""
import argparse
import json
import re
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
import yaml
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Reference"))
import oracle

IGNORED = -100  # the label of a position that predicts no answer token
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


# ---------------------------------------------------------------- configuration

def merged(base, changes):
    both = dict(base)
    for key, value in changes.items():
        both[key] = merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return both


def load_config(path, overrides):
    """What a configuration leaves out has the value that Configs/emsedit.yaml gives."""
    config = yaml.safe_load(Path(path).read_text())
    for override in overrides:
        key_path, _, value = override.partition("=")
        *sections, key = key_path.split(".")
        section = config
        for name in sections:
            section = section.setdefault(name, {})
        section[key] = yaml.safe_load(value)
    given = config.get("evaluation") or {}
    defaults = yaml.safe_load((ROOT / "Configs" / "emsedit.yaml").read_text())
    config = merged(defaults, config)
    for key in ("batches", "edits_per_batch"):
        config["evaluation"][key] = given.get(key, config["data"][key])
    for key, built in (("method", "emsedit"), ("mode", "sequential")):
        if config["editor"][key] != built:
            sys.exit(f"{path}: editor.{key} is {config['editor'][key]}; this program has only {built}")
    return config


def expand(patterns):
    """model.layers.11-15.mlp.gate_proj is five modules; 11-15:2 is every other one."""
    names = []
    for pattern in patterns:
        found = re.search(r"(?<=\.)(\d+)-(\d+)(?::(\d+))?(?=\.)", pattern)
        if not found:
            names.append(pattern)
            continue
        first, last, stride = int(found[1]), int(found[2]), int(found[3] or 1)
        names += expand(pattern[:found.start()] + str(number) + pattern[found.end():] for number in range(first, last + 1, stride))
    return names


# ---------------------------------------------------------------- data

def load_records(split):
    if split.get("format", "counterfact") != "counterfact":
        sys.exit(f"{split['path']}: format is {split['format']}; this program reads only counterfact")
    records = json.loads(Path(split["path"]).read_text())
    if not records or not records[0].keys() & {"requested_rewrite", "rephrase_prompt"}:
        sys.exit(f"{split['path']}: record 1 is neither of CounterFact's forms, and this program reads no others")
    return [record(fields) for fields in records]


def record(fields):
    """CounterFact's nested form, or EasyEdit's flat one. A neighbour is (prompt, its right answer)."""
    if "requested_rewrite" not in fields:
        rephrasings = fields["rephrase_prompt"]
        return {"prompt": fields["prompt"], "new": fields["target_new"], "true": fields["ground_truth"],
                "rephrasings": [rephrasings] if isinstance(rephrasings, str) else rephrasings,
                "neighbors": [(fields["locality_prompt"], fields["locality_ground_truth"])]}
    rewrite = fields["requested_rewrite"]
    true = rewrite["target_true"]["str"]
    return {"prompt": rewrite["prompt"].replace("{}", rewrite["subject"]), "new": rewrite["target_new"]["str"], "true": true,
            "rephrasings": fields["paraphrase_prompts"], "neighbors": [(prompt, true) for prompt in fields["neighborhood_prompts"]]}


def shuffled(count, seed, epoch):
    """amend's order of records (SampleOrder.swift): Fisher and Yates with Philox 4×32-10, so that batches and losses can be compared."""
    def word(counter):
        x, key = (counter, 0, 2, epoch), (seed & 0xFFFFFFFF, seed >> 32)
        for _ in range(10):
            a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
            x = ((b >> 32) ^ x[1] ^ key[0], b & 0xFFFFFFFF, (a >> 32) ^ x[3] ^ key[1], a & 0xFFFFFFFF)
            key = ((key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF)
        return x[0] << 32 | x[1]

    order = list(range(count))
    for place in range(count - 1, 0, -1):
        other = word(place) * (place + 1) >> 64
        order[place], order[other] = order[other], order[place]
    return order


def training_batches(records, config):
    size, total = config["data"]["edits_per_batch"], config["data"]["batches"] * config["training"]["passes"]
    order = []
    while len(order) < size * total:
        order += shuffled(len(records), config["run"]["seed"], len(order) // len(records))
    return [[records[index] for index in order[start:start + size]] for start in range(0, size * total, size)]


def tokenize(tokenizer, prompt, answer):
    """(ids fed, labels): the answer follows after a space; its last token is predicted, not fed."""
    prompt_ids = tokenizer(prompt).input_ids
    answer_ids = tokenizer(" " + answer.lstrip(), add_special_tokens=False).input_ids
    return prompt_ids + answer_ids[:-1], [IGNORED] * (len(prompt_ids) - 1) + answer_ids


def collate(sequences):
    """A micro-batch: right-padded ids, mask and labels, each [sequences, tokens]."""
    def pad(rows, value):
        return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)

    ids, labels = zip(*sequences)
    return {"input_ids": pad(ids, 0), "attention_mask": pad([[1] * len(row) for row in ids], 0), "labels": pad(labels, IGNORED)}


def micro_batches(tokenizer, pairs, size):
    """Longest first, so that little is padded."""
    sequences = sorted((tokenize(tokenizer, *pair) for pair in pairs), key=lambda sequence: -len(sequence[0]))
    return [collate(sequences[start:start + size]) for start in range(0, len(sequences), size)]


# ---------------------------------------------------------------- the language model

def load_model(path, dtype):
    path = Path(path)
    gguf = path if path.suffix == ".gguf" else next(iter(sorted(path.glob("*.gguf"))), None)
    source = {"pretrained_model_name_or_path": gguf.parent, "gguf_file": gguf.name} if gguf else {"pretrained_model_name_or_path": path}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=dtype).eval().requires_grad_(False)
    return model, AutoTokenizer.from_pretrained(**source)


def answer_logits(model, batch):
    """Logits and labels at the answer tokens."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
    rows = batch["labels"] != IGNORED
    return logits[rows].float(), batch["labels"][rows]


class EditedModule:
    """A linear layer of the language model whose weight is edited, and what its hook saw last."""

    def __init__(self, model, name):
        self.model, self.name = model, name
        linear = oracle.module(model, name)
        self.shape = oracle.shape(linear)  # (keySize, valueSize), as shifts are
        self.weight = linear.weight.requires_grad_()
        self.original = self.weight.detach().clone()
        linear.register_forward_hook(self.record)

    def record(self, _, inputs, output):
        self.keys, self.output = inputs[0], output

    def add(self, shift):
        oracle.add_shift(self.model, {self.name: shift.to(self.weight.dtype)})

    def restore(self):
        self.weight.data.copy_(self.original)

    def shift_gradient(self):
        """∂loss/∂shift, [keySize, valueSize]."""
        return oracle.weight_gradient(self.model, self.name).float()


def capture(model, modules, batch):
    """Keys and value gradients of each module at the answer tokens: two lists of [tokens, size]."""
    loss = F.cross_entropy(*answer_logits(model, batch))
    gradients = torch.autograd.grad(loss, [module.output for module in modules])
    rows = batch["labels"] != IGNORED
    return [module.keys[rows].detach().float() for module in modules], [gradient[rows].float() for gradient in gradients]


# ---------------------------------------------------------------- the hypernetwork

class HyperNetwork(oracle.HyperNetwork):
    """Predicts the shifts of all modules of one shape from their captured rows, in one pass."""

    def shifts(self, keys, gradients):
        """keys [modules, n, keySize], value gradients [modules, n, valueSize] → shifts [modules, keySize, valueSize]"""
        each = (slice(None), None)  # every module's own parameters for all its rows
        pseudo_keys, pseudo_gradients = self(keys, gradients, each)
        differences = -self.lr[:, None, None] * (keys * pseudo_keys).sum(-1, keepdim=True) * pseudo_gradients
        gram = keys.mT @ keys + self.log_lambda[:, None, None].exp() * torch.eye(self.key_size)
        # One module at a time: with several threads PyTorch 2.5 to 2.13 fails on a batch (github.com/pytorch/pytorch/issues/142815).
        return torch.stack([torch.linalg.solve(*system) for system in zip(gram, keys.mT @ differences)])


class Editor(nn.Module):
    """The edited modules of a language model and, for each step and shape, the hypernetwork that edits them."""

    def __init__(self, model, options):
        super().__init__()
        self.model = [model]  # in a list: its parameters are not the editor's
        self.modules_edited = [EditedModule(model, name) for name in expand(options["modules"])]
        self.groups = {}
        for index, module in enumerate(self.modules_edited):
            self.groups.setdefault(module.shape, []).append(index)
        self.networks = nn.ModuleList(
            nn.ModuleList(HyperNetwork(*shape, options["rank"] // (step + 1), options["blocks"], len(group),
                                       float(options["inner_learning_rate"])) for shape, group in self.groups.items())
            for step in range(options["steps"]))
        self.observes = True

    def edit(self, step, batches):
        """One backpropagation of the edits; adds the shifts to the model and returns them, attached to the hypernetworks' graph."""
        captured = [capture(self.model[0], self.modules_edited, batch) for batch in batches]
        shifts = {}
        for network, group in zip(self.networks[step], self.groups.values()):
            if self.observes:
                for keys, gradients in captured:
                    for index in group:
                        network.normalizer.observe(torch.cat((keys[index], gradients[index]), -1))
            keys, gradients = (torch.stack([torch.cat([rows[part][index] for rows in captured]) for index in group]) for part in (0, 1))
            shifts.update(zip(group, network.shifts(keys, gradients)))
        for index, shift in shifts.items():
            self.modules_edited[index].add(shift.detach())
        return shifts

    def restore(self):
        for module in self.modules_edited:
            module.restore()


# ---------------------------------------------------------------- meta-training

def meta_train(model, tokenizer, editor, batches, config):
    """Returns the loss of each batch: the mean over its micro-batches of the rephrasings' cross entropy on the edited model."""
    options, size, length = config["editor"], config["data"]["micro_batch"], config["data"]["batches"]
    optimizer = torch.optim.Adam(editor.parameters(), lr=float(options["meta_learning_rate"]))
    every = length if config["training"]["update_every"] == "sequence" else config["training"]["update_every"]

    def clip():
        nn.utils.clip_grad_norm_(editor.parameters(), options["max_gradient_norm"])

    losses = []
    for number, records in enumerate(batches):
        if number % length == 0:
            editor.restore()
        edits = micro_batches(tokenizer, [(record["prompt"], record["new"]) for record in records], size)
        rephrasings = micro_batches(tokenizer, [(record["rephrasings"][0], record["new"]) for record in records], size)
        shifts = [editor.edit(step, edits) for step in range(options["steps"])]

        losses.append(0.0)
        for batch in rephrasings:
            loss = F.cross_entropy(*answer_logits(model, batch))
            loss.backward()
            losses[-1] += loss.item() / len(rephrasings)
        distance = sum((module.weight - module.original).float().square().sum() for module in editor.modules_edited)
        (options["regularization"] * distance).backward()

        gradients = [module.shift_gradient() for module in editor.modules_edited]
        for step_shifts in shifts:
            sum((gradients[index] * shift).sum() for index, shift in step_shifts.items()).backward()
            if config["training"]["clip"] == "accumulated":
                clip()
        model.zero_grad()
        ends_sequence = number % length == length - 1
        if (number % length + 1) % every == 0 or ends_sequence:
            if config["training"]["clip"] == "update":
                clip()
            optimizer.step()
            optimizer.zero_grad()
    return losses


# ---------------------------------------------------------------- scoring

@torch.no_grad()
def scores(model, tokenizer, records):
    """ROME's protocol (arXiv 2202.05262), in percent: of two answers the right one has the higher mean log probability. All prompts of a
    record are one padded batch, as in ROME's and MEMIT's code."""
    kinds = ("efficacy", "generalization", "specificity")
    shares = {kind: [] for kind in kinds}
    for record in records:
        trials = {
            "efficacy": [(record["prompt"], record["new"], record["true"])],
            "generalization": [(prompt, record["new"], record["true"]) for prompt in record["rephrasings"]],
            "specificity": [(prompt, right, record["new"]) for prompt, right in record["neighbors"]],
        }
        batch = collate([tokenize(tokenizer, prompt, answer)
                         for kind in kinds for prompt, *answers in trials[kind] for answer in answers])
        logits, labels = answer_logits(model, batch)
        counts = (batch["labels"] != IGNORED).sum(1).tolist()
        log_probabilities = torch.stack([part.mean() for part in (-F.cross_entropy(logits, labels, reduction="none")).split(counts)])
        succeeds = (log_probabilities[0::2] > log_probabilities[1::2]).float()
        for kind, part in zip(kinds, succeeds.split([len(trials[kind]) for kind in kinds])):
            if len(part):
                shares[kind].append(part.mean().item())
    return {kind: 100 * sum(values) / len(values) if values else None for kind, values in shares.items()}


# ---------------------------------------------------------------- the command line

def reset_peak_memory():
    """Forgets what loading took. Where the kernel does not let it, the peak is that of loading too."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_resident_bytes():
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) * 1024


def train(model, tokenizer, editor, records, config):
    batches = training_batches(records, config)
    start = time.perf_counter()
    losses = meta_train(model, tokenizer, editor, batches, config)
    seconds = time.perf_counter() - start
    edits = sum(map(len, batches))
    return {"edits": edits, "seconds": seconds, "secondsPerEdit": seconds / edits, "loss": sum(losses) / len(losses), "losses": losses}


def evaluate(model, tokenizer, editor, records, config):
    options = config["evaluation"]
    size = options["edits_per_batch"]
    records = records[:size * options["batches"]]
    editor.requires_grad_(False).observes = options["normalizer"] == "online"
    start = time.perf_counter()
    for first in range(0, len(records), size):
        batch = [(record["prompt"], record["new"]) for record in records[first:first + size]]
        edits = micro_batches(tokenizer, batch, config["data"]["micro_batch"])
        for step in range(config["editor"]["steps"]):
            editor.edit(step, edits)
    edited = time.perf_counter()
    result = scores(model, tokenizer, records)
    end = time.perf_counter()
    return {"protocol": "rome", "edits": len(records), **result, "seconds": end - start, "secondsPerEdit": (end - start) / len(records),
            "editingSeconds": edited - start, "scoringSeconds": end - edited}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0], allow_abbrev=False)
    parser.add_argument("command", choices=("train", "evaluate"))
    parser.add_argument("config")
    parser.add_argument("overrides", nargs="*", metavar="key.path=value")
    parser.add_argument("--editor", required=True, help="the file that train writes and evaluate reads")
    parser.add_argument("--dtype", choices=DTYPES, default="f32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="where run.threads is auto")
    arguments = parser.parse_intermixed_args()

    config = load_config(arguments.config, arguments.overrides)
    threads = arguments.threads if config["run"]["threads"] == "auto" else config["run"]["threads"]
    torch.set_num_threads(threads)
    torch.manual_seed(config["run"]["seed"])
    model, tokenizer = load_model(config["model"]["path"], DTYPES[arguments.dtype])
    editor = Editor(model, config["editor"])
    is_training = arguments.command == "train"
    records = load_records(config["data"]["train" if is_training else "evaluation"])
    if not is_training:
        editor.load_state_dict(torch.load(arguments.editor, weights_only=True))
    reset_peak_memory()
    result = (train if is_training else evaluate)(model, tokenizer, editor, records, config)
    result |= {"dtype": arguments.dtype, "threads": threads, "residentBytes": peak_resident_bytes()}
    if is_training:
        torch.save(editor.state_dict(), arguments.editor)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
