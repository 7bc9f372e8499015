"""`linescan schema`: the JSON schemas of what others read and write."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer


def schema(
    of: Annotated[
        Literal["config", "alarm"], typer.Argument(help="Configuration or alarm message.")
    ] = "config",
) -> None:
    """Print the JSON schema of the configuration or of an alarm message."""
    print(json.dumps(_schema(of), indent=2))


def _schema(of: Literal["config", "alarm"]) -> object:
    if of == "alarm":
        from streamer.outputs.alarm_message import alarm_schema

        return alarm_schema()
    from streamer.config import Config

    return Config.model_json_schema()
