"""Writes the cases of components that the six families do not use, by Hugging Face's tokenizers, and of SentencePiece.

    pip install tokenizers sentencepiece && python make_components.py

components/<name>/   tokenizer.json and cases.json [{text, ids, ids_without_special, decoded}]
sentencepiece/       vocabulary.json (what a GGUF file holds of such a model) and cases.json
gguf-gemma/          likewise, the cases by Hugging Face's tokenizers in the shape of Gemma's

The vocabulary is trained without cutting words, so that its merges cross every place where a component cuts.
"""
import json
import pathlib

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
TEXTS = ["", " ", "a", "foo bar", "  <a> x", "x<a>y <a> <a>  z", "<b>", "x<b>", "<b>x", "é<b>-<b>_", "Foo FOO foo", "food foo", "  <c>  <c> ",
         "hello <d>  there", " ▁a▁ b▁▁c ", "a-b--c---", "--a--", "a  b   c ", "a,b;c!", "$1+2=3 €5", "<ab><a>", "<a<ab>", "e\u0301 \u00e9 ﬁ ½ x²",
         "12 345\n6", "naïve ÅNGSTRÖM", "日本 語", "\u2003wide\u00a0space ", "\u0f73\u06da\u0323", "가\u11c3 각"]


def trained(alphabet, **options):
    t = Tokenizer(models.BPE(unk_token="<unk>", **options))
    texts = TEXTS if alphabet is None else [pre_tokenizers.ByteLevel(False, use_regex=False).pre_tokenize_str(x)[0][0] for x in TEXTS if x]
    t.train_from_iterator(texts * 2, trainers.BpeTrainer(vocab_size=400, show_progress=False, special_tokens=["<unk>"], initial_alphabet=alphabet or []))
    return t


def byte_level():
    t = trained(pre_tokenizers.ByteLevel.alphabet())
    t.decoder = decoders.ByteLevel()
    return t


def characters(**options):
    return trained(None, **options)


def components():
    for behavior in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
        for invert in (False, True):
            t = byte_level()
            t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"[\s-]"), behavior, invert), pre_tokenizers.Split("a", behavior, invert),
                                                       pre_tokenizers.ByteLevel(add_prefix_space=invert, use_regex=not invert)])
            yield f"split-{behavior}{'-inverted' if invert else ''}", t
    t = byte_level()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation(), pre_tokenizers.Digits(False), pre_tokenizers.ByteLevel(False)])
    yield "whitespace-punctuation-digits", t
    t = byte_level()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.ByteLevel(True)])
    t.post_processor = processors.Sequence([processors.ByteLevel(), processors.TemplateProcessing(single="<unk> $A <unk>", special_tokens=[("<unk>", 0)])])
    yield "whitespace-split", t
    t = byte_level()
    t.add_tokens([AddedToken("<a>", lstrip=True), AddedToken("<b>", single_word=True, rstrip=True), AddedToken("foo", normalized=True, single_word=True),
                  AddedToken("<ab>"), AddedToken("<d>", rstrip=True, lstrip=True, normalized=False)])
    t.add_special_tokens([AddedToken("<c>", rstrip=True)])
    t.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip(), normalizers.Replace(Regex(r"\d+"), "7")])
    yield "added-tokens", t
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        t = byte_level()
        t.normalizer = getattr(normalizers, form)()
        t.pre_tokenizer = pre_tokenizers.ByteLevel(False)
        yield form.lower(), t
    for scheme in ("always", "first", "never"):
        t = characters()
        t.pre_tokenizer = pre_tokenizers.Metaspace("▁", scheme, scheme != "always")
        t.decoder = decoders.Metaspace("▁", scheme, scheme != "always")
        t.add_tokens(["<a>"])
        yield f"metaspace-{scheme}", t
    for fuse in (False, True):
        t = trained(["a", "b", "o"], fuse_unk=fuse)
        t.normalizer = normalizers.Prepend("▁")
        yield f"unknown-{'fused' if fuse else 'single'}", t
    yield "tekken", tekken()


TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
          r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def tekken():
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.ByteLevel(False, use_regex=False)
    t.train_from_iterator(TEXTS * 2, trainers.BpeTrainer(vocab_size=420, show_progress=False, special_tokens=["<|endoftext|>", "<|begin_of_text|>"],
                                                         initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(TEKKEN), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)])
    t.post_processor = processors.TemplateProcessing(single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 1)])
    t.decoder = decoders.ByteLevel()
    return t


def write_components():
    for name, t in components():
        out = HERE / "components" / name
        out.mkdir(parents=True, exist_ok=True)
        t.save(str(out / "tokenizer.json"), pretty=False)
        cases = [dict(text=x, ids=t.encode(x).ids, ids_without_special=t.encode(x, add_special_tokens=False).ids,
                      decoded=t.decode(t.encode(x, add_special_tokens=False).ids, skip_special_tokens=False)) for x in TEXTS]
        (out / "cases.json").write_text(json.dumps(cases))


def trained_sentencepiece(out, **options):
    (out / "corpus.txt").write_text("\n".join(TEXTS * 3))
    sentencepiece.SentencePieceTrainer.train(
        input=str(out / "corpus.txt"), model_prefix=str(out / "model"), vocab_size=400, model_type="bpe", byte_fallback=True, minloglevel=2,
        normalization_rule_name="identity", remove_extra_whitespaces=False, character_coverage=0.98, **options)
    s = sentencepiece.SentencePieceProcessor(model_file=str(out / "model.model"))
    for name in ("corpus.txt", "model.model", "model.vocab"):
        (out / name).unlink()
    return s


def vocabulary(s, user_defined):
    kind = lambda i: 2 if s.is_unknown(i) else 3 if s.is_control(i) else 6 if s.is_byte(i) else 4 if s.id_to_piece(i) in user_defined else 1
    ids = range(s.get_piece_size())
    return dict(tokens=[s.id_to_piece(i) for i in ids], token_type=[kind(i) for i in ids], scores=[s.get_score(i) for i in ids],
                bos_token_id=s.bos_id(), eos_token_id=s.eos_id(), unknown_token_id=s.unk_id())


def write_sentencepiece():
    out = HERE / "sentencepiece"
    out.mkdir(exist_ok=True)
    s = trained_sentencepiece(out, user_defined_symbols=["<ab>"])
    (out / "vocabulary.json").write_text(json.dumps(vocabulary(s, ["<ab>"])))
    texts = TEXTS + ["The word 日 is <0x0A>", "x\u0000y", "👩‍👩‍👧", "x<ab>y", "x <ab> <ab>y", " <ab>"]
    texts.remove(" ▁a▁ b▁▁c ")      # does not come back: its "▁" become spaces
    (out / "cases.json").write_text(json.dumps([dict(text=x, ids=s.encode(x)) for x in texts]))


def write_gguf_gemma():
    """Merges as transformers rebuilds them from Gemma's GGUF files; "▁▁" is an added token there, as in Gemma's tokenizer.json."""
    out = HERE / "gguf-gemma"
    out.mkdir(exist_ok=True)
    added = ["\n\n", "▁▁", "▁▁▁", "▁▁▁▁", "[x]", "<table>"]
    s = trained_sentencepiece(out, user_defined_symbols=added, control_symbols=["<turn>"], add_dummy_prefix=False)
    v = vocabulary(s, added)
    ids = {x: i for i, x in enumerate(v["tokens"])}
    parts = [(-i, k, len(x) - k, x) for x, i in ids.items() for k in range(1, len(x)) if x[:k] in ids and x[k:] in ids]
    t = Tokenizer(models.BPE(ids, [(x[:k], x[k:]) for _, k, _, x in sorted(parts, reverse=True)], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Replace(" ", "▁")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    t.add_special_tokens([AddedToken(x, normalized=False, special=True) for x, k in zip(v["tokens"], v["token_type"]) if k in (2, 3)])
    t.add_tokens([AddedToken(x, normalized=False) for x in added])
    for i, x in enumerate(v["tokens"]):     # as llama.cpp's converter spells and scores them
        if x in added:
            v["tokens"][i] = x.replace("▁", " ")
        if v["token_type"][i] in (3, 4):
            v["scores"][i] = -1000.0
    (out / "vocabulary.json").write_text(json.dumps(v))
    texts = TEXTS + [" " * n for n in range(2, 14)] + ["\n" * n for n in range(1, 6)] + ["x" + " " * n + "foo" for n in range(1, 8)] + [
        "a▁▁▁b", "▁▁▁▁▁", "▁▁ b", "<turn>x<turn> y", "[x] [x]y", "<table><table>", "<s>a</s> b", "The word 日 is <0x0A>", "x\u0000y", "👩‍👩‍👧", "foo" * 9, "oo" * 9]
    (out / "cases.json").write_text(json.dumps([dict(text=x, ids=t.encode(x).ids, ids_without_special=t.encode(x, add_special_tokens=False).ids,
                                                     decoded=t.decode(t.encode(x, add_special_tokens=False).ids, skip_special_tokens=False)) for x in texts]))


if __name__ == "__main__":
    write_components()
    write_sentencepiece()
    write_gguf_gemma()
