"""Compressed pixels: every kind of lossless JPEG, the other JPEGs, RLE, and how streams are cut into fragments."""

import io

import imagecodecs
import numpy as np
from PIL import Image

from dicomfile import encapsulated, fragments, part10, radiograph
from form import dicom, of_full_range
from lossless import lossless_jpeg

BASELINE, EXTENDED, LOSSLESS, LOSSLESS_SV1 = (f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 57, 70))
LS_LOSSLESS, LS_NEAR, J2K_LOSSLESS, J2K = (f"1.2.840.10008.1.2.4.{n}" for n in (80, 81, 90, 91))
HT_LOSSLESS, HT_RPCL, HT = (f"1.2.840.10008.1.2.4.{n}" for n in (201, 202, 203))
RLE = "1.2.840.10008.1.2.5"


def forms(picture):
    yield from _lossless(picture)
    yield from _lossy(picture)
    yield from _wavelets(picture)
    yield from _rle(picture)
    yield from _cut(picture)


def _file(pixels, bits, syntax, *streams, **changes):
    return part10(encapsulated(radiograph(pixels, bits, **changes), fragments(*streams)), syntax)


def _lossless(picture):
    for predictor in range(1, 8):
        for restart in (0, 1, 3):
            for point in (0, 1, 2):
                stream = lossless_jpeg(picture, 12, predictor, restart, point)
                syntax = LOSSLESS_SV1 if predictor == 1 else LOSSLESS
                yield dicom(f"lossless/p{predictor}-restart{restart}-point{point}", _file(picture, 12, syntax, stream),
                            truth=of_full_range(picture >> point << point, 12))
    for bits in (8, 10, 14, 16):
        pixels = (picture >> (12 - bits) if bits < 12 else picture << (bits - 12)).astype(np.uint8 if bits == 8 else np.uint16)
        for predictor in (1, 4, 7):
            yield dicom(f"lossless/{bits}-bits-p{predictor}",
                        _file(pixels, bits, LOSSLESS, lossless_jpeg(pixels, bits, predictor, 2 if predictor == 4 else 0, 0)),
                        truth=of_full_range(pixels, bits))


def _jpeg(pixels, **options):
    """An 8-bit JPEG by Pillow, and its decoded pixels."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "jpeg", **{"quality": 95, **options})
    return out.getvalue(), np.asarray(Image.open(io.BytesIO(out.getvalue())))


def _lossy(picture):
    eight = (picture >> 4).astype(np.uint8)
    for name, options in (("plain", {}), ("optimised", {"optimize": True}), ("restart", {"restart_marker_rows": 1})):
        stream, decoded = _jpeg(eight, **options)
        yield dicom(f"jpeg/baseline-{name}", _file(eight, 8, BASELINE, stream), truth=of_full_range(decoded, 8))
    stream, decoded = _jpeg(eight)
    yield dicom("jpeg/baseline-in-extended", _file(eight, 8, EXTENDED, stream), truth=of_full_range(decoded, 8))
    yield dicom("jpeg/no-end", _file(eight, 8, BASELINE, stream[:-2]), truth=of_full_range(decoded, 8), expect="either")
    yield dicom("jpeg/cut-in-half", _file(eight, 8, BASELINE, stream[: len(stream) // 2]), expect="refuse")
    yield dicom("jpeg/three-samples-said-of-grey",
                _file(eight, 8, BASELINE, stream, x00280002=("US", b"\3\0"), x00280004=("CS", "YBR_FULL_422")),
                truth=of_full_range(decoded, 8), expect="either")
    colour = np.dstack([eight] * 3)
    for name, options in (("ybr", {}), ("ybr-422", {"subsampling": 1}), ("rgb-by-marker", {"keep_rgb": True, "subsampling": 0})):
        stream, decoded = _jpeg(colour, **options)
        said = "RGB" if name.startswith("rgb") else "YBR_FULL_422"
        yield dicom(f"jpeg/{name}", _file(colour, 8, BASELINE, stream, x00280004=("CS", said)),
                    truth=of_full_range(decoded[..., 0], 8))
    for level in (90, 98):
        stream = imagecodecs.jpeg8_encode(picture, level=level, bitspersample=12)
        yield dicom(f"jpeg/extended-12-bit-{level}", _file(picture, 12, EXTENDED, stream),
                    truth=of_full_range(imagecodecs.jpeg8_decode(stream), 12))


def _wavelets(picture):
    eight, sixteen = (picture >> 4).astype(np.uint8), picture << 4
    for bits, pixels in ((8, eight), (12, picture), (16, sixteen)):
        truth = of_full_range(pixels, bits)
        j2k = imagecodecs.jpeg2k_encode(pixels, level=0, reversible=True, codecformat="j2k", bitspersample=bits)
        yield dicom(f"j2k/lossless-{bits}", _file(pixels, bits, J2K_LOSSLESS, j2k), truth=truth)
        yield dicom(f"j2k/lossless-{bits}-as-lossy", _file(pixels, bits, J2K, j2k), truth=truth)
        yield dicom(f"jpeg-ls/lossless-{bits}", _file(pixels, bits, LS_LOSSLESS, imagecodecs.jpegls_encode(pixels)), truth=truth)
        near = imagecodecs.jpegls_encode(pixels, level=3)
        yield dicom(f"jpeg-ls/near-{bits}", _file(pixels, bits, LS_NEAR, near),
                    truth=of_full_range(imagecodecs.jpegls_decode(near), bits))
        ht = imagecodecs.htj2k_encode(pixels, reversible=True)
        for name, syntax in (("lossless", HT_LOSSLESS), ("as-lossy", HT)):
            yield dicom(f"htj2k/{name}-{bits}", _file(pixels, bits, syntax, ht), truth=truth, expect="either")
    for level in (40, 60):
        j2k = imagecodecs.jpeg2k_encode(picture, level=level, reversible=False, codecformat="j2k", bitspersample=12)
        yield dicom(f"j2k/lossy-{level}", _file(picture, 12, J2K, j2k), truth=of_full_range(imagecodecs.jpeg2k_decode(j2k), 12))
    boxed = imagecodecs.jpeg2k_encode(picture, level=0, reversible=True, codecformat="jp2", bitspersample=12)
    yield dicom("j2k/boxed", _file(picture, 12, J2K_LOSSLESS, boxed))
    stream = imagecodecs.jpeg2k_encode(picture, level=0, reversible=True, codecformat="j2k", bitspersample=12)
    yield dicom("j2k/no-end", _file(picture, 12, J2K_LOSSLESS, stream[:-2]), expect="either")
    yield dicom("j2k/cut-in-half", _file(picture, 12, J2K_LOSSLESS, stream[: len(stream) // 2]), expect="refuse")


def _packbits(row):
    """PS3.5 annex G.3.1, literal runs only but for constant stretches."""
    return imagecodecs.packbits_encode(bytes(row))


def _rle_frame(picture):
    segments = []
    for plane in (picture >> 8, picture & 0xFF):
        packed = b"".join(_packbits(row) for row in plane.astype(np.uint8))
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = [64, 64 + len(segments[0])]
    header = np.array([2, *offsets, *[0] * 13], "<u4").tobytes()
    return header + b"".join(segments)


def _rle(picture):
    frame = _rle_frame(picture)
    yield dicom("rle/one-fragment", _file(picture, 12, RLE, frame))
    for count in (2, 4, 9):
        size = (len(frame) // count + 1) & ~1
        pieces = [frame[at:at + size] for at in range(0, len(frame), size)]
        yield dicom(f"rle/{count}-fragments", _file(picture, 12, RLE, *pieces))
    yield dicom("rle/cut-off", _file(picture, 12, RLE, frame[: len(frame) // 2]), expect="refuse")


def _cut(picture):
    stream = lossless_jpeg(picture, 12, 1, 0, 0)
    half = len(stream) // 2 & ~1
    for name, pieces in (("two-fragments", [stream[:half], stream[half:]]),
                         ("many-fragments", [stream[at:at + 5000] for at in range(0, len(stream), 5000)]),
                         ("empty-last-fragment", [stream, b""]), ("padded", [stream + b"\0\0"])):
        yield dicom(f"fragments/{name}", _file(picture, 12, LOSSLESS_SV1, *pieces))
    elements = radiograph(picture)
    offsets = fragments(stream, offsets=b"\0\0\0\0")
    yield dicom("fragments/offset-table", part10(encapsulated(elements, offsets), LOSSLESS_SV1))
    wrong = fragments(stream, offsets=b"\x10\x27\0\0")
    yield dicom("fragments/offset-table-wrong", part10(encapsulated(elements, wrong), LOSSLESS_SV1))
    opened = fragments(stream, closed=False)
    yield dicom("fragments/no-end", part10(encapsulated(elements, opened), LOSSLESS_SV1))
    for name, tail in (("zeros-after", bytes(64)), ("padding-after", b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\0\0\0\0")):
        yield dicom(f"fragments/{name}", part10(encapsulated(elements, fragments(stream)) + tail, LOSSLESS_SV1))
    yield dicom("fragments/no-end-marker", _file(picture, 12, LOSSLESS_SV1, stream[:-2]), expect="either")
    yield dicom("fragments/cut-in-half", _file(picture, 12, LOSSLESS_SV1, stream[:half]), expect="refuse")
