"""An agent of one's own, complete: takes signed dispatches, works, and calls back.

It has no model: what it "writes" is made of its prompt. It knows nothing of `agentruns` but the
Agent API, and needs `requests` and `standardwebhooks`. A test tool: it binds to 127.0.0.1 only.
"""

from __future__ import annotations

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests
from standardwebhooks import Webhook, WebhookVerificationError

CALL_SECONDS = 10.0


class ReferenceAgent:
    """Serves on a free port of 127.0.0.1 from `start` to `stop`; `dispatches` is what it took."""

    def __init__(self, port: int = 0) -> None:
        self.signing_secret = ""
        self.dispatches: list[dict[str, Any]] = []
        self.answers_with = 202
        self._server = _Server(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/dispatch"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> ReferenceAgent:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The answer's status: 401 for what is not signed with our secret. 2xx says that we have
        it; the work is done after the answer, however long it takes."""
        try:
            dispatch = Webhook(self.signing_secret).verify(body, headers)
        except WebhookVerificationError:
            return 401
        self.dispatches.append(dispatch)
        if self.answers_with < 300:
            threading.Thread(target=self.work, args=(dispatch,), daemon=True).start()
        return self.answers_with

    def work(self, dispatch: dict[str, Any]) -> None:
        """One run: read what is to be done, do it, show the text as it is made, deliver it."""
        context = self.call(dispatch, "GET", dispatch["contextUrl"])
        self.use_tool(dispatch, context["prompt"])
        result = self.result_for(context)
        if context["wakeReason"] == "new_task" and context["prompt"].startswith("review:"):
            self.ask_for_review(dispatch, result["text"])
        self.stream(dispatch, result.get("text", ""))
        self.call(dispatch, "POST", dispatch["callbackUrl"], result)

    def result_for(self, context: dict[str, Any]) -> dict[str, Any]:
        """Where a real agent asks its model. A prompt that begins with `fail:` fails; one that
        begins with `review:` wants a person to look at it first."""
        prompt = context["prompt"]
        if prompt.startswith("fail:"):
            return {"status": "error", "error": prompt.removeprefix("fail:").strip()}
        text = f"Done: {prompt.removeprefix('review:').strip().splitlines()[0]}"
        if note := context.get("rejectionNote"):
            text += f" (again, since you said: {note})"
        usage = {"inputTokens": len(prompt.split()), "outputTokens": len(text.split())}
        return {"status": "success", "text": text, "usage": usage, "durationMs": 1}

    def ask_for_review(self, dispatch: dict[str, Any], text: str) -> None:
        """The run still delivers; what follows waits for a person, and is another run."""
        review = {"title": "Is this what you want?", "description": text}
        self.call(dispatch, "POST", self.run_url(dispatch, "actions/request-review"), review)

    def stream(self, dispatch: dict[str, Any], text: str) -> None:
        """Word by word; the numbers say in which order."""
        for number, word in enumerate(re.findall(r"\S+\s*", text), 1):
            delta = {"delta": word, "sequenceNum": number}
            self.call(dispatch, "POST", self.run_url(dispatch, "stream"), delta)

    def use_tool(self, dispatch: dict[str, Any], prompt: str) -> None:
        """A real agent reports each tool that its model called, without any credential."""
        report = {
            "toolName": "dictionary",
            "method": "countWords",
            "input": {"text": prompt},
            "output": {"words": len(prompt.split())},
            "status": "success",
            "durationMs": 1,
        }
        self.call(dispatch, "POST", self.run_url(dispatch, "tool-call"), report)

    def run_url(self, dispatch: dict[str, Any], what: str) -> str:
        return str(dispatch["contextUrl"]).removesuffix("context") + what

    def call(
        self, dispatch: dict[str, Any], method: str, url: str, body: object = None
    ) -> dict[str, Any]:
        """A call of the Agent API, as the run that the dispatch is about."""
        headers = {"Authorization": f"Bearer {dispatch['taskToken']}"}
        answer = requests.request(method, url, json=body, headers=headers, timeout=CALL_SECONDS)
        answer.raise_for_status()
        return dict(answer.json())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], agent: ReferenceAgent) -> None:
        self.agent = agent
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.server.agent.take(body, dict(self.headers)))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Says nothing: a dispatch carries a token."""
