"""What an agent of one's own remembers, against the rows: its dispatches, results, tools and text.

Pure, as `checker`, which runs these rules. Not here: what activities wait for (`wait_rules`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from agentruns.errors import StartUnknown
from agentruns.event_types import EventType
from agentruns.lifecycle import NOT_STARTED
from agentruns.model import EvidenceSource, Run
from agentruns.statuses import RunStatus
from chaos.books import AgentCall, Books, LogLine, Offence

_STATUSES = {"success": RunStatus.COMPLETED, "error": RunStatus.FAILED}
_ADMITS_NOT_KNOWING = {StartUnknown.code, NOT_STARTED}


def _dispatches(books: Books) -> Iterator[Offence]:
    """Taken twice; taken and denied; followed and never taken; told another reason."""
    runs, taken = books.runs(), {entry.run_id for entry in books.taken}
    for run_id, number in Counter(entry.run_id for entry in books.taken).items():
        if number > 1:
            activity_id = runs[run_id].activity_id if run_id in runs else ""
            yield _offence("doubled", activity_id, f"{run_id} was taken {number} times")
    for entry in books.taken:
        run = runs.get(entry.run_id)
        if run is None:
            yield _offence("lost", "", f"the agent has {entry.run_id}, which no row has")
            continue
        if run.started_at is None and not _admits_not_knowing(run):
            reason = f"{run.run_id} is {run.status}, and denies that the agent has it"
            yield _offence("lost", run.activity_id, reason)
        if run.wake_reason != entry.wake_reason:
            reason = f"{run.run_id} was woken by {run.wake_reason}, told {entry.wake_reason}"
            yield _offence("contradicted", run.activity_id, reason)
    for _, run in books.agent_runs():
        if run.started_at is not None and run.run_id not in taken:
            reason = f"{run.run_id} is {run.status}, but the agent never took it"
            yield _offence("contradicted", run.activity_id, reason)


def _results(books: Books) -> Iterator[Offence]:
    """Of a run's results one counts: the one that was answered so, and no other."""
    sent: dict[str, list[AgentCall]] = {}
    for call in (call for call in books.calls_named("result") if call.is_ours):
        sent.setdefault(call.run_id, []).append(call)
    for run_id, run in books.runs().items():
        results = sent.get(run_id, [])
        for reason in _contradictions(run, results):
            yield _offence("contradicted", run.activity_id, reason)


def _contradictions(run: Run, results: Sequence[AgentCall]) -> Iterator[str]:
    taken = [call for call in results if call.is_taken]
    if len(taken) > 1:
        yield f"{len(taken)} results of {run.run_id} were taken"
    yield from (
        f"{run.run_id} is not as the result says that was taken"
        for call in taken
        if not _says(call, run)
    )
    own = [each for each in run.evidence if each.source is EvidenceSource.AGENT and each.decided]
    if not own or run.status not in _STATUSES.values():
        return
    if not any(_says(call, run) for call in results):
        yield f"{run.run_id} is {run.status} by a result that the agent never sent"
    elif not taken and all(call.tries == 1 and call.status is not None for call in results):
        yield f"{run.run_id} is {run.status} by a result, and every result was refused"


def _says(call: AgentCall, run: Run) -> bool:
    if _STATUSES[call.sent["status"]] is not run.status:
        return False
    if run.status is RunStatus.COMPLETED:
        return bool(call.sent["text"] == run.output)
    return run.error is not None and run.error.message == call.sent["error"]


def _callers(books: Books) -> Iterator[Offence]:
    """A call of its agent makes a run known; one with a damaged token makes nothing."""
    runs = books.runs()
    for call in books.calls:
        run = runs.get(call.run_id)
        activity_id = "" if run is None else run.activity_id
        if call.is_taken and not call.is_ours:
            reason = f"{call.name} of {call.run_id} was let in with a damaged token"
            yield _offence("contradicted", activity_id, reason)
        elif call.is_taken and run is not None and run.status is RunStatus.START_UNKNOWN:
            reason = f"{run.run_id} is unknown, though its agent called {call.name}"
            yield _offence("stuck", activity_id, reason)


def _tools(books: Books) -> Iterator[Offence]:
    """A tool call with a key is one, however often it is sent, and its event is one."""
    calls = [call for call in books.calls_named("tool-call") if call.is_ours]
    for _, run in books.agent_runs():
        own = [call for call in calls if call.run_id == run.run_id]
        sent = {call.key for call in own}
        ids = {(call.key, call.answer.get("toolCallId")) for call in own if call.is_taken}
        known = {key for key, _ in ids}
        told = sum(
            event.type is EventType.TOOL_CALLED and event.run_id == run.run_id
            for event in books.events.get(run.activity_id, ())
        )
        if len(ids) > len(known) or run.tool_calls > len(sent):
            reason = f"{run.run_id} has {run.tool_calls} tool calls of {len(sent)}: {sorted(ids)}"
            yield _offence("doubled", run.activity_id, reason)
        if run.tool_calls < len(known):
            reason = f"{run.run_id} has {run.tool_calls} tool calls, {len(known)} were taken"
            yield _offence("lost", run.activity_id, reason)
        if told != run.tool_calls:
            reason = f"{told} events tell {run.tool_calls} tool calls of {run.run_id}"
            yield _offence("contradicted", run.activity_id, reason)


def _texts(books: Books) -> Iterator[Offence]:
    """The log has each piece that was taken once and in order, and says what is missing."""
    runs = books.runs()
    for run_id, lines in books.texts.items():
        sent = [call for call in books.calls_named("stream") if call.run_id == run_id]
        activity_id = runs[run_id].activity_id if run_id in runs else ""
        for reason in _wrong_text(lines, sent):
            yield _offence("gaps", activity_id, f"the text of {run_id} {reason}")


def _wrong_text(lines: Sequence[LogLine], sent: Sequence[AgentCall]) -> Iterator[str]:
    possible = {(call.sent["sequenceNum"], call.sent["delta"]) for call in sent}
    taken = {(call.sent["sequenceNum"], call.sent["delta"]) for call in sent if call.is_taken}
    shown = {(line.first, line.text) for line in lines if line.text is not None}
    if lost := taken - shown:
        yield f"lacks {sorted(lost)}"
    if strange := shown - possible:
        yield f"has {sorted(strange)}, which was never sent"
    # an agent may begin with 0 or with 1
    expected = 0 if lines and lines[0].first == 0 else 1
    for line in lines:
        if line.first != expected:
            yield f"goes on with {line.first}, not {expected}"
        expected = line.last + 1


def _admits_not_knowing(run: Run) -> bool:
    if run.status is RunStatus.START_UNKNOWN:
        return True
    return run.error is not None and run.error.code in _ADMITS_NOT_KNOWING


def _offence(verdict: str, activity_id: str, reason: str) -> Offence:
    return Offence(verdict=verdict, activity_id=activity_id, reason=reason)


AGENT_RULES: Sequence[Callable[[Books], Iterator[Offence]]] = (
    _dispatches,
    _results,
    _callers,
    _tools,
    _texts,
)
