"""DICOM files written byte by byte, so that they can be written wrongly."""

import struct
import zlib

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT"}
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


def padded(value, vr="LO"):
    value = value.encode() if isinstance(value, str) else value
    return value + (b"\0" if vr in ("UI", "OB") else b" ") * (len(value) % 2)


def tagged(tag, order="<"):
    return struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)


def explicit(tag, vr, value, length=None, order="<"):
    """One element with its value representation; `length` may lie."""
    length = len(value) if length is None else length
    head = tagged(tag, order) + (vr if isinstance(vr, bytes) else vr.encode())
    if vr in LONG:
        return head + b"\0\0" + struct.pack(order + "I", length) + value
    return head + struct.pack(order + "H", length) + value


def implicit(tag, _vr, value, length=None, order="<"):
    """One element without its value representation."""
    return tagged(tag, order) + struct.pack(order + "I", len(value) if length is None else length) + value


def item(content, length=None):
    return tagged(ITEM) + struct.pack("<I", len(content) if length is None else length) + content


def end(tag):
    return tagged(tag) + b"\0\0\0\0"


def fragments(*pieces, offsets=b"", closed=True):
    """Encapsulated pixels: the offset table, the fragments, the end."""
    body = item(offsets) + b"".join(item(padded(piece, "OB")) for piece in pieces)
    return body + (end(SEQUENCE_END) if closed else b"")


def us(*values, order="<"):
    return struct.pack(f"{order}{len(values)}H", *values)


def meta(syntax, write=explicit, group_length=True):
    """The file meta information, group 2."""
    elements = [(0x00020001, "OB", b"\0\1"), (0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.1"),
                (0x00020003, "UI", "1.2.826.0.1.3680043.8.498.1"), (0x00020010, "UI", syntax)]
    body = b"".join(write(tag, vr, padded(value, vr)) for tag, vr, value in elements)
    return (write(0x00020000, "UL", struct.pack("<I", len(body))) if group_length else b"") + body


def radiograph(pixels, bits=12, signed=False, **changes):
    """The elements of a lateral cervical spine by tag: (VR, value). `changes`: tag=(VR, value) or tag=None, tag as x…"""
    allocated = 8 if pixels.dtype.itemsize == 1 else 16
    rows, columns = pixels.shape[:2]
    samples = pixels.shape[2] if pixels.ndim == 3 else 1
    data = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    elements = {
        0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.1"), 0x00080018: ("UI", "1.2.826.0.1.3680043.8.498.1"),
        0x00080060: ("CS", "CR"), 0x00180015: ("CS", "CSPINE"), 0x00185101: ("CS", "LL"),
        0x0020000D: ("UI", "1.2.826.0.1.3680043.8.498.3"), 0x0020000E: ("UI", "1.2.826.0.1.3680043.8.498.2"),
        0x00280002: ("US", us(samples)), 0x00280004: ("CS", "MONOCHROME2" if samples == 1 else "RGB"),
        0x00280010: ("US", us(rows)), 0x00280011: ("US", us(columns)), 0x00280100: ("US", us(allocated)),
        0x00280101: ("US", us(bits)), 0x00280102: ("US", us(bits - 1)), 0x00280103: ("US", us(int(signed))),
        0x7FE00010: ("OB" if allocated == 8 else "OW", padded(data, "OB")),
    }
    if samples == 3:
        elements[0x00280006] = ("US", us(0))
    for name, change in changes.items():
        tag = int(name[1:], 16)
        if change is None:
            elements.pop(tag, None)
        else:
            elements[tag] = change
    return elements


def dataset(elements, write=explicit, order="<", insert=None):
    """The data set in the order of its tags; `insert`: tag → raw bytes in its place."""
    raw = {tag: write(tag, vr, value if isinstance(value, bytes) else padded(value, vr), order=order)
           for tag, (vr, value) in elements.items()}
    raw.update(insert or {})
    return b"".join(raw[tag] for tag in sorted(raw))


def encapsulated(elements, body, write=explicit):
    """The data set with `body` as encapsulated pixels of undefined length."""
    return dataset(elements, write, insert={0x7FE00010: write(0x7FE00010, "OB", body, UNDEFINED)})


def part10(body, syntax=EXPLICIT, preamble=True, magic=True, head=None):
    head = meta(syntax) if head is None else head
    return (b"\0" * 128 if preamble else b"") + (b"DICM" if magic else b"") + head + body


def deflate(body, raw=True):
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15 if raw else 15)
    return squeeze.compress(body) + squeeze.flush()
