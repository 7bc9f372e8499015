"""What OPC UA clients may call, and the status that they are answered with; knows no socket."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from streamer.gateways import extra
from streamer.gateways.opc_ua_channels import CALLER
from streamer.line_status import LONGEST_TEXT, Command, CommandKind
from streamer.message import AlarmCondition

with extra("opcua"):
    from asyncua import ua

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamer.gateways.opc_ua_nodes import LineNodes
    from streamer.gateways.opc_ua_values import Shown
    from streamer.line_status import CommandAnswer

_LOG = logging.getLogger(__name__)
EVERYTHING = "*"
ANSWER_S = 1.0  # within it the sink has said yes or no, or the method ends without that
MOST_OPEN = 100  # commands that wait for their answer
STARTED_ELSEWHERE = "a roll is started by `linescan run`, never by a client"
NOT_ALLOWED = "gateways.opc_ua.stop must be on for a client to stop the line"


@dataclass(slots=True)
class Methods:
    """Turns calls into commands; `ask` hands one over, `tell` shows the text of an answer."""

    may_stop: bool
    ask: Callable[[Command], None]
    nodes: LineNodes
    _shown: Shown | None = None
    _open: dict[str, asyncio.Future[CommandAnswer]] = field(default_factory=dict)

    async def add(self) -> None:
        """Add the methods to the line."""
        alarm = ua.Argument(
            Name="AlarmId",
            DataType=ua.NodeId(ua.ObjectIds.String),
            ValueRank=-1,
            Description=ua.LocalizedText("Id of an alarm as its event tells it; * for all"),
        )
        add = self.nodes.add_method
        await add("Acknowledge", "Acknowledge an alarm", self.acknowledge, [alarm])
        await add("Stop", f"End the roll; {NOT_ALLOWED}", self.stop, [])
        await add("Start", f"Never done: {STARTED_ELSEWHERE}", self.start, [])

    def take(self, shown: Shown, answers: Iterable[CommandAnswer]) -> None:
        """Hear how the line stands, and what the sink answered."""
        self._shown = shown
        for answer in answers:
            waiting = self._open.pop(answer.id, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)

    async def acknowledge(self, _line: ua.NodeId, *given: ua.Variant) -> ua.StatusCode:
        """Acknowledge an alarm by its id."""
        code = _wrong_arguments(given)
        if code is not None:
            return await self._end("Acknowledge", "it takes one string, the alarm's id", code)
        alarm = str(given[0].Value)
        text, code = self._refusal(alarm)
        if code is not None:
            return await self._end(f"Acknowledge {alarm[:LONGEST_TEXT]}", text, code)
        return await self._command(f"Acknowledge {alarm}", CommandKind.ACKNOWLEDGE, alarm)

    async def stop(self, _line: ua.NodeId, *given: ua.Variant) -> ua.StatusCode:
        """End the roll, if that is allowed."""
        if given:
            too_many = ua.StatusCodes.BadTooManyArguments
            return await self._end("Stop", "it takes no argument", too_many)
        if not self.may_stop:
            return await self._end("Stop", NOT_ALLOWED, ua.StatusCodes.BadNotExecutable)
        return await self._command("Stop", CommandKind.STOP, "")

    async def start(self, _line: ua.NodeId, *_given: ua.Variant) -> ua.StatusCode:
        """Refuse: no command of the line does it."""
        return await self._end("Start", STARTED_ELSEWHERE, ua.StatusCodes.BadNotSupported)

    def _refusal(self, alarm: str) -> tuple[str, int | None]:
        """Why an alarm cannot be acknowledged, as far as is known here."""
        codes = ua.StatusCodes
        if not alarm or len(alarm) > LONGEST_TEXT:
            return f"an id has 1 to {LONGEST_TEXT} characters", codes.BadInvalidArgument
        if self._shown is None or not self._shown.is_fresh:
            return "nothing is heard of the sink", codes.BadNoCommunication
        view = self._shown.view
        if alarm == EVERYTHING or not view.is_synchronised:
            return "", None
        found = next((one.condition for one in view.alarms if one.id == alarm), None)
        return _condition_refusal(found)

    async def _command(self, what: str, kind: CommandKind, alarm: str) -> ua.StatusCode:
        if len(self._open) >= MOST_OPEN:
            busy = ua.StatusCodes.BadTooManyOperations
            return await self._end(what, "too many commands wait for their answer", busy)
        command = Command(uuid4().hex, kind, alarm, _by())
        waiting = asyncio.get_running_loop().create_future()
        self._open[command.id] = waiting
        self.ask(command)
        try:
            answer = await asyncio.wait_for(waiting, ANSWER_S)
        except TimeoutError:
            later = ua.StatusCodes.GoodCompletesAsynchronously
            return await self._end(what, "handed on, not answered yet", later)
        finally:
            self._open.pop(command.id, None)
        code = ua.StatusCodes.Good if answer.ok else ua.StatusCodes.BadInvalidState
        return await self._end(what, answer.text or "done", code)

    async def _end(self, what: str, text: str, code: int) -> ua.StatusCode:
        status = ua.StatusCode(code)
        _LOG.info("%s: %s: %s (%s)", _by(), what, text, status.name)
        await self.nodes.answer(f"{what}: {text} ({status.name})")
        return status


def _by() -> str:
    caller = CALLER.get()
    return f"opc_ua:{caller}"[:LONGEST_TEXT] if caller else "opc_ua"


def _wrong_arguments(given: Iterable[ua.Variant]) -> int | None:
    values = [one.Value for one in given]
    if len(values) != 1:
        codes = ua.StatusCodes
        return int(codes.BadArgumentsMissing if not values else codes.BadTooManyArguments)
    return None if isinstance(values[0], str) else int(ua.StatusCodes.BadInvalidArgument)


def _condition_refusal(condition: AlarmCondition | None) -> tuple[str, int | None]:
    if condition is None:
        return "no active alarm has this id", ua.StatusCodes.BadEventIdUnknown
    if condition is AlarmCondition.ACKNOWLEDGED:
        return "it is acknowledged already", ua.StatusCodes.BadConditionBranchAlreadyAcked
    return "", None
