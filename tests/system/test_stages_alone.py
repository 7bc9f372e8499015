"""Capture, score and sink started one by one over tcp, as on several hosts."""

import signal
import socket

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


def endpoints():
    probes = [socket.socket() for _ in range(3)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    names = ("transport__tiles", "transport__results", "transport__ledger")
    return {name: f"tcp://127.0.0.1:{port}" for name, port in zip(names, ports, strict=True)}


@pytest.mark.parametrize("order", [("capture", "score", "sink"), ("sink", "score", "capture")])
def test_stages_find_each_other_in_any_order_of_start(start_line, order):
    settings = {"web__columns": 256, "source__length_m": 1.5, "source__clean_m": 0.5}
    settings |= endpoints()
    stages = {name: start_line(command=(name,), **settings) for name in order}
    code, _, err = stages["sink"].finish()
    assert code == 0, err
    code, _, err = stages["capture"].finish()
    assert code == 0, err
    stages["score"].process.send_signal(signal.SIGTERM)
    code, _, err = stages["score"].finish()
    assert code == 0, err
    manifest = stages["sink"].manifest()
    assert manifest["outcome"] == "complete"
    assert manifest["totals"]["lines"] == 3000
    assert manifest["totals"]["coverage"]["inspected_px"] == 3000 * 256
    assert stages["sink"].leftovers() == []


@pytest.mark.parametrize("missing", ["transport.ledger", "roll.name", "web.columns"])
def test_a_stage_alone_says_what_it_must_be_told(start_line, missing):
    settings = {"web__columns": 256, **endpoints(), missing.replace(".", "__"): "null"}
    if missing == "transport.ledger":
        settings["transport__ledger"] = '""'
    code, _, err = start_line(command=("sink",), **settings).finish()
    assert code == 2, err
    assert f"error: {missing} must be set" in err
