"""Independent tasks, and what runs them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

# Runs a function over tasks and yields the results in the order of the tasks, as they come; an
# error of a task is raised here. Both are pickled where they run elsewhere.
Runner: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]


class Workers(NamedTuple):
    """Where tasks run, and how many at a time."""

    run: Runner
    at_once: int


def in_turn(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """The runner of this process: one task after the other, each when its result is asked for."""
    return map(function, tasks)


ALONE = Workers(in_turn, 1)
