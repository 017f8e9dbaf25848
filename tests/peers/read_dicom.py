#!/usr/bin/env python3
"""Reads DICOM files with pydicom, refusing what the standard forbids; prints one JSON object a file."""
import json
import sys

import pydicom

pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE

for path in sys.argv[1:]:
    file = pydicom.dcmread(path)  # without force: it must be a DICOM file
    for element in file.iterall():
        element.value  # pydicom checks a value when it is first looked at
    pixels = file.pixel_array
    print(json.dumps({
        "file": path,
        "sop_class": file.SOPClassUID.name,
        "modality": file.Modality,
        "body_part": file.BodyPartExamined,
        "photometric_interpretation": file.PhotometricInterpretation,
        "bits": [file.BitsAllocated, file.BitsStored, file.HighBit],
        "rows": pixels.shape[0],
        "columns": pixels.shape[1],
        "darkest": int(pixels.min()),
        "brightest": int(pixels.max()),
        "study": file.StudyInstanceUID,
        "series": file.SeriesInstanceUID,
        "sop": file.SOPInstanceUID,
        "meta_sop": file.file_meta.MediaStorageSOPInstanceUID,
    }))
