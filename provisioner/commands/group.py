"""A click group that loads a command when it is called, and turns every error into one sentence and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

import click

from provisioner.errors import AlreadyExists, InputError, NotFound, ProvisionerError

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""
PIPE_CLOSED = 141
"""128 + SIGPIPE: what any other program in a pipe ends with."""


class CommandGroup(click.Group):
    """``wiring`` maps a command's name to ("module:function", one line of help)."""

    def __init__(self, *args: Any, wiring: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wiring = wiring

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.wiring)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.wiring:
            return None
        module, _, name = self.wiring[cmd_name][0].partition(":")
        found = getattr(import_module(module), name)
        return found if isinstance(found, click.Command) else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.wiring and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.wiring, n=1)
            raise click.UsageError(f"there is no command '{args[0]}'" + (f"; did you mean '{near[0]}'?" if near else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self.wiring.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of our output went away ("| head"): the flush at exit must not complain about it either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(PIPE_CLOSED)
        return result

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        kwargs["standalone_mode"] = False
        if _is_plain():
            kwargs.setdefault("color", False)
        try:
            result = super().main(*args, **kwargs)
        except click.Abort:
            sys.exit(INTERRUPTED)
        except click.UsageError as error:
            _say(error.format_message())
            if error.ctx is not None:
                click.echo(f"'{error.ctx.command_path} --help' shows what it takes", err=True)
            sys.exit(error.exit_code)
        except click.ClickException as error:
            _say(error.format_message())
            sys.exit(error.exit_code)
        except (ProvisionerError, OSError) as error:
            _say(sentence_of(error))
            sys.exit(1)
        except Exception as error:
            if not _is_database_error(error):
                raise  # a fault of ours: its traceback is what mends it
            _say(f"the database cannot be used: {str(getattr(error, 'orig', error)).strip()} ('provisioner doctor' says more)")
            sys.exit(1)
        sys.exit(result if isinstance(result, int) else 0)


def sentence_of(error: ProvisionerError | OSError) -> str:
    """Returns what a person reads of an error."""
    if isinstance(error, (NotFound, AlreadyExists)):
        return "; ".join(error.fields.values())
    if isinstance(error, InputError) and len(error.fields) > 1:
        return "this cannot be taken:" + "".join(f"\n  {name}: {sentence}" for name, sentence in error.fields.items())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def _say(sentence: str) -> None:
    click.echo(click.style("error: ", fg="red") + sentence, err=True, color=False if _is_plain() else None)


def _is_plain() -> bool:
    """Returns whether no colour is wanted; without a terminal click itself leaves it out."""
    if not (sys.stdout.isatty() or sys.stderr.isatty()):
        return True
    from provisioner.settings import wants_no_colour

    return wants_no_colour()


def _is_database_error(error: Exception) -> bool:
    return any(kind.__module__ == "sqlalchemy.exc" and kind.__name__ == "DBAPIError" for kind in type(error).__mro__)
