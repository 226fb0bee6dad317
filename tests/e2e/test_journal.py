"""The flight recorder: what happened to the policy is in a file, and can be read and played again."""
import json

from wire import chat, eventually


def read(command, path, *flags):
    status, out, err = command("journal", path, *flags)
    assert status == 0, err
    return out


def test_traffic_is_in_the_journal_and_plays_again(fake, gateway, command, tmp_path):
    serve = gateway([fake(), fake()], "--journal", tmp_path)
    for turn in range(30):
        assert serve.ask(chat(f"turn {turn}", session=f"s{turn % 3}")).status == 200
    eventually(serve.is_idle)
    assert serve.end() == 0
    serve.expects_clean_end = False  # it has had its end

    summary = json.loads(read(command, tmp_path))
    assert summary["requests"] == summary["ended"] == 30
    assert summary["sessions"] == 3
    assert summary["gaps"] == 0
    assert summary["replayed"] == {"dispatched": 30, "rejected": 0, "passed_over": 0}
    requests = [json.loads(line) for line in read(command, tmp_path, "--requests").splitlines()]
    assert len(requests) == 30
    assert all(request["ending"] == "finished" and request["prompt_tokens"] > 0 for request in requests)
    assert [request["at"] for request in requests] == sorted(request["at"] for request in requests)
    # Sizes and hashes only, never text.
    (file,) = tmp_path.iterdir()
    assert b"turn 2" not in file.read_bytes() and b"s1" not in file.read_bytes()


def test_the_latest_events_are_in_memory_and_the_admin_api_gives_them_out(fake, gateway, command, tmp_path):
    serve = gateway([fake()])
    for turn in range(5):
        assert serve.ask(chat(f"{turn}")).status == 200
    eventually(serve.is_idle)
    answer = serve.admin("/api/journal")
    assert answer.status == 200
    (tmp_path / "incident.journal").write_bytes(answer.body)
    summary = json.loads(read(command, tmp_path / "incident.journal"))
    assert summary["requests"] == summary["ended"] == 5
    assert "turnpike_journal_bytes_total" in serve.admin("/metrics").body.decode()


def test_a_journal_that_breaks_off_is_read_up_to_there(fake, gateway, command, tmp_path):
    serve = gateway([fake()], "--journal", tmp_path)
    assert serve.ask(chat("one")).status == 200
    eventually(serve.is_idle)
    assert serve.end() == 0
    serve.expects_clean_end = False  # it has had its end
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert json.loads(read(command, tmp_path))["requests"] == 1
    file.write_bytes(b"?TPJ" + bytes(60))
    status, _, err = command("journal", tmp_path)
    assert status == 1 and "another version" in err


def test_without_memory_nothing_is_recorded(fake, gateway):
    serve = gateway([fake()], config={"journal": {"memory": "0"}})
    assert serve.admin("/api/journal").status == 404


def test_a_journal_directory_that_is_not_there_is_an_error(command, tmp_path):
    status, _, err = command("serve", "--backend", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0",
                             "--journal", tmp_path / "nowhere")
    assert status == 1 and "nowhere: No such file" in err


def test_a_journal_is_simulated(engine, gateway, command, tmp_path):
    serve = gateway(engine("--replicas", "2", "--model", "m", "--speed", "50"), "--journal", tmp_path)
    text = "a conversation that goes on " * 100
    for turn in range(8):
        assert serve.ask(chat(text * (1 + turn // 2), session=f"s{turn % 2}", model="m", max_tokens=5)).status == 200
    eventually(serve.is_idle)
    assert serve.end() == 0
    serve.expects_clean_end = False
    out = tmp_path.parent / "simulated.json"
    status, _, err = command("simulate", "--trace", tmp_path, "--policy", "resident-set,round-robin", "--json", out)
    assert status == 0, err
    for run in json.loads(out.read_text())["runs"]:
        assert run["requests"]["finished"] == 8 and run["output_tokens"] == 40
        assert run["sessions_finished"] == 2
