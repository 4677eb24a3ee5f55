"""`python -m chaos [--seed N] [--short] [SCENARIO ...]`: run, print, exit 1 on a finding."""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time

from bench.section import Section
from chaos.outcome import COLUMNS, Outcome
from chaos.suite import SCENARIOS, outcomes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], help="default: all")
    parser.add_argument("--seed", type=int, help="the first seed; default: another in each run")
    parser.add_argument(
        "--seeds", type=int, default=5, help="of faults upstream, at most (%(default)s)"
    )
    parser.add_argument("--short", action="store_true", help="few activities, one seed")
    arguments = parser.parse_args()
    # an ended terminal ends the stack as Ctrl-C does
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)  # noqa: S311
    began = time.monotonic()
    came: list[Outcome] = []
    print(f"seed {seed}", flush=True)
    try:
        for outcome in outcomes(
            arguments.scenarios or list(SCENARIOS),
            seed=seed,
            seeds=1 if arguments.short else arguments.seeds,
            short=arguments.short,
            note=lambda text: print(text, flush=True),
        ):
            came.append(outcome)
            print(" ".join(outcome.cells()), flush=True)
            for line in outcome.complaints():
                print(line, flush=True)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print("\n".join(table(came).lines()))
    failed = [outcome for outcome in came if not outcome.is_clean]
    print(f"{time.monotonic() - began:.0f} s, seed {seed}: ", end="")
    print(f"{len(failed)} of {len(came)} runs are not clean" if failed else "nothing found")
    return 1 if failed else 0


def table(came: list[Outcome]) -> Section:
    """All outcomes, one in a row, with their notes above."""
    notes = [f"{o.scenario} {o.seed}: {note}." for o in came for note in o.notes]
    return Section(
        title="make chaos",
        method=" ".join(notes),
        columns=COLUMNS,
        rows=[outcome.cells() for outcome in came],
        missed=[f"{o.scenario}, seed {o.seed}" for o in came if not o.is_clean],
    )


if __name__ == "__main__":
    sys.exit(main())
