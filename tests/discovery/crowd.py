"""Many phones in one host: ``python -m tests.discovery.crowd FILE`` reads who they are, answers SIP OPTIONS and HTTP for each at its own
address. It prints a line when all sockets are open.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
from pathlib import Path


def main() -> None:
    phones = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    selector = selectors.DefaultSelector()
    for phone in phones:
        if phone.get("sip"):
            selector.register(udp(phone["address"], 5060), selectors.EVENT_READ, (options, phone))
        if phone.get("web"):
            selector.register(tcp(phone["address"]), selectors.EVENT_READ, (page, phone))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while True:
        for key, _ in selector.select(1.0):
            answer, phone = key.data
            answer(key.fileobj, phone)


def udp(address: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def tcp(address: str) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, 80))
    made.listen()
    return made


def options(ready: socket.socket, phone: dict) -> None:
    data, peer = ready.recvfrom(4096)
    kept = [line for line in data.split(b"\r\n") if line.split(b":")[0] in (b"Via", b"From", b"To", b"Call-ID", b"CSeq")]
    agent = f"User-Agent: {phone['sip']}".encode()
    ready.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *kept, agent, b"Content-Length: 0", b"", b""]), peer)


def page(ready: socket.socket, phone: dict) -> None:
    connection, _ = ready.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(f"HTTP/1.0 200 OK\r\n{phone['web']}\r\nContent-Length: 0\r\n\r\n".encode())


if __name__ == "__main__":
    main()
