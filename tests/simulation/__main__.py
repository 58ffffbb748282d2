"""Run many seeds: `python -m tests.simulation --seeds 2000`, or one again: `--seed 17`. Two processes by default."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from paybill_common.migrations import upgrade
from paybill_stack.testing import fresh_databases, held_stack, unique_prefix
from tests.kit import Keys
from tests.simulation.run import Breach, must_hold, run_seed
from tests.simulation.witness import Witness
from tests.simulation.world import Company, specs


def run_some(seeds: list[int], results: multiprocessing.Queue[tuple[int, str, int, int]]) -> None:
    """Run these seeds in databases of this process's own."""
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with contextlib.ExitStack() as cleanup:
        stack = cleanup.enter_context(held_stack())
        urls = dict(cleanup.enter_context(fresh_databases(stack, unique_prefix("sim"))))
        urls["witness"] = cleanup.enter_context(fresh_databases(stack, unique_prefix("wit"), services=["compliance"]))[
            "compliance"
        ]
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        keys, done = Keys(folder), set[str]()

        def migrated(spec):  # type: ignore[no-untyped-def]
            if spec.name not in done:
                upgrade(spec.migrations, urls[spec.name].owner)
                done.add(spec.name)
            return urls[spec.name]

        witness = Witness(refuse_one_in=23)
        for spec in (*specs(), witness.spec()):
            migrated(spec)
        asyncio.run(
            _tell_all(
                seeds, Company(migrated=migrated, keys=keys, folder=folder, extra=(witness.spec(),)), witness, results
            )
        )


async def _tell_all(
    seeds: list[int], company: Company, witness: Witness, results: multiprocessing.Queue[tuple[int, str, int, int]]
) -> None:
    for seed in seeds:
        try:
            outcome = await run_seed(seed, company=company, witness=witness)
            must_hold(outcome)
            results.put((seed, "", outcome.events, len(outcome.crashes)))
        except Breach as breach:
            results.put((seed, str(breach), 0, 0))
        except Exception as error:
            results.put((seed, f"seed {seed} failed: {error!r}"[:3000], 0, 0))
    await company.close()


def main() -> int:
    """Returns 1 when a seed breaks an invariant."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="run this seed alone")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + options.seeds))
    count = min(options.processes, len(seeds))
    results: multiprocessing.Queue[tuple[int, str, int, int]] = multiprocessing.Queue()
    started = time.monotonic()
    with held_stack():
        workers = [multiprocessing.Process(target=run_some, args=(seeds[n::count], results)) for n in range(count)]
        for worker in workers:
            worker.start()
        failed, events, crashes = [], 0, 0
        for done in range(1, len(seeds) + 1):
            seed, breach, seed_events, seed_crashes = results.get(timeout=600)
            events, crashes = events + seed_events, crashes + seed_crashes
            if breach:
                failed.append(seed)
                sys.stdout.write(f"\n{breach}\n")
            if done % 20 == 0 or breach:
                sys.stdout.write(
                    f"\r{done}/{len(seeds)} seeds, {len(failed)} failed, {time.monotonic() - started:.0f} s "
                )
                sys.stdout.flush()
        for worker in workers:
            worker.join(timeout=60)
    sys.stdout.write(f"\n{len(seeds)} seeds, {events} events replayed, {crashes} crashes, failed: {failed or 'none'}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
