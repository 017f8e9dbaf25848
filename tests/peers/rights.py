#!/usr/bin/env python3
"""Tries what a user of the broker may do (pika). One JSON list a line on standard input: URL, action, arguments…; prints
`allowed`, or why not, for each.

    publish EXCHANGE KEY [HEADERS]    declare queue|exchange NAME    bind EXCHANGE QUEUE KEY    unbind EXCHANGE QUEUE KEY
    get QUEUE    consume QUEUE    purge QUEUE    delete queue|exchange NAME    dead-letter QUEUE EXCHANGE
"""
import json
import sys

import pika


def publish(channel, exchange, key, headers=None):
    channel.confirm_delivery()
    properties = pika.BasicProperties(delivery_mode=2, headers=headers)
    channel.basic_publish(exchange, key, b"{}", properties)


def declare(channel, what, name):
    if what == "queue":
        # one that the broker is to name cannot be a quorum queue
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"} if name else None)
    else:
        channel.exchange_declare(name, "topic", durable=True)


def bind(channel, exchange, queue, key):
    channel.queue_bind(queue, exchange, key)


def unbind(channel, exchange, queue, key):
    channel.queue_unbind(queue, exchange, key)


def get(channel, queue):
    channel.basic_get(queue)


def consume(channel, queue):
    channel.basic_consume(queue, lambda *_: None)


def purge(channel, queue):
    channel.queue_purge(queue)


def delete(channel, what, name):
    channel.queue_delete(name) if what == "queue" else channel.exchange_delete(name)


def dead_letter(channel, queue, exchange):
    """A queue of one's own whose dead letters would reach another's exchange."""
    channel.queue_declare(queue, durable=True, arguments={"x-dead-letter-exchange": exchange})


ACTIONS = {f.__name__.replace("_", "-"): f
           for f in (publish, declare, bind, unbind, get, consume, purge, delete, dead_letter)}

for line in sys.stdin:
    url, action, *arguments = json.loads(line)
    try:
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            ACTIONS[action](connection.channel(), *arguments)
        print("allowed", flush=True)
    except pika.exceptions.AMQPError as error:
        refused = "ACCESS_REFUSED" in repr(error)
        print("refused" if refused else repr(error), flush=True)
