"""What every section of the configuration has in common; knows no section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Level = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def switched_off(value: object) -> object:
    """YAML reads a bare `off` as false."""
    return "off" if value is False else value


def switched(value: object) -> object:
    """YAML reads a bare `on` as true, too."""
    return "on" if value is True else switched_off(value)


AutoOrOff = Annotated[Literal["auto", "off"], BeforeValidator(switched_off)]
OnOrOff = Annotated[Literal["on", "off"], BeforeValidator(switched)]
SlowOrOff = Annotated[Literal["slow", "off"], BeforeValidator(switched_off)]


class Section(BaseModel):
    """Base of all sections: immutable, and every unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
