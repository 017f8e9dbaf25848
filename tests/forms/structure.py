"""Odd DICOM structure around pixels that are plain."""

import struct

from dicomfile import (BIG, DEFLATED, EXPLICIT, IMPLICIT, ITEM_END, SEQUENCE_END, UNDEFINED, dataset, deflate,
                       encapsulated, end, explicit, fragments, implicit, item, meta, padded, part10, radiograph, us)
from form import dicom

ICON, PRIVATE, REQUEST = 0x00880200, 0x00091010, 0x00400275


def forms(picture):
    """`picture`: 12-bit values."""
    plain = radiograph(picture)
    body = dataset(plain)
    yield from _meta(plain, body)
    yield from _sequences(plain)
    yield from _representations(plain)
    yield from _ends(plain, body)
    yield from _pixels(plain, picture)


def _meta(plain, body):
    without = dataset(plain, implicit)
    big = {**plain, 0x7FE00010: ("OW", _swapped(plain[0x7FE00010][1]))}
    for tag in (0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103):
        big[tag] = ("US", _swapped(plain[tag][1]))
    yield dicom("meta/explicit", part10(body))
    yield dicom("meta/implicit-dataset", part10(without, IMPLICIT))
    yield dicom("meta/big-endian", part10(dataset(big, order=">"), BIG))
    yield dicom("meta/no-preamble", part10(body, preamble=False))
    yield dicom("meta/no-preamble-no-magic", part10(body, preamble=False, magic=False))
    yield dicom("meta/preamble-without-meta", part10(body, head=b""))
    yield dicom("meta/preamble-without-meta-implicit", part10(without, head=b""))
    yield dicom("meta/none-explicit", body)
    yield dicom("meta/none-implicit", without)
    yield dicom("meta/implicit-meta", part10(without, head=meta(IMPLICIT, implicit)))
    yield dicom("meta/implicit-meta-explicit-dataset", part10(body, head=meta(EXPLICIT, implicit)))
    yield dicom("meta/no-group-length", part10(body, head=meta(EXPLICIT, group_length=False)))
    for wrong in (0, 4, 5000):
        head = explicit(0x00020000, "UL", struct.pack("<I", wrong)) + meta(EXPLICIT, group_length=False)
        yield dicom(f"meta/group-length-{wrong}", part10(body, head=head))
    yield dicom("meta/said-explicit-is-implicit", part10(without, EXPLICIT))
    yield dicom("meta/said-implicit-is-explicit", part10(body, IMPLICIT))
    yield dicom("meta/said-big-is-little", part10(body, BIG), expect="either")
    yield dicom("meta/syntax-with-blank", part10(body, EXPLICIT + " "))
    yield dicom("meta/syntax-missing", part10(body, head=meta("")), expect="either")
    yield dicom("meta/deflated", part10(deflate(body), DEFLATED))
    yield dicom("meta/deflated-then-zero", part10(deflate(body) + b"\0", DEFLATED))
    yield dicom("meta/said-deflated-is-not", part10(body, DEFLATED))
    yield dicom("meta/deflated-is-zlib", part10(deflate(body, raw=False), DEFLATED))
    yield dicom("meta/said-explicit-is-deflated", part10(deflate(body), EXPLICIT), expect="either")


def _swapped(value):
    return struct.pack(f">{len(value) // 2}H", *struct.unpack(f"<{len(value) // 2}H", value))


def _with(plain, tag, raw, name, **more):
    return dicom(name, part10(dataset(plain, insert={tag: raw})), **more)


def _sequences(plain):
    inner = explicit(0x00080060, "CS", b"CR")
    icon = b"".join(explicit(tag, "US", us(value)) for tag, value in
                    [(0x00280002, 1), (0x00280010, 8), (0x00280011, 8), (0x00280100, 8), (0x00280101, 8)])
    native = icon + explicit(0x7FE00010, "OB", bytes(64))
    packed = icon + explicit(0x7FE00010, "OB", fragments(bytes(64)), UNDEFINED)
    for what, content in (("native", native), ("encapsulated", packed)):
        closed, opened = item(content), item(content + end(ITEM_END), UNDEFINED)
        for item_form, held in (("defined", closed), ("undefined", opened)):
            yield _with(plain, ICON, explicit(ICON, "SQ", held), f"icon/{what}-{item_form}-in-defined")
            yield _with(plain, ICON, explicit(ICON, "SQ", held + end(SEQUENCE_END), UNDEFINED),
                        f"icon/{what}-{item_form}-in-undefined")
    undefined = lambda content: item(content + end(ITEM_END), UNDEFINED)
    sq = lambda content, tag=REQUEST: explicit(tag, "SQ", content, UNDEFINED)
    nested = inner
    for _ in range(40):
        nested = explicit(REQUEST, "SQ", undefined(nested) + end(SEQUENCE_END), UNDEFINED)
    yield _with(plain, REQUEST, nested, "sequence/forty-deep")
    yield _with(plain, REQUEST, sq(end(SEQUENCE_END)), "sequence/empty-undefined")
    yield _with(plain, REQUEST, explicit(REQUEST, "SQ", b""), "sequence/empty-defined")
    yield _with(plain, REQUEST, sq(item(inner) + end(ITEM_END) + end(SEQUENCE_END)), "sequence/stray-item-end", expect="either")
    yield _with(plain, REQUEST, sq(item(inner + end(ITEM_END), UNDEFINED) + end(SEQUENCE_END)) + end(SEQUENCE_END),
                "sequence/stray-sequence-end", expect="either")
    yield _with(plain, REQUEST, sq(item(inner, UNDEFINED) + end(SEQUENCE_END)), "sequence/item-end-missing", expect="either")
    yield _with(plain, REQUEST, sq(undefined(inner)), "sequence/sequence-end-missing", expect="either")
    yield _with(plain, REQUEST, explicit(REQUEST, "SQ", item(inner) + end(SEQUENCE_END)), "sequence/end-in-defined",
                expect="either")


def _representations(plain):
    ob = explicit(PRIVATE, "OB", fragments(b"private!"), UNDEFINED)
    yield _with(plain, PRIVATE, ob, "private/ob-undefined")
    un_implicit = item(implicit(0x00091011, "LO", b"text"), 12) + end(SEQUENCE_END)
    un_explicit = item(explicit(0x00091011, "LO", b"text"), 12) + end(SEQUENCE_END)
    yield _with(plain, PRIVATE, explicit(PRIVATE, "UN", un_implicit, UNDEFINED), "private/un-undefined-implicit")
    yield _with(plain, PRIVATE, explicit(PRIVATE, "UN", un_explicit, UNDEFINED), "private/un-undefined-explicit",
                expect="either")
    for name, vr in (("blank", b"  "), ("dashes", b"--"), ("nul", b"\0\0"), ("question", b"??"), ("lower", b"lo")):
        yield _with(plain, PRIVATE, explicit(PRIVATE, vr, b"text"), f"private/vr-{name}", expect="either")
    yield _with(plain, PRIVATE, implicit(PRIVATE, "LO", b"text"), "private/vr-missing", expect="either")
    yield _with(plain, 0x00280010, explicit(0x00280010, "UN", plain[0x00280010][1]), "vr/rows-un")
    for vr in ("OB", "UN"):
        yield _with(plain, 0x7FE00010, explicit(0x7FE00010, vr, plain[0x7FE00010][1]), f"vr/pixels-{vr.lower()}")
    for name, uid in (("blank", "1.2.826.0.1.3680043.8.498.1 "), ("two-nul", "1.2.826.0.1.3680043.8.498.1\0\0\0")):
        yield dicom(f"vr/uid-padded-{name}", part10(dataset({**plain, 0x00080018: ("UI", uid)})))
    yield _with(plain, 0x00080000, explicit(0x00080000, "UL", struct.pack("<I", 99999)), "vr/group-length-wrong")
    yield dicom("vr/charset-unknown", part10(dataset({**plain, 0x00080005: ("CS", "ISO_IR 999")})))
    yield dicom("vr/charset-utf8-name", part10(dataset({**plain, 0x00080005: ("CS", "ISO_IR 192"),
                                                       0x0008103E: ("LO", "Säule seitlich".encode())})))


def _ends(plain, body):
    for name, tail in (("zeros", bytes(512)), ("one-zero", b"\0"), ("garbage", b"\xde\xad\xbe\xef" * 5)):
        yield dicom(f"end/{name}", part10(body + tail), expect="either" if name == "garbage" else "read")
    yield dicom("end/padding-element", part10(body + explicit(0xFFFCFFFC, "OB", bytes(64))))
    yield dicom("end/signature-after-pixels", part10(body + explicit(0xFFFAFFFA, "SQ", b"")))
    pixels = plain[0x7FE00010][1]
    yield _with(plain, 0x7FE00010, explicit(0x7FE00010, "OW", pixels + bytes(64)), "end/more-pixels-than-rows")
    yield _with(plain, 0x7FE00010, explicit(0x7FE00010, "OW", pixels[:-2048]), "end/fewer-pixels-than-rows",
                expect="refuse")
    yield dicom("end/cut-off", part10(body[:-4096]), expect="refuse")


def _pixels(plain, picture):
    said = lambda tag, vr, value: part10(dataset({**plain, tag: (vr, value)}))
    for frames in ("0", "1.0", "1", " 1 ", "", "01", "+1"):
        yield dicom(f"frames/said-{frames.strip() or 'nothing'}", said(0x00280008, "IS", frames))
    for frames in ("-1", "x", "1.5"):
        yield dicom(f"frames/said-{frames}", said(0x00280008, "IS", frames), expect="either")
    twice = {**plain, 0x00280008: ("IS", "2"), 0x7FE00010: ("OW", plain[0x7FE00010][1] * 2)}
    yield dicom("frames/two", part10(dataset(twice)))
    for name, value in (("lower", "monochrome2"), ("blank-inside", "MONOCHROME 2"), ("padded", "MONOCHROME2 "),
                        ("nul", "MONOCHROME2\0"), ("ybr-of-one-sample", "YBR_FULL"), ("rgb-of-one-sample", "RGB"),
                        ("empty", "")):
        plainly = name in ("lower", "padded", "nul", "ybr-of-one-sample")
        yield dicom(f"photometric/{name}", said(0x00280004, "CS", value), expect="read" if plainly else "either")
    missing = lambda *tags: part10(dataset({tag: value for tag, value in plain.items() if tag not in tags}))
    yield dicom("photometric/missing", missing(0x00280004), expect="either")
    yield dicom("pixels/samples-missing", missing(0x00280002), expect="either")
    yield dicom("pixels/representation-missing", missing(0x00280103), expect="either")
    yield dicom("pixels/high-bit-missing", missing(0x00280102))
    yield dicom("pixels/bits-stored-missing", missing(0x00280101), expect="either")
    yield dicom("pixels/rows-missing", missing(0x00280010), expect="refuse")
    raw = picture.astype("<u2").tobytes()
    for name, pieces in (("one-fragment", [raw]), ("two-fragments", [raw[:30000], raw[30000:]])):
        yield dicom(f"pixels/encapsulated-uncompressed-{name}", part10(encapsulated(plain, fragments(*pieces))),
                    expect="either")
