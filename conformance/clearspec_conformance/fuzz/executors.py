"""Where shards are played: in this process, or by whatever submits work as ``concurrent.futures.Executor`` does."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from clearspec_conformance.audit.executors import PROCESS
from clearspec_conformance.audit.executors import executor as shared

Given = TypeVar("Given")
Result = TypeVar("Result")


class Here(Executor):
    """Does the work in this process, when it is submitted."""

    def submit(self, function: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Do it now."""
        done: Future[Any] = Future()
        try:
            done.set_result(function(*given, **named))
        except Exception as error:
            done.set_exception(error)
        return done


@contextmanager
def executor(name: str, jobs: int) -> Iterator[Executor]:
    """The executor of a name; one process is this one.

    Raises:
        BadInput: there is none of this name, or its cluster cannot be reached.
    """
    if name == PROCESS and jobs == 1:
        yield Here()
        return
    with shared(name, jobs) as found:
        yield found


def results(pool: Executor, function: Callable[[Given], Result], tasks: Iterable[Given], jobs: int) -> Iterator[Result]:
    """What comes of each task, in the order of the tasks; a task is submitted only when it is nearly its turn.

    Whoever wants no more waits for what is under way: some executors complain of work that is taken from them.
    """
    most = 1 if isinstance(pool, Here) else jobs + 1
    waiting: deque[Future[Result]] = deque()
    left = iter(tasks)
    try:
        while True:
            while len(waiting) < most and (task := next(left, None)) is not None:
                waiting.append(pool.submit(function, task))
            if not waiting:
                return
            yield waiting.popleft().result()
    except GeneratorExit:
        wait(waiting)
        raise
    finally:
        for future in waiting:
            future.cancel()
