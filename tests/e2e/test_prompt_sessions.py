"""Clients that send no session id: their next turn is recognised by its messages."""
import threading

import pytest
from fake_engine import Gate, completion, delta, talk, whole
from wire import Wire, eventually, post


def says(role, text):
    return {"role": role, "content": text}


def turn(messages, headers=(), **more):
    return post("/v1/chat/completions", {"model": "m", "messages": messages, **more}, headers)


def answers(text):
    """An engine that says this, streamed or not."""
    def script(exchange):
        if not exchange.request.json.get("stream"):
            exchange.send(whole(completion(text)))
            return
        exchange.start_stream(delta(role="assistant", content=""))
        for word in text.split(" "):
            exchange.event(delta(content=word + " "))
        exchange.event(delta(finish="stop"))
        exchange.end_stream()
    return script


def held(gate, text):
    def script(exchange):
        gate.wait()
        answers(text)(exchange)
    return script


def grown(messages, answer, more):
    return [*messages, says("assistant", answer), says("user", more)]


def test_a_second_turn_without_any_header_is_boosted(fake, gateway):
    engine = fake(answers("Good day to you"))
    serve = gateway([engine], config={"policy": "session-boost", "expert": {"admission": {"rule": "inflight", "limit": 1}}})
    first = [says("user", "hello")]
    assert serve.ask(turn(first)).status == 200
    gate = Gate()
    engine.script = held(gate, "Another answer")
    wires = [Wire(serve.port).send(turn([says("user", "first stranger")]))]
    eventually(lambda: gate.held == 1)
    wires.append(Wire(serve.port).send(turn([says("user", "second stranger")])))
    eventually(lambda: serve.total("queued") == 1)
    wires.append(Wire(serve.port).send(turn(grown(first, "Good day to you", "and now?"))))
    eventually(lambda: serve.total("queued") == 2)
    gate.open()
    decisions = [wire.answer().get("x-turnpike-decision") for wire in wires]
    for wire in wires:
        wire.close()
    assert decisions[2] == "boosted" and "boosted" not in decisions[:2]


@pytest.mark.parametrize("workers", [1, 3])
def test_turns_without_any_header_stay_on_their_endpoint(fake, gateway, workers):
    """Under the default policy the second turn goes where the first was computed, and the third has a place there."""
    engines = [fake(answers("A long answer that begins in its own way")) for _ in range(3)]
    serve = gateway(engines, "--workers", workers)
    failures = []

    def converse(number, stream):
        messages, seen = [says("system", "s" * 3000), says("user", f"conversation {number}")], []
        for i in range(4):
            with Wire(serve.port) as wire:  # another connection for each turn, hence perhaps another worker
                answer = wire.send(turn(messages, stream=stream)).answer()
                seen.append((answer.get("x-turnpike-endpoint"), answer.get("x-turnpike-decision")))
                messages = grown(messages, answer.text.strip(), f"more {number} {i}")
        if len({endpoint for endpoint, _ in seen}) != 1 or [why for _, why in seen[2:]] != ["resident"] * 2:
            failures.append(seen)

    threads = [threading.Thread(target=converse, args=(i, i % 2 == 0)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert serve.metric("turnpike_conversation_turns_total", how="continued") == 36
    assert serve.metric("turnpike_conversations") == 12


def test_equal_first_prompts_are_told_apart_by_their_answers(fake, gateway):
    """Eight attempts at one task, all at once: each goes on as itself."""
    count = 0

    def script(exchange):
        nonlocal count
        count += 1
        answers(f"Attempt {count} has an answer of its own")(exchange)

    serve = gateway([fake(script)], "--policy", "session-boost")
    task = [says("user", "solve the task")]
    texts = [serve.ask(turn(task)).text for _ in range(8)]
    for text in reversed(texts):
        assert serve.ask(turn(grown(task, text, "go on"))).status == 200
    assert serve.metric("turnpike_conversation_turns_total", how="continued") == 8


def test_a_prompt_whose_answer_broke_off_is_tried_again_in_its_session(fake, gateway):
    def breaks(exchange):
        exchange.start_stream(delta(role="assistant", content=""), delta(content="Half of"))
        exchange.close()

    engine = fake(breaks)
    serve = gateway([engine])
    first = [says("user", "hello")]
    assert not serve.ask(turn(first, stream=True)).complete
    engine.script = answers("All of it")
    for _ in range(2):
        assert serve.ask(turn(first, stream=True)).status == 200
    assert serve.metric("turnpike_conversation_turns_total", how="repeated") == 1
    assert serve.metric("turnpike_conversation_turns_total", how="started") == 2


def test_a_prompt_can_be_left_alone(fake, gateway):
    serve = gateway([fake(talk)], config={"session": {"sources": ["headers", "body"]}})
    first = [says("user", "hello")]
    assert serve.ask(turn(first)).status == 200
    assert serve.ask(turn(grown(first, "Hello there", "more"))).status == 200
    assert serve.metric("turnpike_conversations") == 0
    assert sum(pool["sessions"] for pool in serve.pools()) == 0


def test_prompts_are_remembered_up_to_the_limit(fake, gateway):
    serve = gateway([fake(talk)], config={"limits": {"conversations": 3}})
    for i in range(5):
        assert serve.ask(turn([says("user", f"{i}")])).status == 200
    assert serve.metric("turnpike_conversations") == 3
    assert serve.metric("turnpike_conversations_forgotten_total") == 2
