"""Where a session's id comes from, as clients send it and as it is told afterwards."""
import json

from wire import eventually, post


def ask(serve, target="/v1/chat/completions", headers=(), **more):
    return serve.ask(post(target, {"model": "m", "messages": [{"role": "user", "content": "x"}], **more}, headers))


def came_from(serve, *arguments, **named):
    answer = ask(serve, *arguments, **named)
    assert answer.status == 200
    return answer.get("x-turnpike-session-from")


def test_every_source_in_the_configured_order(fake, gateway):
    sources = ["query:chat", "cookie:sid", "jwt:sid", "body:extra.thread", "header:x-late", "prompt"]
    serve = gateway([fake()], "--access-log", "json", config={"session": {"headers": ["x-early"], "sources": sources}})
    token = "Authorization: Bearer x.eyJzdWIiOiJ1Iiwic2lkIjoiai0xIn0.y"  # {"sub":"u","sid":"j-1"}
    everything = dict(headers=["x-early: e", "Cookie: sid=c", token, "x-late: l"], extra={"thread": "b"})
    expected = ["header:x-early", "query:chat", "cookie:sid", "jwt:sid", "body:extra.thread", "header:x-late", "prompt:started"]
    target, seen = "/v1/chat/completions?chat=q", []
    for drop in [None, "early", "query", "Cookie", "Bearer", "extra", "late"]:
        if drop == "query":
            target = "/v1/chat/completions"
        if drop == "extra":
            del everything["extra"]
        everything["headers"] = [h for h in everything["headers"] if drop is None or drop not in h]
        seen.append(came_from(serve, target, **everything))
    assert seen == expected
    assert [line.get("session_from") for line in serve.access_log(7)] == expected


def test_where_the_id_came_from_is_explained(fake, gateway):
    serve = gateway([fake()])
    assert came_from(serve, headers=["x-request-id: r1", "x-opencode-session: s"]) == "header:x-opencode-session"
    assert eventually(lambda: serve.admin("/api/requests/r1").json.get("session_from")) == "header:x-opencode-session"
    user = json.dumps({"device_id": "d", "session_id": "s"})
    assert came_from(serve, metadata={"user_id": user}) == "body:metadata.user_id"


def test_a_wrong_source_is_refused_with_its_name(command, tmp_path):
    file = tmp_path / "turnpike.yaml"
    file.write_text("backends: [http://127.0.0.1:1]\nsession: {sources: [prompt, headre:x]}\n")
    status, _, err = command("check", file)
    assert status != 0 and "headre:x" in err and "header:NAME" in err


def test_a_final_request_ends_its_session(fake, gateway):
    serve = gateway([fake()])
    header = "x-dynamo-session-id: s"
    assert came_from(serve, headers=[header]) == "header:x-dynamo-session-id"
    assert sum(pool["sessions"] for pool in serve.pools()) == 1
    assert came_from(serve, headers=[header, "x-dynamo-session-final: true"]) == "header:x-dynamo-session-id"
    eventually(lambda: sum(pool["sessions"] for pool in serve.pools()) == 0)


def test_sub_agents_are_sessions_of_their_own(fake, gateway):
    serve = gateway([fake()])
    main = "x-claude-code-session-id: s"
    assert ask(serve, headers=[main]).status == 200
    for agent in ("a", "b"):
        assert ask(serve, headers=[main, f"x-claude-code-agent-id: {agent}"]).status == 200
    assert sum(pool["sessions"] for pool in serve.pools()) == 3
