"""Writes settings/cases.json: the ids that transformers gives for directories with a tokenizer.json of this folder and other files beside it.

    pip install transformers
    python Tests/TokenizationTests/Fixtures/make_settings.py

A case has the folder of its tokenizer.json ("of"), parts of it that are replaced ("changes"), the files beside it, texts, and their ids from
AutoTokenizer. Where "alone" is true the ids are those of tokenizer.json by itself: transformers makes a class of it that cuts text otherwise.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
import tokenizers
import transformers

HERE = Path(__file__).parent
MODEL_TYPES = {"llama3": "llama", "gemma": "gemma2", "qwen2": "qwen2", "gpt2": "gpt2", "mistral": "mistral", "smollm2": "llama"}
CLASSES = {
    "llama3": ["PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizerFast"], "gemma": ["GemmaTokenizer", "GemmaTokenizerFast"],
    "qwen2": ["Qwen2Tokenizer"], "gpt2": ["GPT2Tokenizer"], "mistral": ["LlamaTokenizer", "LlamaTokenizerFast"], "smollm2": ["PreTrainedTokenizerFast"],
}
BYTES = {"bos_token": "<|begin_of_text|>", "eos_token": "<|endoftext|>"}
PIECES = {"bos_token": "<s>", "eos_token": "</s>"}
TEXTS = ["Hello 123  world", "", "a", "  x<|begin_of_text|> y </s>z"]
GENERAL = {"tokenizer_class": "PreTrainedTokenizerFast"}
NO_POST_PROCESSOR = {"post_processor": None}


def added(content, typed=False, **flags):
    token = {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} | flags
    return {"__type": "AddedToken"} | token if typed else token


def ids_of(case):
    with tempfile.TemporaryDirectory() as directory:
        tokenizer = json.loads((HERE / case["of"] / "tokenizer.json").read_text()) | case.get("changes", {})
        for name, content in (case["files"] | {"tokenizer.json": tokenizer}).items():
            (Path(directory) / name).write_text(json.dumps(content, sort_keys=True))  # as the tests write them
        if case.get("alone"):
            alone = tokenizers.Tokenizer.from_file(f"{directory}/tokenizer.json")
            return [alone.encode(text).ids for text in case["texts"]]
        made = transformers.AutoTokenizer.from_pretrained(directory)
        return [made(text).input_ids for text in case["texts"]]


def case(name, of, configuration, texts=TEXTS, changes=None, model_type=None, alone=False, **files):
    files = {"config.json": {"model_type": model_type or MODEL_TYPES[of]}} | {f"{key}.json": content for key, content in files.items()}
    if configuration is not None:
        files["tokenizer_config.json"] = configuration
    made = {"name": f"{of}: {name}", "of": of, "files": files, "texts": texts}
    if changes:
        made["changes"] = changes
    if alone:
        made["alone"] = True
    made["ids"] = ids_of(made)
    return made


def cases():
    for of, classes in CLASSES.items():
        named = PIECES if of in ("gemma", "mistral") else BYTES
        yield case("no settings", of, None)
        for name in [None] + classes:
            configuration = named | ({"tokenizer_class": name} if name else {})
            for flag in ["absent", True, False, None]:
                flags = {} if flag == "absent" else {"add_bos_token": flag, "add_eos_token": flag}
                yield case(f"{name}, add_bos_token {flag}", of, configuration | flags, texts=TEXTS[:1])
        for flag in [] if named is PIECES else [True, False, None]:  # in Swift their vocabularies do not survive a change
            yield case(f"no post-processor, add_bos_token {flag}", of, named | {"add_bos_token": flag, "add_eos_token": flag},
                       texts=TEXTS[:1], changes=NO_POST_PROCESSOR)
    for of, name in [("gpt2", "GPT2Tokenizer"), ("qwen2", "Qwen2Tokenizer"), ("llama3", "PreTrainedTokenizerFast"), ("gemma", "GemmaTokenizer"),
                     ("mistral", "LlamaTokenizer")]:
        for flag in [True, False]:
            yield case(f"{name}, add_prefix_space {flag}", of, {"tokenizer_class": name, "add_prefix_space": flag})
    prefixed = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}}
    yield case("prefix space in tokenizer.json", "gpt2", {"tokenizer_class": "GPT2Tokenizer"}, changes=prefixed)
    yield case("prefix space in tokenizer.json, general class", "gpt2", GENERAL, changes=prefixed, model_type="llama")
    yield case("GPT2Tokenizer with digits", "smollm2", BYTES | {"tokenizer_class": "GPT2Tokenizer"}, texts=TEXTS + ["x  1 22", "12"], alone=True)
    words = ["Hello ell <new> ll<pad>", "x<new>", "Hello  <|begin_of_text|> x", "a <|begin_of_text|>"]
    for name, configuration in {
        "token as an object": {"bos_token": added("<|begin_of_text|>", typed=True)},
        "object with other flags": {"bos_token": added("<|begin_of_text|>", typed=True, lstrip=True, rstrip=True)},
        "null token": {"bos_token": None},
        "token that is no token": {"bos_token": "ell", "pad_token": "<pad>"},
        "token that is a word": {"pad_token": "ll"},
        "tokens by other names": {"image_token": "<new>", "a_token": "ll", "b_token": {"content": "ell"}, "token_c": "ell"},
        "extra list": {"extra_special_tokens": ["<new>", "ll", added("ell", typed=True)]},
        "additional list": {"additional_special_tokens": ["<new>", "ell"]},
        "both lists": {"additional_special_tokens": ["<new>"], "extra_special_tokens": ["ell"]},
        "extra object": {"extra_special_tokens": {"image_token": "<new>", "other": "ll"}},
        "decoder with new tokens": {"added_tokens_decoder": {"700": added("<new>"), "12": added("ell", special=False, normalized=True)}},
        "decoder with a word": {"added_tokens_decoder": {"278": added("ll")}},
        "decoder with other flags": {"added_tokens_decoder": {"1": added("<|begin_of_text|>", lstrip=True)}},
        "decoder that makes it a word": {"added_tokens_decoder": {"1": added("<|begin_of_text|>", single_word=True, special=False)}},
        "named and in the decoder": {"bos_token": "<new>", "added_tokens_decoder": {"1": added("<new>", special=False, rstrip=True)}},
        "AddedToken by another name": {"boi_token": added("<new>", typed=True, lstrip=True)},
        "object by another name": {"boi_token": added("<new>")},
        "model-specific object": {"model_specific_special_tokens": {"image_token": "<new>"}},
        "model-specific object and a name": {"image_token": "<new>", "model_specific_special_tokens": {"x_token": "ell"}},
        "model-specific object and a usual name": {"pad_token": "<new>", "model_specific_special_tokens": {"x_token": "ell"}},
        "usual name among the extra": {"image_token": "ell", "extra_special_tokens": {"bos_token": "<new>"}},
        "two tokens of one text": {"sep_token": "<new>", "pad_token": added("<new>", typed=True, lstrip=True)},
        "harmless keys": {"model_max_length": 3, "padding_side": "left", "truncation_side": "left", "clean_up_tokenization_spaces": True,
                          "do_lower_case": True, "chat_template": "{{ x }}", "errors": "replace", "unheard_of": [1]},
    }.items():
        yield case(name, "llama3", GENERAL | configuration, texts=words)
    yield case("map", "llama3", GENERAL, texts=words, special_tokens_map={"bos_token": "ell", "pad_token": added("<pad>")})
    yield case("map over configuration", "llama3", GENERAL | {"bos_token": "<new>"}, texts=words, special_tokens_map={"bos_token": "ell"})
    yield case("map beside a decoder", "llama3", GENERAL | {"added_tokens_decoder": {}}, texts=words, special_tokens_map={"bos_token": "ell"})
    yield case("map alone", "llama3", None, texts=words, special_tokens_map={"bos_token": "ell", "additional_special_tokens": ["<new>"]})
    yield case("map's list beside the configuration's", "llama3", GENERAL | {"additional_special_tokens": ["<new>"]}, texts=words,
               special_tokens_map={"additional_special_tokens": ["ell"]})
    yield case("map's extra list and the configuration's", "llama3", GENERAL | {"additional_special_tokens": ["<new>"]}, texts=words,
               special_tokens_map={"extra_special_tokens": ["ell"]})
    yield case("map takes a token away", "llama3", GENERAL | {"pad_token": "<pad>"}, texts=words, special_tokens_map={"pad_token": None})
    for name, of, configuration in [
        ("a class's own tokens", "gemma", {"tokenizer_class": "GemmaTokenizer"}), ("a class's own tokens, one null", "gemma", {"pad_token": None}),
        ("a class's own tokens, one other", "gemma", {"mask_token": "ell"}), ("a class's own tokens", "mistral", {"tokenizer_class": "LlamaTokenizer"}),
        ("a class that finds tokens anywhere", "qwen2", {"tokenizer_class": "Qwen2Tokenizer", "eos_token": added("ell", typed=True, lstrip=True, single_word=True)}),
    ]:
        yield case(name, of, configuration, texts=["Hello ell<pad> x<mask>"] + ([] if of == "mistral" else [" <bos>y<unk> <s>"]),
                   model_type="llama" if of == "mistral" else None)
    yield from published()
    yield case("added_tokens.json", "llama3", GENERAL, texts=words, added_tokens={"<new>": 540, "ell": 300})
    yield case("truncation and padding", "llama3", GENERAL, changes={
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"}})


def published():
    """The keys that published directories have, over this folder's tokenizers."""
    def decoder(of):
        return {str(token.pop("id")): token for token in json.loads((HERE / of / "tokenizer.json").read_text())["added_tokens"]}

    texts = TEXTS + ["<s>[INST] Hi [/INST]", "<start_of_image>Hello<|im_end|>\n"]
    most = 1000000000000000019884624838656
    saved = {"backend": "tokenizers", "is_local": True, "local_files_only": False, "clean_up_tokenization_spaces": False, "model_max_length": most}
    piece = lambda text: added(text, typed=True, normalized=True)  # as in files before transformers 4.34
    yield case("as Llama 2 was published", "mistral", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": piece("<s>"), "clean_up_tokenization_spaces": False, "eos_token": piece("</s>"),
        "legacy": False, "model_max_length": most, "pad_token": None, "padding_side": "right", "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer",
        "unk_token": piece("<unk>"), "use_default_system_prompt": False, "chat_template": "{{ x }}"},
        texts=TEXTS[:3], model_type="llama",
        special_tokens_map={"bos_token": {"content": "<s>", "lstrip": False, "normalized": True, "rstrip": False, "single_word": False},
        "eos_token": "</s>", "unk_token": "<unk>"}, generation_config={"bos_token_id": 1, "do_sample": True})
    yield case("as Vicuna was published", "mistral", {
        "add_bos_token": True, "add_eos_token": False, "bos_token": piece("<s>"), "eos_token": piece("</s>"), "pad_token": None, "unk_token": piece("<unk>"),
        "tokenizer_class": "LlamaTokenizer", "do_lower_case": False, "do_basic_tokenize": True, "never_split": None, "mask_token": None, "cls_token": None,
        "sep_token": None, "strip_accents": None, "handle_chinese_chars": True, "wordpieces_prefix": "##"}, texts=TEXTS[:3], model_type="llama")
    yield case("as Mistral 0.3 was published", "mistral", {
        "add_bos_token": True, "add_eos_token": False, "add_prefix_space": None, "added_tokens_decoder": decoder("mistral"), "additional_special_tokens": [],
        "bos_token": "<s>", "chat_template": [{"name": "default", "template": "{{ x }}"}, {"name": "tool_use", "template": "{{ y }}"}], "eos_token": "</s>",
        "legacy": False, "model_max_length": most, "pad_token": None, "sp_model_kwargs": {}, "spaces_between_special_tokens": False,
        "tokenizer_class": "LlamaTokenizer", "unk_token": "<unk>", "use_default_system_prompt": False}, texts=texts)
    yield case("as Llama 3 was published", "llama3", {
        "added_tokens_decoder": decoder("llama3"), "bos_token": "<|begin_of_text|>", "chat_template": "{{ x }}", "clean_up_tokenization_spaces": True,
        "eos_token": "<|endoftext|>", "model_input_names": ["input_ids", "attention_mask"], "model_max_length": most, "tokenizer_class": "PreTrainedTokenizerFast"},
        texts=texts, special_tokens_map={"bos_token": "<|begin_of_text|>", "eos_token": "<|endoftext|>"})
    for of, config_class, name in [("gemma", "GemmaTokenizer", "Gemma 3"), ("llama3", "TokenizersBackend", "Llama 3")]:
        yield case(f"as transformers 5 saves {name}", of, saved | {
            "added_tokens_decoder": decoder(of), "tokenizer_class": config_class, "image_token": "<s>", "model_specific_special_tokens": {"image_token": "<s>"},
            "extra_special_tokens": ["</s>"], "processor_class": "Gemma3Processor", "response_template": None}, texts=texts)
    yield case("as Gemma 3 was published", "gemma", {
        "add_bos_token": True, "add_eos_token": False, "added_tokens_decoder": decoder("gemma"), "boi_token": "<start_of_image>", "bos_token": "<bos>",
        "clean_up_tokenization_spaces": False, "eoi_token": "<end_of_image>", "eos_token": "<eos>", "image_token": "<image_soft_token>", "pad_token": "<pad>",
        "extra_special_tokens": {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}, "model_max_length": most,
        "processor_class": "Gemma3Processor", "sp_model_kwargs": None, "spaces_between_special_tokens": False, "tokenizer_class": "GemmaTokenizer",
        "unk_token": "<unk>", "use_default_system_prompt": False}, texts=texts, model_type="gemma3",
        special_tokens_map={"boi_token": "<start_of_image>", "bos_token": added("<bos>")}, added_tokens={"<image_soft_token>": 700})
    yield case("as Qwen2.5 was published", "qwen2", {
        "add_bos_token": False, "add_prefix_space": False,
        "added_tokens_decoder": decoder("qwen2") | {"530": added("<|im_end|>"), "531": added("<tool_call>", special=False)},
        "additional_special_tokens": ["<|im_end|>"], "bos_token": None, "chat_template": "{{ x }}", "clean_up_tokenization_spaces": False, "eos_token": "<|im_end|>",
        "errors": "replace", "model_max_length": 131072, "pad_token": "<|endoftext|>", "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None}, texts=texts)
    yield case("as DeepSeek's distillation of Qwen was published", "qwen2", {
        "add_bos_token": False, "add_eos_token": False, "bos_token": piece("<|begin_of_text|>"), "eos_token": piece("<|endoftext|>"), "legacy": True,
        "model_max_length": 16384, "pad_token": piece("<|endoftext|>"), "sp_model_kwargs": {}, "unk_token": None, "tokenizer_class": "LlamaTokenizerFast"}, texts=texts)
    old = {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
           "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}}
    yield case("as GPT-2 was published", "gpt2", {"do_lower_case": False, "model_max_length": 1024}, texts=texts, changes=old)
    yield case("as GPT-J was published", "gpt2", {
        "unk_token": piece("<|endoftext|>"), "bos_token": piece("<|endoftext|>"), "eos_token": piece("<|endoftext|>"), "add_prefix_space": False,
        "model_max_length": 2048, "special_tokens_map_file": None, "name_or_path": "gpt2", "from_slow": True, "tokenizer_class": "GPT2Tokenizer"}, texts=texts,
        changes=old, model_type="gptj", special_tokens_map={"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"},
        added_tokens={"<|extratoken_1|>": 531, "<|extratoken_2|>": 532})
    yield case("as SmolLM2 was published, its class apart", "smollm2", {
        "add_prefix_space": False, "added_tokens_decoder": decoder("smollm2"), "additional_special_tokens": ["<|begin_of_text|>"], "bos_token": "<|begin_of_text|>",
        "clean_up_tokenization_spaces": False, "eos_token": "<|endoftext|>", "model_max_length": 8192, "pad_token": "<|endoftext|>", "unk_token": "<|endoftext|>",
        "tokenizer_class": "PreTrainedTokenizerFast", "vocab_size": 49152}, texts=texts)


def main():
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases())
    (HERE / "settings/cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(lines.count("\n") + 1, "cases")


if __name__ == "__main__":
    main()
