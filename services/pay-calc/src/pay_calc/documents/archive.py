"""Many payslips in one ZIP, in order, with the memory of one payslip."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from pay_calc.documents.models import Payslip
from pay_calc.documents.render import payslip_file_name, render_payslip

_IN_FLIGHT_PER_PROCESS_MAX = 8


class PayslipNamedTwice(ValueError):
    """Two payslips of one archive have the same worker reference and pay date; the message names the file."""


def write_zip(
    path: Path,
    payslips: Iterable[Payslip],
    *,
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> int:
    """Render ``payslips`` into the ZIP at ``path`` in their order, and return how many there were.

    ``payslips`` may be a generator: few payslips are held at a time. ``progress`` is called after each with the count so
    far. ``processes`` above one renders in that many fresh processes (order and bytes do not change). The file appears
    under ``path`` only when it is whole; the same payslips give the same bytes. Raises :class:`PayslipNamedTwice`.
    """
    part = path.with_name(f"{path.name}.part")
    seen: set[str] = set()
    try:
        with zipfile.ZipFile(part, "w", compression=zipfile.ZIP_DEFLATED) as archive:
            for name, stamp, pdf in _rendered(payslips, processes):
                if name in seen:
                    raise PayslipNamedTwice(f"{name} would be twice in {path.name}")
                seen.add(name)
                entry = zipfile.ZipInfo(name, date_time=stamp)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o600 << 16
                archive.writestr(entry, pdf)
                if progress is not None:
                    progress(len(seen))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return len(seen)


_Stamp = tuple[int, int, int, int, int, int]


def _one(payslip: Payslip) -> tuple[str, _Stamp, bytes]:
    on = payslip.pay_on
    return payslip_file_name(payslip), (on.year, on.month, on.day, 12, 0, 0), render_payslip(payslip)


def _rendered(payslips: Iterable[Payslip], processes: int) -> Iterator[tuple[str, _Stamp, bytes]]:
    if processes <= 1:
        yield from map(_one, payslips)
        return
    # Spawned, not forked: a fork would copy the compiler's threads and locks in any state.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting: list[Future[tuple[str, _Stamp, bytes]]] = []
        source = iter(payslips)
        try:
            waiting.extend(pool.submit(_one, item) for item in islice(source, processes * _IN_FLIGHT_PER_PROCESS_MAX))
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(_one, item) for item in islice(source, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
