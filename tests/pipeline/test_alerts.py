"""The webhook against a real server on loopback: what it is told, and that nothing stops when it is down."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pipeline_tools import NO_LIMITS, audit_in_process, free_port

from label_quality.assets.resources import StoreResource
from label_quality.demo import Demo
from label_quality.sensors.alerts import failed_checks, failed_runs
from label_quality.settings import SettingsError, load_settings
from label_quality.store import Store
from label_quality.webhook import send

ALWAYS = NO_LIMITS.replace("duplicate = { warn = 1.0, error = 1.0 }", "")
ALWAYS = ALWAYS.replace("any = { warn = 1.0, error = 1.0 }", "any = { warn = 0.0, error = 0.0 }")


class Hook:
    """A server that keeps what it is sent; `status` is its answer, `delay` the seconds before it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.status, self.delay = 200, 0.0
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.messages.append(json.loads(body))
                time.sleep(hook.delay)
                self.send_response(hook.status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Nothing on standard error."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_message_arrives(hook: Hook) -> None:
    assert send(hook.url, {"text": "März"}, 5) == ""
    assert hook.messages == [{"text": "März"}]


@pytest.mark.parametrize(
    ("status", "delay", "wanted"), [(500, 0, "it answered 500"), (200, 0.6, "it cannot be reached")]
)
def test_what_goes_wrong_is_one_sentence_without_the_url(
    status: int, delay: float, wanted: str, hook: Hook
) -> None:
    hook.status, hook.delay = status, delay
    start = time.perf_counter()
    problem = send(hook.url, {}, 0.2)
    assert problem.startswith(wanted)
    assert "secret" not in problem
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    "text",
    ['url = "file:///etc/passwd"', 'url = "example.org"', "timeout_seconds = 0", "tries = 3"],
)
def test_settings_that_are_none_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "label_quality.toml").write_text(f"[webhook]\n{text}\n")
    with pytest.raises(SettingsError, match=r"label_quality\.toml: "):
        load_settings(tmp_path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://no.such.host.invalid/"])
def test_nobody_there(url: str) -> None:
    assert send(url.format(free_port()), {}, 1).startswith("it cannot be reached (")


@pytest.mark.parametrize(
    "url", ["http://[", "http://127.0.0.1:secret/", "http://127.0.0.1/secret token"]
)
def test_a_url_that_is_none_is_not_repeated(url: str) -> None:
    assert send(url, {}, 1) == "its URL is not one"


class Runs:
    """Audits of one batch in this process, and the two sensors called with how they ended."""

    def __init__(self, root: Path, instance: dg.DagsterInstance, settings: str) -> None:
        root.mkdir()
        (root / "label_quality.toml").write_text(settings)
        self.root, self.instance = root, instance
        self.store = Store(root, load_settings(root))

    def run(self) -> dg.ExecuteInProcessResult:
        return audit_in_process(self.root, self.instance, "b1")

    def tell(self, result: dg.ExecuteInProcessResult) -> None:
        """What the daemon does when the run has ended."""
        run = self.instance.get_run_by_id(result.run_id)
        assert run
        kind = "PIPELINE_SUCCESS" if result.success else "PIPELINE_FAILURE"
        (event,) = [e for e in result.all_events if e.event_type_value == kind]
        context = dg.build_run_status_sensor_context(
            sensor_name="x",
            dagster_event=event,
            dagster_instance=self.instance,
            dagster_run=run,
            resources={"store": StoreResource(root=str(self.root))},
        )
        with context if result.success else context.for_run_failure() as entered:
            (failed_checks if result.success else failed_runs)(entered)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


def webhook(url: str, *more: str) -> str:
    return "\n".join([ALWAYS, "[webhook]", f'url = "{url}"', *more, ""])


def test_a_failed_run_is_told_with_its_reason(
    hook: Hook, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    runs = Runs(tmp_path / "root", instance, webhook(hook.url))
    file = tmp_path / "labels.json"
    file.write_text("{")
    runs.store.deliver("b1", file)
    result = runs.run()
    runs.tell(result)
    (message,) = hook.messages
    assert message["event"] == "run_failed"
    assert (message["job"], message["batch"], message["run_id"]) == (
        "audit_batch",
        "b1",
        result.run_id,
    )
    assert message["reason"].startswith("labels.json, line 1, column 2")
    assert message["text"] == f"batch b1 failed: {message['reason']}"
    assert [c["check"] for c in message["checks"]] == ["delivery_taken"]
    (account,) = runs.store.accounts()
    assert (account.state, account.message) == ("failed", message["reason"])


def test_a_run_that_could_not_leave_a_note_is_noted(
    hook: Hook, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    runs = Runs(tmp_path / "root", instance, webhook(hook.url))
    (tmp_path / "labels.json").write_text("{")
    runs.store.deliver("b1", tmp_path / "labels.json")
    result = runs.run()
    (runs.root / "deliveries" / "failures" / "b1.json").unlink()
    assert runs.store.accounts()[0].state == "waiting"
    runs.tell(result)
    assert runs.store.accounts()[0].state == "failed"
    runs.store.note_failure("b1", "earlier", "long ago", ended=1.0)
    assert runs.store.accounts()[0].last_run == result.run_id


def test_failed_checks_are_one_message_and_a_dead_webhook_is_only_logged(
    hook: Hook,
    instance: dg.DagsterInstance,
    demo: Demo,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs = Runs(tmp_path / "root", instance, webhook(hook.url))
    runs.store.deliver("b1", demo.annotations, predictions=demo.predictions)
    result = runs.run()
    assert result.success
    runs.tell(result)
    (message,) = hook.messages
    assert (message["event"], message["batch"]) == ("checks_failed", "b1")
    assert [(c["check"], c["severity"]) for c in message["checks"]] == [
        ("label_error_rate", "ERROR")
    ]
    assert "ERROR label_error_rate: label errors of any type: " in message["text"]

    (runs.root / "label_quality.toml").write_text(webhook(hook.url, "warnings = true"))
    runs.tell(result)
    assert {c["severity"] for c in hook.messages[1]["checks"]} == {"ERROR", "WARN"}

    (runs.root / "label_quality.toml").write_text(webhook(f"http://127.0.0.1:{free_port()}/"))
    runs.tell(result)
    assert "the webhook was not told of run" in capsys.readouterr().err
    (runs.root / "label_quality.toml").write_text(ALWAYS)  # none is configured
    runs.tell(result)
    assert len(hook.messages) == 2
