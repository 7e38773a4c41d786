"""Turns a settings dataclass into command-line options."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NoReturn, Union, get_args, get_origin, get_type_hints

import typer

from adcat.cli.completion import completer
from adcat.settings import Place, flag, place

METAVARS = {int: "INT", float: "NUMBER", str: "TEXT", Path: "PATH"}
WIDEST_CHOICE = 24  # characters; longer ones are listed in the help text instead


def parameters(settings: type[Any]) -> list[inspect.Parameter]:
    """One typer parameter per field, and `--preset` where the class has published values."""
    hints = get_type_hints(settings)
    fields = dataclasses.fields(settings)
    made = [_parameter(settings, field, hints[field.name]) for field in fields]
    return [*made, *([_PRESET] if hasattr(settings, "published") else [])]


def build(
    settings: type[Any],
    values: Mapping[str, Any],
    given: Callable[[str], bool],
    fail: Callable[[str], NoReturn],
) -> Any:
    """Makes the settings; what the user gave beats the preset, the preset beats the defaults.

    Calls `fail` with what is wrong if the user gave an option that is not read.
    """
    chosen = {name: value for name, value in values.items() if name != "preset" and given(name)}
    selector = getattr(settings, "selector", "")
    read = options_read_by(settings) if selector else {}
    for name in chosen:
        if selector and name not in read[values[selector]]:
            fail(_refusal(selector, name, values[selector], read))
        for need in getattr(settings, "needs", {}).get(name, "").split():
            others, is_against = need.lstrip("!").split("|"), need.startswith("!")
            if any(values[other] for other in others) == is_against:
                where = "with" if is_against else "without"
                fail(f"{flag(name)} has no effect {where} {' or '.join(map(flag, others))}")
    others = settings.published if values.get("preset") else getattr(settings, "defaults", {})
    return settings(**{**_of(values.get(selector), others), **chosen})


def options_read_by(settings: type[Any]) -> dict[str, Mapping[str, Any]]:
    """The fields that each choice of the selector reads, with the defaults in effect for it."""
    found, defaults, selector = {}, dataclasses.asdict(settings()), settings.selector
    del defaults[selector]
    for choice in get_args(get_type_hints(settings)[selector]):
        of_choice = _of(choice, getattr(settings, "defaults", {}))
        in_effect = {selector: choice, **defaults, **of_choice}
        found[choice] = {f: value for f, value in in_effect.items() if settings.reads(choice, f)}
    return found


def _of(choice: str | None, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values for a choice, where they are by choice."""
    by_choice = all(isinstance(value, Mapping) for value in values.values())
    return values.get(choice or "", {}) if by_choice else values


def _refusal(selector: str, name: str, choice: str, read: Mapping[str, Mapping[str, Any]]) -> str:
    by = flag(selector)
    readers = ", ".join(other for other in read if name in read[other])
    where = f"an option of {by} {readers}, not of {choice}" if readers else "not read by any"
    return f"{flag(name)} is {where}\n{by} {choice} reads {', '.join(map(flag, read[choice]))}"


_PRESET = inspect.Parameter(
    "preset",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Literal["thesis"] | None,
        typer.Option(
            metavar="thesis", help="Use the thesis' settings; other options override them."
        ),
    ],
)


def _parameter(settings: type[Any], field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        default = inspect.Parameter.empty
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[str if _is_place(hint) else hint, _typer_info(settings, field, hint)],
    )


def _is_place(hint: Any) -> bool:
    """Whether an option takes a path or an address; typer takes no union for a type."""
    return set(get_args(Place)) <= set(get_args(hint))


def _place(text: str) -> Place:
    """Reads a path or an address; refuses what typer refuses of a path."""
    if "\0" in text:
        raise typer.BadParameter("Value error, embedded null byte")
    return place(text)


def _typer_info(settings: type[Any], field: dataclasses.Field[Any], hint: Any) -> Any:
    meta = field.metadata
    complete, parser = completer(meta["completes"]), _place if _is_place(hint) else None
    if meta.get("positional"):
        return typer.Argument(
            help=meta["help"],
            metavar=field.name.upper(),
            show_default=False,
            autocompletion=complete,
            parser=parser,
        )
    metavar, choices = _metavar(hint)
    name = flag(field.name)
    if hint is bool:
        name = f"{name}/--no-{name[2:]}"
    return typer.Option(
        name,
        help=f"{meta['help'].rstrip('.')}: {', '.join(choices)}." if choices else meta["help"],
        metavar=metavar,
        min=meta["min"],
        max=meta["max"],
        callback=_finite,
        autocompletion=complete,
        parser=parser,
        rich_help_panel=meta["panel"] or _panel(settings, field.name),
        show_default=field.default != "",
    )


def _metavar(hint: Any) -> tuple[str | None, tuple[str, ...]]:
    """The placeholder of an option's value, and the choices that it leaves out."""
    if get_origin(hint) in (Union, UnionType, list):
        hint = get_args(hint)[0]
    if get_origin(hint) is not Literal:
        return METAVARS.get(hint), ()
    choices = get_args(hint)
    label = "|".join(choices)
    return (label, ()) if len(label) <= WIDEST_CHOICE else ("NAME", choices)


def _panel(settings: type[Any], field: str) -> str | None:
    """The heading of the class that has the field."""
    owner = next(one for one in settings.__mro__ if field in inspect.get_annotations(one))
    return getattr(owner, "panel", None)


def _finite(value: Any) -> Any:
    """Refuses what is a number for `float` and for nobody else."""
    if isinstance(value, float) and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value
