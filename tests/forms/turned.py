"""Radiographs that lie on their side or face the other way, and pixels that are not square."""

import io

import numpy as np
import tifffile
from PIL import Image

from dicomfile import dataset, part10, radiograph
from form import Form, dicom, of_full_range

# EXIF and TIFF orientation: what was done to the upright picture before it was stored.
STORED = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1], 5: lambda a: a.T,
          6: lambda a: np.rot90(a), 7: lambda a: a[::-1, ::-1].T, 8: lambda a: np.rot90(a, -1)}
# Patient Orientation of the same: the directions of a row and of a column. Upright the row runs to the front (A).
DIRECTIONS = {1: "A\\F", 2: "P\\F", 3: "P\\H", 4: "A\\H", 5: "F\\A", 6: "F\\P", 7: "H\\P", 8: "H\\A"}


def forms(picture):
    upright = of_full_range(picture, 12)
    eight = (picture >> 4).astype(np.uint8)
    for number, turn in STORED.items():
        stored = np.ascontiguousarray(turn(picture))
        # a lateral may face either way: what the header says upright but mirrored is for the pixels to tell
        said = dicom(f"turned/patient-orientation-{number}",
                     part10(dataset(radiograph(stored, x00200020=("CS", DIRECTIONS[number])))), truth=upright,
                     unjudged="pydicom does not turn pictures")
        yield said
        if number > 1:
            yield dicom(f"turned/unsaid-{number}", part10(dataset(radiograph(stored))), truth=upright, expect="second look",
                        unjudged="nothing is said")
            yield dicom(f"turned/said-upright-{number}",
                        part10(dataset(radiograph(stored, x00200020=("CS", "A\\F")))), truth=upright, expect="second look",
                        unjudged="the header is wrong")
        exif = Image.Exif()
        exif[0x0112] = number
        turned8 = np.ascontiguousarray(turn(eight))
        for kind in ("jpeg", "png"):
            out = io.BytesIO()
            Image.fromarray(turned8).save(out, kind, exif=exif, **({"quality": 97} if kind == "jpeg" else {}))
            yield Form(f"turned/exif-{kind}-{number}", kind[:3].replace("jpe", "jpg"), out.getvalue(), of_full_range(eight, 8))
        out = io.BytesIO()
        tifffile.imwrite(out, turned8, photometric="minisblack", metadata=None, extratags=[(274, "H", 1, number, True)])
        yield Form(f"turned/tiff-{number}", "tif", out.getvalue(), of_full_range(eight, 8))
    yield from _shapes(picture)


def _shapes(picture):
    """Every other row or column is left out, and the header says how far apart what is left lies."""
    low, narrow = np.ascontiguousarray(picture[::2]), np.ascontiguousarray(picture[:, ::2])
    why = {"unjudged": "pydicom does not stretch pictures", "expect": "stretched"}
    whole = of_full_range(picture, 12)
    for name, tag in (("pixel-spacing", "x00280030"), ("imager-pixel-spacing", "x00181164")):
        yield dicom(f"shape/{name}-rows", part10(dataset(radiograph(low, **{tag: ("DS", "0.4\\0.2")}))), truth=whole, **why)
        yield dicom(f"shape/{name}-columns", part10(dataset(radiograph(narrow, **{tag: ("DS", "0.2\\0.4")}))), truth=whole, **why)
        yield dicom(f"shape/{name}-equal", part10(dataset(radiograph(picture, **{tag: ("DS", "0.2\\0.2")}))))
    yield dicom("shape/aspect-ratio-rows", part10(dataset(radiograph(low, x00280034=("IS", "2\\1")))), truth=whole, **why)
    yield dicom("shape/aspect-ratio-columns", part10(dataset(radiograph(narrow, x00280034=("IS", "1\\2")))), truth=whole, **why)
    yield dicom("shape/aspect-ratio-equal", part10(dataset(radiograph(picture, x00280034=("IS", "1\\1")))))
    for name, value in (("zero", "0\\1"), ("one-value", "2"), ("absurd", "1\\1000"), ("words", "a\\b")):
        yield dicom(f"shape/aspect-ratio-{name}", part10(dataset(radiograph(picture, x00280034=("IS", value)))), expect="either")
