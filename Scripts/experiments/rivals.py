#!/usr/bin/env python3
"""Editors that fine-tune, as small PyTorch references, scored on the facts and by the scores that amend's evaluations have.

    rivals.py MODEL_DIRECTORY FACTS.json [--first 0] [--single 100] [--batches 10] [--batch-size 20] [--threads 2] NAME=FIRST-LAST:RATE[:SHARE] …

LocFT-BF (arXiv 2509.22072): cross entropy on all edits, breadth first: epochs of mini-batches in random order, Adam on down projections, a mini-batch below 0.01 is
skipped, the end is where an epoch's mean is. CrispEdit (arXiv 2602.15823), named by a SHARE: gradients and updates are projected to where the loss on plain text
bends little: W is turned into the eigenvectors of A = E[aaᵀ] and S = E[ggᵀ], and what has the largest products of eigenvalues, SHARE of their sum, is taken away.

FACTS: CounterFact's records (prompt, target_new, ground_truth, rephrase_prompt, locality_prompt, locality_ground_truth). Needs torch, transformers, accelerate, gguf.
"""
import argparse
import json
import math
import pathlib
import random
import re
import sys
import time

import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EPOCHS, BATCH, SINGLE_STOP, STOP = 25, 20, 0.1, 0.01


def plain_text() -> tuple[list[str], list[str]]:
    """amend's passages: those that edits may see, and those by which drift is measured."""
    source = (ROOT / "Sources/Datasets/PlainText.swift").read_text()
    parts = re.split(r"static let (\w+) = \[", source)
    lists = {name: re.findall(r'^\s+"(.*)",?$', body.split("\n    ]")[0], re.MULTILINE) for name, body in zip(parts[1::2], parts[2::2])}
    return lists["passages"], lists["heldOut"]


class Model:
    def __init__(self, directory: pathlib.Path) -> None:
        file = next(directory.glob("*.gguf")).name
        self.tokenizer = AutoTokenizer.from_pretrained(directory, gguf_file=file)
        self.net = AutoModelForCausalLM.from_pretrained(directory, gguf_file=file, dtype=torch.float32).eval()
        for weight in self.net.parameters():
            weight.requires_grad_(False)

    def encode(self, prompt: str, answer: str = "") -> tuple[list[int], list[int]]:
        ids = self.tokenizer(prompt)["input_ids"]
        bos = self.tokenizer.bos_token_id
        if self.net.config.model_type.startswith("gemma") and ids[:1] != [bos]:
            ids = [bos, *ids]
        return ids, self.tokenizer(" " + answer.strip(), add_special_tokens=False)["input_ids"] if answer else []

    def logits(self, sequences: list[tuple[list[int], list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Where answers (of sequences without one: the next token) are predicted: logits, the answers' tokens, and the sequence of each."""
        fed = [ids + answer[:-1] for ids, answer in sequences]
        longest = max(map(len, fed))
        tokens = torch.zeros(len(fed), longest, dtype=torch.long)
        mask = torch.zeros_like(tokens)
        rows, columns, labels = [], [], []
        for row, (one, (ids, answer)) in enumerate(zip(fed, sequences)):
            tokens[row, : len(one)] = torch.tensor(one)
            mask[row, : len(one)] = 1
            count = max(1, len(answer))
            rows += [row] * count
            columns += range(len(ids) - 1, len(ids) - 1 + count)
            labels += answer or [0]
        hidden = self.net.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        return self.net.lm_head(hidden[rows, columns]).float(), torch.tensor(labels), torch.tensor(rows)

    @torch.no_grad()
    def answers(self, sequences: list[tuple[list[int], list[int]]]) -> list[tuple[float, bool]]:
        """Of each its answer's mean log probability, and whether it is what the model says."""
        result = []
        for start in range(0, len(sequences), 20):
            part = sequences[start : start + 20]
            logits, labels, rows = self.logits(part)
            logs = logits.log_softmax(-1).gather(-1, labels[:, None])[:, 0]
            said = logits.argmax(-1) == labels
            result += [(logs[rows == row].mean().item(), bool(said[rows == row].all())) for row in range(len(part))]
        return result

    @torch.no_grad()
    def next_tokens(self, prompts: list[str]) -> list[int]:
        result = []
        for start in range(0, len(prompts), 20):
            result += self.logits([self.encode(prompt) for prompt in prompts[start : start + 20]])[0].argmax(-1).tolist()
        return result

    @torch.no_grad()
    def text(self, passages: list[str]) -> torch.Tensor:
        return torch.cat([self.net(input_ids=torch.tensor([self.encode(one)[0]])).logits[0, :-1].float().log_softmax(-1) for one in passages])


class Scores:
    def __init__(self, model: Model, facts: list[dict], passages: list[str]) -> None:
        self.model, self.passages = model, passages
        self.before = model.text(passages)
        self.labels = torch.cat([torch.tensor(model.encode(one)[0][1:]) for one in passages])
        self.neighbors = dict(zip((one["locality_prompt"] for one in facts), model.next_tokens([one["locality_prompt"] for one in facts])))

    def of(self, facts: list[dict]) -> dict[str, float]:
        def answers(prompt: str, answer: str) -> list[tuple[float, bool]]:
            return self.model.answers([self.model.encode(one[prompt], one[answer]) for one in facts])

        new, old = answers("prompt", "target_new"), answers("prompt", "ground_truth")
        renew, reold = answers("rephrase_prompt", "target_new"), answers("rephrase_prompt", "ground_truth")
        kept, changed = answers("locality_prompt", "locality_ground_truth"), answers("locality_prompt", "target_new")
        neighbors = self.model.next_tokens([one["locality_prompt"] for one in facts])
        after = self.model.text(self.passages)
        percent = 100 / len(facts)
        return {
            "ES": percent * sum(a[0] > b[0] for a, b in zip(new, old)), "GS": percent * sum(a[0] > b[0] for a, b in zip(renew, reold)),
            "LS": percent * sum(a[0] > b[0] for a, b in zip(kept, changed)), "says": percent * sum(said for _, said in new),
            "words": percent * sum(said for _, said in renew),
            "nb": percent * sum(self.neighbors[one["locality_prompt"]] == token for one, token in zip(facts, neighbors)),
            "text": 100 * (after.argmax(-1) == self.before.argmax(-1)).float().mean().item(),
            "log ppl": (self.before - after).gather(-1, self.labels[:, None]).mean().item(),
        }


def show(name: str, scores: list[dict[str, float]], seconds: float) -> None:
    mean = {key: sum(one[key] for one in scores) / len(scores) for key in scores[0]}
    h = 3 / sum(1 / max(mean[key], 1e-9) for key in ("ES", "GS", "LS"))
    print(
        f"{name:44} H {h:.1f} {mean['ES']:.1f}/{mean['GS']:.1f}/{mean['LS']:.1f} says {mean['says']:.1f} words {mean['words']:.1f} nb {mean['nb']:.1f} "
        f"text {mean['text']:.1f} ppl × {math.exp(mean['log ppl']):.3f}  {seconds:.0f} s", flush=True)


class Editor:
    def __init__(self, model: Model, layers: list[int], rate: float, share: float, text: list[str]) -> None:
        self.model, self.rate = model, rate
        self.modules = [model.net.model.layers[layer].mlp.down_proj for layer in layers]
        self.original = [module.weight.detach().clone() for module in self.modules]
        self.projections = self.curvature(text, share) if share else None

    def curvature(self, text: list[str], share: float) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        moments = [[torch.zeros(n, n) for n in (module.in_features, module.out_features)] for module in self.modules]
        hooks = []
        for module, (keys, gradients) in zip(self.modules, moments):
            def hook(_module: torch.nn.Module, inputs: tuple, output: torch.Tensor, keys=keys, gradients=gradients) -> torch.Tensor:
                output = output if output.requires_grad else output.detach().requires_grad_(True)
                keys += inputs[0][0].detach().T @ inputs[0][0].detach()
                output.register_hook(lambda g: gradients.add_(g[0].T @ g[0]))
                return output
            hooks.append(module.register_forward_hook(hook))
        for one in text:
            logits = self.model.net(input_ids=torch.tensor([self.model.encode(one)[0]])).logits[0].float()
            drawn = torch.distributions.Categorical(logits=logits.detach()).sample()
            F.cross_entropy(logits, drawn, reduction="sum").backward()
        for hook in hooks:
            hook.remove()
        result = []
        for keys, gradients in moments:
            (of_keys, u), (of_gradients, v) = torch.linalg.eigh(keys), torch.linalg.eigh(gradients)
            products = of_gradients.clamp(min=0)[:, None] * of_keys.clamp(min=0)[None, :]
            largest = products.flatten().sort(descending=True).values
            cut = largest[min(len(largest) - 1, int((largest.cumsum(0) / largest.sum() < share).sum()))]
            result.append((v, u, (products < cut).float()))
        return result

    def project(self, index: int, matrix: torch.Tensor) -> torch.Tensor:
        if not self.projections:
            return matrix
        v, u, mask = self.projections[index]
        return v @ ((v.T @ matrix @ u) * mask) @ u.T

    def edit(self, facts: list[dict], stop: float) -> None:
        sequences = [self.model.encode(one["prompt"], one["target_new"]) for one in facts]
        moments = [(torch.zeros_like(weight), torch.zeros_like(weight)) for weight in self.original]
        order, rng, step = list(range(len(facts))), random.Random(1), 0
        weights = [module.weight for module in self.modules]
        for _ in range(EPOCHS):
            rng.shuffle(order)
            total = 0.0
            for start in range(0, len(order), BATCH):
                for weight in weights:
                    weight.requires_grad_(True)
                logits, labels, _ = self.model.logits([sequences[i] for i in order[start : start + BATCH]])
                loss = F.cross_entropy(logits, labels)
                total += loss.item() * len(order[start : start + BATCH]) / len(order)
                gradients = torch.autograd.grad(loss, weights) if loss.item() >= stop else []
                for weight in weights:
                    weight.requires_grad_(False)
                step += bool(gradients)
                for index, gradient in enumerate(gradients):
                    first, second = moments[index]
                    projected = self.project(index, gradient)
                    first.mul_(0.9).add_(projected, alpha=0.1)
                    second.mul_(0.999).addcmul_(projected, projected, value=0.001)
                    update = (first / (1 - 0.9**step)) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
                    weights[index].sub_(self.rate * self.project(index, update))
            if total < stop:
                return

    def restore(self) -> None:
        for module, weight in zip(self.modules, self.original):
            module.weight.copy_(weight)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("facts", type=pathlib.Path)
    parser.add_argument("editors", nargs="+", help="such as locft=8-8:5e-4 or crisp=4-8:5e-4:0.9")
    for name, fallback in (("first", 0), ("single", 100), ("batches", 10), ("batch-size", 20), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=fallback)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    model = Model(options.model)
    facts = json.loads(options.facts.read_text())[options.first :][: max(options.single, options.batches * options.batch_size)]
    seen, held_out = plain_text()
    scores = Scores(model, facts, held_out)
    for one in options.editors:
        values = one.split("=")[-1].split(":")
        layers = values[0].split("-")
        if not 2 <= len(values) <= 3 or len(layers) > 2 or not all(layer.isdecimal() for layer in layers):
            sys.exit(f"'{one}' is no editor; expected NAME=FIRST-LAST:RATE[:SHARE], such as crisp=4-8:5e-4:0.9")
        first, last = int(layers[0]), int(layers[-1])
        editor = Editor(model, list(range(first, last + 1)), float(values[1]), float(values[2]) if len(values) > 2 else 0, seen)
        if options.single:
            start, alone = time.time(), []
            for fact in facts[: options.single]:
                editor.edit([fact], SINGLE_STOP)
                alone.append(scores.of([fact]))
                editor.restore()
            show(f"{one}, one alone ({options.single})", alone, time.time() - start)
        count = options.batches * options.batch_size
        if count:
            start = time.time()
            editor.edit(facts[:count], STOP)
            show(f"{one}, all {count}", [scores.of(facts[:count])], time.time() - start)
            editor.restore()


if __name__ == "__main__":
    with torch.enable_grad():
        main()
