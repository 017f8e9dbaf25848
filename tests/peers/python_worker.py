#!/usr/bin/env python3
"""The worker's job as one would write it in Python: pika, Pillow, torch, psycopg. Run as two processes of one thread.

As durable as ours: quorum queue, persistent messages, the answer, the priority and the outbox row in one transaction,
acknowledged after the commit. AMQP_URL, DATABASE_URL; arguments: queue, folder of the objects. Prints "ready" once warm.
"""
import hashlib
import io
import json
import os
import pathlib
import sys

import numpy as np
import pika
import psycopg
import torch
import torchvision
from PIL import Image

CLASSES = ("dislocation", "fracture", "normal")
MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def network():
    net = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False, num_classes=3)
    return net.eval().requires_grad_(False)


def prepare(png: bytes) -> torch.Tensor:
    """16-bit grey PNG -> percentile window -> 224 x 224 -> normalised."""
    pixels = np.asarray(Image.open(io.BytesIO(png)), dtype=np.float32)
    low, high = np.percentile(pixels, (0.5, 99.5))
    grey = Image.fromarray(np.clip((pixels - low) / (high - low), 0, 1).astype(np.float32))
    grey = torch.from_numpy(np.array(grey.resize((224, 224), Image.Resampling.BILINEAR)))
    return ((grey - MEAN) / STD).unsqueeze(0)


def answer(net, inputs: torch.Tensor):
    inputs.requires_grad_(True)
    logits = net(inputs)
    logits[0, logits.argmax()].backward()
    saliency = inputs.grad[0].abs().amax(0)
    heatmap = (saliency / saliency.max() * 255).to(torch.uint8).numpy()
    png = io.BytesIO()
    Image.fromarray(heatmap).save(png, "PNG")
    return torch.softmax(logits[0], 0).tolist(), png.getvalue()


def record(database, data, probabilities, heatmap):
    verdict = CLASSES[int(np.argmax(probabilities))]
    flagged = probabilities[0] + probabilities[1] >= 0.5
    level = 3 if not flagged else 0 if probabilities[0] >= probabilities[1] else 1
    sop, study, sha256 = data["sop_instance_uid"], data["study_instance_uid"], data["image"]["sha256"]
    with database.transaction():
        new = database.execute(
            "insert into peer_findings values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning 1",
            (sop, sha256, verdict, flagged, *probabilities, heatmap),
        ).fetchone()
        if new:
            database.execute(
                "insert into peer_studies values (%s, %s) on conflict (study) do update"
                " set level = least(peer_studies.level, excluded.level)", (study, level))
            database.execute("insert into peer_outbox (payload) values (%s)",
                             (json.dumps({"sop": sop, "verdict": verdict, "flagged": flagged}),))


def main(queue, objects):
    torch.set_num_threads(1)
    net = network()
    answer(net, torch.zeros(1, 3, 224, 224))
    database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
    channel = pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])).channel()
    channel.basic_qos(prefetch_count=2)

    def handle(channel, method, _, body):
        data = json.loads(body)["data"]
        png = (pathlib.Path(objects) / data["image"]["key"]).read_bytes()
        assert hashlib.sha256(png).hexdigest() == data["image"]["sha256"]
        record(database, data, *answer(net, prepare(png)))
        channel.basic_ack(method.delivery_tag)

    channel.basic_consume(queue, handle)
    print("ready", flush=True)
    channel.start_consuming()


if __name__ == "__main__":
    main(*sys.argv[1:])
