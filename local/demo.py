"""The main job, shown on the embedded stack: AOPs and workflows, side by side and by each trigger.

Every line that starts with `$` is a command as anybody would type it; this program only says what
comes next, sends the two events that no command sends, and counts at the end. The stack stays up
afterwards if it was up before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from local import stack
from local.reference_agent import ReferenceAgent
from local.stack_files import StackInfo

BIN = stack.CHECKOUT / ".venv" / "bin"
CREDENTIALS = {
    "client_id": "demo-client",
    "client_secret": "demo-secret",
    "username": "demo-user",
    "password": "demo-password",
}
"""Those that the Leena emulator is born with."""

AOP_ID = "it_support_ticket_creation"
WORKFLOW_ID = "wkf_completes_after_5_seconds"
TICKET_TITLE = "ticket"
TICKET = stack.CHECKOUT / "events" / "ticket-created.json"
WAIT_SECONDS = 60.0


def main() -> int:
    """0 when every activity ended as it should."""
    began = time.monotonic()
    was_up = stack.read() is not None
    say("1. The stack: template.yaml, deployed to an emulator on this machine")
    try:
        deployed = stack.start()
        return run(deployed, began)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    finally:
        if was_up:
            say("The stack was up before and stays up. End it with: make down")
        else:
            stack.stop(quiet=True)


def run(deployed: StackInfo, began: float) -> int:
    say("2. Two providers (here: their emulators), and an agent at each: an AOP and a workflow")
    base_urls = {"auth": deployed.leena_emulator_url, "api": deployed.leena_emulator_url}
    document: dict[str, Any] = {"region": "us-east-1", **CREDENTIALS, "base_urls": base_urls}
    command("connect", "leena", "--from-stdin", stdin=json.dumps(document))
    document = {"api_key": deployed.leap_emulator_api_key, "base_url": deployed.leap_emulator_url}
    command("connect", "leap", "--from-stdin", stdin=json.dumps(document))
    command("agent", "set", "it_support", "--aop", AOP_ID, "--connection", "leena")
    command("agent", "set", "content_writer", "--workflow", WORKFLOW_ID, "--connection", "leap")

    say("3. Three triggers: an EventBridge rule, EventBridge Scheduler, the API")
    say("   EventBridge: a ticket was created, for it_support, the AOP", gap=False)
    put_ticket(deployed)
    say("   EventBridge Scheduler: the stored schedule `nightly`, due at once, for", gap=False)
    say("   content_writer, the workflow", gap=False)
    put_schedule(deployed)
    say("   API Gateway: one of each, by the same command", gap=False)
    ticket = ("--title", TICKET_TITLE, "--context", "ticket_number=INC0503407")
    command("start", "it_support", "--message", "Analyze the ticket shared", *ticket)
    article = ("--title", "article", "--context", "topic=VPN")
    written = command(
        "start", "content_writer", "--message", "Write it", *article, "--watch", check=False
    )
    say("   Leap called back, so nobody had to look. The AOP went on meanwhile, and is looked at:")
    watched = command("watch", newest(deployed, TICKET_TITLE), check=False)

    say("4. What came of all four, side by side")
    wait_for_all(deployed, 4)
    command("list", "--limit", "4")
    came_back = review_by_hand(deployed)
    activities = wait_for_all(deployed, 5)
    ended = max(written, watched, came_back)
    return report(deployed, activities, ended, time.monotonic() - began)


def review_by_hand(deployed: StackInfo) -> int:
    """An agent of one's own asks for a review, is rejected, and does it again: 0 if it did."""
    say("5. An agent of your own (local/reference_agent), called at its URL; it calls back")
    with ReferenceAgent() as agent:
        command("agent", "set", "copywriter", "--url", agent.url)
        # the command has shown the secret once; another is made for the agent
        path = "/v1/agents/copywriter/signing-secret"
        agent.signing_secret = call(deployed, "POST", path)["signing_secret"]
        title = "a text to be reviewed"
        command("start", "copywriter", "--message", "review: Write about our VPN", "--title", title)
        activity_id = newest(deployed, title)
        review_id = wait_for_review(deployed, activity_id)
        say("   It asks for a review. What waits for a person, whoever asked for it:")
        command("inbox")
        command("reject", review_id, "--note", "Name the product")
        ended = command("watch", activity_id, check=False)
        command("output", activity_id)
        reasons = [dispatch["wakeReason"] for dispatch in agent.dispatches]
    say(f"   What it was woken for: {', '.join(reasons)}.")
    return ended if reasons == ["new_task", "rejection"] else 1


def wait_for_review(deployed: StackInfo, activity_id: str) -> str:
    """The id under which it waits for a person, once its run has ended."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        page = call(deployed, "GET", "/v1/inbox")
        for item in page["items"]:
            if item["activity_id"] == activity_id:
                return str(item["id"])
        time.sleep(0.3)
    raise SystemExit(f"{activity_id} asked for no review: agentruns show {activity_id}")


def command(*arguments: str, stdin: str | None = None, check: bool = True) -> int:
    """Run `agentruns`, showing it as it would be typed."""
    shown = " ".join(f'"{word}"' if " " in word else word for word in arguments)
    print(f"\n$ agentruns {shown}" + (f" < {arguments[1]}.json" if stdin else ""), flush=True)
    ended = subprocess.run(
        [str(BIN / "agentruns"), *arguments],
        cwd=stack.CHECKOUT,
        input=stdin,
        text=True,
        check=False,
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith("AGENTRUNS_") or name == stack.STATE_DIRECTORY_VARIABLE
        },
    )
    if check and ended.returncode != 0:
        raise SystemExit(ended.returncode)
    return ended.returncode


def put_ticket(deployed: StackInfo) -> None:
    event = json.loads(TICKET.read_text())
    entry = {
        "EventBusName": deployed.event_bus,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": json.dumps(event["detail"]),
    }
    answer = stack.client(deployed, "events").put_events(Entries=[entry])
    if answer["FailedEntryCount"]:
        raise SystemExit(f"the bus did not take the ticket: {answer['Entries']}")


def put_schedule(deployed: StackInfo) -> None:
    """Store what to open, then a one-time schedule beside the template's (which is off)."""
    request = {"activity": {"agent_role": "content_writer", "message": "The nightly report"}}
    stored = call(deployed, "PUT", "/v1/schedules/nightly", request)
    at = datetime.now(UTC) + timedelta(seconds=1)
    scheduler = stack.client(deployed, "scheduler")
    scheduler.create_schedule(
        Name=f"demo-{at:%H%M%S}",
        ScheduleExpression=f"at({at:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        ActionAfterCompletion="DELETE",
        Target={
            "Arn": deployed.state_machine_arn,
            "RoleArn": "arn:aws:iam::000000000000:role/demo-schedule",
            "Input": stored["scheduler_input"],
        },
    )


def newest(deployed: StackInfo, title: str) -> str:
    """The id of the newest activity of that title."""
    page = call(deployed, "GET", "/v1/activities?limit=20")
    return str(next(item["activity_id"] for item in page["items"] if item["title"] == title))


def wait_for_all(deployed: StackInfo, expected: int) -> list[dict[str, Any]]:
    """The newest `expected` activities, once all of them have ended."""
    until = time.monotonic() + WAIT_SECONDS
    while True:
        page = call(deployed, "GET", f"/v1/activities?limit={expected}")
        items: list[dict[str, Any]] = page["items"]
        ended = [item for item in items if item["status"] in {"done", "failed", "cancelled"}]
        if len(ended) == expected or time.monotonic() > until:
            return items
        time.sleep(0.5)


def report(
    deployed: StackInfo, activities: Sequence[dict[str, Any]], ended: int, seconds: float
) -> int:
    """Count what the providers saw: that is what cannot be made up here. What the agent was woken
    for is in `ended`."""
    run_ids = {activity["activity_id"].replace("act_", "run_") for activity in activities}
    leena = requests.get(f"{deployed.leena_emulator_url}/_emulator/ledger", timeout=10).json()
    items = [
        entry
        for entry in leena["entries"]
        if entry["operation"] == "execute"
        and str(entry["context"].get("agentruns_run_id", "")).rpartition("_")[0] in run_ids
    ]
    leap = requests.get(f"{deployed.leap_emulator_url}/_emulator/ledger", timeout=10).json()
    workflow_runs = {
        entry["run_id"]
        for entry in leap["starts"]
        if any(run_id in entry["webhook_url"] for run_id in run_ids)
    }
    webhooks = [each for each in leap["webhooks"] if each["run_id"] in workflow_runs]
    done = [activity for activity in activities if activity["status"] == "done"]
    triggers = sorted(activity["trigger"] for activity in activities)
    say(
        f"{len(done)} of {len(activities)} activities done (opened by {', '.join(triggers)}). "
        f"Leena AI saw {len(items)} starts; Leap saw {len(workflow_runs)} starts and sent "
        f"{len(webhooks)} webhooks; the agent was woken twice. {seconds:.0f} s."
    )
    is_good = (
        ended == 0
        and triggers == ["api", "api", "api", "event", "schedule"]
        and (len(done), len(items), len(workflow_runs), len(webhooks)) == (5, 2, 2, 2)
    )
    if not is_good:
        say("That is not as it should be: look at .local/ for logs, or ask: agentruns show ID")
    return 0 if is_good else 1


def call(deployed: StackInfo, method: str, path: str, body: Any = None) -> Any:
    answer = requests.request(
        method,
        deployed.api_url + path,
        json=body,
        headers={"Authorization": f"ApiKey {deployed.operator_key}"},
        timeout=30,
    )
    answer.raise_for_status()
    return answer.json()


def say(text: str, gap: bool = True) -> None:
    print(f"\n{text}" if gap else text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
