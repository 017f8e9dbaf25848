#!/usr/bin/env python3
"""RabbitMQ as a stranger speaks to it (pika). AMQP_URL says where.

    amqp.py publish EXCHANGE < messages   one JSON object a line: routing_key, body (hexadecimal); prints how many were confirmed
    amqp.py listen EXCHANGE QUEUE KEY…    declares a durable queue of the stranger's own and binds it
    amqp.py refuse EXCHANGE QUEUE KEY…    the same with a queue that takes three messages and refuses more
    amqp.py drain QUEUE                   takes all messages out: one JSON object a line: routing_key, body (hexadecimal)
    amqp.py depth QUEUE…                  prints {queue: messages that wait}
    amqp.py delete queue|exchange NAME…
    amqp.py unbind EXCHANGE QUEUE KEY
    amqp.py properties QUEUE              takes one message out and prints its properties as JSON
"""
import json
import os
import sys

import pika


def publish(channel, exchange):
    """Persistent, mandatory, one confirm a message: an exception is a message nobody took."""
    channel.confirm_delivery()
    confirmed = 0
    for line in sys.stdin:
        message = json.loads(line)
        properties = pika.BasicProperties(
            content_type="application/cloudevents+json", delivery_mode=2, **message.get("properties", {}))
        body = bytes.fromhex(message["body"])
        channel.basic_publish(exchange, message["routing_key"], body, properties, mandatory=True)
        confirmed += 1
    print(confirmed)


def listen(channel, exchange, queue, *keys):
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    for key in keys:
        channel.queue_bind(queue, exchange, key)


def refuse(channel, exchange, queue, *keys):
    arguments = {"x-queue-type": "quorum", "x-max-length": 3, "x-overflow": "reject-publish"}
    channel.queue_declare(queue, durable=True, arguments=arguments)
    for key in keys:
        channel.queue_bind(queue, exchange, key)


def drain(channel, queue):
    while True:
        method, _, body = channel.basic_get(queue)
        if method is None:
            return
        print(json.dumps({"routing_key": method.routing_key, "body": body.hex()}))
        channel.basic_ack(method.delivery_tag)


def depth(channel, *queues):
    print(json.dumps({queue: channel.queue_declare(queue, passive=True).method.message_count for queue in queues}))


def delete(channel, what, *names):
    for name in names:
        channel.queue_delete(name) if what == "queue" else channel.exchange_delete(name)


def unbind(channel, exchange, queue, key):
    channel.queue_unbind(queue, exchange, key)


def properties(channel, queue):
    _, properties, _ = channel.basic_get(queue, auto_ack=True)
    print(json.dumps({name: value for name, value in vars(properties).items() if value is not None}, default=str))


if __name__ == "__main__":
    with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
        commands = {f.__name__: f for f in (publish, listen, refuse, drain, depth, delete, unbind, properties)}
        commands[sys.argv[1]](connection.channel(), *sys.argv[2:])
