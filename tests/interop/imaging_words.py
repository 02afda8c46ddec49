"""Foreign software agrees with what the words of imaging make of its files."""

import contextlib
import io
import tempfile
from pathlib import Path

import dicom_json
import measurements
import rendering
import transcoding
from pydicom import config

# Files in which an element is marked as of unknown representation, or is garbled: pydicom guesses.
GARBLED = {"badVR.dcm", "rtdose_rle.dcm", "rtdose_rle_1frame.dcm"}


def program(node, name):
    """An example of hilum-dicom; it lies beside the one that writes studies."""
    return str(Path(node.studies).with_name(name))


def quietly(work, *arguments):
    """What it says is of interest only if something is wrong."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        found = work(*arguments)
    return found, said.getvalue()


def json_agrees(node):
    """pydicom agrees with the DICOM JSON of its test files"""
    # Some of the files are wrong on purpose, and other judges read strictly.
    strictness = config.settings.reading_validation_mode
    config.settings.reading_validation_mode = config.WARN
    try:
        (compared, wrong), said = quietly(dicom_json.main, program(node, "dicom"))
    finally:
        config.settings.reading_validation_mode = strictness
    assert compared > 150 and wrong <= GARBLED, said


def pixels_agree(node):
    """pydicom, DCMTK, GDCM and imagecodecs agree with the pixels that we transcode"""
    (images, wrong), said = quietly(transcoding.main, program(node, "dicom"))
    assert images > 80 and wrong == 0, said


def pictures_agree(node):
    """pydicom agrees with the pictures that we render"""
    (good, wrong), said = quietly(rendering.main, program(node, "dicom"))
    assert good > 50 and wrong == 0, said


def measurements_agree(node):
    """highdicom and pydicom write measured values, dose and specimens that we read"""
    with tempfile.TemporaryDirectory() as folder:
        values = measurements.compare(program(node, "measurements"), Path(folder))
    assert values >= 25, values


JUDGES = (json_agrees, pixels_agree, pictures_agree, measurements_agree)
