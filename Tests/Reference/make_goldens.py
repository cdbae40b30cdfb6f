"""Writes golden cases: tiny random models of every family and what they, and the editors on them, must compute.

    python make_goldens.py OUT_DIR [--seed N] [--only NAME …]      # needs torch, transformers 5, safetensors, tokenizers

Whoever adds a family adds it to `families`, a method to `EDITOR_CASES` and to oracle.py; then copies the new cases to the Fixtures of
TransformerTests (models), GoldenTests (editors, loops) or TokenizationTests, and names them in GoldenDirectory.swift. `amend selftest --goldens OUT_DIR`
runs all that is there.

OUT_DIR/models/<family>/    config.json, model.safetensors (as Hugging Face writes them) and golden.safetensors:
                            input_ids, attention_mask, labels, logits, loss and, per module M, M.keys and M.grads
OUT_DIR/editors/<case>/     case.json (method, family, modules, config, per-step losses, scores, shift norms) and
                            tensors.safetensors (batches; initial networks; of the first batch, its first step's rows and
                            shifts and the unclipped hypernetwork gradients that its last step leaves; final networks;
                            deltas of the edited modules after the edit batches)
OUT_DIR/loops/<case>/       of an editor that is a loop of its own over the edits: case.json (method, family, modules, its settings, seed)
                            and tensors.safetensors (batches, plain text, deltas of the edited modules after each batch)
OUT_DIR/tokenizers/<kind>/  tokenizer.json and cases.json [{text, ids, decoded}]

Compare with a relative error ‖a − b‖ / ‖b‖: 1e-4 for logits, rows and shifts, 1e-3 for hypernetwork gradients (3e-3 for lr and log_lambda), 1e-2 for
the final deltas (edits on edits amplify rounding; float64 and float32 runs of this file differ by up to 2e-3). Parameters
after Adam are comparable only where the gradient is not near zero (its first steps are signs): compare those with
‖a − b‖ / ‖b‖ of the whole tensor at 1e-2, never entry by entry.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTJConfig,
    GPTJForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

import oracle

VOCABULARY = 97


def families(wide):
    """{family: (model class, config, modules to edit)}; `wide` perturbs the sizes so that a second set differs in shape."""
    h, f = 32 + 16 * wide, 48 + 8 * wide
    mlp = lambda i, p: f"model.layers.{i}.mlp.{p}_proj"
    gated = [mlp(1, "gate"), mlp(2, "up"), mlp(2, "down"), mlp(3, "down")]
    common = dict(vocab_size=VOCABULARY, hidden_size=h, intermediate_size=f, num_hidden_layers=4, num_attention_heads=4,
                  num_key_value_heads=2, max_position_embeddings=64, initializer_range=0.1, attn_implementation="eager",
                  bos_token_id=1, eos_token_id=2, pad_token_id=0)
    gpt = dict(vocab_size=VOCABULARY, n_embd=h, n_layer=4, n_head=4, n_positions=64, initializer_range=0.1, resid_pdrop=0.0,
               embd_pdrop=0.0, attn_pdrop=0.0, attn_implementation="eager", bos_token_id=1, eos_token_id=2)
    llama3 = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=16)
    return {
        "gpt2": (GPT2LMHeadModel, GPT2Config(**gpt), ["transformer.h.1.mlp.c_fc", "transformer.h.2.mlp.c_proj", "transformer.h.3.mlp.c_proj"]),
        "gptj": (GPTJForCausalLM, GPTJConfig(**gpt, rotary_dim=4), ["transformer.h.1.mlp.fc_in", "transformer.h.2.mlp.fc_out", "transformer.h.3.mlp.fc_out"]),
        "llama": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=False), gated),
        "llama3": (LlamaForCausalLM, LlamaConfig(**common, tie_word_embeddings=True, rope_parameters=llama3), gated),
        "mistral": (MistralForCausalLM, MistralConfig(**common, sliding_window=5, head_dim=12, tie_word_embeddings=False), gated),
        "qwen2": (Qwen2ForCausalLM, Qwen2Config(**common, tie_word_embeddings=False), gated),
        "gemma2": (Gemma2ForCausalLM, Gemma2Config(**common, head_dim=12, sliding_window=5, query_pre_attn_scalar=12,
                                                   attn_logit_softcapping=5.0, final_logit_softcapping=3.0), gated),
        "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**common, head_dim=12, sliding_window=5, query_pre_attn_scalar=12,
                                                       layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"]), gated),
    }


def build(family, wide, seed):
    cls, config, names = families(wide)[family]
    torch.manual_seed(seed)
    model = cls(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():        # biases and norms start at 0 or 1: make them matter
            if p.ndim == 1:
                p += 0.1 * torch.randn_like(p)
    for p in model.parameters():
        p.requires_grad = False
    for name in names:
        model.get_submodule(name).weight.requires_grad = True
    return model, names


def micro_batch(generator, sequences=4):
    """Right-padded prompts of 3-12 tokens with answers of 1-4 tokens, longest first; labels sit one position early."""
    rows = []
    for _ in range(sequences):
        prompt, answer = (int(torch.randint(a, b, (1,), generator=generator)) for a, b in ((3, 13), (1, 5)))
        rows.append((prompt, torch.randint(3, VOCABULARY, (prompt + answer,), generator=generator)))
    rows.sort(key=lambda r: -len(r[1]))
    width = max(len(ids) for _, ids in rows) - 1
    batch = dict(input_ids=torch.zeros(sequences, width, dtype=torch.long), attention_mask=torch.zeros(sequences, width, dtype=torch.long),
                 labels=torch.full((sequences, width), -100))
    for i, (prompt, ids) in enumerate(rows):
        n = len(ids) - 1
        batch["input_ids"][i, :n], batch["attention_mask"][i, :n], batch["labels"][i, prompt - 1:n] = ids[:n], 1, ids[prompt:]
    return batch


def edit_batches(seed, count, micro_batches=2):
    generator = torch.Generator().manual_seed(seed)
    return [{k: [micro_batch(generator) for _ in range(micro_batches)] for k in ("edit", "equiv", "unrel")} for _ in range(count)]


def flat(batches, prefix):
    return {f"{prefix}.{b}.{kind}.{m}.{k}": v.clone() for b, batch in enumerate(batches) for kind, micro in batch.items()
            for m, mb in enumerate(micro) for k, v in mb.items()}


def state(networks, prefix):
    return {f"{prefix}.step{i}.{s[0]}x{s[1]}.{k}": v.detach().clone() for i, nets in networks.items() for s, net in nets.items()
            for k, v in net.state_dict().items()}


def gradients(networks, prefix):
    return {f"{prefix}.step{i}.{s[0]}x{s[1]}.{k}": p.grad.clone() for i, nets in networks.items() for s, net in nets.items()
            for k, p in net.named_parameters() if p.grad is not None}


def write_model(out, family, wide, seed):
    model, names = build(family, wide, seed)
    model.save_pretrained(out)
    batch = micro_batch(torch.Generator().manual_seed(seed + 1))
    keys, grads = oracle.capture(model, names, batch)
    with torch.no_grad():
        logits = oracle.logits(model, batch)
    tensors = dict(batch, logits=logits, loss=oracle.answer_loss(model, batch).detach()[None])
    tensors |= {f"{n}.keys": k for n, k in keys.items()} | {f"{n}.grads": g for n, g in grads.items()}
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "golden.safetensors")


def start(family, method, config, wide, seed):
    """A fresh model and networks whose every parameter matters: at the real start B is zero, and the gradients of A and scale with it."""
    model, names = build(family, wide, seed)
    torch.manual_seed(seed + 2)
    networks, slots = oracle.make_networks(model, names, method, config)
    with torch.no_grad():
        for p in oracle.parameters(networks):
            p += 0.02 * torch.randn_like(p) * (config["lr"] if p.ndim == 1 and float(p[0]) == config["lr"] else 1)
    return model, names, networks, slots


def write_editor(out, family, method, steps, wide, seed):
    config = dict(rank=16, blocks=2, lr=1e-3, meta_lr=2e-3, max_grad_norm=1.0, steps=steps, reg=0.25 if method == "emsedit_sequential" else 0.5,
                  loc_coef=0.6, time_decay=0.95, back_depth=2)
    if method == "ultraedit":
        config["lr"] = 2e-4
    model, names, networks, slots = start(family, method, config, wide, seed)
    training, editing = edit_batches(seed + 3, 3), edit_batches(seed + 4, 2)
    tensors = flat(training, "train") | flat(editing, "edit")
    if method != "ultraedit":
        tensors |= state(networks, "initial")

        # the first backpropagation of the first batch, and the hypernetwork gradient of one whole batch before clipping
        probe, _, nets, _ = start(family, method, config, wide, seed)
        rows = oracle.capture_and_observe(probe, names, nets, slots, 0, training[0]["edit"])
        first = oracle.detach(oracle.predict(method, nets, slots, 0, rows, config))
        for n in names:
            tensors |= {f"first.{n}.keys": rows[n][0], f"first.{n}.grads": rows[n][1], f"first.{n}.shift": first[n]}
        probe, _, nets, _ = start(family, method, config, wide, seed)
        kept, clip = {}, torch.nn.utils.clip_grad_norm_
        torch.nn.utils.clip_grad_norm_ = lambda *_: kept.update(gradients(nets, "gradient"))     # see it, leave it alone
        oracle.train(method, probe, names, nets, slots, training[:1], dict(config, meta_lr=0.0))
        torch.nn.utils.clip_grad_norm_ = clip
        tensors |= kept

    logs = []
    if method != "ultraedit":
        oracle.train(method, model, names, networks, slots, training, config, lambda **k: logs.append(k))
        tensors |= state(networks, "final")
    fresh, _ = build(family, wide, seed)
    before = {n: fresh.get_submodule(n).weight.detach().clone() for n in names}
    shifts, scores = [], []
    for batch in editing:
        shifts.append([{n: float(s.norm()) for n, s in step.items()} for step in oracle.edit(method, fresh, names, networks, slots, batch, config)])
    for batch in editing:
        scores.append({k: [dict(accuracy=oracle.token_accuracy(fresh, m), log_probability=oracle.answer_log_probability(fresh, m)) for m in v]
                       for k, v in batch.items()})
    for n in names:
        tensors[f"edited.{n}.delta"] = fresh.get_submodule(n).weight.detach() - before[n]
    out.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "tensors.safetensors")
    (out / "case.json").write_text(json.dumps(dict(method=method, family=family, modules=names, config=config, losses=logs, shift_norms=shifts, scores=scores), indent=1))


LOOP_CASES = {"llama-locft-bf": ("llama", "locft-bf", dict(stop_loss=3.35)), "gpt2-locft-bf": ("gpt2", "locft-bf", dict(regularization=0.5)),
              "llama-crispedit": ("llama", "crispedit", dict(curvature_share=0.6)), "gemma3-crispedit": ("gemma3", "crispedit", dict(curvature_share=0.9)),
              "llama-memit": ("llama", "memit", dict(background_weight=20.0)),
              "gpt2-memit": ("gpt2", "memit", dict(background_weight=3.0, value_bound=0.2, stop_loss=2.0)),
              "llama-alphaedit": ("llama", "alphaedit", dict(background_share=0.5, earlier_weight=0.5, ridge=0.3)),
              "gemma3-memit": ("gemma3", "memit", dict(background_weight=5.0))}
FINE_TUNING = dict(epochs=12, learning_rate=3e-3, stop_loss=1.0, regularization=0.0)
VALUES = dict(value_steps=6, value_rate=0.1, value_decay=0.5, value_bound=3.0, stop_loss=0.05, essence_weight=0.25, ridge=0.5, background_weight=0.0,
              background_share=0.0, earlier_weight=0.0)


def write_loop(out, family, method, settings, wide, seed):
    """Two batches, one on top of the other."""
    has_values = method in ("memit", "alphaedit")
    settings = (VALUES if has_values else FINE_TUNING) | settings
    model, names = build(family, wide, seed)
    if has_values:                                                  # what writes, from below; where that is normed one module alone
        names = [name for name in names if name.endswith(("down_proj", "c_proj"))]
        names = [name.replace(".2.", ".0.") for name in names[:1]] + [name.replace(".3.", ".2.") for name in names[1:]]
        names = names[-1:] if family.startswith("gemma") else names
        for name in names:
            model.get_submodule(name).weight.requires_grad = True
    batches = edit_batches(seed + 5, 2)
    for batch in batches:
        batch["edit"] = batch["edit"][:1]
    generator = torch.Generator().manual_seed(seed + 6)
    text = [whole_text(generator) for _ in range(5)]
    original = [model.get_submodule(name).weight.detach().clone() for name in names]
    projections = oracle.curvature_projections(model, names, text, settings["curvature_share"], seed) if method == "crispedit" else None
    tensors = flat([dict(edit=batch["edit"]) for batch in batches], "edit") | flat([dict(text=text)], "plain")
    held = oracle.backgrounds(model, names, text, settings["background_weight"], settings["background_share"]) if has_values else None
    above = None if family.startswith("gemma") else names[-1].rsplit(".mlp", 1)[0]
    for number, batch in enumerate(batches):
        if has_values:
            values = [value_prompts(generator, one) for one in oracle.sequences(batch)]
            for index, edit in enumerate(values):
                for kind, one in zip(("own", "prefixed", "essence"), [*edit["prompts"], edit["essence"]]):
                    tensors |= {f"edit.{number}.value.{index}.{kind}.{key}": torch.as_tensor(part).clone() for key, part in one.items()}
            oracle.value_edit(model, names, values, held, settings, above)
        else:
            oracle.fine_tune(model, names, oracle.sequences(batch), dict(settings, original=original), projections)
        for name, before in zip(names, original):
            tensors[f"edited.{number}.{name}.delta"] = model.get_submodule(name).weight.detach() - before
    out.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in tensors.items()}, out / "tensors.safetensors")
    case = dict(method=method, family=family, modules=names, settings={k: repr(v) for k, v in settings.items()}, seed=seed)
    (out / "case.json").write_text(json.dumps(case, indent=1))


def value_prompts(generator, one):
    """An edit's own prompt, with a place in it, the same behind three other tokens, and the prompt up to there with two tokens behind it."""
    prompt = int((one["labels"] == -100).sum()) + 1
    place = int(torch.randint(max(1, prompt - 3), prompt, (1,), generator=generator))       # where no window of attention has lost it
    before, after = (torch.randint(3, VOCABULARY, (1, n), generator=generator) for n in (3, 2))
    ids, labels = one["input_ids"], one["labels"]
    prefixed = dict(input_ids=torch.cat((before, ids), 1), attention_mask=torch.ones(1, ids.shape[1] + 3, dtype=torch.long),
                    labels=torch.cat((torch.full_like(before, -100), labels), 1), place=place + 3)
    subject = torch.cat((ids[:, : place + 1], after), 1)
    essence = dict(input_ids=subject, attention_mask=torch.ones_like(subject), labels=torch.full_like(subject, -100), place=place)
    essence["labels"][0, -1] = 5
    return dict(prompts=[dict(one, place=place), prefixed], essence=essence)


def whole_text(generator):
    """A text of which every token but the first is predicted."""
    ids = torch.randint(3, VOCABULARY, (1, int(torch.randint(8, 16, (1,), generator=generator))), generator=generator)
    return dict(input_ids=ids[:, :-1], attention_mask=torch.ones_like(ids[:, :-1]), labels=ids[:, 1:])


CORPUS = ["The mother tongue of Danielle Darrieux is French.", "What university did Watts Humphrey attend?", "Toko Yasuda, the guitar",
          "München liegt in Bayern; café, naïve, Ångström, Привет мир, 東京は日本の首都です。 한국어 العربية", "I'm sure they'll say it's 1,234,567.89 — don't you?",
          "def f(x):\n    return x ** 2\n\n\t# tabs  and   spaces", "👩‍👩‍👧 🇫🇷 ½ ² ﬁ e\u0301", "<|endoftext|> is special; <s>not always</s>"] * 30
NASTY = ["", " ", "  two spaces", "\n\n\n", "tab\tand\r\nCRLF", "I'M SHOUTING, WE'LL SEE'S", "12345 1 22 333 4444", "a" * 70, "naïve café e\u0301 \u00e9",
         "🇫🇷👩‍👩‍👧",
         "東京 Tokyo", "\u00a0nbsp\u2003em", "x\u0000y", "<|endoftext|>", "text<|endoftext|>text", " leading", "trailing ", "The capital of France is",
         "ﬁ ½ ²", "\ufeffBOM"]


def tokenizer(kind):
    """Small tokenizers with the same pipelines as the real ones of each family."""
    llama3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    byte_level = dict(gpt2=None, smollm2=None, llama3=llama3, qwen2=llama3.replace("{1,3}", ""))
    if kind in byte_level:
        t = Tokenizer(models.BPE(ignore_merges=kind == "llama3"))
        regex = byte_level[kind]
        if kind == "smollm2":
            t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
        elif regex:
            t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        else:
            t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        if kind == "qwen2":
            t.normalizer = normalizers.NFC()
        t.decoder = decoders.ByteLevel()
        t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
                                                          special_tokens=["<|endoftext|>", "<|begin_of_text|>"]))
        if kind == "llama3":
            t.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))])
        return t
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    if kind == "gemma":
        t.normalizer = normalizers.Replace(" ", "▁")
        t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    else:
        t.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    specials = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=800, special_tokens=specials, show_progress=False, limit_alphabet=80))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return t


def write_tokenizer(out, kind):
    out.mkdir(parents=True)
    t = tokenizer(kind)
    t.save(str(out / "tokenizer.json"))
    cases = [dict(text=s, ids=t.encode(s).ids, ids_without_special=t.encode(s, add_special_tokens=False).ids,
                  decoded=t.decode(t.encode(s, add_special_tokens=False).ids, skip_special_tokens=False)) for s in NASTY + sorted(set(CORPUS))]
    (out / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=True))


EDITOR_CASES = [("llama", "emsedit_sequential", 2), ("llama", "emsedit_sequential", 3), ("llama", "emsedit_batch", 2), ("llama", "malmen", 1), ("llama", "malmen", 2),
                ("llama", "mend", 1), ("llama", "rledit", 1), ("llama", "rledit", 2), ("llama", "ultraedit", 1), ("llama", "ultraedit", 2),
                ("gemma2", "malmen", 1), ("gpt2", "mend", 2), ("gpt2", "ultraedit", 2),
                ("gpt2", "emsedit_sequential", 2), ("gpt2", "emsedit_batch", 2), ("gptj", "emsedit_sequential", 2), ("gemma2", "emsedit_sequential", 2),
                ("qwen2", "rledit", 2)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wide", type=int, default=0, help="perturbs the model sizes")
    parser.add_argument("--only", nargs="*", help="names of cases, such as llama-mend-1; an editor's model is written too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    editors = {f"{family}-{method.replace('_', '-')}-{steps}": (family, method, steps) for family, method, steps in EDITOR_CASES}
    kinds = ("gpt2", "smollm2", "llama3", "qwen2", "gemma", "mistral")
    wanted = [*families(0), *editors, *LOOP_CASES, *kinds] if arguments.only is None else arguments.only
    if unknown := set(wanted) - {*families(0), *editors, *LOOP_CASES, *kinds}:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    for family in families(0):
        if family in wanted or any((editors | LOOP_CASES)[name][0] == family for name in wanted if name in editors | LOOP_CASES):
            write_model(arguments.out / "models" / family, family, arguments.wide, arguments.seed)
    for name, (family, method, steps) in editors.items():
        if name in wanted:
            write_editor(arguments.out / "editors" / name, family, method, steps, arguments.wide, arguments.seed)
    for name, (family, method, settings) in LOOP_CASES.items():
        if name in wanted:
            write_loop(arguments.out / "loops" / name, family, method, settings, arguments.wide, arguments.seed)
    for kind in kinds:
        if kind in wanted:
            write_tokenizer(arguments.out / "tokenizers" / kind, kind)


if __name__ == "__main__":
    main()
