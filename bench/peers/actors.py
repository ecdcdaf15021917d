"""The peer of delivery, as a good engineer writes it in an hour: an actor per mail, a connection per thread.

`dramatiq bench.peers.actors` works; `python -m bench.peers.actors FIRST COUNT` enqueues, and prints when it began.
"""

from __future__ import annotations

import os
import smtplib
import sys
import threading
import time
from email.message import EmailMessage
from email.utils import format_datetime, localtime, make_msgid

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench import posts

broker = RedisBroker(url=os.environ["PEER_REDIS_URL"])
dramatiq.set_broker(broker)
_thread = threading.local()


@dramatiq.actor
def send_mail(to: str, subject: str, text: str, html: str) -> None:
    """Build one mail and send it."""
    message = EmailMessage()
    message["From"] = "noreply@example.no"
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = format_datetime(localtime())
    message["Message-ID"] = make_msgid(domain="example.no")
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    try:
        connection().send_message(message)
    except smtplib.SMTPServerDisconnected:
        del _thread.connection
        connection().send_message(message)


def connection() -> smtplib.SMTP:
    """This thread's connection to the relay."""
    if not hasattr(_thread, "connection"):
        port = int(os.environ["PEER_SMTP_PORT"])
        _thread.connection = smtplib.SMTP("127.0.0.1", port, local_hostname="[127.0.0.1]", timeout=30)
    found: smtplib.SMTP = _thread.connection
    return found


if __name__ == "__main__":
    first, count = map(int, sys.argv[1:])
    print(time.monotonic(), flush=True)
    for number in range(first, first + count):
        send_mail.send(f"mottaker{number}@example.no", f"Vedtak i sak {number}", posts.text(number), posts.html(number))
