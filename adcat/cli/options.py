"""Turns a settings dataclass into command-line options."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, get_type_hints

import typer


def parameters(settings: type[Any]) -> list[inspect.Parameter]:
    """One typer parameter per field, and `--preset` where the class has published values."""
    hints = get_type_hints(settings)
    made = [_parameter(field, hints[field.name]) for field in dataclasses.fields(settings)]
    if hasattr(settings, "thesis"):
        made.append(_PRESET.replace(default=getattr(settings, "default_preset", None)))
    return made


def build(settings: type[Any], values: Mapping[str, Any], given: Callable[[str], bool]) -> Any:
    """Makes the settings; what the user gave beats the preset, the preset beats the defaults."""
    chosen = {name: value for name, value in values.items() if name != "preset" and given(name)}
    preset = settings.thesis(chosen) if values.get("preset") else {}
    return settings(**{**preset, **chosen})


_PRESET = inspect.Parameter(
    "preset",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Literal["thesis"] | None,
        typer.Option(help="Set every published setting; options given beside it win."),
    ],
)


def _parameter(field: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    if default is dataclasses.MISSING:
        default = inspect.Parameter.empty
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[hint, _typer_info(field)],
    )


def _typer_info(field: dataclasses.Field[Any]) -> Any:
    meta = field.metadata
    if meta.get("positional"):
        return typer.Argument(help=meta["help"], show_default=False)
    flag = meta["flag"] or "--" + field.name.replace("_", "-")
    if isinstance(field.default, bool):
        flag = f"{flag}/--no-{flag[2:]}"
    return typer.Option(flag, help=meta["help"], min=meta["min"], max=meta["max"], callback=_finite)


def _finite(value: Any) -> Any:
    """Refuses what is a number for `float` and for nobody else."""
    if isinstance(value, float) and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value
