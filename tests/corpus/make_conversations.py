#!/usr/bin/env python3
"""Writes tests/corpus/conversations/*.jsonl: requests as real clients shape them, and which conversation each belongs to.

The structure is that of the clients named below (fields, their order, what they change between turns); all words are made up
here, from a fixed seed, so that running this again changes nothing. One line is one request:

  client         whose habits it has: the name of the file
  conversation   the truth. Requests of one conversation must be found to be one session, those of different ones never. An edited,
                 compacted or branched history is a conversation of its own
  route          /v1/...
  body           as sent
  answer         the whole answer, or
  events         the payloads of a streamed one; null: it failed
  held           it is still running when the following lines come, up to {"release": NUMBER OF LINE}
  parent         the conversation that it is known to come from

src/openai/conversation_corpus_test.cc plays all files against one index.
"""
import json
import pathlib
import random

OUT = pathlib.Path(__file__).resolve().parent / "conversations"
WORDS = """anchor basin copper delta ember fabric garden harbor island jacket kernel lantern meadow needle orbit pepper quarry
ribbon saddle timber umbra velvet window yellow zephyr bridge candle drawer engine falcon glacier hollow insect jungle ladder
marble nickel oyster pillow quiver rocket shadow tunnel vessel walnut""".split()
random_ = random.Random(20)


def prose(words):
    return " ".join(random_.choice(WORDS) for _ in range(words)).capitalize() + "."


def hex_id(prefix):
    return prefix + "".join(random_.choice("0123456789abcdef") for _ in range(20))


class Corpus:
    """Conversations of one client take turns, as they do at a gateway."""

    def __init__(self):
        self.files = {}

    def play(self, client, conversations):
        lines, running = [], [iter(c) for c in conversations]
        while running:
            for one in list(running):
                line = next(one, None)
                if line is None:
                    running.remove(one)
                else:
                    lines.append({"client": client, **line})
        self.files[client] = lines

    def write(self):
        OUT.mkdir(exist_ok=True)
        for name, lines in self.files.items():
            text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)
            (OUT / f"{name}.jsonl").write_text(text)


# --- what engines answer ------------------------------------------------------------------------------------------------

def chat_answer(text, calls=None, **message):
    message = {"role": "assistant", "content": text, **message, **({"tool_calls": calls} if calls else {})}
    return {"id": hex_id("chatcmpl-"), "object": "chat.completion", "created": 1760000000, "model": "m",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if calls else "stop"}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}}


def chat_events(text, reasoning=None, calls=None):
    def event(delta, finish=None):
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1760000000, "model": "m",
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
    events = [event({"role": "assistant", "content": ""})]
    events += [event({"reasoning_content": word + " "}) for word in (reasoning or "").split()[:4]]
    events += [event({"content": piece}) for piece in pieces(text or "")]
    for i, call in enumerate(calls or []):
        events.append(event({"tool_calls": [{"index": i, "id": call["id"], "type": "function",
                                             "function": {"name": call["function"]["name"], "arguments": ""}}]}))
        events.append(event({"tool_calls": [{"index": i, "function": {"arguments": call["function"]["arguments"]}}]}))
    return [*events, event({}, "tool_calls" if calls else "stop"), "[DONE]"]


def pieces(text):
    """As an engine streams it, but for the end, which comes at once to keep the files small."""
    return [piece for piece in (*(text[i:i + 6] for i in range(0, 30, 6)), text[30:]) if piece]


def anthropic_answer(blocks):
    return {"id": hex_id("msg_"), "type": "message", "role": "assistant", "model": "m", "content": blocks,
            "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 100, "output_tokens": 10}}


def anthropic_events(blocks):
    events = [{"type": "message_start", "message": {"id": hex_id("msg_"), "type": "message", "role": "assistant", "model": "m",
                                                    "content": [], "usage": {"input_tokens": 100, "output_tokens": 1}}}]
    for i, block in enumerate(blocks):
        kind = block["type"]
        start = {**block, **({"input": {}} if kind == "tool_use" else {"text": ""} if kind == "text" else {"thinking": ""})}
        events.append({"type": "content_block_start", "index": i, "content_block": start})
        if kind == "tool_use":
            deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
        elif kind == "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
        else:
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
        events += [{"type": "content_block_delta", "index": i, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": i})
    return [*events, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 10}},
            {"type": "message_stop"}]


def call(name, arguments):
    return {"id": hex_id("call_"), "type": "function", "function": {"name": name, "arguments": json.dumps(arguments, separators=(",", ":"))}}


def says(role, text, **more):
    return {"role": role, "content": text, **more}


def chat(conversation, messages, answer=None, events=None, **more):
    line = {k: more.pop(k) for k in ("held", "parent") if k in more}
    body = {"messages": json.loads(json.dumps(messages)), "model": "m", **({"stream": True} if events else {}), **more}
    return {"conversation": conversation, "route": "/v1/chat/completions", "body": body,
            **({"events": events} if events else {"answer": answer}), **line}


TOOLS = [{"type": "function", "function": {"name": name, "description": prose(12), "parameters": {
    "type": "object", "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}}, "required": ["path"]}}}
    for name in ("read_file", "list_files", "run_command")]


# --- clients ------------------------------------------------------------------------------------------------------------

def shared_system(name, system, turns):
    """A chat page: everybody has the same long system prompt."""
    messages = [says("system", system), says("user", prose(9))]
    for i in range(turns):
        text = prose(14)
        yield chat(name, messages, events=chat_events(text))
        messages += [says("assistant", text), says("user", prose(8))]


def agent(name, system, turns, habit):
    """Tools in a loop. habit: what it does to the model's messages when it sends them back."""
    messages = [says("system", system), says("user", prose(12))]
    for i in range(turns):
        calls = [call(random_.choice(("read_file", "list_files")), {"path": "src/" + random_.choice(WORDS), "limit": i})
                 for _ in range(random_.choice((1, 1, 2)))]
        text = prose(6) if i % 2 else None
        reasoning = prose(20)
        answer = chat_events(text, reasoning, calls) if i % 3 else None
        yield chat(name, messages, None if answer else chat_answer(text, calls, reasoning_content=reasoning), answer, tools=TOOLS)
        message = says("assistant", text, tool_calls=calls)
        if habit == "verbatim":
            message["reasoning_content"] = reasoning
        elif habit == "reserialises":  # arguments parsed and written again, null content made a string
            message = {"content": text or "", "role": "assistant", "tool_calls": [
                {"type": "function", "id": c["id"], "function": {
                    "arguments": json.dumps(json.loads(c["function"]["arguments"]), indent=1), "name": c["function"]["name"]}}
                for c in calls]}
        elif habit == "keeps_last_reasoning":  # only of the latest answer
            for old in messages:
                old.pop("reasoning_content", None)
            message["reasoning_content"] = reasoning
        elif habit == "drops_null":
            if message["content"] is None:
                del message["content"]
        messages.append(message)
        for c in calls:
            messages.append({"role": "tool", "tool_call_id": c["id"], "content": prose(15)})
        if i % 4 == 3:
            messages += [says("assistant", prose(5)), says("user", prose(6))]


def thinks_in_text(name, turns):
    """The engine has no parser for reasoning; the client shows and keeps what stands behind it."""
    messages = [says("user", prose(9))]
    for _ in range(turns):
        text, thought = prose(12), prose(20)
        yield chat(name, messages, events=chat_events(f"<think>\n{thought}\n</think>\n\n{text}"))
        messages += [says("assistant", text), says("user", prose(8))]


def strips_thoughts_later(name, turns):
    """Keeps the thoughts of the answers since the last message of the user, and drops them when he speaks again."""
    messages = [says("user", prose(9))]
    for i in range(turns):
        thought, text = prose(10), prose(8)
        calls = [call("read_file", {"path": random_.choice(WORDS)})] if i % 3 != 2 else None
        said = f"<think>{thought}</think>{text}"
        yield chat(name, messages, chat_answer(said, calls), tools=TOOLS)
        messages.append(says("assistant", said, **({"tool_calls": calls} if calls else {})))
        if calls:
            messages.append({"role": "tool", "tool_call_id": calls[0]["id"], "content": prose(12)})
        else:
            for old in messages:
                if old["role"] == "assistant" and old["content"].startswith("<think>"):
                    old["content"] = old["content"].split("</think>")[1]
            messages.append(says("user", prose(8)))


def reformats(name, turns):
    """Keeps its own rendering of every answer: without markdown, with another beginning."""
    messages = [says("system", prose(30)), says("user", prose(9))]
    for _ in range(turns):
        text = prose(12)
        yield chat(name, messages, chat_answer(f"**Answer.** {text}\n"))
        messages += [says("assistant", f"[{text.lower()}]"), says("user", prose(8))]


def reformats_the_old(name, turns):
    """Shortens all answers but the latest."""
    messages = [says("user", prose(9))]
    for _ in range(turns):
        text = prose(30)
        yield chat(name, messages, events=chat_events(text))
        for old in messages:
            if old["role"] == "assistant":
                old["content"] = old["content"][:20] + "..."
        messages += [says("assistant", text), says("user", prose(8))]


def compacts(name, turns):
    """Past some length a summary takes the place of everything behind the first message."""
    system, task = says("system", prose(40)), says("user", prose(12))
    messages, part, parent = [system, task], 1, None
    for i in range(turns):
        text = prose(10)
        label = f"{name}/{part}"
        yield chat(label, messages, chat_answer(text), **({"parent": parent} if parent else {}))
        parent = None
        messages += [says("assistant", text), says("user", prose(8))]
        if i % 4 == 3:
            parent = label
            part += 1
            messages = [system, task, says("assistant", "Summary: " + prose(20)), says("user", prose(8))]


def trims(name, turns):
    """A window: only the system prompt and the last messages are sent."""
    system, rest = says("system", prose(40)), [says("user", prose(8))]
    for i in range(turns):
        text = prose(10)
        window = rest[-5:]
        yield chat(name, [system, *window], chat_answer(text))
        rest += [says("assistant", text), says("user", prose(8))]


def masks_old_results(name, turns):
    """Takes the content out of all results of tools but the last two."""
    messages = [says("system", prose(40)), says("user", prose(10))]
    results = []
    for i in range(turns):
        calls = [call("run_command", {"path": random_.choice(WORDS)})]
        yield chat(name, messages, chat_answer(None, calls), tools=TOOLS)
        results.append({"role": "tool", "tool_call_id": calls[0]["id"], "content": prose(25)})
        messages += [says("assistant", None, tool_calls=calls), results[-1]]
        if len(results) > 2:
            results[-3]["content"] = "[old result removed]"


def branches(name):
    """A chat page: regenerate, edit an earlier message, go on in both branches."""
    messages = [says("system", prose(10)), says("user", prose(9))]
    texts = [prose(10) for _ in range(8)]
    yield chat(name, messages, events=chat_events(texts[0]))
    messages += [says("assistant", texts[0]), says("user", prose(7))]
    yield chat(name, messages, events=chat_events(texts[1]))
    yield chat(name, messages, events=chat_events(texts[2]))  # regenerated
    edited = [*messages[:-1], says("user", prose(7))]
    yield chat(name + "/edited", edited, events=chat_events(texts[3]), parent=name)
    messages += [says("assistant", texts[2]), says("user", prose(7))]
    yield chat(name, messages, events=chat_events(texts[4]))
    edited += [says("assistant", texts[3]), says("user", prose(7))]
    yield chat(name + "/edited", edited, events=chat_events(texts[5]))


def attempts(name, count, turns):
    """Best of n: the same task, all at once; each attempt goes on as itself."""
    task = [says("system", prose(20)), says("user", prose(15))]
    histories, begun = [list(task) for _ in range(count)], []
    for i in range(turns):
        for j, messages in enumerate(histories):
            calls = [call("run_command", {"path": random_.choice(WORDS)})] if j % 2 else None
            text = None if j % 4 == 1 else prose(9)
            yield chat(f"{name}/{j}", messages, events=chat_events(text, None, calls), tools=TOOLS, held=True)
            messages.append(says("assistant", text, **({"tool_calls": calls} if calls else {})))
            # What the tool says is the same for all.
            messages.append({"role": "tool", "tool_call_id": calls[0]["id"], "content": "Done."} if calls else says("user", "Go on."))
        yield {"conversation": name, "release": True}


def greeting(name, turns):
    """Hundreds begin with the same word."""
    messages = [says("user", "Hi")]
    for _ in range(turns):
        text = random_.choice(("Hello! ", "Hey, ", "Good day. ")) + prose(8)
        yield chat(name, messages, events=chat_events(text))
        messages += [says("assistant", text), says("user", prose(8))]


def one_shots(name, count, system):
    """Labels texts, the same ones again and again; examples stand as earlier turns."""
    examples = [says("user", "Text: velvet"), says("assistant", "A"), says("user", "Text: timber"), says("assistant", "B")]
    for i in range(count):
        yield chat(f"{name}/{i}", [says("system", system), says("user", f"Text: {WORDS[i % 7]}")], chat_answer("AB"[i % 2]))
        yield chat(f"{name}/few/{i}", [says("system", system), *examples, says("user", f"Text: {WORDS[i]}")], chat_answer("AB"[i % 2]))


def titles(name, turns):
    """Open WebUI's habit: beside the chat it asks for a title and for tags, with the chat within the text."""
    messages = [says("user", prose(9))]
    for i in range(turns):
        text = prose(10)
        yield chat(name, messages, events=chat_events(text))
        messages += [says("assistant", text), says("user", prose(8))]
        task = "### Task:\nGenerate a title.\n### Chat:\n" + "\n".join(f"{m['role'].upper()}: {m['content']}" for m in messages[:2])
        if i == 0:
            yield chat(f"{name}/title", [says("user", task)], chat_answer('{"title": "' + prose(3) + '"}'))
            yield chat(f"{name}/tags", [says("user", task.replace("a title", "tags"))], chat_answer('{"tags": ["x"]}'))


def retries(name, turns):
    """Every second request fails, and is sent again as it was."""
    messages = [says("user", prose(9))]
    for i in range(turns):
        if i % 2:
            yield chat(name, messages)
        text = prose(9)
        yield chat(name, messages, events=chat_events(text))
        messages += [says("assistant", text), says("user", prose(8))]


def images(name, turns):
    """The same words about different pictures."""
    picture = "data:image/png;base64," + "".join(random_.choice("ABCDEFGHabcdefgh0123+/") for _ in range(900))
    messages = [says("user", [{"type": "text", "text": "What is in this picture?"},
                              {"type": "image_url", "image_url": {"url": picture, "detail": "auto"}}])]
    for _ in range(turns):
        text = "The picture shows " + prose(6)
        yield chat(name, messages, chat_answer(text))
        messages += [says("assistant", text), says("user", "And what else?")]


def tools_appear(name, turns):
    """Another tool server is connected on the way."""
    messages = [says("system", prose(12)), says("user", prose(9))]
    for i in range(turns):
        text = prose(9)
        yield chat(name, messages, chat_answer(text), tools=TOOLS[:1 + i % 3])
        messages += [says("assistant", text), says("user", prose(8))]


def sub_agents(name, system, turns):
    """A main agent whose helpers have its instructions and tools, and work at the same time."""
    main = agent(f"{name}/main", system, turns, "verbatim")
    helpers = [agent(f"{name}/helper{i}", system, turns - 1, "verbatim") for i in range(3)]
    yield next(main)
    for _ in range(turns - 1):
        for helper in helpers:
            yield next(helper)
        yield next(main)


def anthropic(name, turns, thinking, billing=False):
    """Claude's SDK: system blocks, one cache mark that moves on, tools. thinking: what becomes of thinking blocks in the history."""
    system = [{"type": "text", "text": "You are a careful programmer. " + prose(30), "cache_control": {"type": "ephemeral"}}]
    tools = [{"name": t["function"]["name"], "description": t["function"]["description"], "input_schema": t["function"]["parameters"]}
             for t in TOOLS]
    messages = [says("user", prose(10))]
    for i in range(turns):
        sent = json.loads(json.dumps(messages))
        last = sent[-1]
        if isinstance(last["content"], str):
            last["content"] = [{"type": "text", "text": last["content"]}]
        last["content"][-1]["cache_control"] = {"type": "ephemeral"}
        head = [{"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1; cch={hex_id('')[:5]};"}] if billing else []
        thought = {"type": "thinking", "thinking": prose(15), "signature": hex_id("sig") * 3}
        blocks = [thought, {"type": "text", "text": prose(8)}]
        uses = i % 3 != 2
        if uses:
            blocks.append({"type": "tool_use", "id": hex_id("toolu_"), "name": "read_file", "input": {"path": random_.choice(WORDS), "limit": i}})
        body = {"max_tokens": 4096, "messages": sent, "model": "m", "system": head + system, "tools": tools, "thinking": {"type": "enabled", "budget_tokens": 2000}}
        streamed = i % 2 == 0
        yield {"conversation": name, "route": "/v1/messages", "body": {**body, **({"stream": True} if streamed else {})},
               **({"events": anthropic_events(blocks)} if streamed else {"answer": anthropic_answer(blocks)})}
        kept = blocks if thinking != "dropped" else blocks[1:]
        if thinking == "dropped_later":
            for old in messages:
                if old["role"] == "assistant":
                    old["content"] = [b for b in old["content"] if b["type"] != "thinking"]
        messages.append(says("assistant", kept))
        if uses:
            messages.append(says("user", [{"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": prose(12)}]))
        else:
            messages.append(says("user", prose(9)))


def responses(name, turns, reasoning):
    """Codex and the Agents SDK without a store: all items are sent again. reasoning: kept, or dropped at the next message."""
    items = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": prose(12)}]}]
    for i in range(turns):
        thought = {"id": hex_id("rs_"), "type": "reasoning", "summary": [], "encrypted_content": hex_id("enc") * 3}
        message = {"id": hex_id("msg_"), "type": "message", "role": "assistant", "status": "completed",
                   "content": [{"type": "output_text", "text": prose(9), "annotations": []}]}
        use = {"id": hex_id("fc_"), "type": "function_call", "status": "completed", "name": "shell", "call_id": hex_id("call_"),
               "arguments": json.dumps({"command": ["ls", random_.choice(WORDS)]})}
        output = [thought, use] if i % 3 != 2 else [thought, message]
        response = {"id": hex_id("resp_"), "object": "response", "status": "completed", "model": "m", "output": output,
                    "usage": {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}}
        body = {"model": "m", "instructions": "You are a coding agent. " + name[:1], "input": json.loads(json.dumps(items)), "store": False,
                "include": ["reasoning.encrypted_content"], "tools": [{"type": "function", "name": "shell", "parameters": {}}]}
        line = {"conversation": name, "route": "/v1/responses", "body": body}
        if i % 2:
            events = [{"type": "response.created", "response": {**response, "output": [], "status": "in_progress"}}]
            for n, item in enumerate(output):
                events.append({"type": "response.output_item.added", "output_index": n, "item": {**item, **({"arguments": ""} if item is use else {})}})
                if item is message:
                    events += [{"type": "response.output_text.delta", "item_id": item["id"], "output_index": n, "content_index": 0, "delta": piece}
                               for piece in pieces(message["content"][0]["text"])]
                events.append({"type": "response.output_item.done", "output_index": n, "item": item})
            yield {**line, "body": {**body, "stream": True}, "events": [*events, {"type": "response.completed", "response": response}]}
        else:
            yield {**line, "answer": response}
        if reasoning == "dropped":
            items = [item for item in items if item["type"] != "reasoning"]
        items += [{k: v for k, v in item.items() if k not in ("id", "status")} for item in output]
        items.append({"type": "function_call_output", "call_id": use["call_id"], "output": prose(10)} if i % 3 != 2
                     else {"type": "message", "role": "user", "content": [{"type": "input_text", "text": prose(8)}]})


def transcript(name, turns, preamble):
    """Text completions: a transcript that grows. Everybody has the same preamble."""
    text = f"{preamble}\n\nHuman: {prose(10)}\n\nAssistant:"
    for _ in range(turns):
        said = " " + prose(12)
        yield {"conversation": name, "route": "/v1/completions", "body": {"model": "m", "prompt": text, "max_tokens": 200, "stop": ["\n\nHuman:"]},
               "answer": {"id": hex_id("cmpl-"), "object": "text_completion", "created": 1760000000, "model": "m",
                          "choices": [{"text": said, "index": 0, "logprobs": None, "finish_reason": "stop"}]}}
        text += f"{said}\n\nHuman: {prose(9)}\n\nAssistant:"


def token_ids(name, turns, preamble):
    """A trainer that keeps token ids and sends those."""
    ids = [*preamble, *(random_.randrange(100_000) for _ in range(60))]
    for _ in range(turns):
        yield {"conversation": name, "route": "/v1/completions", "body": {"model": "m", "prompt": list(ids), "max_tokens": 64},
               "answer": {"id": hex_id("cmpl-"), "object": "text_completion", "model": "m",
                          "choices": [{"text": prose(10), "index": 0, "finish_reason": "length"}]}}
        ids += [random_.randrange(100_000) for _ in range(90)]


def main():
    corpus = Corpus()
    system = "You are the assistant of a large company. " + prose(120)
    corpus.play("shared_system", [shared_system(f"page{i}", system, 3) for i in range(100)])
    for habit in ("verbatim", "reserialises", "keeps_last_reasoning", "drops_null"):
        corpus.play(f"agent_{habit}", [agent(f"{habit}{i}", system[:300], 7, habit) for i in range(6)])
    corpus.play("thinks_in_text", [thinks_in_text(f"t{i}", 5) for i in range(6)])
    corpus.play("strips_thoughts_later", [strips_thoughts_later(f"s{i}", 8) for i in range(5)])
    corpus.play("reformats", [reformats(f"r{i}", 6) for i in range(6)])
    corpus.play("reformats_the_old", [reformats_the_old(f"o{i}", 6) for i in range(6)])
    corpus.play("compacts", [compacts(f"c{i}", 10) for i in range(4)])
    corpus.play("trims", [trims(f"w{i}", 8) for i in range(4)])
    corpus.play("masks_old_results", [masks_old_results(f"m{i}", 8) for i in range(4)])
    corpus.play("branches", [branches(f"b{i}") for i in range(8)])
    corpus.play("attempts", [attempts(f"n{i}", 8, 4) for i in range(3)])
    corpus.play("greeting", [greeting(f"g{i}", 4) for i in range(30)])
    corpus.play("one_shots", [one_shots(f"label{i}", 20, "Answer A or B.") for i in range(2)])
    corpus.play("titles", [titles(f"ui{i}", 4) for i in range(6)])
    corpus.play("retries", [retries(f"again{i}", 5) for i in range(5)])
    corpus.play("images", [images(f"picture{i}", 3) for i in range(8)])
    corpus.play("tools_appear", [tools_appear(f"mcp{i}", 5) for i in range(4)])
    corpus.play("sub_agents", [sub_agents(f"team{i}", system[:400], 4) for i in range(3)])
    for thinking in ("kept", "dropped", "dropped_later"):
        corpus.play(f"anthropic_thinking_{thinking}", [anthropic(f"a_{thinking}{i}", 7, thinking) for i in range(4)])
    corpus.play("anthropic_billing_line", [anthropic(f"billing{i}", 5, "kept", billing=True) for i in range(3)])
    for reasoning in ("kept", "dropped"):
        corpus.play(f"responses_reasoning_{reasoning}", [responses(f"x_{reasoning}{i}", 7, reasoning) for i in range(4)])
    corpus.play("transcript", [transcript(f"h{i}", 5, system[:400]) for i in range(10)])
    corpus.play("transcript_short", [transcript(f"k{i}", 5, "") for i in range(10)])
    preamble = [random_.randrange(100_000) for _ in range(100)]
    corpus.play("token_ids", [token_ids(f"i{i}", 5, preamble) for i in range(8)])
    corpus.write()


if __name__ == "__main__":
    main()
