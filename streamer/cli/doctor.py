"""`linescan doctor`: what this machine can do, and what keeps the configured job from running."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from streamer.cli.console import AnswerConsole
from streamer.cli.machine import package_versions, system_facts
from streamer.cli.options import ConfigOption, EnvironmentFault, JsonOption, SetOption, read_config
from streamer.cli.readiness import Finding, State, inspect_readiness

if TYPE_CHECKING:
    from collections.abc import Sequence

_STYLES = {State.OK: "green", State.NOTE: "yellow", State.FAIL: "bold red"}


def doctor(
    config: ConfigOption = None, settings: SetOption = None, as_json: JsonOption = False
) -> None:
    """Say what this machine can do and whether the configured job can run on it.

    The configured backbone is opened and run once. Exits with 3 if the job cannot run, and says
    what to do.
    """
    findings = inspect_readiness(read_config(config, settings))
    faults = [finding for finding in findings if finding.state is State.FAIL]
    if as_json:
        _print_json(findings, ready=not faults)
    else:
        _print_tables(findings)
    if faults:
        steps = "\n".join(f"- {fault.topic} {fault.subject}: {fault.advice}" for fault in faults)
        msg = f"the configured job cannot run on this machine:\n{steps}"
        raise EnvironmentFault(msg)


def _print_json(findings: Sequence[Finding], *, ready: bool) -> None:
    content = {
        "ready": ready,
        "machine": system_facts(),
        "packages": package_versions(),
        "findings": [asdict(finding) for finding in findings],
    }
    typer.echo(json.dumps(content, indent=2))


def _print_tables(findings: Sequence[Finding]) -> None:
    console = AnswerConsole()
    facts = Table(title="Machine", show_header=False, title_justify="left")
    for name, value in (*system_facts().items(), ("packages", _package_line())):
        facts.add_row(name, Text(value))
    console.print(facts)
    table = Table(title="Job", title_justify="left", show_header=False)
    for finding in findings:
        state = Text(finding.state, style=_STYLES[finding.state])
        table.add_row(finding.topic, Text(finding.subject), state, Text(finding.found))
    console.print(table)
    for finding in findings:
        if finding.state is State.NOTE and finding.advice:
            # On a line of its own, so that a path or an address can be copied.
            typer.echo(f"- {finding.topic} {finding.subject}: {finding.advice}")


def _package_line() -> str:
    found = package_versions().items()
    return ", ".join(f"{name} {version}" for name, version in found if version)
