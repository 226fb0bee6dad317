#!/usr/bin/env python3
"""Writes a tiny Llama model of random weights in the layout that vLLM loads. Run by vLLM's own Python: it has what is needed.

usage: tiny_vllm_model.py DIRECTORY

A token is a byte, so that n ASCII characters are n tokens and a few for the template. Only printable characters can be sampled, so
that an answer sent back is the very tokens that were generated.
"""
import json
import pathlib
import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

MARKS = ["<|pad|>", "<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|over|>"]
TEMPLATE = ("{{ '<|begin|>' }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '<|over|>' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def main():
    directory = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    characters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {text: number for number, text in enumerate(MARKS + characters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(MARKS)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|pad|>",
                                   model_max_length=32768)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(directory)

    config = LlamaConfig(vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=2, num_attention_heads=2,
                         num_key_value_heads=1, head_dim=64, max_position_embeddings=32768, rope_theta=500000.0, bos_token_id=1,
                         eos_token_id=2, pad_token_id=0, tie_word_embeddings=False)
    model = LlamaForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.normal_(std=parameter.shape[1] ** -0.5)
        printable = torch.zeros(512, 1)
        for character in range(0x21, 0x7F):
            printable[vocabulary[chr(character)]] = 12
        model.lm_head.weight.mul_(printable)
    model.to(torch.bfloat16).save_pretrained(directory)
    generation = directory / "generation_config.json"
    generation.write_text(json.dumps({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}))


if __name__ == "__main__":
    main()
