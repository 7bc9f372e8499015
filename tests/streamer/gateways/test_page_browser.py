"""The operator page in a real browser: what is there is seen, and what is not live is said so."""

import os
import shutil
import threading
import time
from dataclasses import replace

import pytest

from streamer.gateway_sections import PageGateway
from streamer.gateways.page import OperatorPage
from streamer.line_ports import LineView
from streamer.line_status import CommandAnswer, MapRows
from streamer.message import AlarmCondition, Severity
from tests.streamer.gateways.contract import alarm, view
from tests.streamer.gateways.test_page import free_port

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000


class Line:
    """Shows views like the stage does, each with the next beat, in a thread."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.make = view
        self.speaks = True
        self.commands = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self):
        self._end.set()
        self._thread.join()

    def _run(self):
        beat = 0
        while not self._end.wait(0.03):
            if self.speaks:
                beat += 1
                self._gateway.show(self.make(beat))
                self.commands += self._gateway.take_commands()


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium must be installed in CI")
        pytest.skip("chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def line():
    port = free_port()
    gateway = OperatorPage(PageGateway(mode="on", port=port, map_m=1.0))
    opened = Line(gateway)
    opened.address, opened.server = f"http://127.0.0.1:{port}/", gateway
    yield opened
    opened.close()
    gateway.close()


@pytest.fixture
def page(browser, line):
    opened = browser.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    faults = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.goto(line.address)
    says(opened, "INSPECTING")
    yield opened
    opened.close()
    assert faults == []


def until(holds, fault):
    end = time.monotonic() + PATIENCE_MS / 1000
    while not holds():
        assert time.monotonic() < end, fault
        time.sleep(0.02)


def says(page, headline):
    until(lambda: page.inner_text("#headline") == headline, f"the page never said {headline}")


def shows(page, name):
    return page.locator(f".symbol.{name}").is_visible()


def test_a_page_without_its_server_is_no_connection_from_the_start(browser, line):
    opened = browser.new_page()
    opened.route("**/api/events", lambda route: route.abort())
    opened.goto(line.address)
    time.sleep(0.5)
    assert opened.inner_text("#headline") == "NO CONNECTION"
    assert shows(opened, "lost")
    opened.close()


def test_state_is_told_by_text_symbol_and_figures(page, line):
    assert shows(page, "valid")
    assert page.inner_text("#speed") == "60.0"
    assert page.inner_text("#position") == "2.05"
    assert page.inner_text("#lag") == "120"
    line.make = lambda beat: view(beat, data_valid=False, reason="camera cam0 is away")
    says(page, "NOT INSPECTING")
    assert page.inner_text("#reason") == "Camera cam0 is away."
    assert shows(page, "blind")
    assert not shows(page, "valid")


def test_an_alarm_appears_and_is_acknowledged_by_a_click(page, line):
    one = alarm(1, severity=Severity.HIGH, text="<b>hole</b>")
    line.make = lambda beat: view(beat, alarm(2), one, news=())
    item = page.locator("#list > li").first
    item.wait_for()
    assert "<b>hole</b>" in item.inner_text()  # as text, whatever it is
    assert "0.100 m (5 mm long), 40–44 mm across" in item.inner_text()
    assert "not acknowledged" in item.inner_text()
    item.get_by_role("button", name="Acknowledge").click()
    page.wait_for_timeout(300)
    (command,) = line.commands
    assert (command.kind, command.alarm, command.by) == ("acknowledge", one.id, "page")
    taken = replace(one, sequence=3, condition=AlarmCondition.ACKNOWLEDGED, by="page")
    line.make = lambda beat: view(beat, alarm(2), taken, news=())
    item.get_by_text("acknowledged, still there by page").wait_for()
    assert item.get_by_role("button", name="Acknowledge").count() == 0


def test_all_are_acknowledged_and_one_is_shelved(page, line):
    line.make = lambda beat: view(beat, alarm(1), news=())
    page.get_by_role("button", name="Acknowledge all").click()
    page.select_option("#shelf", "3600")
    page.locator("#list").get_by_role("button", name="Shelve").click()
    page.wait_for_timeout(300)
    assert [(c.kind, c.alarm, c.seconds) for c in line.commands] == [
        ("acknowledge", "*", 0.0),
        ("shelve", alarm(1).id, 3600.0),
    ]


def test_a_refusal_of_the_sink_is_shown(page, line):
    line.make = lambda beat: view(beat, alarm(1), news=())
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    page.wait_for_timeout(300)
    no = CommandAnswer(line.commands[0].id, ok=False, text="it is known no more")
    line.make = lambda beat: replace(view(beat, alarm(1), news=()), answers=(no,))
    page.get_by_text("Not done: it is known no more").wait_for()


def test_a_silent_sink_is_not_inspecting_and_its_figures_go(page, line):
    line.make = lambda beat: replace(view(beat, alarm(1), news=()), is_fresh=False)
    says(page, "NOT INSPECTING")
    assert "stopped answering: the sink is silent" in page.inner_text("#reason")
    assert page.inner_text("#speed") == "–"
    assert page.locator("#stale").is_visible()
    # What is asked now would be carried out whenever the sink wakes up.
    assert page.get_by_role("button", name="Acknowledge").first.is_disabled()
    assert page.get_by_role("button", name="Acknowledge all").is_disabled()


def test_no_alarm_is_said_of_a_line_that_is_heard_alone(page, line):
    assert page.locator("#none").is_visible()
    line.make = lambda beat: replace(view(beat), is_fresh=False)
    says(page, "NOT INSPECTING")
    assert not page.locator("#none").is_visible()
    line.make = lambda beat: LineView(None, False, False)
    page.get_by_text("Nothing was heard of the sink yet.").wait_for()
    assert not page.locator("#none").is_visible()


def test_alarms_that_wait_are_said_beside_the_good_news(page, line):
    assert page.inner_text("#reason") == "Data valid."
    line.make = lambda beat: view(beat, alarm(1), news=(), unacknowledged=2)
    page.get_by_text("Data valid. 2 alarms are not acknowledged.").wait_for()


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)])
def test_whether_the_line_inspects_is_in_sight_however_far_somebody_reads(page, line, size):
    line.make = lambda beat: view(beat, *(alarm(n) for n in range(1, 60)), news=())
    page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    page.locator("#list > li").last.scroll_into_view_if_needed()
    assert page.evaluate("window.scrollY") > 1000
    line.make = lambda beat: view(beat, data_valid=False, reason="camera cam0 is away")
    says(page, "NOT INSPECTING")
    box = page.locator("#headline").bounding_box()
    assert 0 <= box["y"] < box["y"] + box["height"] < size[1] / 3


def test_views_that_stop_are_no_connection_within_two_seconds_and_come_back(page, line):
    line.speaks = False
    begin = time.monotonic()
    says(page, "NO CONNECTION")
    assert time.monotonic() - begin < 2.0
    assert page.title() == "NO CONNECTION"
    assert page.inner_text("#speed") == "–"
    line.speaks = True
    says(page, "INSPECTING")


def test_a_server_that_dies_is_no_connection_and_one_that_comes_back_is_found(page, line):
    line.speaks = False
    port = int(line.address.rsplit(":", 1)[1].rstrip("/"))
    line.server.close()
    says(page, "NO CONNECTION")
    again = OperatorPage(PageGateway(mode="on", port=port))
    follower = Line(again)
    try:
        says(page, "INSPECTING")
    finally:
        follower.close()
        again.close()


def test_what_was_held_up_on_its_way_is_not_taken_for_live(page, line):
    # The peer's clock of sending stands still, as when a full pipe delivers what is long past.
    stamp = time.monotonic()
    board_time = type("Stuck", (), {"monotonic": staticmethod(lambda: stamp)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streamer.gateways.page_server.time", board_time)
        says(page, "NO CONNECTION")
    says(page, "INSPECTING")


PIXEL = """([down, across]) => {
  const canvas = document.getElementById('web'), scale = window.devicePixelRatio;
  const w = canvas.width - 74 * scale, h = canvas.height - 42 * scale;
  const x = 64 * scale + across * w, y = 8 * scale + down * h;
  return Array.from(canvas.getContext('2d').getImageData(x, y, 1, 1).data.slice(0, 3));
}"""


def test_the_map_keeps_a_single_bad_cell_and_tells_what_was_not_seen(page, line):
    rows, columns = 2_000, 64  # many more rows than the canvas has
    cells = bytearray(rows * columns)
    for row in range(rows):
        cells[row * columns] = MapRows.MASKED
        cells[row * columns + 63] = MapRows.NOT_INSPECTED
    cells[999 * columns + 32] = 240  # ends at half of the height
    strip = MapRows("roll-1", 0, 2000, 0.0, 1000.0, 640.0, rows, columns, bytes(cells))
    line.make = lambda beat: replace(view(beat), rows=(strip,) if beat % 10 == 0 else ())
    until(lambda: page.evaluate(PIXEL, [0.5, 32.5 / 64])[0] == 255, "the bad cell was never seen")
    red, _, blue = page.evaluate(PIXEL, [0.5, 32.5 / 64])
    calm = page.evaluate(PIXEL, [0.25, 32.5 / 64])
    masked = page.evaluate(PIXEL, [0.25, 0.5 / 64])
    assert (red, calm[2] > calm[0]) == (255, True)
    assert masked == [74, 74, 74]
    hatched = {tuple(page.evaluate(PIXEL, [0.25 + n / 400, 63.5 / 64])) for n in range(12)}
    assert hatched == {(0, 0, 0), (204, 121, 167)}


@pytest.mark.parametrize("width", [1280, 420])
def test_nothing_is_wider_than_the_screen(page, line, width):
    line.make = lambda beat: view(beat, alarm(1, text="x" * 150), news=(), reason="y" * 150)
    page.set_viewport_size({"width": width, "height": 800})
    page.locator("#list > li").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
