#!/usr/bin/env python3
"""What a user would pick instead of crates/nets: GoogLeNet's forward pass in ONNX Runtime and OpenVINO, and with --torch
PyTorch's forward pass, saliency and training step, on this machine's cores.

    pip install numpy onnx onnxruntime openvino        # about 200 MB
    pip install torch torchvision                      # only for --torch, several GB
    python networks.py [--threads 2] [--runs 15] [--torch] [--onnx OUT.onnx]

Prints one JSON object a line: {"peer", "work", "batch", "median_ms", "min_ms"}; ms are per image.
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


def googlenet_onnx(classes: int = 3):
    """GoogLeNet as torchvision has it, batch norm folded into the convolutions."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []

    def tensor(name, array):
        weights.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name

    def conv(x, name, c_in, c_out, k, stride=1, pad=0):
        w = (2 * uniform(name, c_out * c_in * k * k) - 1) * np.sqrt(6 / (c_in * k * k))
        b = 0.2 * uniform(name + ".bias", c_out) - 0.1
        inputs = [x, tensor(name + ".w", w.reshape(c_out, c_in, k, k)), tensor(name + ".b", b)]
        nodes.append(helper.make_node("Conv", inputs, [name], kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4))
        nodes.append(helper.make_node("Relu", [name], [name + ".relu"]))
        return name + ".relu"

    def pool(x, name, k, stride, pad=0):
        nodes.append(helper.make_node("MaxPool", [x], [name], kernel_shape=[k, k], strides=[stride] * 2, pads=[pad] * 4,
                                      ceil_mode=int(pad == 0)))
        return name

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
        nodes.append(helper.make_node("Concat", branches, [name], axis=1))
        x = name
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["gap"]))
    nodes.append(helper.make_node("Flatten", ["gap"], ["features"]))
    fc = ((2 * uniform("fc", classes * 1024) - 1) / 32).reshape(1024, classes)
    nodes.append(helper.make_node("MatMul", ["features", tensor("fc.w", fc)], ["y"]))
    graph = helper.make_graph(
        nodes, "googlenet",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", classes])], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def timed(run, count):
    for _ in range(3):
        run()
    times = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def report(peer, work, batch, times):
    print(json.dumps({"peer": peer, "work": work, "batch": batch,
                      "median_ms": round(float(np.median(times)) / batch, 2), "min_ms": round(min(times) / batch, 2)}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--onnx", help="also write the ONNX model here")
    args = parser.parse_args()

    import onnxruntime
    import openvino

    model = googlenet_onnx().SerializeToString()
    if args.onnx:
        open(args.onnx, "wb").write(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    core = openvino.Core()
    for batch in (1, 8):
        x = np.random.default_rng(0).standard_normal((batch, 3, 224, 224), dtype=np.float32)
        report("onnxruntime " + onnxruntime.__version__, "forward", batch, timed(lambda: session.run(None, {"x": x}), args.runs))
        network = core.read_model(model=model)
        network.reshape([batch, 3, 224, 224])
        compiled = core.compile_model(network, "CPU", {
            "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": args.threads})
        report("openvino " + openvino.__version__.split("-")[0], "forward", batch, timed(lambda: compiled(x), args.runs))

    if args.torch:
        import torch
        import torchvision

        torch.set_num_threads(args.threads)
        name = "torch " + torch.__version__.split("+")[0]
        net = torchvision.models.googlenet(weights=None, aux_logits=False, init_weights=False, num_classes=3).eval()
        with torch.inference_mode():
            for batch in (1, 8):
                x = torch.randn(batch, 3, 224, 224)
                report(name, "forward", batch, timed(lambda: net(x), args.runs))
        x = torch.randn(1, 3, 224, 224, requires_grad=True)

        def saliency():
            y = net(x)
            torch.autograd.grad(y[0, y.argmax()], x)

        report(name, "forward + input gradient", 1, timed(saliency, args.runs))
        net.train()
        x, y = torch.randn(10, 3, 224, 224), torch.zeros(10, dtype=torch.long)
        sgd = torch.optim.SGD(net.parameters(), 1e-3, momentum=0.95)

        def step():
            sgd.zero_grad()
            torch.nn.functional.cross_entropy(net(x), y).backward()
            sgd.step()

        report(name, "training step", 10, timed(step, max(3, args.runs // 3)))


if __name__ == "__main__":
    main()
