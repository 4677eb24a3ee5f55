"""Runs MiniStack with corrections to where it differs from AWS in what this project relies on.

Run by the MiniStack environment's interpreter as a file (`python -P ministack_launcher.py`), so it
imports nothing of this project. What MiniStack 1.5.33 does, and what is put right here:

1. a handler's exception is reported as `Runtime.HandlerError`, so that `Retry` and `Catch` by class
   name never match;
2. the worker is killed after every such exception, so that the next call is a cold start;
3. a killed worker is `Runtime.HandlerError` too, where AWS says `Runtime.ExitError`;
4. a Task's `TimeoutSeconds` given as a JSONata expression is not evaluated;
5. the error of a function called with `.waitForTaskToken` is dropped, and the task waits for a
   callback that never comes;
6. EventBridge Scheduler leaves `<aws.scheduler.execution-id>` and its kin as they are, so that all
   firings look the same;
7. `batchItemFailures` of a function on a DynamoDB stream is ignored, so that failed records are
   lost (here the whole batch comes again, on AWS everything from the first failed record);
8. `GenerateSecretString` ignores `ExcludePunctuation`;
9. every cold start unpacks all layers again, inside MiniStack's own process: a hundred at once keep
   it busy for minutes (here each layer is unpacked once, and the workers share it, read only);
10. cold starts at once are not limited, so that a burst of them starves the invocations that run
   (here a few per core start at a time, the others wait; what they do stays as concurrent);
11. with `AUTH=true` a callback (`SendTaskSuccess` and its like) is granted by the resource `*` only
   (here, as on AWS, by the state machine whose task waits on the token);
12. a function that an EventBridge rule calls is called once, so that a failed event is lost (here,
   as every asynchronous call: repeated, then handed to the on-failure destination).

Each correction replaces a text that must be there exactly once. On any other MiniStack it stops
with a message naming the place: a silent half-correction would be worse than none.
"""

from __future__ import annotations

import functools
import inspect
import io
import os
import sys
import tempfile
import textwrap
import threading
import uuid
import zipfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

PATCHED_VERSION = "1.5.33"
COLD_STARTS_PER_CORE = 2

Replacement = tuple[str, str]

WORKER_SCRIPT: Sequence[Replacement] = [
    (
        '"error": str(e), "trace": traceback.format_exc()}',
        '"error": str(e), "trace": traceback.format_exc(), "error_type": type(e).__name__,'
        ' "stack_trace": traceback.format_list(traceback.extract_tb(e.__traceback__)[1:])}',
    ),
]
KEEP_WORKER: Sequence[Replacement] = [
    (
        'if response.get("status") == "error":',
        'if response.get("status") == "error" and "error_type" not in response:',
    ),
]
ERROR_PAYLOAD: Sequence[Replacement] = [
    (
        'error_type = "Runtime.HandlerError"\n',
        'error_type = result.get("error_type") or (\n'
        '                "Runtime.ExitError" if error_msg == "Worker process died"\n'
        '                else "Runtime.HandlerError")\n',
    ),
    (
        '"errorType": error_type,\n',
        '"errorType": error_type,\n'
        '                    **({"requestId": request_id, "stackTrace": result["stack_trace"]}\n'
        '                       if "stack_trace" in result else {}),\n',
    ),
]
LAYER_EXTRACTION: Sequence[Replacement] = [
    (
        "if layer_data:\n",
        "if layer_data:\n"
        "                layers_dirs.append(_unpacked_once(layer_data))\n"
        "                continue\n",
    ),
]
TASK_TIMEOUT: Sequence[Replacement] = [
    (
        "task_result = _invoke_with_callback(\n"
        '                    resource, effective, ctx["Task"]["Token"], state_def)',
        "task_result = _invoke_with_callback(\n"
        '                    resource, effective, ctx["Task"]["Token"],\n'
        "                    _with_evaluated_timeout(state_def, raw_input, ctx))",
    ),
    (
        'resource, effective, state_def["TimeoutSeconds"])',
        "resource, effective,\n"
        '                    _with_evaluated_timeout(state_def, raw_input, ctx)["TimeoutSeconds"])',
    ),
]
CALLBACK_TOKEN: Sequence[Replacement] = [
    ('ctx["Task"] = {"Token": new_uuid()}', 'ctx["Task"] = {"Token": _token_of_task(ctx)}'),
]
CALLBACK_ERROR: Sequence[Replacement] = [
    (
        "_call_lambda(func_ref, lambda_payload)\n"
        "        except _ExecutionError:\n            pass\n",
        "_call_lambda(func_ref, lambda_payload)\n        except _ExecutionError:\n"
        "            _task_tokens.pop(token, None)\n            raise\n",
    ),
]
SCHEDULER_CONTEXT: Sequence[Replacement] = [
    ('target = sched.get("Target") or {}\n', "target = _target_with_context(sched, now)\n"),
]
STREAM_ITEM_FAILURES: Sequence[Replacement] = [
    (
        "result = _execute_function(func_rec, event)\n",
        "result = _result_with_item_failures(_execute_function(func_rec, event))\n",
    ),
]
RULE_TO_FUNCTION: Sequence[Replacement] = [
    (
        "threading.Thread(\n"
        "        target=lambda_svc._execute_function_with_config_scope, args=(exec_record, event),"
        " daemon=True\n    ).start()\n",
        "lambda_svc.invoke_async_with_retry(exec_record, event)\n",
    ),
]
SECRET_PUNCTUATION: Sequence[Replacement] = [
    (
        "_string.digits + _string.punctuation\n",
        '_string.digits + ("" if gen.get("ExcludePunctuation") else _string.punctuation)\n',
    ),
]


def target_with_context(schedule: dict[str, Any], fired_at: float) -> dict[str, Any]:
    """The schedule's target with the context attributes of this firing in its Input.

    `fired_at` in epoch seconds. Source: EventBridge Scheduler user guide, "Adding
    context attributes".
    """
    target = dict(schedule.get("Target") or {})
    attributes = {
        "execution-id": str(uuid.uuid4()),
        "scheduled-time": datetime.fromtimestamp(fired_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schedule-arn": schedule.get("Arn", ""),
        "attempt-number": "1",
    }
    for name, value in attributes.items():
        if "Input" in target:
            target["Input"] = target["Input"].replace(f"<aws.scheduler.{name}>", value)
    return target


def result_with_item_failures(result: dict[str, Any]) -> dict[str, Any]:
    """A stream batch's result as an error when it names failed items: the batch comes again."""
    body = result.get("body")
    if result.get("error") or not isinstance(body, dict) or not body.get("batchItemFailures"):
        return result
    failed = {"errorType": "BatchItemFailures", "errorMessage": str(body["batchItemFailures"])}
    return {**result, "error": True, "body": failed}


class UnpackedLayers:
    """Folders of unpacked layers, one for each content, in TMPDIR: they end with the stack."""

    def __init__(self) -> None:
        self._folders: dict[bytes, str] = {}
        self._lock = threading.Lock()

    def unpacked_once(self, layer_zip: bytes) -> str:
        """The folder with the content of that zip file."""
        with self._lock:
            if layer_zip not in self._folders:
                folder = tempfile.mkdtemp(prefix="ministack-layer-")
                with zipfile.ZipFile(io.BytesIO(layer_zip)) as archive:
                    archive.extractall(folder)
                self._folders[layer_zip] = folder
            return self._folders[layer_zip]


def limited(function: Callable[..., Any], at_once: int) -> Callable[..., Any]:
    """The function, with calls beyond that number waiting for their turn."""
    turns = threading.BoundedSemaphore(at_once)

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        with turns:
            return function(*arguments, **keywords)

    return call


def replace_exactly(text: str, replacements: Sequence[Replacement], place: str) -> str:
    """Apply the replacements; SystemExit names the place when one does not occur exactly once."""
    for expected, replacement in replacements:
        occurrences = text.count(expected)
        if occurrences != 1:
            raise SystemExit(
                f"MiniStack: {place} has the text to correct {occurrences} times, not once; "
                f"the launcher was written for {PATCHED_VERSION}. Expected: {expected!r}"
            )
        text = text.replace(expected, replacement)
    return text


def recompiled(
    module: ModuleType, function: Callable[..., Any], replacements: Sequence[Replacement]
) -> Any:
    """The function compiled anew from its corrected source, in its own module's namespace."""
    place = f"{module.__name__}.{function.__qualname__}"
    source = replace_exactly(textwrap.dedent(inspect.getsource(function)), replacements, place)
    namespace: dict[str, Any] = {}
    exec(compile(source, f"<corrected {place}>", "exec"), module.__dict__, namespace)  # noqa: S102  # its own source
    return namespace[function.__name__]


def correct_functions(lambda_runtime: Any, lambda_svc: Any) -> None:
    """Exceptions keep their class name and their worker; failed stream records come again."""
    lambda_runtime._PYTHON_WORKER_SCRIPT = replace_exactly(
        lambda_runtime._PYTHON_WORKER_SCRIPT, WORKER_SCRIPT, "the Python worker script"
    )
    lambda_runtime.Worker.invoke = recompiled(
        lambda_runtime, lambda_runtime.Worker.invoke, KEEP_WORKER
    )
    lambda_svc._execute_function_warm = recompiled(
        lambda_svc, lambda_svc._execute_function_warm, ERROR_PAYLOAD
    )
    lambda_svc._result_with_item_failures = result_with_item_failures
    lambda_svc._poll_dynamodb_streams = recompiled(
        lambda_svc, lambda_svc._poll_dynamodb_streams, STREAM_ITEM_FAILURES
    )


def correct_cold_starts(lambda_runtime: Any) -> None:
    """Layers are unpacked once, and a few workers start at a time."""
    lambda_runtime._unpacked_once = UnpackedLayers().unpacked_once
    lambda_runtime.Worker._spawn = limited(
        recompiled(lambda_runtime, lambda_runtime.Worker._spawn, LAYER_EXTRACTION),
        at_once=COLD_STARTS_PER_CORE * (os.cpu_count() or 1),
    )


def correct_permissions(iam_actions: Any, machines: Mapping[str, str]) -> None:
    """A callback is permitted on the state machine that waits; `machines` has its ARN by token."""
    resource_arn = iam_actions.extract_resource_arn

    def resource_arn_of_callback(
        service: str, method: str, path: str, headers: Any, body: bytes, *rest: Any
    ) -> Any:
        resource = resource_arn(service, method, path, headers, body, *rest)
        if service != "states" or resource != "*":
            return resource
        return machines.get(iam_actions._safe_json_field(body, "taskToken"), resource)

    iam_actions.extract_resource_arn = resource_arn_of_callback


def correct_state_machines(stepfunctions: Any, machines: MutableMapping[str, str]) -> None:
    """Task timeouts may be expressions, and a failed callback function fails its task.

    `machines` is given the ARN of the state machine of each callback token.
    """

    def token_of_task(context: Any) -> str:
        token = stepfunctions.new_uuid()
        machines[token] = context["StateMachine"]["Id"]
        return str(token)

    def with_evaluated_timeout(
        state: dict[str, Any], raw_input: Any, context: Any
    ) -> dict[str, Any]:
        if not isinstance(state.get("TimeoutSeconds"), str):
            return state
        seconds = stepfunctions._jsonata_state_field(
            state, "TimeoutSeconds", "number", raw_input, context
        )
        return {**state, "TimeoutSeconds": seconds}

    stepfunctions._token_of_task = token_of_task
    stepfunctions._with_evaluated_timeout = with_evaluated_timeout
    stepfunctions._execute_task = recompiled(
        stepfunctions, stepfunctions._execute_task, [*TASK_TIMEOUT, *CALLBACK_TOKEN]
    )
    stepfunctions._invoke_with_callback = recompiled(
        stepfunctions, stepfunctions._invoke_with_callback, CALLBACK_ERROR
    )


def correct_rules(eventbridge: Any) -> None:
    """A function is called by a rule as asynchronously as AWS does it."""
    eventbridge._dispatch_to_lambda = recompiled(
        eventbridge, eventbridge._dispatch_to_lambda, RULE_TO_FUNCTION
    )


def correct_resources(scheduler: Any, provisioners: Any) -> None:
    """Schedules fill their context attributes in, and generated secrets keep to their alphabet."""
    scheduler._target_with_context = target_with_context
    scheduler._tick_schedules = recompiled(scheduler, scheduler._tick_schedules, SCHEDULER_CONTEXT)
    # CloudFormation's create and update both look this function up in their module when called
    provisioners._sm_secret_string = recompiled(
        provisioners, provisioners._sm_secret_string, SECRET_PUNCTUATION
    )


def main() -> None:
    """Correct the installed MiniStack, then run it in this process until it is ended."""
    from ministack.app import main as run_ministack
    from ministack.core import iam_actions, lambda_runtime
    from ministack.services import eventbridge, lambda_svc, scheduler, stepfunctions
    from ministack.services.cloudformation import provisioners

    correct_functions(lambda_runtime, lambda_svc)
    correct_cold_starts(lambda_runtime)
    machines_by_token: dict[str, str] = {}
    correct_state_machines(stepfunctions, machines_by_token)
    correct_permissions(iam_actions, machines_by_token)
    correct_rules(eventbridge)
    correct_resources(scheduler, provisioners)
    sys.argv = ["ministack"]
    run_ministack()


if __name__ == "__main__":
    main()
