"""Headers that say in their own words which part of the body it is."""

from dicomfile import dataset, part10, radiograph
from form import dicom

NECKS = ["CSPINE", "CERV SPINE", "CERVSPINE", "CSPINE LAT", "C-SPINE 2V", "C SPINE TRAUMA", "HWS", "HWS LAT", "HALSWIRBELSAULE",
         "HALSWIRBELSÄULE", "COLONNE CERV", "RACHIS CERVICAL", "COL CERVICAL", "COLUMNA CERVICAL", "RACHIDE CERVICALE",
         "SKULL CSPINE", "CERVICAL SPINE", "NECK", "SPINE", "C_SPINE", "C-SPINE", "CS", "XR CSPINE", "NEK", "CWK", "HALS",
         "TRAUMA", "BODY", "EXTREMITY", "WHOLE BODY", "OTHER", "UNKNOWN", "DEFAULT", "TEST", "PORTABLE", "GENERAL", "1", "XXX",
         "ER", "BUCKY"]
OTHERS = ["CHEST", "HAND", "KNEE", "PELVIS", "LSPINE", "TSPINE", "SKULL", "ABDOMEN", "FOOT", "SHOULDER"]
SEVERAL = [("series", 0x0008103E, "C-SPINE AP LAT ODONTOID"), ("series-slash", 0x0008103E, "CSPINE AP/LAT"),
           ("protocol", 0x00181030, "AP/LAT/OBL"), ("study", 0x00081030, "C-SPINE 3 VIEWS AP LAT OPEN MOUTH")]


def forms(picture):
    for part in NECKS:
        elements = radiograph(picture, x00180015=("CS", part))
        if not part.isascii():
            elements[0x00080005] = ("CS", "ISO_IR 192")
        yield dicom(f"scope/part-{part.replace(' ', '-')}", part10(dataset(elements)))
    for part in OTHERS:
        yield dicom(f"scope/other-{part}", part10(dataset(radiograph(picture, x00180015=("CS", part)))), expect="refuse")
    for name, tag, text in SEVERAL:
        elements = radiograph(picture, x00185101=None, x00200020=("CS", "P\\F"))
        elements[tag] = ("LO", text)
        yield dicom(f"scope/several-views-{name}", part10(dataset(elements)), expect="second look", unjudged="P\\F is mirrored")
    yield dicom("scope/no-part", part10(dataset(radiograph(picture, x00180015=None))))
    yield dicom("scope/no-part-no-view", part10(dataset(radiograph(picture, x00180015=None, x00185101=None))))
    contradiction = radiograph(picture, x00180015=("CS", "SKULL"))
    contradiction[0x0008103E] = ("LO", "Cervical spine lateral")
    yield dicom("scope/part-against-description", part10(dataset(contradiction)))
