"""`linescan cameras`: which cameras answer, and what to do when none does."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from streamer.cli.console import AnswerConsole
from streamer.cli.exit_codes import ENVIRONMENT, OK
from streamer.cli.options import JsonOption
from streamer.sources.installed import require_installed

if TYPE_CHECKING:
    from streamer.sources.viva_discovery import FoundCamera

AddressOption = Annotated[
    str | None, typer.Option(help="Only the camera with this IPv4 address; loopback, too.")
]
InterfaceOption = Annotated[
    str | None, typer.Option(help="Ask only on this network interface: its name or IPv4 address.")
]
NEXT_STEPS = """\
no camera answers; next:
- power, and the cable: the link lamp of camera and network port must be on
- one subnet: give the port an address such as 169.254.1.1/16 when the camera has 169.254.x.x
- firewall: UDP 3956 to the camera, and UDP from the camera to any port of this machine
- a camera on loopback (a simulated one) is asked with --address 127.0.0.1
- USB3 Vision: the user must be allowed to open the device (a udev rule)"""


def cameras(
    address: AddressOption = None, interface: InterfaceOption = None, as_json: JsonOption = False
) -> int:
    """List the cameras that answer: GigE Vision on the network, USB3 Vision on this machine.

    Nothing is taken from another program: cameras in use are listed, too. Exits with 3 when none
    answers.
    """
    require_installed("genicam", "viva_genicam", "camera")
    from streamer.sources.viva_discovery import list_cameras

    found = list_cameras(address, interface)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=2))
    elif found:
        _print_table(found)
    if not found:
        typer.echo(NEXT_STEPS, err=True)
    return OK if found else ENVIRONMENT


def _print_table(found: list[FoundCamera]) -> None:
    console = AnswerConsole()
    table = Table(
        "transport", "address", "vendor", "model", "serial", "state", title_justify="left"
    )
    for one in found:
        table.add_row(*(Text(value) for value in asdict(one).values()))
    console.print(table)
    for one in found:
        key = (
            f"source.transport=usb3 --set 'source.serial=\"{one.serial}\"'"
            if one.transport == "usb3"
            else f"source.address={one.address}"
        )
        typer.echo(f"linescan run --set source.kind=genicam --set {key}")
