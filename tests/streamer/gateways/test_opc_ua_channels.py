"""Who gets a channel and a session of a secured server: clients of good and of ill will try."""

import gc
import shutil
from types import SimpleNamespace

import pytest
from asyncua.server.internal_session import InternalSession

from streamer.gateway_sections import OpcUaGateway
from streamer.gateways.opc_ua import OpcUa
from streamer.gateways.opc_ua_channels import CALLER, Sessions, endpoints
from tests.streamer.gateways.contract import alarm, view
from tests.streamer.gateways.mbpoll import until
from tests.streamer.gateways.opc_certificates import make_application
from tests.streamer.gateways.opc_client import ClientProcess, RefusedError
from tests.streamer.gateways.test_opc_ua import free_port

BASIC = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
APPLICATIONS = ("server", "hmi-1", "stranger")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("opc")
    # The library's client names itself so; a server may compare.
    uris = {"hmi-1": "urn:example.org:FreeOpcUa:opcua-asyncio"}
    applications = {n: make_application(folder, n, uri=uris.get(n)) for n in APPLICATIONS}
    trusted = folder / "trusted"
    trusted.mkdir()
    shutil.copy(applications["hmi-1"].certificate, trusted)
    return SimpleNamespace(
        trusted=trusted, **{n.replace("-1", ""): a for n, a in applications.items()}
    )


def opened_gateway(made, policy):
    named = {"certificate": made.server.certificate, "private_key": made.server.private_key}
    settings = OpcUaGateway(
        mode="on", port=free_port(), policy=policy, trusted=made.trusted, stop="on", **named
    )
    return OpcUa(settings)


@pytest.fixture(scope="module")
def client():
    process = ClientProcess()
    gc.disable()
    try:
        yield process
    finally:
        gc.enable()
        process.close()


@pytest.fixture(scope="module")
def signing(made):
    opened = opened_gateway(made, "sign")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def encrypting(made):
    opened = opened_gateway(made, "sign_and_encrypt")
    yield opened
    opened.close()


def security(application, mode="SignAndEncrypt"):
    return f"Basic256Sha256,{mode},{application.certificate},{application.private_key}"


@pytest.mark.parametrize(
    ("server", "mode"),
    [("signing", "Sign"), ("signing", "SignAndEncrypt"), ("encrypting", "SignAndEncrypt")],
)
def test_a_trusted_client_acknowledges_in_its_own_name(made, client, request, server, mode):
    gateway = request.getfixturevalue(server)
    gateway.show(view(5, alarm(1)))
    peer = client.open(gateway.port, security=security(made.hmi, mode))
    gateway.show(view(5, alarm(1), news=()))
    until(lambda: peer.read("DataValid", "Heartbeat") == [(True, "Good"), (5, "Good")])
    assert peer.call("Acknowledge", alarm(1).id) == "GoodCompletesAsynchronously"
    [command] = gateway.take_commands()
    assert (command.alarm, command.by) == (alarm(1).id, "opc_ua:hmi-1")
    peer.drop()


@pytest.mark.parametrize(
    ("server", "modes"),
    [("signing", ["Sign", "SignAndEncrypt"]), ("encrypting", ["SignAndEncrypt"])],
)
def test_what_is_offered_is_what_the_configuration_says(made, client, request, server, modes):
    gateway = request.getfixturevalue(server)
    peer = client.open(gateway.port, security=security(made.hmi))
    assert sorted(peer.endpoints()) == [[BASIC, mode] for mode in modes]
    peer.drop()


def test_signing_alone_is_not_enough_where_encryption_is_asked_for(made, encrypting, client):
    with pytest.raises(RefusedError):
        client.open(encrypting.port, security=security(made.hmi, "Sign"))


def test_a_stranger_gets_no_channel(made, encrypting, client):
    with pytest.raises(RefusedError):
        client.open(encrypting.port, security=security(made.stranger))


@pytest.mark.parametrize("shown", [False, True], ids=["nobody", "with another's certificate"])
def test_whoever_comes_without_security_gets_no_session(made, encrypting, client, shown):
    certificate = made.hmi.der.hex() if shown else ""  # it is known to all who talk with its owner
    with pytest.raises(RefusedError, match="BadUserAccessDenied"):
        client.attack("come_without_security", encrypting.port, certificate=certificate)


def test_a_session_of_another_cannot_be_taken_over(made, encrypting, client):
    victim = client.open(encrypting.port, security=security(made.hmi))
    token = InternalSession._auth_counter - 1  # noqa: SLF001, anybody can count
    for ways in ({}, {"opens": False}, {"security": security(made.stranger)}):
        with pytest.raises(RefusedError):
            client.attack("take_over_a_session", encrypting.port, token=token, **ways)
    assert victim.status("DataValid") == "Good"
    victim.drop()


def test_trust_can_be_given_while_the_server_runs(made, encrypting, client):
    copy = shutil.copy(made.stranger.certificate, made.trusted)
    try:
        client.open(encrypting.port, security=security(made.stranger)).drop()
    finally:
        made.trusted.joinpath(copy).unlink()


def test_without_security_anybody_comes_in_and_nobody_has_a_name():
    everybody = Sessions(None)
    assert everybody.get_user(None, username="admin").role.name == "User"
    assert CALLER.get() == ""
    assert [kind.name for kind in endpoints("none")] == ["NoSecurity"]
