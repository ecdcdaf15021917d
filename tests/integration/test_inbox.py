"""The development inbox: mail goes in over SMTP, comes out as JSON and as a page."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
from contextlib import asynccontextmanager
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any

import aiosmtplib
import httpx
import pytest
from starlette.applications import Starlette

from api import inbox as pages
from api.problems import answer_error
from engine.dev.inbox import KEPT, LARGEST, Inbox, serve
from engine.errors import NotFound, VarselError
from engine.runtime.ports import bound
from engine.settings import Settings
from tests.helpers.command import varsel
from tests.helpers.processes import start
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

SCRIPT = "<script>alert(1)</script>"


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[int]:
    """The SMTP server in this loop; its port."""
    ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with bound(0, "--port") as listener:
        serving = asyncio.create_task(serve(folder, listener, partial(ready.set_result, None)))
        await asyncio.wait((ready, serving), return_when=asyncio.FIRST_COMPLETED)
        try:
            await (ready if ready.done() else serving)  # serving has failed then, and raises
            yield listener.getsockname()[1]
        finally:
            serving.cancel()
            await asyncio.wait((serving,))


def receive(folder: Path, *messages: EmailMessage | bytes, to: Sequence[str] = ("kari@example.no",)) -> None:
    """Send these to an inbox over one connection."""

    async def run() -> None:
        async with served(folder) as port, aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for message in messages:
                data = message if isinstance(message, bytes) else message.as_bytes()
                await client.sendmail("noreply@varsel.example", list(to), data)

    asyncio.run(run())


def converse(folder: Path, *commands: bytes) -> list[bytes]:
    """Say these to an inbox, byte for byte; returns the reply to each."""

    async def run() -> list[bytes]:
        async with served(folder) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answers = [await _reply(reader)]
            for command in commands:
                writer.write(command + b"\r\n")
                answers.append(await _reply(reader))
            writer.close()
            await writer.wait_closed()
            return answers

    return asyncio.run(run())


async def _reply(reader: asyncio.StreamReader) -> bytes:
    lines = [await reader.readline()]
    while lines[-1][3:4] == b"-":
        lines.append(await reader.readline())
    return b"".join(lines)


def call(folder: Path, method: str, path: str) -> httpx.Response:
    """Ask the web side, which shares only the folder with the SMTP side."""

    async def run() -> httpx.Response:
        app = Starlette(routes=pages.ROUTES, exception_handlers={VarselError: answer_error})
        app.state.inbox = Inbox(folder)
        app.state.settings = Settings()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://varsel") as client:
            return await client.request(method, path)

    return asyncio.run(run())


def listed(folder: Path, query: str = "") -> list[dict[str, Any]]:
    answer = call(folder, "GET", f"/inbox/messages{query}").raise_for_status().json()
    messages: list[dict[str, Any]] = answer["messages"]
    assert answer["count"] == len(messages)
    return messages


def mail(subject: str = "Hei", text: str = "Hei, Kari!\n", html: str | None = None) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = "Varsel <noreply@varsel.example>"
    message["To"] = "Kari Nordmann <kari@example.no>"
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


def test_commands_that_come_at_once_are_answered_in_order(tmp_path: Path) -> None:
    def transaction(recipient: bytes) -> bytes:
        return b"MAIL FROM:<a@example.no>\r\nRCPT TO:<%b>\r\nDATA" % recipient

    async def run() -> list[bytes]:
        async with served(tmp_path) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await _reply(reader)
            writer.write(b"EHLO x\r\n")
            assert b"250-PIPELINING\r\n" in await _reply(reader)
            said = (
                transaction(b"kari+550@example.no"),
                b"RSET\r\n" + transaction(b"kari@example.no"),
                b"Subject: one\r\n\r\none\r\n.\r\n" + transaction(b"ola@example.no"),
                b"Subject: two\r\n\r\ntwo\r\n.\r\nQUIT",
            )
            codes = []
            for group, replies in zip(said, (3, 4, 4, 2), strict=True):
                writer.write(group + b"\r\n")
                codes.append(b" ".join([(await _reply(reader))[:3] for _ in range(replies)]))
            writer.close()
            return codes

    assert asyncio.run(run()) == [b"250 550 503", b"250 250 250 354", b"250 250 250 354", b"250 221"]
    assert [message["subject"] for message in listed(tmp_path)] == ["one", "two"]


def test_a_mail_that_comes_in_over_smtp_is_shown_whole(tmp_path: Path) -> None:
    sent = mail("Søknaden er mottatt ✓", "Hei, Kåre!\n", "<p>Hei, Kåre!</p>")
    receive(tmp_path, sent, to=("kari@example.no", "ola@example.no"))
    [message] = listed(tmp_path)
    assert message["envelope"] == {"from": "noreply@varsel.example", "to": ["kari@example.no", "ola@example.no"]}
    assert message["subject"] == "Søknaden er mottatt ✓"
    assert message["from"] == "Varsel <noreply@varsel.example>"
    assert message["to"] == "Kari Nordmann <kari@example.no>"
    assert message["text"] == "Hei, Kåre!\n"
    assert message["html"] == "<p>Hei, Kåre!</p>\n"
    assert message["raw"].replace("\r\n", "\n") == sent.as_bytes().decode()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", message["receivedAt"])
    assert call(tmp_path, "GET", f"/inbox/messages/{message['id']}").json() == message


def test_a_header_that_stands_twice_is_shown_twice(tmp_path: Path) -> None:
    receive(tmp_path, b"X-Trace: one\r\nSubject: Hei\r\nX-Trace: two\r\n\r\nHei\r\n")
    assert listed(tmp_path)[0]["headers"] == [["X-Trace", "one"], ["Subject", "Hei"], ["X-Trace", "two"]]


def test_messages_stand_in_order_of_arrival_and_the_limit_takes_the_newest(tmp_path: Path) -> None:
    receive(tmp_path, *(mail(f"no {number}") for number in range(12)))
    assert [message["subject"] for message in listed(tmp_path)] == [f"no {number}" for number in range(12)]
    assert [message["subject"] for message in listed(tmp_path, "?limit=2")] == ["no 10", "no 11"]
    assert listed(tmp_path, "?limit=0") == []


def test_messages_can_be_asked_for_by_recipient(tmp_path: Path) -> None:
    receive(tmp_path, mail("1"), to=("Kari@example.no", "ola@example.no"))
    receive(tmp_path, mail("2"), to=("ola@example.no",))
    receive(tmp_path, mail("3"), to=("kari@example.no",))
    assert [message["subject"] for message in listed(tmp_path, "?to=kari@EXAMPLE.no")] == ["1", "3"]
    assert [message["subject"] for message in listed(tmp_path, "?to=ola@example.no&limit=1")] == ["2"]
    assert listed(tmp_path, "?to=nobody@example.no") == []


@pytest.mark.parametrize("limit", ["x", "", "-1", "1.5", "%EF%BC%92", "9" * 5_000])
def test_a_limit_that_is_no_number_is_refused(limit: str, tmp_path: Path) -> None:
    assert call(tmp_path, "GET", f"/inbox/messages?limit={limit}").status_code == 400


def test_clearing_forgets_all_messages_and_takes_new_ones(tmp_path: Path) -> None:
    receive(tmp_path, mail("old"))
    answer = call(tmp_path, "DELETE", "/inbox/messages")
    assert (answer.status_code, answer.content) == (204, b"")
    assert listed(tmp_path) == []
    receive(tmp_path, mail("new"))
    assert [message["subject"] for message in listed(tmp_path)] == ["new"]


@pytest.mark.parametrize("name", ["0" * 16, "nothing", "../secret", "..%2fsecret", "%2e%2e%2fsecret", "../secret%00"])
def test_an_id_that_names_no_message_is_not_found(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text('{"from": "", "to": [], "source": ""}')
    folder = tmp_path / "inbox"
    receive(folder, mail())
    assert call(folder, "GET", f"/inbox/messages/{name}").status_code == 404
    with pytest.raises(NotFound):
        Inbox(folder).message("../secret")


def test_the_server_offers_what_modern_mail_needs_and_bounds_its_size(tmp_path: Path) -> None:
    _, offers, too_large = converse(
        tmp_path, b"EHLO client.example", b"MAIL FROM:<a@example.no> SIZE=%d" % (LARGEST + 1)
    )
    assert {b"250-8BITMIME", b"250-SMTPUTF8", b"250-SIZE %d" % LARGEST} <= set(offers.split(b"\r\n"))
    assert too_large.startswith(b"552")
    assert listed(tmp_path) == []


def test_internationalised_addresses_and_eight_bit_bodies_are_kept(tmp_path: Path) -> None:
    answers = converse(
        tmp_path,
        b"EHLO client.example",
        "MAIL FROM:<blåbær@eksempel.no> BODY=8BITMIME SMTPUTF8".encode(),
        "RCPT TO:<kåre@eksempel.no>".encode(),
        b"DATA",
        "Subject: Hei på deg\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBlåbær\r\n..\r\n.".encode(),
    )
    assert answers[-1].startswith(b"250")
    [message] = listed(tmp_path)
    assert message["envelope"] == {"from": "blåbær@eksempel.no", "to": ["kåre@eksempel.no"]}
    assert (message["subject"], message["text"]) == ("Hei på deg", "Blåbær\n.\n")


MALFORMED = {
    "nothing": b"\r\n",
    "no header": b"\r\nHei\r\n",
    "no body": b"Subject: Hei\r\n",
    "bytes in headers": b"Subject: \xff\xfe\r\nX-\xff: y\r\nTo: \xc3\xc3 <\xe5@x>\r\n\r\n\xff\xfe\x00\r\n",
    "no such charset": b"Content-Type: text/plain; charset=klingon\r\n\r\nHei\r\n",
    "a charset for no text": b"Content-Type: text/plain; charset=hex\r\n\r\nHei\r\n",
    "a charset that makes surrogates": b"Content-Type: text/plain; charset=unicode-escape\r\n\r\n\\udcff\r\n",
    "surrogates as UTF-7": b"Content-Type: text/html; charset=utf-7\r\n\r\n+2AA-\r\n",
    "no boundary": b"Content-Type: multipart/alternative\r\n\r\nHei\r\n",
    "parts within parts": b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 200,
    "a message as a part": b"Content-Type: multipart/related; boundary=a\r\n\r\n--a\r\nContent-Type: message/rfc822",
    "broken base64": b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n=A=\xff\r\n",
    "broken words": b"Subject: =?utf-8?b?=?= =?x?q?=ZZ?= =?utf-8?q?=ff=d8?=\r\n\r\n",
    "broken addresses": b'From: <<@>,:;"(\r\nTo: @@\r\nMessage-ID: <@>\r\nReply-To: =?utf-8?q?=00?=@\r\n\r\n',
    "broken parameters": b"Content-Type: text/plain; charset*=x'y'%zz; charset*0*=a\r\n\r\nHei\r\n",
    "IndexError in the parser": b"To: <\r\n\r\nHei\r\n",
    "AttributeError in the parser": b"To: \xff.:',\r\n\r\nHei\r\n",
    "ValueError in the parser": b"Content-Type: charset==,<=?utf-8?q?=00?=utf-8\r\n\r\nHei\r\n",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_whatever_came_in_can_be_looked_at(name: str, tmp_path: Path) -> None:
    source = MALFORMED[name]
    receive(tmp_path, mail("before"), source, mail("after"))
    assert [message["subject"] for message in listed(tmp_path)][::2] == ["before", "after"]
    shown = listed(tmp_path)[1]
    assert shown["raw"].rstrip("\r\n") == source.decode("utf-8", "replace").rstrip("\r\n")


def test_an_envelope_that_is_not_text_can_be_looked_at(tmp_path: Path) -> None:
    converse(
        tmp_path,
        b"EHLO client.example",
        b"MAIL FROM:<\xff@example.no> SMTPUTF8",
        b"RCPT TO:<\xfe@example.no>",
        b"DATA",
        b"Subject: Hei\r\n\r\n.",
    )
    [message] = listed(tmp_path)
    assert message["subject"] == "Hei"


def test_an_inbox_that_got_nothing_yet_is_empty(tmp_path: Path) -> None:
    assert listed(tmp_path / "not yet there") == []


def test_the_page_is_in_the_console(tmp_path: Path) -> None:
    assert call(tmp_path, "GET", "/inbox").headers["location"] == "/console/inbox"


@pytest.mark.parametrize("code", [451, 550])
def test_an_address_can_ask_to_be_refused_once(code: int, tmp_path: Path) -> None:
    to = b"RCPT TO:<kari+%d@example.no>" % code
    *_, first, second = converse(tmp_path, b"EHLO client.example", b"MAIL FROM:<a@example.no>", to, to)
    assert first.startswith(str(code).encode())
    assert second.startswith(b"250")


def test_only_the_newest_messages_are_kept(tmp_path: Path) -> None:
    receive(tmp_path, mail("newest but one"))
    [first] = tmp_path.glob("*.json")
    for number in range(KEPT + 5):
        os.link(first, tmp_path / f"{number:016d}.json")
    receive(tmp_path, mail("newest"))
    inbox = Inbox(tmp_path)
    assert inbox.count() == KEPT
    assert [message.header("Subject") for message in inbox.messages(limit=2)] == ["newest but one", "newest"]
    assert not (tmp_path / f"{6:016d}.json").exists()
    assert (tmp_path / f"{7:016d}.json").exists()


def test_a_clock_that_was_set_back_does_not_change_the_order(tmp_path: Path) -> None:
    receive(tmp_path, mail("first"))
    [first] = tmp_path.glob("*.json")
    first.rename(tmp_path / f"{int(first.stem) + 10**12}.json")  # as if received in days to come
    receive(tmp_path, mail("second"), mail("third"))
    assert [message["subject"] for message in listed(tmp_path)] == ["first", "second", "third"]


def test_files_that_are_no_messages_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "notes.json"
    foreign.write_text("[]")
    receive(tmp_path, mail())
    assert len(listed(tmp_path)) == 1
    call(tmp_path, "DELETE", "/inbox/messages")
    assert foreign.exists()


def test_what_a_killed_server_left_unfinished_is_not_shown_and_goes(tmp_path: Path) -> None:
    unfinished = tmp_path / f"{1:016d}.tmp"
    unfinished.write_text('{"from": ')
    assert listed(tmp_path) == []
    receive(tmp_path, mail())
    assert len(listed(tmp_path)) == 1
    assert not unfinished.exists()


def test_a_folder_that_cannot_be_written_defers_the_mail(tmp_path: Path) -> None:
    folder = tmp_path / "inbox"

    async def run() -> str:
        async with served(folder) as port, aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            shutil.rmtree(folder)
            with pytest.raises(aiosmtplib.SMTPDataError) as caught:
                await client.sendmail("a@example.no", ["b@example.no"], mail().as_bytes())
            return f"{caught.value.code} {caught.value.message}"

    assert asyncio.run(run()).startswith("452 4.3.1 ")


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = varsel("inbox", "--port", port, inbox=str(tmp_path))
    assert ended.exit_code == 1
    assert f"port {port} cannot be used" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_on_a_signal_though_clients_stay_connected(number: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"VARSEL_INBOX": str(tmp_path)}
    command = [sys.executable, "-m", "engine", "inbox", "--port", "0"]
    with start(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline().rpartition(":")[2])
        with smtplib.SMTP("127.0.0.1", port) as client:
            client.send_message(mail())
            process.send_signal(number)
            output, errors = process.communicate(timeout=patience())
            client.close()
    assert (process.returncode, output, errors) == (0, "", "")
    assert len(listed(tmp_path)) == 1


def test_whoever_only_reads_needs_no_smtp_server(tmp_path: Path) -> None:
    receive(tmp_path, mail())
    program = f"import sys; sys.modules['aiosmtpd'] = None; from engine.dev.inbox import Inbox; import pathlib; \
print(Inbox(pathlib.Path({str(tmp_path)!r})).count())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
