#!/usr/bin/env python3
"""What a user would pick instead of crates/nets: GoogLeNet's and AlexNet's forward pass in ONNX Runtime and OpenVINO, and with --torch
PyTorch's forward pass, saliency and training step, on this machine's cores.

    pip install numpy onnx onnxruntime openvino        # about 200 MB
    pip install torch torchvision                      # only for --torch, several GB
    python networks.py [--threads 2] [--runs 15] [--torch] [--network googlenet|alexnet]

Prints one JSON object a line: {"peer", "network", "work", "batch", "median_ms", "min_ms"}; ms are per image.
Compare only figures of one hour, on an idle machine, with those of `cargo bench -p cspine-nets`.
"""
import argparse
import json
import time

import numpy as np

MASK = (1 << 64) - 1


def uniform(name: str, count: int) -> np.ndarray:
    """`count` float32 values in [0, 1) for a tensor's name: FNV-1a of the name seeds splitmix64,
    the top 24 bits of each output are the value."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x100000001B3) & MASK
    index = np.arange(1, count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + index * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(40)).astype(np.float64) / (1 << 24)).astype(np.float32)


BLOCKS = [
    ("3a", 192, 64, 96, 128, 16, 32, 32), ("3b", 256, 128, 128, 192, 32, 96, 64),
    ("4a", 480, 192, 96, 208, 16, 48, 64), ("4b", 512, 160, 112, 224, 24, 64, 64),
    ("4c", 512, 128, 128, 256, 24, 64, 64), ("4d", 512, 112, 144, 288, 32, 64, 64),
    ("4e", 528, 256, 160, 320, 32, 128, 128), ("5a", 832, 256, 160, 320, 32, 128, 128),
    ("5b", 832, 384, 192, 384, 48, 128, 128),
]


class Graph:
    """An ONNX graph in the making."""

    def __init__(self):
        self.nodes, self.weights = [], []

    def node(self, kind, inputs, name, **attributes):
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def tensor(self, name, array):
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def affine(self, x, name, dims, relu=True, **attributes):
        """A convolution or, with two dims, a matrix, by its weights' dims [out, in, …]."""
        fan_in = int(np.prod(dims[1:]))
        w = (2 * uniform(name, dims[0] * fan_in) - 1) * np.sqrt(6 / fan_in)
        b = 0.2 * uniform(name + ".bias", dims[0]) - 0.1
        inputs = [x, self.tensor(name + ".w", w.reshape(dims)), self.tensor(name + ".b", b)]
        kind = "Conv" if len(dims) == 4 else "Gemm"
        y = self.node(kind, inputs, name, **(attributes if kind == "Conv" else {"transB": 1}))
        return self.node("Relu", [y], name + ".relu") if relu else y

    def conv(self, x, name, c_in, c_out, k, stride=1, pad=0):
        return self.affine(x, name, [c_out, c_in, k, k], kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4)

    def pool(self, x, name, k, stride, pad=0, ceil=0):
        return self.node("MaxPool", [x], name, kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4, ceil_mode=ceil)

    def model(self, y, side, classes):
        from onnx import TensorProto, helper

        graph = helper.make_graph(
            self.nodes, "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, side, side])],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, ["n", classes])], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def alexnet_onnx(classes: int = 3):
    """AlexNet as torchvision has it."""
    graph = Graph()
    conv, pool = graph.conv, graph.pool
    x = pool(conv("x", "conv1", 3, 64, 11, 4, 2), "pool1", 3, 2)
    x = pool(conv(x, "conv2", 64, 192, 5, 1, 2), "pool2", 3, 2)
    x = conv(conv(conv(x, "conv3", 192, 384, 3, 1, 1), "conv4", 384, 256, 3, 1, 1), "conv5", 256, 256, 3, 1, 1)
    x = graph.node("Flatten", [pool(x, "pool5", 3, 2)], "flat")
    x = graph.affine(graph.affine(x, "fc6", [4096, 256 * 6 * 6]), "fc7", [4096, 4096])
    return graph.model(graph.affine(x, "y", [classes, 4096], relu=False), 227, classes)


def googlenet_onnx(classes: int = 3):
    """GoogLeNet as torchvision has it, batch norm folded into the convolutions."""
    graph = Graph()
    conv = graph.conv

    def pool(x, name, k, stride, pad=0):
        return graph.pool(x, name, k, stride, pad, ceil=int(pad == 0))

    x = pool(conv("x", "conv1", 3, 64, 7, 2, 3), "pool1", 3, 2)
    x = pool(conv(conv(x, "conv2", 64, 64, 1), "conv3", 64, 192, 3, 1, 1), "pool2", 3, 2)
    for name, c_in, c1, c3r, c3, c5r, c5, cp in BLOCKS:
        if name == "4a":
            x = pool(x, "pool3", 3, 2)
        if name == "5a":
            x = pool(x, "pool4", 2, 2)
        branches = [
            conv(x, name + ".1", c_in, c1, 1),
            conv(conv(x, name + ".2a", c_in, c3r, 1), name + ".2b", c3r, c3, 3, 1, 1),
            conv(conv(x, name + ".3a", c_in, c5r, 1), name + ".3b", c5r, c5, 3, 1, 1),
            conv(pool(x, name + ".pool", 3, 1, 1), name + ".4", c_in, cp, 1),
        ]
        x = graph.node("Concat", branches, name, axis=1)
    features = graph.node("Flatten", [graph.node("GlobalAveragePool", [x], "gap")], "features")
    return graph.model(graph.affine(features, "y", [classes, 1024], relu=False), 224, classes)


def timed(run, count):
    for _ in range(3):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def report(peer, network, work, batch, times):
    print(json.dumps({"peer": peer, "network": network, "work": work, "batch": batch,
                      "median_ms": round(float(np.median(times)) / batch, 2), "min_ms": round(min(times) / batch, 2)}), flush=True)


def runtimes(network, model, side, args):
    """ONNX Runtime and OpenVINO."""
    import onnxruntime
    import openvino

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    for batch in (1, 8):
        x = np.random.default_rng(0).standard_normal((batch, 3, side, side), dtype=np.float32)
        times = timed(lambda: session.run(None, {"x": x}), args.runs)
        report("onnxruntime " + onnxruntime.__version__, network, "forward", batch, times)
        read = core.read_model(model=model)
        read.reshape([batch, 3, side, side])
        compiled = core.compile_model(read, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": args.threads})
        times = timed(lambda: compiled(x), args.runs)
        report("openvino " + openvino.__version__.split("-")[0], network, "forward", batch, times)


def pytorch(network, net, side, args):
    """PyTorch's forward pass, saliency and training step."""
    import torch

    name = "torch " + torch.__version__.split("+")[0]
    net.eval()
    with torch.inference_mode():
        for batch in (1, 8):
            x = torch.randn(batch, 3, side, side)
            report(name, network, "forward", batch, timed(lambda: net(x), args.runs))
    x = torch.randn(1, 3, side, side, requires_grad=True)

    def saliency():
        y = net(x)
        torch.autograd.grad(y[0, y.argmax()], x)

    report(name, network, "forward + input gradient", 1, timed(saliency, args.runs))
    net.train()
    x, y = torch.randn(10, 3, side, side), torch.zeros(10, dtype=torch.long)
    sgd = torch.optim.SGD(net.parameters(), 1e-4, momentum=0.95)

    def step():
        sgd.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        sgd.step()

    report(name, network, "training step", 10, timed(step, max(3, args.runs // 3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--network", choices=["googlenet", "alexnet"], help="only this one")
    args = parser.parse_args()

    for network, onnx, side in (("googlenet", googlenet_onnx, 224), ("alexnet", alexnet_onnx, 227)):
        if args.network not in (None, network):
            continue
        runtimes(network, onnx().SerializeToString(), side, args)
        if args.torch:
            import torch
            from torchvision import models

            torch.set_num_threads(args.threads)
            make = {"googlenet": lambda: models.googlenet(weights=None, aux_logits=False, init_weights=False, num_classes=3),
                    "alexnet": lambda: models.alexnet(weights=None, num_classes=3)}
            pytorch(network, make[network](), side, args)


if __name__ == "__main__":
    main()
