"""What `linescan export --verify` tells, as a table or JSON; compares nothing itself."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from streamer.backbones.faults import ParityError, ProviderError
from streamer.cli.console import AnswerConsole
from streamer.cli.material import comparison_material
from streamer.cli.options import EnvironmentFault, UsageFault
from streamer.cli.verify import forms_of, verify
from streamer.scoring.kernel_gate import require_kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamer.backbones.calibration_set import CalibrationSet
    from streamer.cli.verify import Form, Outcome
    from streamer.config import Config

_HEADERS = (
    "form",
    "features",
    "scores",
    "largest",
    "flipped",
    "regions",
    "verdict",
)


def report_agreement(
    config: Config,
    where: str,
    tolerances: tuple[float | None, float | None],
    *,
    as_json: bool,
) -> None:
    """Compare all forms on the images of `where` and print it.

    `tolerances`: the largest difference of scores and the share of flipped cells for all forms, or
    None for each form's own.

    Raises:
        ParityError: a form is beyond its tolerance.
        UsageFault: there are no such images, or no such backbone.
        EnvironmentFault: the configured form does not run here.
    """
    material = comparison_material(where)
    require_kernels(config)
    forms = [_with_tolerances(form, tolerances) for form in forms_of(config.backbone)]
    say = (lambda _: None) if as_json else _say
    try:
        outcomes = verify(config, forms, material, say)
    except (ProviderError, OSError) as error:
        raise EnvironmentFault(str(error)) from None
    except ValueError as error:
        raise UsageFault(str(error)) from None
    if as_json:
        typer.echo(json.dumps(_document(material, outcomes), indent=2))
    else:
        _print(material, outcomes)
    _require_agreement(outcomes)


def _say(name: str) -> None:
    typer.echo(f"running {name}", err=True)


def _with_tolerances(form: Form, tolerances: tuple[float | None, float | None]) -> Form:
    score, flipped = tolerances
    own = form.tolerance
    changed = replace(
        own,
        score_max=own.score_max if score is None else score,
        flipped=own.flipped if flipped is None else flipped,
    )
    return replace(form, tolerance=changed)


def _require_agreement(outcomes: Sequence[Outcome]) -> None:
    faults = [f"{one.form.name}: {text}" for one in outcomes for text in one.departures]
    if faults:
        raise ParityError("\n".join(faults))


def _document(material: CalibrationSet, outcomes: Sequence[Outcome]) -> dict[str, object]:
    return {
        "material": material.name,
        "images": len(material.images),
        "material_digest": material.digest,
        "agrees": not any(one.departures for one in outcomes),
        "forms": [
            {
                "form": one.form.name,
                "engine": one.engine,
                "reason": one.reason,
                "agreement": None if one.agreement is None else asdict(one.agreement),
                "tolerance": asdict(one.form.tolerance),
                "departures": list(one.departures),
            }
            for one in outcomes
        ],
    }


def _print(material: CalibrationSet, outcomes: Sequence[Outcome]) -> None:
    console = AnswerConsole(highlight=False)
    table = Table(title=f"{len(material.images)} images of {material.name}")
    for header in _HEADERS:
        table.add_column(header, no_wrap=header == "form")
    for one in outcomes:
        table.add_row(one.form.name, *_cells(one))
    console.print(table)
    console.print(
        "features, scores: mean difference to the first, of the largest feature and of the map's "
        "maximum; largest: that of a score; flipped: cells above the alarm level in one map only; "
        "regions: those of the first, without (-) what the form lost and with (+) what it added",
        soft_wrap=True,
    )
    for one in outcomes:
        if not one.engine:
            console.print(Text(f"{one.form.name}: {one.reason}"), soft_wrap=True)


def _cells(one: Outcome) -> list[Text]:
    found = one.agreement
    if found is None:
        return [*[Text("-")] * 5, Text("the first" if one.engine else "not run", style="yellow")]
    verdict = Text("differs", "bold red") if one.departures else Text("agrees", "green")
    return [
        Text(f"{found.feature_mean:.1e}"),
        Text(f"{found.score_mean:.1e}"),
        Text(f"{found.score_max:.4f}"),
        Text(f"{100 * found.flipped:.2f} %"),
        Text(f"{found.regions} -{found.lost} +{found.new}"),
        verdict,
    ]
