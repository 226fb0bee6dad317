"""Answers in the dialects that the simulated engine does not speak, whole and streamed, as scripts for a FakeEngine."""
import json

from fake_engine import CREATED, LAST_CHUNK, STREAM_HEAD, chunk, whole

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
           "stop_sequence": None, "usage": {"input_tokens": 8, "cache_read_input_tokens": 896, "cache_creation_input_tokens": 0,
                                            "output_tokens": 1}}


def named_event(event):
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def stream(exchange, events):
    exchange.send(STREAM_HEAD)
    for event in events:
        exchange.send(chunk(named_event(event)))
    exchange.send(LAST_CHUNK)


def tool_use(exchange):
    """The tool that was offered, if its result is not there yet."""
    body = exchange.request.json
    if not body.get("tools") or any(isinstance(m["content"], list) and any(b["type"] == "tool_result" for b in m["content"])
                                    for m in body["messages"]):
        return None
    return {"type": "tool_use", "id": "toolu_1", "name": body["tools"][0]["name"], "input": {"city": "Bern"}}


def anthropic(exchange):
    """One text block, or one call of the first tool."""
    call = tool_use(exchange)
    block = call or {"type": "text", "text": "Hello there"}
    reason = "tool_use" if call else "end_turn"
    if not exchange.request.json.get("stream"):
        exchange.send(whole({**MESSAGE, "content": [block], "stop_reason": reason, "usage": {**MESSAGE["usage"], "output_tokens": 6}}))
        return
    start = {**block, "input": {}} if call else {"type": "text", "text": ""}
    delta = ({"type": "input_json_delta", "partial_json": json.dumps(call["input"])} if call
             else {"type": "text_delta", "text": block["text"]})
    stream(exchange, [{"type": "message_start", "message": MESSAGE},
                      {"type": "content_block_start", "index": 0, "content_block": start}, {"type": "ping"},
                      {"type": "content_block_delta", "index": 0, "delta": delta},
                      {"type": "content_block_stop", "index": 0},
                      {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": 6}},
                      {"type": "message_stop"}])


def responses(exchange):
    """One message."""
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Hello there", "annotations": []}]}
    response = {"id": "resp_1", "object": "response", "created_at": CREATED, "status": "in_progress", "model": "m", "output": [],
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": None, "error": None,
                "incomplete_details": None, "instructions": None, "metadata": {}, "temperature": 1, "top_p": 1}
    done = {**response, "status": "completed", "output": [item],
            "usage": {"input_tokens": 904, "input_tokens_details": {"cached_tokens": 896}, "output_tokens": 6,
                      "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 910}}
    if not exchange.request.json.get("stream"):
        exchange.send(whole(done))
        return
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    events = [{"type": "response.created", "response": response},
              {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": [], "status": "in_progress"}},
              {"type": "response.content_part.added", **place, "part": {"type": "output_text", "text": "", "annotations": []}},
              {"type": "response.output_text.delta", **place, "delta": "Hello there", "logprobs": []},
              {"type": "response.output_text.done", **place, "text": "Hello there", "logprobs": []},
              {"type": "response.output_item.done", "output_index": 0, "item": item},
              {"type": "response.completed", "response": done}]
    stream(exchange, [{**event, "sequence_number": number} for number, event in enumerate(events)])
