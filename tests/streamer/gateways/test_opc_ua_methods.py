"""What a client may call: one command each, or a status that says why not."""

import asyncio
from dataclasses import dataclass, field

import pytest
from asyncua import ua

from streamer.gateways.opc_ua_channels import CALLER
from streamer.gateways.opc_ua_methods import MOST_OPEN, Methods
from streamer.gateways.opc_ua_values import Shown
from streamer.line_ports import LineView
from streamer.line_status import LONGEST_TEXT, CommandAnswer, CommandKind
from streamer.message import AlarmCondition
from tests.streamer.gateways.contract import alarm, view

LINE = ua.NodeId("Line", 2)


@dataclass
class Nodes:
    """Where answers are shown."""

    told: list[str] = field(default_factory=list)
    methods: dict[str, str] = field(default_factory=dict)

    async def answer(self, text):
        self.told.append(text)

    async def add_method(self, name, text, _call, _inputs):
        self.methods[name] = text


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr("streamer.gateways.opc_ua_methods.ANSWER_S", 0.05)


class Called:
    """Methods over a line, with what came of calling them."""

    def __init__(self, shown_view=None, may_stop=True, is_live=True):
        self.nodes, self.commands = Nodes(), []
        self.methods = Methods(may_stop, self.commands.append, self.nodes)
        self.methods.take(Shown(shown_view or view(1, alarm(1)), is_live), ())

    def call(self, name, *given, answer=None):
        """Name of the status; `answer` is (ok, text) of the sink."""
        return asyncio.run(self._call(name, given, answer))

    async def _call(self, name, given, answer):
        arguments = [ua.Variant(one) for one in given]
        call = asyncio.create_task(getattr(self.methods, name)(LINE, *arguments))
        await asyncio.sleep(0.01)
        if answer is not None:
            ok, text = answer
            told = CommandAnswer(self.commands[-1].id, ok, text)
            self.methods.take(Shown(view(1, alarm(1)), is_live=True), (told,))
        return (await call).name


def test_an_alarm_is_acknowledged_when_the_sink_says_so():
    called = Called()
    assert called.call("acknowledge", alarm(1).id, answer=(True, "")) == "Good"
    [command] = called.commands
    assert (command.kind, command.alarm, command.by) == (
        CommandKind.ACKNOWLEDGE,
        alarm(1).id,
        "opc_ua",
    )
    assert called.nodes.told == [f"Acknowledge {alarm(1).id}: done (Good)"]


def test_what_the_sink_refuses_is_refused_in_its_words():
    called = Called()
    assert (
        called.call("acknowledge", alarm(1).id, answer=(False, "it is gone")) == "BadInvalidState"
    )
    assert "it is gone" in called.nodes.told[-1]


def test_without_an_answer_the_call_says_that_it_goes_on():
    assert Called().call("acknowledge", alarm(1).id) == "GoodCompletesAsynchronously"


def test_all_can_be_acknowledged_at_once():
    called = Called(view(1))
    assert called.call("acknowledge", "*", answer=(True, "2 alarms")) == "Good"
    assert called.commands[0].alarm == "*"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ((), "BadArgumentsMissing"),
        (("a", "b"), "BadTooManyArguments"),
        ((7,), "BadInvalidArgument"),
        ((None,), "BadInvalidArgument"),
        (("",), "BadInvalidArgument"),
        (("x" * (LONGEST_TEXT + 1),), "BadInvalidArgument"),
        (("roll-1/cam0/defect-99",), "BadEventIdUnknown"),
    ],
)
def test_what_names_no_alarm_is_refused_and_asks_for_nothing(given, status):
    called = Called()
    assert called.call("acknowledge", *given) == status
    assert called.commands == []
    assert f"({status})" in called.nodes.told[-1]


def test_an_alarm_is_acknowledged_once():
    called = Called(view(1, alarm(1, condition=AlarmCondition.ACKNOWLEDGED)))
    assert called.call("acknowledge", alarm(1).id) == "BadConditionBranchAlreadyAcked"
    assert called.commands == []


@pytest.mark.parametrize(
    ("shown_view", "is_live"), [(LineView(None, False, False), True), (view(1, alarm(1)), False)]
)
def test_nothing_is_taken_that_cannot_be_handed_on(shown_view, is_live):
    called = Called(shown_view, is_live=is_live)
    assert called.call("acknowledge", alarm(1).id) == "BadNoCommunication"


def test_while_alarms_are_not_known_the_sink_decides():
    called = Called(LineView(view(1).status, True, False))
    assert called.call("acknowledge", "unknown-here", answer=(True, "")) == "Good"


def test_stop_is_a_command_only_where_it_is_allowed():
    allowed, forbidden = Called(), Called(may_stop=False)
    assert allowed.call("stop", answer=(True, "")) == "Good"
    assert allowed.commands[0].kind is CommandKind.STOP
    assert forbidden.call("stop") == "BadNotExecutable"
    assert forbidden.commands == []
    assert "gateways.opc_ua.stop must be on" in forbidden.nodes.told[-1]
    assert allowed.call("stop", 1) == "BadTooManyArguments"


def test_start_is_not_supported_and_says_what_does_it():
    called = Called()
    assert called.call("start") == "BadNotSupported"
    assert "linescan run" in called.nodes.told[-1]
    assert called.commands == []


def test_who_has_a_certificate_is_named_by_it():
    async def as_somebody(called):
        CALLER.set("hmi-1")
        return await called._call("acknowledge", ("*",), (True, ""))

    called = Called()
    assert asyncio.run(as_somebody(called)) == "Good"
    assert called.commands[0].by == "opc_ua:hmi-1"


def test_commands_that_wait_are_bounded():
    async def flood(called):
        calls = [called._call("acknowledge", ("*",), None) for _ in range(MOST_OPEN + 5)]
        return await asyncio.gather(*calls)

    called = Called()
    statuses = asyncio.run(flood(called))
    assert statuses.count("BadTooManyOperations") == 5
    assert len(called.commands) == MOST_OPEN
    assert called.call("acknowledge", "*", answer=(True, "")) == "Good"  # there is room again


def test_each_method_tells_what_it_is_for():
    called = Called()
    asyncio.run(called.methods.add())
    assert set(called.nodes.methods) == {"Acknowledge", "Stop", "Start"}
    assert all(called.nodes.methods.values())
