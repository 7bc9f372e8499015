"""What runs the Structured Text: the standard's rules, and errors where PLCs would differ."""

import pytest

from tests.deploy.plc.structured_text import Program

TEXT = """
FUNCTION HALVED : UDINT
VAR_INPUT
    a : UDINT;
    b : UDINT;
END_VAR
VAR
    difference : UDINT;
END_VAR
difference := a - b; (* wraps *)
HALVED := difference / 2;
END_FUNCTION

FUNCTION UNSTORED : UDINT
VAR_INPUT
    a : UDINT;
    b : UDINT;
END_VAR
UNSTORED := (a - b) / 2;
END_FUNCTION

FUNCTION_BLOCK COUNTER
VAR_INPUT
    on : BOOL;
    at : UINT;
END_VAR
VAR
    cells : ARRAY[0..3] OF UINT;
    total : UINT := 7;
    delay : TON;
    done : BOOL;
    i : UINT;
END_VAR
delay(IN := on, PT := T#30ms);
done := delay.Q;
IF at = FIVE THEN
    total := 65535;
ELSIF NOT on AND at <> 0 THEN
    total := total + 1;
ELSE
    FOR i := 1 TO at DO
        total := total + 2;
    END_FOR;
END_IF;
cells[at] := total;
END_FUNCTION_BLOCK
"""
CONSTANTS = "VAR_GLOBAL CONSTANT\n    FIVE : UINT := 5;\nEND_VAR\n"


@pytest.fixture
def program():
    return Program(TEXT, CONSTANTS)


def test_what_is_stored_wraps_and_is_divided_as_whole_numbers(program):
    assert program.call("HALVED", 9, 2) == 3
    assert program.call("HALVED", 0, 2) == (2**32 - 2) // 2


def test_what_depends_on_the_width_of_a_plc_is_an_error(program):
    assert program.call("UNSTORED", 9, 2) == 3
    with pytest.raises(ArithmeticError, match="must be stored"):
        program.call("UNSTORED", 0, 2)


def test_branches_loops_and_memory(program):
    block = program.instance("COUNTER")
    assert block(on=True, at=0)["total"] == 7
    assert block(on=False, at=3)["total"] == 8
    assert block(on=True, at=3)["total"] == 14
    assert block(on=True, at=3)["cells"] == [7, 0, 0, 20]


def test_an_index_out_of_bounds_is_an_error(program):
    with pytest.raises(IndexError, match="must be 0 to 3, got 5"):
        program.instance("COUNTER")(on=True, at=5)


def test_a_timer_follows_after_its_time_and_falls_at_once(program):
    block, told = program.instance("COUNTER"), []
    for on in (True, True, True, True, True, False, True):
        told.append(block(on=on, at=0)["done"])
        program.now_ms += 10
    assert told == [False, False, False, True, True, False, False]


def test_a_name_that_is_not_declared_is_an_error():
    text = "FUNCTION F : UINT\nVAR_INPUT\n a : UINT;\nEND_VAR\nF := b;\nEND_FUNCTION\n"
    with pytest.raises(NameError, match="b"):
        Program(text, CONSTANTS).call("F", 1)
