"""Stored values and what makes grey of them: bits, padding, rescale, windows, lookup tables."""

import struct

import numpy as np

from dicomfile import explicit, dataset, item, padded, part10, radiograph, us
from form import dicom, of_full_range

WINDOW = {"x00281050": ("DS", "2047.5"), "x00281051": ("DS", "4096")}


def forms(picture):
    yield from _bits(picture)
    yield from _padding(picture)
    yield from _decimals(picture)
    yield from _windows(picture)
    yield from _tables(picture)


def _file(pixels, bits=12, signed=False, **changes):
    return part10(dataset(radiograph(pixels, bits, signed, **changes)))


def _bits(picture):
    eight = (picture >> 4).astype(np.uint8)
    yield dicom("bits/8-of-8", _file(eight, 8), truth=of_full_range(eight, 8))
    yield dicom("bits/8-of-16", _file(eight.astype(np.uint16), 8), truth=of_full_range(eight, 8))
    ten = picture >> 2
    yield dicom("bits/10-of-16", _file(ten, 10), truth=of_full_range(ten, 10))
    yield dicom("bits/14-of-16", _file(picture << 2, 14))
    yield dicom("bits/16-of-16", _file(picture << 4, 16))
    for bits in (12, 16):
        centred = ((picture.astype(np.int32) << (bits - 12)) - 2 ** (bits - 1)).astype(np.int16)
        yield dicom(f"bits/signed-{bits}", _file(centred, bits, signed=True))
    yield dicom("bits/inverted", _file(4095 - picture, x00280004=("CS", "MONOCHROME1")))
    yield dicom("bits/said-11-used-12", _file(picture, x00280101=("US", us(11)), x00280102=("US", us(10))),
                expect="either", unjudged="the values contradict the header: pydicom hands out what is stored")
    yield dicom("bits/said-16-used-12", _file(picture, 16))
    for stored, high in ((12, 0), (12, 15), (16, 11), (12, 12)):
        yield dicom(f"bits/{stored}-stored-high-bit-{high}",
                    _file(picture, x00280101=("US", us(stored)), x00280102=("US", us(high))),
                    expect="either" if (stored, high) == (12, 15) else "read")
    overlaid = picture | (0x8000 * (np.indices(picture.shape).sum(0) % 97 == 0)).astype(np.uint16)
    yield dicom("bits/overlay-in-bit-15", _file(overlaid), unjudged="pydicom hands out the overlay's bit with the value")
    yield dicom("bits/shape-inverse", _file(picture, x20500020=("CS", "INVERSE")), expect="either",
                unjudged="pydicom does not apply a presentation LUT shape")
    yield dicom("bits/shape-identity", _file(picture, x20500020=("CS", "IDENTITY")))


def margins(picture):
    """A radiograph with a collimated side, so that its darkest hundredth is black whatever becomes of padding; a band of a
    tenth on two sides, to be padding; and the picture with that band black."""
    tenth = picture.shape[0] // 10
    collimated = picture.copy()
    collimated[:, -tenth // 2:] = 0
    band = np.zeros(picture.shape, bool)
    band[:tenth], band[:, :tenth] = True, True
    return collimated, band, np.where(band, 0, collimated) / 4095


def _padding(picture):
    picture, band, truth = margins(picture)
    why = "pydicom does not take padding out"
    us_, ss = (lambda value: ("US", us(value))), (lambda value: ("SS", struct.pack("<h", value)))
    for name, value, bits in (("0", 0, 12), ("4095", 4095, 12), ("65535", 65535, 12), ("63536", 63536, 12),
                              ("65535-of-14", 65535, 14), ("65535-of-16", 65535, 16)):
        pixels = np.where(band, value, picture << (bits - 12)).astype(np.uint16)
        yield dicom(f"padding/{name}", _file(pixels, bits, x00280120=us_(value)), truth=truth, unjudged=why)
    pixels = np.where(band, 65535, 4095 - picture).astype(np.uint16)
    inverted = ("CS", "MONOCHROME1")
    yield dicom("padding/65535-inverted", _file(pixels, x00280120=us_(65535), x00280004=inverted), truth=truth, unjudged=why)
    pixels = np.where(band, 0, 4095 - picture).astype(np.uint16)
    yield dicom("padding/0-inverted", _file(pixels, x00280120=us_(0), x00280004=inverted), truth=truth, unjudged=why)
    signed = np.where(band, -2000, picture.astype(np.int32) - 1000).astype(np.int16)
    yield dicom("padding/-2000", _file(signed, 16, True, x00280120=ss(-2000)), truth=truth, unjudged=why)
    yield dicom("padding/-2000-said-unsigned", _file(signed, 16, True, x00280120=us_(63536)), truth=truth, unjudged=why)
    spread = np.where(band, 65000 + np.indices(band.shape)[0] % 500, picture).astype(np.uint16)
    yield dicom("padding/range", _file(spread, 16, x00280120=us_(65000), x00280121=us_(65535)), truth=truth, unjudged=why)
    yield dicom("padding/range-reversed", _file(spread, 16, x00280120=us_(65535), x00280121=us_(65000)), truth=truth,
                unjudged=why)
    yield dicom("padding/said-and-absent", _file(picture, x00280120=us_(65535)), truth=picture / 4095)
    windowed = np.where(band, 65535, picture).astype(np.uint16)
    yield dicom("padding/65535-windowed", _file(windowed, 16, x00280120=us_(65535), **WINDOW), truth=truth, unjudged=why)


def _decimals(picture):
    sloped = lambda slope, intercept="0": _file(picture, x00281053=("DS", slope), x00281052=("DS", intercept))
    for name, slope in (("1.5", "1.5"), ("1", "1"), ("blanks", "  1.5  "), ("exponent", "1.5E0"), ("plus", "+1.5"),
                        ("small", "0.25"), ("nul", "1.5\0")):
        yield dicom(f"decimal/slope-{name}", sloped(slope))
    for name, slope in (("comma", "1,5"), ("empty-first", "\\1.5"), ("two-values", "1.5\\2"), ("word", "one"),
                        ("zero", "0"), ("nan", "NaN"), ("infinite", "inf"), ("huge", "1E39"), ("two-commas", "1,500,0"),
                        ("nul-inside", "1\0.5"), ("empty", ""), ("hexadecimal", "0x10"), ("underscore", "1_5")):
        yield dicom(f"decimal/slope-{name}", sloped(slope), expect="either")
    yield dicom("decimal/slope-negative", _file(4095 - picture, x00281053=("DS", "-1"), x00281052=("DS", "4095")))
    yield dicom("decimal/intercept-comma", sloped("1", "-1024,0"), expect="either")
    for name, center, width in (("comma", "2047,5", "4096,0"), ("nul", "2047.5\0", "4096\0"), ("blank", " 2047.5", "4096 "),
                                ("empty-first", "\\2047.5", "\\4096")):
        yield dicom(f"decimal/window-{name}", _file(picture, x00281050=("DS", center), x00281051=("DS", width)),
                    expect="either" if name == "empty-first" else "read")


def _window(picture, center, width):
    """PS3.3 C.11.2.1.2.1, LINEAR."""
    return np.clip((picture - (center - 0.5)) / (width - 1) + 0.5, 0, 1)


def _windows(picture):
    pair = lambda center, width, **more: _file(picture, x00281050=("DS", center), x00281051=("DS", width), **more)
    yield dicom("window/whole", pair("2048", "4096"))
    for center, width in ((1800, 3000), (2000, 2200), (1500, 2800)):
        yield dicom(f"window/{center}-{width}", pair(str(center), str(width)), truth=_window(picture, center, width))
    yield dicom("window/several", pair("1800\\100", "3000\\10"), truth=_window(picture, 1800, 3000))
    for name, width in (("zero", "0"), ("negative", "-5"), ("missing", None)):
        data = pair("2048", width) if width else _file(picture, x00281050=("DS", "2048"))
        yield dicom(f"window/width-{name}", data, expect="either", unjudged="pydicom refuses such a window")
    exact = np.clip((picture - 1800.0) / 3000 + 0.5, 0, 1)
    yield dicom("window/linear-exact", pair("1800", "3000", x00281056=("CS", "LINEAR_EXACT")), truth=exact)
    sigmoid = 1 / (1 + np.exp(-4 * (picture - 1800.0) / 3000))
    yield dicom("window/sigmoid", pair("1800", "3000", x00281056=("CS", "SIGMOID")), truth=sigmoid)
    yield dicom("window/function-unknown", pair("1800", "3000", x00281056=("CS", "GAMMA")), expect="either",
                truth=_window(picture, 1800, 3000))
    yield dicom("window/inverted", _file(4095 - picture, x00280004=("CS", "MONOCHROME1"), x00281050=("DS", "2295"),
                                         x00281051=("DS", "3000")), truth=1 - _window(4095 - picture, 2295, 3000))


def _lut(tag, count, first, bits, values, vr="US", first_vr="US", explanation=None):
    first = struct.pack("<h", first) if first < 0 else us(first)
    content = explicit(0x00283002, first_vr, us(count) + first + us(bits))
    if explanation:
        content += explicit(0x00283003, "LO", padded(explanation))
    content += explicit(0x00283006, vr, values.astype("<u2").tobytes())
    return {tag: explicit(tag, "SQ", item(content))}


def _tables(picture):
    curve = np.round(4095 * (np.arange(4096) / 4095) ** 0.7).astype(np.uint16)
    truth = curve[picture] / 4095
    voi, modality = 0x00283010, 0x00283000
    def held(table, pixels=picture, bits=12, signed=False, **changes):
        return part10(dataset(radiograph(pixels, bits, signed, **changes), insert=table))
    yield dicom("lut/12", held(_lut(voi, 4096, 0, 12, curve)), truth=truth)
    yield dicom("lut/ow", held(_lut(voi, 4096, 0, 12, curve, vr="OW")), truth=truth)
    yield dicom("lut/explained", held(_lut(voi, 4096, 0, 12, curve, explanation="NORMAL")), truth=truth)
    yield dicom("lut/16", held(_lut(voi, 4096, 0, 16, curve << 4)), truth=(curve[picture] << 4) / 65535)
    why = "the descriptor contradicts its data: pydicom believes the descriptor"
    for said in (8, 10, 11):
        yield dicom(f"lut/said-{said}-used-12", held(_lut(voi, 4096, 0, said, curve)), truth=truth, expect="either", unjudged=why)
    yield dicom("lut/said-16-used-12", held(_lut(voi, 4096, 0, 16, curve)), truth=truth)
    for count in (4095, 4000, 1, 8192):
        yield dicom(f"lut/count-{count}", held(_lut(voi, count, 0, 12, curve)), truth=truth, expect="either", unjudged=why)
    whole = np.round(65535 * (np.arange(65536) / 65535) ** 0.7).astype(np.uint16)
    yield dicom("lut/count-0-is-65536", held(_lut(voi, 0, 0, 16, whole, vr="OW"), picture << 4, 16), truth=whole[picture << 4] / 65535)
    signed = (picture.astype(np.int32) - 2048).astype(np.int16)
    yield dicom("lut/signed-first", held(_lut(voi, 4096, -2048, 12, curve, first_vr="SS"), signed, 12, True), truth=truth)
    yield dicom("lut/signed-first-as-unsigned", held(_lut(voi, 4096, 65536 - 2048, 12, curve), signed, 12, True),
                truth=truth, unjudged="pydicom reads the first value as it is written")
    yield dicom("lut/rescaled-negative-first-as-unsigned",
                held(_lut(voi, 4096, 65536 - 1024, 12, curve), x00281052=("DS", "-1024"), x00281053=("DS", "1")),
                truth=truth, unjudged="pydicom reads the first value as it is written")
    yield dicom("lut/with-window", held(_lut(voi, 4096, 0, 12, curve), **WINDOW), truth=truth)
    yield dicom("lut/modality", held(_lut(modality, 4096, 0, 12, curve)), truth=truth)
