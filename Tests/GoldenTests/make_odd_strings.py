"""Writes Fixtures/odd-strings.json: the tokens of some 300 odd strings with the tokenizers of SmolLM2 and Gemma 3, by Hugging Face's implementation.

    pip install transformers tokenizers gguf sentencepiece protobuf
    Scripts/fetch-model.sh smollm2-135m && Scripts/fetch-model.sh gemma-3-270m
    python Tests/GoldenTests/make_odd_strings.py [DIRECTORY]

Of each string: its ids from AutoTokenizer, and the text that these ids decode to. Both tokenizers are directories with the tokenizer.json of the model,
made here from the vocabulary in the GGUF file: SmolLM2's with its digits apart, Gemma's with merges by the order of its pieces. They are left in
DIRECTORY, where one is given. As a check, Gemma's ids are compared with SentencePiece's, for strings without special tokens.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
import gguf
import tokenizers
import transformers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

import make_prompt_references as references
import make_smollm2_reference as smollm2

HERE = Path(__file__).parent
CONTROL, USER_DEFINED, UNKNOWN = 3, 4, 2

STRINGS = [
    # nothing, and white space
    "", " ", "  ", "   ", "    ", " " * 7, " " * 16, " " * 31, " " * 100, "\t", "\t\t", "\t\t\t\t\t", "\n", "\n\n", "\n\n\n", "\n" * 12, "\r", "\r\n", "\r\n\r\n",
    " \n", "\n ", " \n \n ", "\t \t", "\v", "\f", "a\vb\fc", " a", "  a", "   a", "a ", "a  ", "a   b", "a    b     c", "\ta", "a\t\tb", "a\n\nb", "a\r\nb\rc\nd",
    " \t\n mix \n\t ",
    "line\n  indented\n    more\n\tand a tab", "trailing   \n", "\u00a0", "a\u00a0b", "\u2003em\u2003space", "\u3000ideographic\u3000space", "\u2028",
    "a\u2028b\u2029c", "\u0085next line",
    "\u200b", "zero\u200bwidth", "word\u2060joiner", "\ufeff", "\ufeffBOM first", "BOM \ufeff inside", "\u180e", "\u00ad", "soft\u00adhyphen",
    # digits
    "0", "7", "12", "123", "1234", "1234567890", "3.14159", "1,234,567.89", "1 2 3", "1  2", "x  1", "x   12 ", "\t1", "\n1", " 1", "  22", "a1b2c3", "1a",
    "2nd 3rd 11th", "1e-5", "0x1F", "1_000",
    "2024-02-29T23:59:60Z", "+41 44 632 11 11", "$1,000", "50%", "1/2", "٣", "٠١٢٣٤٥٦٧٨٩", "x ٣  ٤", "१२३", "１２３ ４５", "²³", "x² + y₂", "½ ¼ ¾", "ⅫⅣ", "①②③", "𝟘𝟙𝟚",
    "一二三", "৪২",
    # contractions and case
    "don't", "DON'T", "Don'T", "I'll we've they're he'd it's I'm", "I'LL WE'VE THEY'RE HE'D IT'S I'M", "'s", "'S", " 's", "'t't't", "it’s", "rock 'n' roll", "'tis",
    "O'Neill's",
    "camelCaseAndPascalCase", "snake_case_name", "SHOUTING LOUDLY", "iPhone", "McDonald", "ǅ ǈ", "ß ẞ STRASSE", "Iıİi", "İstanbul ILIK ılık", "ſ", "ΣΑΣ σας",
    # combining marks and normal forms
    "é", "e\u0301", "cafe\u0301 café", "\u0301", "a\u0301\u0302\u0303\u0304", "n\u0303o ño", "Å Å Å", "ﬁ ﬂ ﬀ ﬃ", "ﷺ", "한국어", "\u1112\u1161\u11ab", "가각갂",
    "ế ê\u0301 e\u0302\u0301", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L", "क्षि", "நி", "ก็", "ประเทศไทย", "ที่นี่มีน้ำ",
    # scripts
    "東京は日本の首都です。", "中文没有空格", "简体 繁體", "ｶﾀｶﾅ カタカナ ひらがな", "「引用」、。", "Россия — город", "Ελλάδα", "עִבְרִית", "שלום עולם",
    "مرحبا بالعالم", "العَرَبِيَّة", "abc אבג def", "\u202eright to left\u202c", "\u200eLRM\u200f",
    "ქართული", "Հայերեն", "አማርኛ", "ᚠᚢᚦ", "𐍈", "𒀀𒁀", "𓀀", "ไม่มีช่องว่าง", "မြန်မာ", "ខ្មែរ", "ລາວ", "བོད", "ᠮᠣᠩᠭᠣᠯ", "ꦗꦮ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "𝓼𝓬𝓻𝓲𝓹𝓽",
    # symbols
    "🙂", "🙂🙂🙂", "a🙂b", "👍🏽", "👩‍👩‍👧‍👦", "👩🏾‍🚀", "🇨🇭🇺🇳", "🇨", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️ ❤", "☃", "1️⃣", "©®™", "€£¥₿", "→⇒∀x∈ℝ", "∑∫√∞≈≠≤", "░▒▓█", "♔♕", "…", "–—―",
    "“quotes” ‘single’ «guillemets»", "!!!???", "...", "......", "-----", "=====", "#####", "***", "/*//*/", "~`^|\\",
    # control and special characters
    "\x00", "a\x00b", "\x01\x02\x03", "\x1b[31mred\x1b[0m", "\x7f", "\x80\x9f", "\ue000\uf8ff", "\U000f0000", "\U0010ffff", "\ufffd", "\ufffe\uffff", "\ufff9",
    "\\u0041", "\\ud83d\\ude00", "\\ud800", "\\x00", "&#x1F600;", "%F0%9F%99%82",
    # tokens that are special, spelled out, and what looks like them
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "a<|im_start|>b", " <|im_end|> ", "<|im_start", "|im_start|>", "<|IM_START|>",
    "<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "a <bos> b", "<start_of_turn>", "<end_of_turn>",
    "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n", "<start_of_image>", "<unused0>", "<unused99> x", "<unused9999>", "<s>", "</s>", "<s>a</s>",
    "[multimodal]", "<table><tr><td>1</td></tr></table>", "<h1>Title</h1>", "<b>bold</b> <i>it</i>", "<0x0A>", "<0xE3>", "<0xZZ>",
    "<repo_name>", "<file_sep>", "<empty_output>", "▁", "▁▁", "▁a", "a▁b", "a ▁ b", "▁▁▁▁▁", "Ġ", "ĠHello", "Ċ", "Ã©", "Â", "##ing", "@@", "ļ",
    # code, addresses, markup
    "def f(x):\n    return x**2\n", "for (int i=0;i<n;++i){s+=a[i];}", "if (a && b || !c) { return; }", "SELECT * FROM t WHERE a='b';",
    "{\"key\": [1, 2, {\"x\": null}]}", "{}", "{{}}", "f\"{x!r:>10}\"", "a->b::c<d>", "#include <stdio.h>\n", "$\\frac{1}{2}$", "\\begin{align}x&=1\\\\\\end{align}",
    "https://example.org/a/b?c=d&e=%20f#g", "user.name+tag@example.co.uk", "C:\\Users\\x\\file.txt", "../path/to/file", "192.168.0.1:8080", "::1", "<!-- comment -->",
    "<a href=\"x\">y</a>", "&lt;&amp;&nbsp;", "| a | b |\n|---|---|\n", "```python\nx\n```", "- item\n  - nested\n", "x=1;y=2",
    # long, and repeated
    "a" * 300, "ab" * 200, "Donaudampfschifffahrtsgesellschaftskapitän", "pneumonoultramicroscopicsilicovolcanoconiosis", "antidisestablishmentarianism" * 5,
    "ACGT" * 50, "日" * 60, "🙂" * 20, "é" * 40, "e\u0301" * 40, "\t" * 50, "=" * 200, ". " * 60, "na " * 50, "0" * 64,
    "The quick brown fox jumps over the lazy dog. " * 5,
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch", "supercalifragilisticexpialidocious SUPERCALIFRAGILISTICEXPIALIDOCIOUS",
]


def smollm2_directory(directory):
    made = smollm2.tokenizer()
    write(made, directory, "llama", bos_token="<|im_start|>", eos_token="<|im_end|>")


def gemma_directory(directory):
    fields = gguf.GGUFReader(references.GEMMA3).fields
    tokens, types = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type"))
    # llama.cpp's converter writes spaces where the vocabulary has "▁".
    tokens = ["▁" * len(token) if kind == USER_DEFINED and not token.strip(" ") else token for token, kind in zip(tokens, types)]
    ids = {token: index for index, token in enumerate(tokens)}
    parts = [(-index, cut, len(token) - cut, token) for token, index in ids.items() for cut in range(1, len(token)) if token[:cut] in ids and token[cut:] in ids]
    merges = [(token[:cut], token[cut:]) for _, cut, _, token in sorted(parts, reverse=True)]
    made = tokenizers.Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Replace(" ", "▁")
    made.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    made.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", ids["<bos>"])])
    made.add_special_tokens([AddedToken(token, normalized=False, special=True) for token, kind in zip(tokens, types) if kind in (CONTROL, UNKNOWN)])
    made.add_tokens([AddedToken(token, normalized=False) for token, kind in zip(tokens, types) if kind == USER_DEFINED])
    write(made, directory, "gemma3_text", bos_token="<bos>", eos_token="<eos>", unk_token="<unk>", pad_token="<pad>")


def write(made, directory, model_type, **special):
    directory.mkdir(parents=True, exist_ok=True)
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, **special).save_pretrained(directory)
    (directory / "config.json").write_text(json.dumps({"model_type": model_type}))


def main(root):
    assert len(set(STRINGS)) == len(STRINGS), [text for text in STRINGS if STRINGS.count(text) > 1]
    smollm2_directory(root / "smollm2-135m")
    gemma_directory(root / "gemma-3-270m")
    made = {name: transformers.AutoTokenizer.from_pretrained(root / name) for name in ("smollm2-135m", "gemma-3-270m")}
    cases = []
    for text in STRINGS:
        case = {"text": text}
        for name, tokenizer in made.items():
            ids = tokenizer(text).input_ids
            case[name] = {"ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False), "plain": tokenizer.decode(ids, skip_special_tokens=True)}
        cases.append(case)
    pieces, _ = references.gemma_tokenizer()
    special = set(made["gemma-3-270m"].all_special_ids)
    differing = [case["text"] for case in cases if pieces(case["text"]) != case["gemma-3-270m"]["ids"] and not special & set(case["gemma-3-270m"]["ids"][1:])]
    print(len(cases), "strings; SentencePiece differs for", differing)
    lines = ",\n".join(json.dumps(case, ensure_ascii=True) for case in cases)
    (HERE / "Fixtures/odd-strings.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as directory:
            main(Path(directory))
