"""Fixtures: the gateway, simulated engines, and engines whose answers a test writes itself.

Every gateway a test starts is checked when the test ends: it still runs, nothing is in flight, queued or leased, and
SIGTERM ends it with status 0.
"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from certificates import Authority  # noqa: E402
from fake_engine import FakeEngine, talk  # noqa: E402
from processes import TURNPIKE, Gateway, Process  # noqa: E402
from wire import eventually  # noqa: E402


def pytest_configure(config):
    if not pathlib.Path(TURNPIKE).exists():
        raise pytest.UsageError(f"{TURNPIKE} is not built: ./run.sh --build-only")
    config.option.timeout = config.option.timeout or 60


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Signs certificates that nobody else would."""
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def fake():
    """Makes engines with scripted answers: fake(script, models=..., port=...)."""
    engines = []

    def start(script=talk, **options):
        engines.append(FakeEngine(script, **options))
        return engines[-1]

    yield start
    for engine in engines:
        if engine.up:
            engine.end()
    problems = [problem for engine in engines for problem in engine.problems]
    assert not problems, problems


@pytest.fixture
def gateway(fake):  # after fake: the gateway is ended first
    """Starts gateways: gateway(backends, flags...). `backends`: URLs, or things with a url."""
    started = []

    def start(backends=(), *flags, **options):
        urls = [getattr(backend, "url", backend) for backend in backends]
        started.append(Gateway(urls, *flags, **options))
        return started[-1]

    yield start
    try:
        for one in started:
            if one.running and one.expects_clean_end:
                eventually(one.is_idle, what=f"everything given back: {one.pools()}")
            if one.expects_clean_end:
                assert one.running, f"the gateway ended with {one.process.returncode}: {one.stderr[-20:]}"
                assert one.end() == 0, one.stderr[-20:]
    finally:
        for one in started:
            one.kill()


@pytest.fixture
def engine():
    """Starts simulated engines: engine(flags...) gives their URLs."""
    started = []

    def start(*flags):
        started.append(Process("engine", "--listen", "127.0.0.1:0", *flags))
        return [f"http://127.0.0.1:{port}" for port in started[-1].ready()["listen"]]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def command():
    """Runs a subcommand to its end: command("check", file) gives (status, stdout, stderr)."""
    def run(*arguments, env=None, within=30.0):
        process = Process(*arguments, env=env)
        try:
            status = process.wait(within)
        finally:
            process.kill()
        return status, "\n".join(process.stdout), "\n".join(process.stderr)

    return run
