"""Writes hundreds of odd forms of the same radiographs: python tests/forms --out DIR PHANTOM.png…

Each form is a file; `forms.jsonl` says of each what it must be read as (a PNG, upright) and what pydicom makes of it.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

import compressed
import raster
import scope
import structure
import turned
import values
from judge import judge

KINDS = (structure, values, compressed, raster, turned, scope)


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("phantoms", nargs="+", type=Path, help="grey PNG files of 8 or 16 bits")
    asked = arguments.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    with open(asked.out / "forms.jsonl", "w") as lines:
        for number, path in enumerate(asked.phantoms):
            for line in written(asked.out, number, twelve_bits(path)):
                print(json.dumps(line), file=lines)


def twelve_bits(path):
    pixels = np.asarray(Image.open(path)).astype(np.uint32)
    most = 255 if pixels.max() < 256 else 65535
    return (pixels * 4095 // most).astype(np.uint16)


def written(folder, number, picture):
    plain = picture / 4095
    for kind in KINDS:
        for form in kind.forms(picture):
            name = f"{form.name}-{number}".replace("/", "--")
            file = folder / f"{name}.{form.suffix}"
            file.write_bytes(form.data)
            yield {"form": form.name, "phantom": number, "file": str(file), "expect": form.expect,
                   "truth": str(truth_file(folder, plain if form.truth is None else form.truth)),
                   "pydicom": judge(form, plain)}


def truth_file(folder, truth):
    stored = np.round(truth * 65535).astype(np.uint16)
    path = folder / f"truth-{hashlib.sha256(stored.tobytes()).hexdigest()[:16]}.png"
    if not path.exists():
        Image.fromarray(stored).save(path)
    return path


if __name__ == "__main__":
    main()
