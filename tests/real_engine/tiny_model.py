#!/usr/bin/env python3
"""Writes a Llama model with random weights as a GGUF file: no download, and a real KV cache to test with.

usage: tiny_model.py OUT.gguf [WIDTH] [HIDDEN] [LAYERS]      (default 256 768 4: 13 MB)

The vocabulary is the 256 bytes as fall-back, single characters and some words, so that text is about one token a character.
Only the rows of words and characters in the output matrix are non-zero: the end-of-sequence token is never the likeliest,
and an answer is as long as was asked for.
"""
import array
import random
import struct
import sys

HEADS, KV_HEADS, CONTEXT = 4, 2, 32768
U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
WORDS = ("the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not "
         "what all were we when your can said there use an each which she do how their if will up other about out").split()
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!?:;-\n"


def text(value):
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


class Gguf:
    """The container: named values, then named tensors of 32-bit floats, each aligned to 32 bytes."""

    def __init__(self):
        self.values, self.tensors = [], []

    def value(self, key, kind, encoded):
        self.values.append(text(key) + struct.pack("<I", kind) + encoded)

    def numbers(self, prefix, **entries):
        for key, number in entries.items():
            self.value(prefix + key, U32, struct.pack("<I", number))

    def array(self, key, kind, encoded_items):
        self.value(key, ARRAY, struct.pack("<IQ", kind, len(encoded_items)) + b"".join(encoded_items))

    def tensor(self, name, shape, floats):
        self.tensors.append((name, shape, floats))

    def write(self, path):
        def padding(length):
            return b"\0" * (-length % 32)

        head = struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.values)) + b"".join(self.values)
        offset = 0
        for name, shape, floats in self.tensors:
            head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, 0, offset)
            offset += 4 * len(floats) + len(padding(4 * len(floats)))
        with open(path, "wb") as file:
            file.write(head + padding(len(head)))
            for _, _, floats in self.tensors:
                file.write(floats.tobytes() + padding(4 * len(floats)))


def vocabulary():
    """(token, kind) in the order of their ids."""
    special = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    return (special + [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
            + [("\u2581" + word, NORMAL) for word in WORDS] + [(character, NORMAL) for character in CHARACTERS] + [("\u2581", NORMAL)])


def describe(model, tokens, width, hidden, layers):
    model.value("general.architecture", STRING, text("llama"))
    model.value("general.name", STRING, text("tiny-random"))
    model.numbers("general.", file_type=0)
    model.numbers("llama.", context_length=CONTEXT, embedding_length=width, block_count=layers, feed_forward_length=hidden,
                  vocab_size=len(tokens))
    model.numbers("llama.attention.", head_count=HEADS, head_count_kv=KV_HEADS)
    model.numbers("llama.rope.", dimension_count=width // HEADS)
    model.value("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5))
    model.value("llama.rope.freq_base", F32, struct.pack("<f", 10000.0))
    model.value("tokenizer.ggml.model", STRING, text("llama"))
    model.array("tokenizer.ggml.tokens", STRING, [text(token) for token, _ in tokens])
    # Earlier tokens win: words before the characters that they are made of.
    model.array("tokenizer.ggml.scores", F32, [struct.pack("<f", -float(i)) for i in range(len(tokens))])
    model.array("tokenizer.ggml.token_type", I32, [struct.pack("<i", kind) for _, kind in tokens])
    model.numbers("tokenizer.ggml.", bos_token_id=1, eos_token_id=2, unknown_token_id=0)


def fill(model, tokens, width, hidden, layers):
    source = random.Random(1)

    def matrix(name, columns, rows, deviation):
        model.tensor(name, (columns, rows), array.array("f", (source.gauss(0, deviation) for _ in range(columns * rows))))

    def norm(name):
        model.tensor(name, (width,), array.array("f", [1.0] * width))

    matrix("token_embd.weight", width, len(tokens), 1.0)
    for layer in range(layers):
        block = f"blk.{layer}."
        kv_width = width // HEADS * KV_HEADS
        norm(block + "attn_norm.weight")
        for name, rows in (("attn_q", width), ("attn_k", kv_width), ("attn_v", kv_width), ("attn_output", width)):
            matrix(f"{block}{name}.weight", width, rows, width ** -0.5)
        norm(block + "ffn_norm.weight")
        matrix(block + "ffn_gate.weight", width, hidden, width ** -0.5)
        matrix(block + "ffn_up.weight", width, hidden, width ** -0.5)
        matrix(block + "ffn_down.weight", hidden, width, hidden ** -0.5)
    norm("output_norm.weight")
    matrix("output.weight", width, len(tokens), 12 * width ** -0.5)
    silent = width * sum(kind != NORMAL for _, kind in tokens)
    model.tensors[-1][2][:silent] = array.array("f", [0.0] * silent)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    width, hidden, layers = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 256), (3, 768), (4, 4)))
    tokens = vocabulary()
    model = Gguf()
    describe(model, tokens, width, hidden, layers)
    fill(model, tokens, width, hidden, layers)
    model.write(sys.argv[1])


if __name__ == "__main__":
    main()
