/// Keys of config.json that change no number which amend computes. What transformers' configuration classes know and what published files
/// have beside that; anything else is refused.
extension HarmlessKeys {
    static let ofEveryConfiguration: [HarmlessKeys] = [
        HarmlessKeys(["model_type"], because: "read where the family is chosen"),
        HarmlessKeys(
            [
                "_name_or_path", "name_or_path", "_commit_hash", "transformers_version", "transformers.js_config", "unsloth_version", "unsloth_fixed",
                "is_llama_config", "license", "_attn_implementation_autoset", "_flash_attn_2_enabled", "base_model", "adapter_path", "output_past",
            ],
            because: "who wrote the file, from what and with what"),
        HarmlessKeys(["auto_map"], because: "code beside the weights; transformers too takes its own for a model_type that it knows"),
        HarmlessKeys(
            ["dtype", "torch_dtype", "use_bfloat16"], because: "what transformers would hold the weights as; here they are as the file has them, sums in float32"),
        HarmlessKeys(
            [
                "attn_implementation", "_attn_implementation", "_attn_implementation_internal", "_experts_implementation", "experts_implementation",
                "use_flash_attn", "use_flash_attention_2", "use_cache", "cache_implementation", "gradient_checkpointing", "torchscript",
                "chunk_size_feed_forward", "pretraining_tp", "reorder_and_upcast_attn",
            ],
            because: "how the same numbers are computed"),
        HarmlessKeys(
            ["output_attentions", "output_hidden_states", "output_scores", "return_dict", "use_return_dict", "return_dict_in_generate"],
            because: "what transformers returns besides"),
        HarmlessKeys(
            [
                "attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "attn_dropout", "summary_first_dropout",
                "classifier_dropout", "initializer_range", "initializer_factor",
            ],
            because: "of training the weights, which are frozen here"),
        HarmlessKeys(
            [
                "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id", "tokenizer_class", "prefix",
                "suffix", "model_max_length", "max_sequence_length", "n_ctx", "n_special", "predict_special_tokens",
            ],
            because: "of the text before it is tokens; no embedding is left out for them"),
        HarmlessKeys(
            [
                "assistant_confidence_threshold", "assistant_lookbehind", "bad_words_ids", "begin_suppress_tokens", "diversity_penalty", "do_sample",
                "early_stopping", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
                "exponential_decay_length_penalty", "forced_bos_token_id", "forced_eos_token_id", "length_penalty", "max_length", "max_new_tokens",
                "min_length", "no_repeat_ngram_size", "num_assistant_tokens", "num_assistant_tokens_schedule", "num_beam_groups", "num_beams",
                "num_return_sequences", "remove_invalid_values", "repetition_penalty", "suppress_tokens", "target_lookbehind", "temperature", "top_k",
                "top_p", "typical_p",
            ],
            because: "of transformers' generate()"),
        HarmlessKeys(
            [
                "id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params", "summary_activation",
                "summary_proj_to_labels", "summary_type", "summary_use_proj",
            ],
            because: "of heads that a causal language model does not have"),
        HarmlessKeys(["is_decoder"], because: "a causal language model is one"),
        HarmlessKeys(["tf_legacy_loss", "tie_encoder_decoder"], because: "of other frameworks and of encoders"),
        HarmlessKeys(["is_encoder_decoder", "add_cross_attention", "cross_attention_hidden_size"], only: ["false"], because: "there is no encoder"),
        HarmlessKeys(["pruned_heads"], only: ["an empty object", "an empty list"], because: "no heads were cut out"),
        HarmlessKeys(["partial_rotary_factor"], only: ["1"], because: "whole heads are turned"),
        HarmlessKeys(["use_mrope", "rope_interleaved", "use_qk_norm", "qk_layernorm"], only: ["false"], because: "the part is absent"),
    ]

    /// Of a section of rope parameters, whatever its type.
    static func ofRope(_ section: String) -> [HarmlessKeys] {
        [
            HarmlessKeys(["\(section).finetuned"], because: "what the weights were trained with"),
            HarmlessKeys(["\(section).partial_rotary_factor"], only: ["1"], because: "whole heads are turned"),
        ]
    }

    static let ofGPTJ = [
        HarmlessKeys(["scale_attn_weights"], because: "in early files; transformers always scales GPT-J's attention"),
        HarmlessKeys(["scale_attn_by_inverse_layer_idx"], only: ["false"], because: "the part is absent"),
        HarmlessKeys(["rotary"], only: ["true"], because: "in early files; GPT-J always has rotary embeddings"),
    ]

    static let ofGemma = [
        HarmlessKeys(["hidden_act"], because: "transformers reads hidden_activation"),
        HarmlessKeys(["sliding_window_size"], because: "in early files beside sliding_window, which transformers reads"),
    ]

    /// Of a multimodal Gemma 3 around its text_config.
    static let ofImages = [
        HarmlessKeys(
            [
                "vision_config", "mm_tokens_per_image", "boi_token_index", "eoi_token_index", "image_token_index", "boi_token_id", "eoi_token_id",
                "image_token_id", "processor_class",
            ],
            because: "of images; text alone never reaches them")
    ]
}
