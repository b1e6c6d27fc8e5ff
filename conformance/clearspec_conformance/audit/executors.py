"""Where segments run: processes or threads of this machine, or a dask cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from clearspec_command.failures import BadInput

PROCESS, THREAD, DASK = "process", "thread", "dask"


def require_name(name: str) -> None:
    """Raise unless there is an executor of a name.

    Raises:
        BadInput: there is none.
    """
    if name not in (PROCESS, THREAD, DASK) and not name.startswith(f"{DASK}:"):
        raise BadInput(f"--executor {name}: expected {PROCESS}, {THREAD}, {DASK} or {DASK}:ADDRESS")


@contextmanager
def executor(name: str, jobs: int) -> Iterator[Executor]:
    """The executor of a name: ``process``, ``thread``, ``dask`` (a cluster of this machine) or ``dask:ADDRESS``.

    Raises:
        BadInput: there is none of this name, or its cluster cannot be reached.
    """
    require_name(name)
    kind, _, address = name.partition(":")
    if kind == DASK:
        with dask_executor(address, jobs) as found:
            yield found
    elif name == PROCESS:
        # A fresh start: forking a process that has threads (a progress bar) can hang.
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            yield pool
    else:
        with ThreadPoolExecutor(jobs) as threads:
            yield threads


@contextmanager
def dask_executor(address: str, jobs: int) -> Iterator[Executor]:
    """The executor of a dask cluster; without an address one of this machine, with so many processes.

    Raises:
        BadInput: the library is not installed, or nothing answers at the address.
    """
    try:
        dask: Any = import_module("distributed")
    except ImportError:
        raise BadInput("dask needs the library distributed: pip install '.[dask]'") from None
    if not address:
        with (
            dask.LocalCluster(n_workers=jobs, threads_per_worker=1, dashboard_address=None) as cluster,
            dask.Client(cluster) as own,
        ):
            yield own.get_executor()
        return
    try:
        client = dask.Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise BadInput(f"--executor {DASK}:{address}: {error}") from None
    with client:
        yield client.get_executor()
