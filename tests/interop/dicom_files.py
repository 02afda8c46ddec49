"""pydicom, highdicom and dciodvfy read the studies and manifests that the program makes."""

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import highdicom
import pydicom
from pydicom import config

from node import PATIENT_AUTHORITY, REPOSITORY
from soap_messages import APPROVED, SUCCESS, UNIQUE_ID, client, find, slot

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


def studies(node) -> Path:
    """The folder of the studies of the demonstration, imported."""
    folder = node.files / "studies"
    if not folder.exists():
        subprocess.run([node.studies, folder], check=True, capture_output=True)
        node.run("import", folder)
    return folder


def read(content):
    config.settings.reading_validation_mode = config.RAISE
    dataset = pydicom.dcmread(content)
    # Values are converted when they are looked at.
    for element in dataset.iterall():
        _ = element.value
    return dataset


def files(node):
    found = sorted(path for path in studies(node).rglob("*") if path.is_file())
    assert found, "no files"
    return found


def manifests(node):
    """The manifests as the repository has them."""
    registry, repository = client(node, node.registry), client(node, node.repository)
    patients = {str(read(file).PatientID) for file in files(node)}
    contents = []
    for patient in sorted(patients):
        answer = find(
            registry.service,
            [
                slot("$XDSDocumentEntryPatientId", f"'{patient}^^^&{PATIENT_AUTHORITY}&ISO'"),
                slot("$XDSDocumentEntryStatus", APPROVED),
                slot("$XDSDocumentEntryFormatCode", f"('{KEY_OBJECTS}^^1.2.840.10008.2.6.1')"),
            ],
        )
        assert answer.status == SUCCESS, answer
        for entry in answer.RegistryObjectList._value_1:
            ids = {it.identificationScheme: it.value for it in entry["ExtrinsicObject"].ExternalIdentifier}
            got = repository.service["DocumentRepository_RetrieveDocumentSet"](
                DocumentRequest=[
                    {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": ids[UNIQUE_ID]}
                ]
            )
            contents.append(got.DocumentResponse[0].Document)
    assert contents, "no manifests"
    return contents


def pydicom_reads_studies(node):
    """pydicom reads every file of the studies strictly, images to the last pixel"""
    for file in files(node):
        dataset = read(file)
        if "PixelData" in dataset:
            assert dataset.pixel_array.size > 0


def pydicom_reads_manifests(node):
    """pydicom reads the manifests, which refer to each file once"""
    referenced = []
    for content in manifests(node):
        dataset = read(io.BytesIO(content))
        assert dataset.SOPClassUID == KEY_OBJECTS and dataset.Modality == "KO"
        assert dataset.ConceptNameCodeSequence[0].CodeValue == "113030"
        for study in dataset.CurrentRequestedProcedureEvidenceSequence:
            for series in study.ReferencedSeriesSequence:
                assert series.RetrieveLocationUID == REPOSITORY
                for instance in series.ReferencedSOPSequence:
                    referenced.append(
                        (study.StudyInstanceUID, series.SeriesInstanceUID,
                         instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID)
                    )  # fmt: skip
    on_disk = []
    for file in files(node):
        it = read(file)
        on_disk.append((it.StudyInstanceUID, it.SeriesInstanceUID, it.SOPClassUID, it.SOPInstanceUID))
    assert sorted(referenced) == sorted(on_disk)


def zeep_retrieves_images(node):
    """zeep retrieves a study (RAD-69), byte for byte"""
    by_study = {}
    for file in files(node):
        it = read(file)
        by_study.setdefault(it.StudyInstanceUID, []).append((it, file.read_bytes()))
    uid, images = max(by_study.items(), key=lambda study: len(study[1]))
    by_series = {}
    for it, _ in images:
        request = {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": it.SOPInstanceUID}
        by_series.setdefault(it.SeriesInstanceUID, []).append(request)
    series = [
        {"seriesInstanceUID": series, "DocumentRequest": requests}
        for series, requests in by_series.items()
    ]
    service = client(node, node.imaging).service
    answer = service["DocumentRepository_RetrieveImagingDocumentSet"](
        StudyRequest=[{"studyInstanceUID": uid, "SeriesRequest": series}],
        TransferSyntaxUIDList={"TransferSyntaxUID": ["1.2.840.10008.1.2.1"]},
    )
    assert answer.RegistryResponse.status == SUCCESS, answer.RegistryResponse
    got = {it.DocumentUniqueId: it.Document for it in answer.DocumentResponse}
    assert got == {it.SOPInstanceUID: content for it, content in images}


def highdicom_reads_manifests(node):
    """highdicom takes the manifests as key object selection documents"""
    for content in manifests(node):
        document = highdicom.ko.KeyObjectSelectionDocument.from_dataset(read(io.BytesIO(content)))
        assert document.content.get_references(), "no references"


def dciodvfy_finds_no_error(node):
    """dciodvfy finds no error in manifests and studies"""
    if not shutil.which("dciodvfy"):
        assert "HILUM_TEST_ALL" not in os.environ, "dciodvfy is not installed (Debian: dicom3tools)"
        return "SKIPPED  dciodvfy is not installed (Debian: dicom3tools)"
    told = []
    for number, content in enumerate(manifests(node)):
        file = node.files / f"manifest-{number}.dcm"
        file.write_bytes(content)
        told.append((file, verify(file)))
    told += [(file, verify(file)) for file in files(node)]
    wrong = {error: file.name for file, errors in told for error in errors}
    assert not wrong, "\n".join(f"{file}: {error}" for error, file in wrong.items())
    return None


def verify(file):
    done = subprocess.run(["dciodvfy", file], capture_output=True, text=True)
    return re.findall(r"^Error.*$", done.stderr + done.stdout, re.MULTILINE)


JUDGES = [
    pydicom_reads_studies,
    pydicom_reads_manifests,
    zeep_retrieves_images,
    highdicom_reads_manifests,
    dciodvfy_finds_no_error,
]
