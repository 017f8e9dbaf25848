"""PNG, JPEG and TIFF files: depths, palettes, transparency, compressions, pages."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from form import Form, of_full_range
from values import margins


def forms(picture):
    yield from _png(picture)
    yield from _jpeg(picture)
    yield from _tiff(picture)
    yield from _tiff_by_hand(picture)
    yield from _pages(picture)


def _saved(pixels, kind, **options):
    out = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(out, kind, **options)
    return out.getvalue()


def _png(picture):
    eight, sixteen = (picture >> 4).astype(np.uint8), picture << 4
    truth8 = of_full_range(eight, 8)
    png = lambda name, data, truth=truth8, **more: Form(f"png/{name}", "png", data, truth, **more)
    yield png("grey-8", _saved(eight, "png"))
    yield png("grey-16", _saved(sixteen, "png"), of_full_range(sixteen, 16))
    yield png("rgb", _saved(np.dstack([eight] * 3), "png"))
    yield png("palette-grey", _saved(Image.fromarray(eight).convert("RGB").quantize(256, kmeans=0, dither=0), "png"), expect="either",
              truth=np.asarray(Image.fromarray(eight).convert("RGB").quantize(256, kmeans=0, dither=0).convert("L")) / 255)
    four = (picture >> 8).astype(np.uint8)
    yield png("grey-4-bit", _png_by_hand(four, 4), four / 15)
    yield png("trailing-bytes", _saved(eight, "png") + b"tail")
    yield png("cut-off", _saved(eight, "png")[:-3000], expect="refuse")
    opaque = np.full(eight.shape, 255, np.uint8)
    yield png("alpha-opaque", _saved(np.dstack([eight, opaque]), "png"))
    yield png("rgba-opaque", _saved(np.dstack([eight] * 3 + [opaque]), "png"))
    collimated, band, _ = margins(picture)
    eight = (collimated >> 4).astype(np.uint8)
    clear = np.where(band, 0, 255).astype(np.uint8)
    for name, fill in (("white", 255), ("black", 0)):
        filled = np.where(band, fill, eight).astype(np.uint8)
        truth = np.where(band, 0, eight) / 255
        yield png(f"transparent-{name}-margin", _saved(np.dstack([filled, clear]), "png"), truth)
        yield png(f"transparent-{name}-margin-rgba", _saved(np.dstack([filled] * 3 + [clear]), "png"), truth)


def _png_by_hand(values, depth):
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    rows = b"".join(b"\0" + ((row[0::2] << 4) | row[1::2]).astype(np.uint8).tobytes() for row in values)
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def _jpeg(picture):
    eight = (picture >> 4).astype(np.uint8)
    for name, pixels, options in (
            ("grey", eight, {}), ("progressive", eight, {"progressive": True}), ("optimised", eight, {"optimize": True}),
            ("restart", eight, {"restart_marker_blocks": 7}), ("rgb", np.dstack([eight] * 3), {}),
            ("rgb-420", np.dstack([eight] * 3), {"subsampling": 2}), ("keep-rgb", np.dstack([eight] * 3), {"keep_rgb": True})):
        data = _saved(pixels, "jpeg", quality=95, **options)
        decoded = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
        yield Form(f"jpg/{name}", "jpg", data, of_full_range(decoded, 8))
    data = _saved(eight, "jpeg", quality=95)
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    yield Form("jpg/no-end", "jpg", data[:-2], of_full_range(decoded, 8), expect="either")
    yield Form("jpg/trailing-bytes", "jpg", data + bytes(99), of_full_range(decoded, 8))
    yield Form("jpg/cut-in-half", "jpg", data[: len(data) // 2], expect="refuse")
    yield Form("jpg/cmyk", "jpg", _saved(Image.fromarray(eight).convert("CMYK"), "jpeg", quality=95), of_full_range(eight, 8), expect="either")
    twelve = imagecodecs.jpeg8_encode(picture, level=98, bitspersample=12)
    yield Form("jpg/12-bit", "jpg", twelve, of_full_range(imagecodecs.jpeg8_decode(twelve), 12), expect="either")
    yield Form("jpg/lossless", "jpg", imagecodecs.ljpeg_encode(picture, bitspersample=12), expect="either")


def _tiff(picture):
    eight, sixteen = (picture >> 4).astype(np.uint8), picture << 4
    truth8, truth16 = of_full_range(eight, 8), of_full_range(sixteen, 16)

    def written(pixels, **options):
        out = io.BytesIO()
        byteorder, big = options.pop("byteorder", "<"), options.pop("bigtiff", False)
        with tifffile.TiffWriter(out, byteorder=byteorder, bigtiff=big) as file:
            file.write(pixels, **{"photometric": "minisblack", "metadata": None, **options})
        return out.getvalue()

    tif = lambda name, data, truth, **more: Form(f"tif/{name}", "tif", data, truth, **more)
    for name, options in (("plain", {}), ("big-endian", {"byteorder": ">"}), ("lzw", {"compression": "lzw"}),
                          ("deflate", {"compression": "zlib"}), ("deflate-predictor", {"compression": "zlib", "predictor": True}),
                          ("lzw-predictor", {"compression": "lzw", "predictor": True}), ("packbits", {"compression": "packbits"}),
                          ("tiled", {"tile": (64, 64)}), ("tiled-deflate", {"tile": (64, 64), "compression": "zlib"}),
                          ("strips", {"rowsperstrip": 7})):
        yield tif(f"{name}-8", written(eight, **options), truth8)
        yield tif(f"{name}-16", written(sixteen, **options), truth16)
    for name, options in (("bigtiff", {"bigtiff": True}), ("zstd", {"compression": "zstd"}),
                          ("bigtiff-big-endian", {"bigtiff": True, "byteorder": ">"}), ("lzma", {"compression": "lzma"})):
        yield tif(f"{name}-16", written(sixteen, **options), truth16, expect="either")
    for depth, pixels, truth in ((8, eight, truth8), (16, sixteen, truth16)):
        inverted = (np.iinfo(pixels.dtype).max - pixels).astype(pixels.dtype)
        yield tif(f"min-is-white-{depth}", written(inverted, photometric="miniswhite"), truth)
        colour = np.dstack([pixels] * 3)
        yield tif(f"rgb-{depth}", written(colour, photometric="rgb"), truth)
        yield tif(f"rgb-planar-{depth}", written(np.moveaxis(colour, -1, 0).copy(), photometric="rgb", planarconfig="separate"),
                  truth, expect="either")
        full = np.full_like(pixels, np.iinfo(pixels.dtype).max)
        yield tif(f"grey-alpha-{depth}", written(np.dstack([pixels, full]), extrasamples=["unassalpha"], planarconfig="contig"),
                  truth, expect="either")
    signed = (sixteen.astype(np.int32) - 32768).astype(np.int16)
    yield tif("signed-16", written(signed), truth16, expect="either")
    positive = (picture.astype(np.int16))
    yield tif("signed-16-positive", written(positive), (positive.astype(float) + 32768) / 65535, expect="either")
    yield tif("float", written((picture / 4095).astype(np.float32)), None, expect="either")
    yield tif("unsigned-32", written(picture.astype(np.uint32) << 20), None, expect="either")
    yield tif("jpeg", written(eight, compression="jpeg", compressionargs={"level": 98}), truth8, expect="either")
    yield tif("cut-off", written(eight)[:5000], None, expect="refuse")


def _tiff_file(pixels, rows, columns, entries, bits):
    """A little-endian TIFF of one strip; `entries`: further tags of one SHORT."""
    tags = {256: columns, 257: rows, 258: bits, 259: 1, 262: 1, 277: 1, 278: rows, **entries}
    tags[273], tags[279] = 8, len(pixels)
    body = b"".join(struct.pack("<HHII", tag, 4 if tag in (273, 279) else 3, 1, tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(pixels) + len(pixels) % 2) + pixels + b"\0" * (len(pixels) % 2) + \
        struct.pack("<H", len(tags)) + body + b"\0\0\0\0"


def _tiff_by_hand(picture):
    rows, columns = picture.shape
    pairs = picture.reshape(rows, -1, 2).astype(np.uint32)
    packed = ((pairs[..., 0] << 12) | pairs[..., 1])
    three = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1).astype(np.uint8).tobytes()
    yield Form("tif/packed-12", "tif", _tiff_file(three, rows, columns, {}, 12), expect="either")
    four = (picture >> 8).astype(np.uint8)
    nibbles = ((four[:, 0::2] << 4) | four[:, 1::2]).tobytes()
    yield Form("tif/grey-4-bit", "tif", _tiff_file(nibbles, rows, columns, {}, 4), four / 15, expect="either")
    out = io.BytesIO()
    Image.fromarray((picture >> 4).astype(np.uint8)).convert("P").save(out, "tiff")
    yield Form("tif/palette-grey", "tif", out.getvalue(), of_full_range(picture >> 4, 8), expect="either")


def _pages(picture):
    sixteen = picture << 4
    small = sixteen[::8, ::8].copy()
    for name, pages in (("thumbnail-first", [small, sixteen]), ("thumbnail-last", [sixteen, small]),
                        ("thumbnail-between", [small, sixteen, small])):
        out = io.BytesIO()
        with tifffile.TiffWriter(out) as file:
            for page in pages:
                file.write(page, photometric="minisblack", metadata=None, subfiletype=int(page is small))
        yield Form(f"tif/{name}", "tif", out.getvalue(), of_full_range(sixteen, 16))
