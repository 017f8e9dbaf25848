"""What a form is: a radiograph written in another way, and the picture that it must be read as."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Form:
    """One file. `truth` is what a display shows, 0 black to 1 white, upright; `None`: as the plain form."""
    name: str  # kind/what
    suffix: str
    data: bytes
    truth: np.ndarray | None = None
    # "read": it must be answered as its truth is; "either": so, or refused by name; "refuse": refused by name
    expect: str = "read"
    # why pydicom is not asked, or differs: then what was built is the truth
    unjudged: str | None = field(default=None)


def dicom(name, data, **more):
    return Form(name, "dcm", data, **more)


def of_full_range(pixels, bits):
    """A picture by its stored values, without any window."""
    return pixels.astype(np.float64) / (2**bits - 1)
