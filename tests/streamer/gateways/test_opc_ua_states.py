"""The state machine: every state of the line has its place in that of the companion standard."""

import pytest
from asyncua import ua

from streamer.gateways.opc_ua_states import AUTOMATIC_STATES, PLACES, VISION_STATES
from streamer.line_status import RunState
from tests.streamer.gateways.opc_space import space

VISION = "VisionStateMachine"
AUTOMATIC = f"{VISION}.AutomaticModeStateMachine"


@pytest.fixture(scope="module")
def line():
    with space() as made:
        yield made


def enter(line, state):
    line.run(line.nodes.machine.enter(line.server, state))


def current(line, machine):
    text, status = line.read(f"{machine}.CurrentState")
    return (text.Text if text else None), status


def test_every_state_of_the_line_has_a_place():
    assert set(PLACES) == set(RunState)
    assert {outer for outer, _ in PLACES.values()} == set(VISION_STATES)
    assert {inner for _, inner in PLACES.values()} == {*AUTOMATIC_STATES, ""}
    assert all((outer == "Operational") == bool(inner) for outer, inner in PLACES.values())


@pytest.mark.parametrize("state", [s for s in RunState if PLACES[s][1]])
def test_within_operational_both_machines_show_a_state(line, state):
    enter(line, state)
    assert current(line, VISION) == ("Operational", "Good")
    assert current(line, AUTOMATIC) == (PLACES[state][1], "Good")
    assert line.read(f"{AUTOMATIC}.CurrentState.Number")[0] == AUTOMATIC_STATES[PLACES[state][1]]


@pytest.mark.parametrize("state", [s for s in RunState if not PLACES[s][1]])
def test_outside_of_it_the_inner_machine_is_not_active(line, state):
    enter(line, state)
    assert current(line, VISION) == (PLACES[state][0], "Good")
    for part in ("", ".Id", ".Number"):
        assert line.read(f"{AUTOMATIC}.CurrentState{part}") == (None, "BadStateNotActive")


@pytest.mark.parametrize("state", RunState)
def test_the_id_of_the_current_state_is_a_state_of_the_type_with_that_number(line, state):
    enter(line, state)
    shown = line.server.get_node(line.read(f"{VISION}.CurrentState.Id")[0])
    name = line.run(shown.read_browse_name()).Name
    number = line.run(line.run(shown.get_child("0:StateNumber")).read_value())
    assert (name, number) == (PLACES[state][0], VISION_STATES[PLACES[state][0]])
    assert line.read(f"{VISION}.CurrentState.Number")[0] == number


def test_both_are_finite_state_machines_and_the_inner_one_hangs_on_operational(line):
    for name in (VISION, AUTOMATIC):
        kind = line.server.get_node(line.run(line.node(f"Line.{name}").read_type_definition()))
        parent = line.run(kind.get_parent())
        assert parent.nodeid.Identifier == ua.ObjectIds.FiniteStateMachineType
    operational = line.node("VisionStateMachineType.Operational")
    [inner] = line.run(operational.get_referenced_nodes(ua.ObjectIds.HasSubStateMachine))
    assert inner.nodeid == line.node(f"Line.{AUTOMATIC}").nodeid


def test_a_state_that_stays_is_not_written_again(line):
    enter(line, RunState.READY)
    node = line.node(f"Line.{VISION}.CurrentState").nodeid
    before = line.server.read_attribute_value(node)
    enter(line, RunState.READY)
    assert line.server.read_attribute_value(node) is before
