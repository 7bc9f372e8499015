"""Numbers beside boxes: none covers another, none leaves the picture."""

from hypothesis import given
from hypothesis import strategies as st

from streamer.outputs.roll_map_labelling import Rectangle, place_labels

ROOM = Rectangle(0, 0, 300, 200)


@st.composite
def rectangles(draw):
    left, top = draw(st.integers(0, 280)), draw(st.integers(0, 190))
    return Rectangle(left, top, left + draw(st.integers(1, 20)), top + draw(st.integers(1, 10)))


@given(st.lists(rectangles(), max_size=30))
def test_no_number_covers_another_or_leaves_the_room(boxes):
    places = place_labels(boxes, [(24.0, 18.0)] * len(boxes), ROOM)
    assert len(places) == len(boxes)
    found = [place for place in places if place is not None]
    assert all(ROOM.holds(place) for place in found)
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])
    assert not boxes or places[0] is not None


def test_a_free_place_beside_all_boxes_is_preferred():
    boxes = [Rectangle(50, 50, 60, 60), Rectangle(45, 30, 80, 44)]  # the second lies above
    first, _ = place_labels(boxes, [(20.0, 10.0)] * 2, ROOM)
    assert not any(first.overlaps(box) for box in boxes)


def test_where_there_is_no_room_there_is_no_number():
    assert place_labels([Rectangle(5, 5, 9, 9)], [(400.0, 10.0)], ROOM) == [None]


def test_the_first_choose_and_the_rest_have_none():
    boxes = [Rectangle(5, 5, 9, 9)] * 3
    assert len(place_labels(boxes, [(10.0, 10.0)], ROOM)) == 1


def test_rectangles_grow_around_their_middle():
    assert Rectangle(4, 4, 6, 20).at_least(10).corners == (0, 4, 10, 20)
    assert Rectangle(4, 4, 6, 6).grown(1).corners == (3, 3, 7, 7)
    assert not Rectangle(0, 0, 2, 2).overlaps(Rectangle(2, 0, 4, 2))
