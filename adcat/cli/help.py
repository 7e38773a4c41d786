"""Help that fits 80 columns: options under headings, and those of one policy or model only.

Plain text throughout, so that a pipe, a file and a terminal show the same.
"""

import copy
import re
import textwrap
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, ClassVar

from typer.core import TyperCommand

from adcat.cli.options import options_read_by
from adcat.settings import flag

LAST = "Options"  # what every command has
WIDTH = 27  # of the column with the options' names
UNBOUNDED = re.compile(r"([\d.]+)<=x<=2147483647")
Read = Mapping[str, Mapping[str, Any]]  # choice -> field -> default


class SettingsCommand(TyperCommand):
    """A command whose options are the fields of a settings class."""

    settings: ClassVar[type[Any]]

    @property
    def _selector(self) -> str:
        return getattr(self.settings, "selector", "")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Looks which policy or model is chosen first: --help ends the parsing."""
        if self._selector:
            given, *_ = self.make_parser(ctx).parse_args(args=list(args))
            ctx.meta["choice"] = given.get(self._selector)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Writes the options heading by heading."""
        panels: dict[str, list[Any]] = {name: [] for name in getattr(self.settings, "panels", ())}
        for param in sorted(self.get_params(ctx), key=lambda param: param.name != self._selector):
            heading = "Arguments" if param.param_type_name == "argument" else LAST
            heading = getattr(param, "rich_help_panel", None) or heading
            panels[heading] = [*panels.get(heading, []), param]
        panels[LAST] = panels.pop(LAST)
        read = options_read_by(self.settings) if self._selector else {}
        choice = ctx.meta.get("choice")
        for heading, params in panels.items():
            if choice in read:
                _write(ctx, formatter, heading, self._of_choice(params, read[choice]))
            else:
                self._write_panel(ctx, formatter, heading, params, read)

    def _write_panel(
        self, ctx: Any, formatter: Any, heading: str, params: Sequence[Any], read: Read
    ) -> None:
        """Writes a heading and its options; says which choices read them, once where it can."""
        shown = [copy.copy(param) for param in params]
        readers = {param: self._readers(param, read) for param in shown}
        shared = next(iter(readers.values()), "") if len(set(readers.values())) == 1 else ""
        for param in shown:
            if readers[param] and not shared:
                param.help += f" {readers[param]}."
            defaults = [of[param.name] for of in read.values() if param.name in of]
            if param.name == self._selector:
                param.help += f" {param.opts[0]} NAME --help shows its options only."
            elif any(default != defaults[0] for default in defaults):
                param.show_default = f"by {self._selector}"
            elif defaults:
                param.default = defaults[0]
        _write(ctx, formatter, heading, shown, f"{shared}:" if shared else "")

    def _of_choice(self, params: Sequence[Any], defaults: Mapping[str, Any]) -> list[Any]:
        """The options that a choice reads, with the defaults in effect for it."""
        fields = self.settings.__dataclass_fields__
        shown = [copy.copy(p) for p in params if p.name in defaults or p.name not in fields]
        for param in shown:
            if param.name != self._selector:
                param.default = defaults.get(param.name, param.default)
        return shown

    def _readers(self, param: Any, read: Read) -> str:
        """Which choices read an option, in words; nothing where all do."""
        names = [choice for choice in read if param.name in read[choice]]
        others = [choice for choice in read if choice not in names]
        if not names or not others:
            return ""
        selector = flag(self._selector)
        if len(others) < len(names):
            return f"With every {selector} but {', '.join(others)}"
        return f"With {selector} {', '.join(names)}"


def _write(ctx: Any, formatter: Any, heading: str, params: Sequence[Any], remark: str = "") -> None:
    found = [record for param in params if (record := param.get_help_record(ctx))]
    # Without typer's types, and without bounds that only an overflow would reach.
    records = [(name.partition(" <")[0], UNBOUNDED.sub(r"x>=\1", text)) for name, text in found]
    if records:
        with formatter.section(heading):
            for line in textwrap.wrap(remark, formatter.width - 2, break_on_hyphens=False):
                formatter.write(f"  {line}\n")
            for name, text in records:
                lines = textwrap.wrap(text, formatter.width - WIDTH - 4, break_on_hyphens=False)
                if len(name) > WIDTH:
                    lines.insert(0, "")
                for start, line in zip_longest([name], lines, fillvalue=""):
                    formatter.write(f"  {start:{WIDTH}}  {line}".rstrip() + "\n")
