"""Who may ask the page: this machine, or who knows the token; and no foreign page may command."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.gateways.page_access import Access, command_refusal, read_token

TOKEN = "0123456789abcdef"
OURS = {"Content-Type": "application/json", "X-Linescan": "1", "Host": "line:1"}


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:8091"])
def test_this_machine_is_answered_by_any_of_its_names(host):
    assert Access().refusal("/", {"Host": host}, "") == ""


@pytest.mark.parametrize("host", ["", "evil.example", "10.0.0.1:80", "[", "127.0.0.1.evil.example"])
def test_another_name_is_not(host):
    assert "token_file" in Access().refusal("/", {"Host": host}, "")


def test_a_token_opens_as_bearer_or_as_cookie_of_it():
    access = Access(TOKEN)
    assert "token is needed" in access.refusal("/", {}, "")
    assert access.refusal("/", {"Authorization": f"bearer {TOKEN}"}, "") == ""
    assert access.refusal("/", {}, access.cookie) == ""
    assert access.refusal("/", {}, TOKEN) != ""  # what a browser keeps is not the token itself
    assert access.refusal("/healthz", {}, "") == ""


@given(st.text(max_size=40))
def test_nothing_else_opens(given_text):
    access = Access(TOKEN)
    if given_text.strip() != TOKEN:
        assert access.refusal("/", {"Authorization": f"Bearer {given_text}"}, given_text)
    assert not Access().is_token(given_text)


def test_bytes_that_are_no_text_are_refused_like_any_other():
    given_text = b"\xff\xfe".decode(errors="surrogateescape")
    access = Access(TOKEN)
    assert access.refusal("/", {"Authorization": f"Bearer {given_text}"}, given_text)
    assert access.is_token(given_text) is False


def test_commands_of_this_page_are_taken():
    assert command_refusal(OURS) == ""
    assert command_refusal({**OURS, "Content-Type": "application/json; charset=utf-8"}) == ""
    assert command_refusal({**OURS, "Origin": "http://line:1", "Sec-Fetch-Site": "none"}) == ""


@pytest.mark.parametrize(
    "change",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Origin": "null"},
        {"Origin": "http://line:2"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_commands_of_others_are_not(change):
    assert "must be" in command_refusal({**OURS, **change})


def test_a_token_comes_from_a_file_and_is_no_short_one(tmp_path):
    file = tmp_path / "token"
    with pytest.raises(OSError, match="token_file must be readable"):
        read_token(file)
    file.write_text("short\n")
    with pytest.raises(ValueError, match="at least 16 characters, got 5"):
        read_token(file)
    file.write_text(f"{TOKEN}\n")
    assert read_token(file) == TOKEN
