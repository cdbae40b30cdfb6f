"""Writes settings/cases.json: the ids that transformers gives for directories with a tokenizer.json of this folder and other files beside it.

    pip install transformers
    python Tests/TokenizersTests/Fixtures/make_settings.py

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
            (Path(directory) / name).write_text(json.dumps(content))
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
        "harmless keys": {"model_max_length": 3, "padding_side": "left", "truncation_side": "left", "clean_up_tokenization_spaces": True,
                          "do_lower_case": True, "chat_template": "{{ x }}", "errors": "replace", "unheard_of": [1]},
    }.items():
        yield case(name, "llama3", GENERAL | configuration, texts=words)
    yield case("map", "llama3", GENERAL, texts=words, special_tokens_map={"bos_token": "ell", "pad_token": added("<pad>")})
    yield case("map over configuration", "llama3", GENERAL | {"bos_token": "<new>"}, texts=words, special_tokens_map={"bos_token": "ell"})
    yield case("map beside a decoder", "llama3", GENERAL | {"added_tokens_decoder": {}}, texts=words, special_tokens_map={"bos_token": "ell"})
    yield case("map alone", "llama3", None, texts=words, special_tokens_map={"bos_token": "ell", "additional_special_tokens": ["<new>"]})
    yield case("added_tokens.json", "llama3", GENERAL, texts=words, added_tokens={"<new>": 540, "ell": 300})
    yield case("truncation and padding", "llama3", GENERAL, changes={
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<|endoftext|>"}})


def main():
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases())
    (HERE / "settings/cases.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(lines.count("\n") + 1, "cases")


if __name__ == "__main__":
    main()
