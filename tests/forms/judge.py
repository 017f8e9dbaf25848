"""pydicom's reading of a form, held against the form's truth."""

import io
import warnings

import numpy as np
import pydicom
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


def judge(form, plain):
    """"agrees", "differs", or "refuses" with the kind of its error; "not asked"."""
    if form.suffix != "dcm" or form.unjudged:
        return "not asked"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shown = _shown(form.data)
        except Exception as error:  # whatever it is: this reader does not read the form
            return f"refuses: {type(error).__name__}"
    return "agrees" if _alike(shown, plain if form.truth is None else form.truth) else "differs"


def _shown(data):
    file = pydicom.dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in file.file_meta:  # what it found by itself
        implicit, _little = file.original_encoding
        file.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    pixels = file.pixel_array
    pixels = pixels[0] if pixels.ndim == 3 and int(float(file.get("NumberOfFrames") or 1)) > 1 else pixels
    pixels = pixels[..., 0] if pixels.ndim == 3 else pixels
    shown = apply_voi_lut(apply_modality_lut(pixels, file), file).astype(np.float64)
    return -shown if file.get("PhotometricInterpretation") == "MONOCHROME1" else shown


def _alike(shown, truth):
    """The same picture but for the scale of its grey, which no reader is asked for here."""
    if shown.shape != truth.shape or shown.std() == 0:
        return False
    if not np.isfinite(shown).all():
        return False
    return bool(np.corrcoef(shown.ravel(), truth.ravel())[0, 1] > 0.9995)
