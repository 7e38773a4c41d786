"""What a process makes once, for all the tasks that it is given."""

from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

_made: dict[str, Any] = {}


def once_per_process(key: str, make: Callable[[], Value]) -> Value:
    """Makes a value for its key at the first call and keeps it, until another key comes."""
    if key not in _made:
        _made.clear()
        _made[key] = make()
    return _made[key]
