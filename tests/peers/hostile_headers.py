#!/usr/bin/env python3
"""Publishes sound events whose AMQP headers and properties are hostile, from bytes that no client library writes.

    hostile_headers.py EXCHANGE < events    one JSON object a line: form, routing_key, body (hexadecimal)

Each event is published in the form that its line names; prints `form accepted` or `form refused`, as the broker took it.
`hostile_headers.py --forms` lists the forms. AMQP_URL says where.
"""
import json
import os
import struct
import sys

import pika
from pika import frame, spec

FRAME_MAX = 131072
HEADERS, CONTENT_TYPE, DELIVERY_MODE, PRIORITY, MESSAGE_ID = 1 << 13, 1 << 15, 1 << 12, 1 << 11, 1 << 7


def short(text: bytes) -> bytes:
    return bytes([len(text)]) + text


def nested(depth, kinds):
    """The bytes of a table in which tables ('F') and arrays ('A') lie within each other, `depth` of them."""
    pieces, length = [], 0
    for level in range(depth, 0, -1):
        in_table = level == 1 or kinds[(level - 1) % len(kinds)] == "F"
        name, kind = (b"\x00" if in_table else b""), kinds[level % len(kinds)].encode()
        pieces.append(name + kind + struct.pack(">I", length))
        length += len(pieces[-1])
    return struct.pack(">I", length) + b"".join(reversed(pieces))


def entries(*pairs: bytes) -> bytes:
    table = b"".join(pairs)
    return struct.pack(">I", len(table)) + table


def entry(name: bytes, value: bytes) -> bytes:
    return short(name) + value


def text(value: bytes) -> bytes:
    return b"S" + struct.pack(">I", len(value)) + value


FORMS = {f"{name} {depth}": nested(depth, kinds)
         for depth in (15, 17, 100, 500, 1_000, 5_000, 20_000, 100_000)
         for name, kinds in (("tables", "F"), ("arrays", "A"), ("tables and arrays", "FA"))}
FORMS |= {
    "name in Latin-1": entries(entry(b"Gr\xf6\xdfe", text(b"1"))),
    "name of no encoding": entries(entry(bytes(range(128, 256)), text(b"1"))),
    "name of nothing": entries(entry(b"", text(b"1"))),
    "name with NUL": entries(entry(b"a\0b", text(b"a\0b"))),
    "text of no encoding": entries(entry(b"a", text(bytes(range(256))))),
    "one name ten thousand times": entries(*[entry(b"a", b"t\x01")] * 10_000),
    "ten thousand names": entries(*[entry(b"%d" % n, b"V") for n in range(10_000)]),
    "an array of a hundred thousand": entries(entry(b"a", b"A" + struct.pack(">I", 100_000) + b"V" * 100_000)),
    "every type": entries(*[entry(b"%d" % n, value) for n, value in enumerate((
        b"t\x01", b"b\xff", b"B\xff", b"s\xff\xff", b"u\xff\xff", b"I\xff\xff\xff\xff", b"i\xff\xff\xff\xff",
        b"l" + b"\xff" * 8, b"L" + b"\xff" * 8, b"f\x7f\x7f\xff\xff", b"d\x7f\xef" + b"\xff" * 6, b"D\xff\xff\xff\xff\xff",
        text(b""), b"T" + b"\xff" * 8, b"x" + struct.pack(">I", 3) + b"\0\xff\0", b"V"))]),
    "headers of ours, forged": entries(
        entry(b"attempt", b"l" + struct.pack(">q", 2**62)), entry(b"x-delivery-count", b"l" + struct.pack(">q", 2**62)),
        entry(b"x-first-death-queue", text(b"cspine.arrivals.stat")), entry(b"x-death", text(b"no array"))),
    "nearly a frame": entries(entry(b"a", text(b"x" * (FRAME_MAX - 120)))),
}
PROPERTIES = {
    "content type of no encoding": [(CONTENT_TYPE, short(b"\xff\xfe\xfd"))],
    "message id of no encoding": [(MESSAGE_ID, short(bytes(range(1, 256))))],
    "priority 255": [(PRIORITY, b"\xff")],
    "delivery mode 255": [(DELIVERY_MODE, b"\xff")],
}


class Raw(pika.BasicProperties):
    """Properties as these bytes."""

    def __init__(self, form):
        super().__init__()
        fields = PROPERTIES.get(form) or [(HEADERS, FORMS[form])]
        if all(flag != DELIVERY_MODE for flag, _ in fields):
            fields = sorted([*fields, (DELIVERY_MODE, b"\x02")], reverse=True)
        self.raw = [struct.pack(">H", sum(flag for flag, _ in fields)), *[value for _, value in fields]]

    def encode(self):
        return list(self.raw)


def publish(exchange, form, routing_key, body):
    with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(exchange, routing_key, body, Raw(form), mandatory=True)


def main(exchange):
    for line in sys.stdin:
        event = json.loads(line)
        try:
            publish(exchange, event["form"], event["routing_key"], bytes.fromhex(event["body"]))
            outcome = "accepted"
        except (pika.exceptions.AMQPError, ConnectionError):
            outcome = "refused"
        print(f"{event['form']}\t{outcome}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--forms":
        print("\n".join([*FORMS, *PROPERTIES]))
    else:
        main(sys.argv[1])
