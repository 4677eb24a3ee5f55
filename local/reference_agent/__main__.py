"""`python -m local.reference_agent`: serves until Ctrl-C, by two settings of the environment."""

import contextlib
import os
import sys
import threading

from local.reference_agent.agent import ReferenceAgent


def main() -> int:
    """2 where a setting is missing."""
    try:
        port, signing_secret = int(os.environ["PORT"]), os.environ["SIGNING_SECRET"]
    except (KeyError, ValueError):
        print(
            "reference agent: set PORT to a free port, and SIGNING_SECRET to what\n"
            "  agentruns agent set copywriter --url http://127.0.0.1:PORT/dispatch\n"
            "printed (whsec_...)",
            file=sys.stderr,
        )
        return 2
    agent = ReferenceAgent(port)
    agent.signing_secret = signing_secret
    with agent, contextlib.suppress(KeyboardInterrupt):
        print(f"reference agent: waits for dispatches at {agent.url}; Ctrl-C ends it", flush=True)
        threading.Event().wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
