"""A lossless JPEG encoder (ITU-T T.81 annex H) that writes every predictor, restart interval and point transform."""

import numpy as np

# SSSS from 0 to 16, each a code of five bits.
TABLE = bytes([0, 0, 0, 0, 17]) + bytes(11) + bytes(range(17))


def lossless_jpeg(pixels, bits, predictor, restart_rows, point):
    """One grey component; `restart_rows`: a restart marker after so many rows, 0 for none."""
    height, width = pixels.shape
    segment = lambda marker, body: bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
    size = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    out = b"\xff\xd8" + segment(0xC3, bytes([bits]) + size + b"\x01\x01\x11\x00") + segment(0xC4, b"\x00" + TABLE)
    if restart_rows:
        out += segment(0xDD, (restart_rows * width).to_bytes(2, "big"))
    out += segment(0xDA, b"\x01\x01\x00" + bytes([predictor, 0, point]))
    values = pixels.astype(np.int64) >> point
    rows = restart_rows or height
    scans = [_scan(values[at:at + rows], predictor, 1 << (bits - point - 1)) for at in range(0, height, rows)]
    for number, scan in enumerate(scans):
        out += scan + (bytes([0xFF, 0xD0 + number % 8]) if number + 1 < len(scans) else b"")
    return out + b"\xff\xd9"


def _scan(values, predictor, initial):
    left = np.roll(values, 1, 1)
    above = np.roll(values, 1, 0)
    corner = np.roll(above, 1, 1)
    predicted = {1: left, 2: above, 3: corner, 4: left + above - corner, 5: left + ((above - corner) >> 1),
                 6: above + ((left - corner) >> 1), 7: (left + above) >> 1}[predictor].copy()
    predicted[0] = left[0]
    predicted[1:, 0] = values[:-1, 0]
    predicted[0, 0] = initial
    difference = (values - predicted + 32768) % 65536 - 32768
    return _bits(difference.ravel())


def _bits(difference):
    difference = np.where(difference == -32768, 32768, difference)
    size = np.zeros(difference.shape, np.int64)
    for bit in range(16):
        size[np.abs(difference) >= 1 << bit] = bit + 1
    extra = np.where(difference < 0, difference + (1 << size) - 1, difference)
    extra_bits = np.where(size == 16, 0, size)  # T.81 H.1.2.2: 32768 has no further bits
    code = (size << extra_bits) | np.where(extra_bits > 0, extra, 0)
    length = 5 + extra_bits
    place = np.arange(21)
    used = place < length[:, None]
    shift = np.where(used, length[:, None] - 1 - place, 0)
    bits = ((code[:, None] >> shift) & 1)[used].astype(np.uint8)
    bits = np.concatenate([bits, np.ones(-len(bits) % 8, np.uint8)])
    return np.packbits(bits).tobytes().replace(b"\xff", b"\xff\x00")
