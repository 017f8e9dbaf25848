#!/usr/bin/env python3
"""Times one job twice: our worker, then python_worker.py. Called by `throughput`, which prepares everything.

From the first publish to the last committed answer, workers warm and waiting; each image is a study of its own.
"""
import hashlib
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pika
import psycopg

WORKER, PNGS, OBJECTS = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
HERE = pathlib.Path(__file__).parent


def events(run):
    """The same files under UIDs of the run's own."""
    classes = ("dislocation", "fracture", "normal")
    for number, path in enumerate(sorted(path for name in classes for path in (pathlib.Path(PNGS) / name).iterdir())):
        png = path.read_bytes()
        key = f"images/{path.name}"
        (OBJECTS / "images").mkdir(parents=True, exist_ok=True)
        (OBJECTS / key).write_bytes(png)
        study = f"1.2.826.0.1.3680043.8.498.{run}.{number}"
        yield json.dumps({
            "specversion": "1.0", "type": "org.cspine.image.arrived.v1", "id": f"{run}-{number}", "source": "/throughput",
            "time": "2026-11-23T02:25:21Z",
            "data": {"study_instance_uid": study, "series_instance_uid": f"{study}.1", "sop_instance_uid": f"{study}.2",
                     "modality": "DX", "body_part": "CSPINE", "view": "LL",
                     "image": {"key": key, "media_type": "image/png", "sha256": hashlib.sha256(png).hexdigest(),
                               "size_bytes": len(png)}},
        })


def timed(workers, channel, database, exchange, routing_key, bodies, count):
    """Images a second."""
    started = time.monotonic()
    for body in bodies:
        channel.basic_publish(exchange, routing_key, body.encode(), pika.BasicProperties(delivery_mode=2), mandatory=True)
    while (done := database.execute(count).fetchone()[0]) < len(bodies):
        if any(worker.poll() is not None for worker in workers) or time.monotonic() - started > 600:
            sys.exit(f"a worker ended, or ten minutes are over: {done} of {len(bodies)} answered")
        time.sleep(0.05)
    return len(bodies) / (time.monotonic() - started)


def ours(channel, database):
    subprocess.run([WORKER, "migrate"], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        admin = f"127.0.0.1:{probe.getsockname()[1]}"
    worker = subprocess.Popen([WORKER, "run", "--admin-addr", admin], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://{admin}/readyz")
        run = int(time.time())
        count = f"select count(*) from findings where sop_instance_uid like '%.{run}.%'"
        return timed([worker], channel, database, "cspine.events", "image.arrived.routine", list(events(run)), count)
    finally:
        worker.terminate()
        worker.wait()


def wait_for(url):
    for _ in range(600):
        try:
            return urllib.request.urlopen(url)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    sys.exit(f"{url} did not get ready")


def peers(channel, database):
    queue = "peer.infer"
    database.execute("""
        drop table if exists peer_findings, peer_studies, peer_outbox;
        create table peer_findings (sop text, sha256 text, verdict text, flagged boolean, p_dislocation real,
                                    p_fracture real, p_normal real, heatmap bytea, primary key (sop, sha256));
        create table peer_studies (study text primary key, level smallint);
        create table peer_outbox (id bigint generated always as identity primary key, payload text)""")
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    channel.queue_purge(queue)
    command = [sys.executable, HERE / "python_worker.py", queue, OBJECTS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout.readline() == "ready\n"
        return timed(workers, channel, database, "", queue, list(events(1)), "select count(*) from peer_findings")
    finally:
        for worker in workers:
            worker.terminate()
            worker.wait()
        channel.queue_delete(queue)


if __name__ == "__main__":
    with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection, \
            psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        channel = connection.channel()
        channel.confirm_delivery()
        python = peers(channel, database)
        print(f"python, two processes of one thread: {python:.2f} images/s", flush=True)
        rust = ours(channel, database)
        print(f"cspine-worker: {rust:.2f} images/s, {rust / python:.2f} times as many")
