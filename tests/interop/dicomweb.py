"""dicomweb-client and Orthanc work with the imaging source over DICOMweb.

By itself: `dicomweb.py HILUM STUDIES` starts a node for it, as `./run` does for all judges.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy
import pydicom
import requests
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.data import get_testdata_file

from dicom_files import files, read
from node import Node, free_ports

EXPLICIT = "1.2.840.10008.1.2.1"
ORTHANC = "/usr/sbin/Orthanc"
ORTHANC_PLUGIN = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so"

# From pydicom's own wheel: RLE, JPEG lossless and lossy, JPEG 2000, implicit, big endian, deflated.
STORED = [
    "MR_small_RLE.dcm",
    "CT_small.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_bigendian.dcm",
    "SC_rgb_rle_2frame.dcm",
    "image_dfl.dcm",
    "rtplan.dcm",
]


def url(node):
    return node.imaging.removesuffix("/imaging") + "/dicom-web"


def client(node):
    return DICOMwebClient(url(node), session=node.session())


def stored(node):
    """Files of pydicom, each as an object of its own: those that share UIDs get new ones."""
    folder = node.files / "stored"
    if not folder.exists():
        folder.mkdir()
        for name in STORED:
            dataset = pydicom.dcmread(get_testdata_file(name, download=False))
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                setattr(dataset, keyword, pydicom.uid.generate_uid(entropy_srcs=[name, keyword]))
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.PatientID = dataset.PatientID or "STORED"
            dataset.save_as(folder / name, enforce_file_format=True)
    return [pydicom.dcmread(file) for file in sorted(folder.iterdir())]


def uids(dataset):
    return dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID


def client_stores(node):
    """dicomweb-client stores objects of eight kinds (STOW-RS), again, and in a study of its own"""
    datasets = stored(node)
    for _ in range(2):
        answer = client(node).store_instances(datasets)
        assert len(answer.ReferencedSOPSequence) == len(datasets), answer
        assert "FailedSOPSequence" not in answer
    one = datasets[0]
    answer = client(node).store_instances([one], study_instance_uid=one.StudyInstanceUID)
    expected = f"{url(node)}/studies/{one.StudyInstanceUID}"
    assert answer.RetrieveURL == expected, (answer, expected)


def client_finds(node):
    """dicomweb-client finds studies, series and instances, page by page and by parts of names"""
    web = client(node)
    files(node)
    studies = web.search_for_studies(get_remaining=True)
    known = {it["0020000D"]["Value"][0] for it in studies}
    assert {it.StudyInstanceUID for it in stored(node)} <= known
    paged = []
    while page := web.search_for_studies(limit=3, offset=len(paged)):
        paged += page
    assert paged == studies
    for dataset in (read(file) for file in files(node)[::7]):
        study, series, instance = uids(dataset)
        found = web.search_for_studies(
            search_filters={"PatientName": str(dataset.PatientName), "StudyDate": dataset.StudyDate}
        )
        assert study in {it["0020000D"]["Value"][0] for it in found}
        words = str(dataset.PatientName).split("^")
        found = web.search_for_studies(
            fuzzymatching=True, search_filters={"PatientName": f"{words[1][:3]} {words[0].upper()}"}
        )
        assert study in {it["0020000D"]["Value"][0] for it in found}
        found = web.search_for_series(study, search_filters={"Modality": dataset.Modality})
        assert series in {it["0020000E"]["Value"][0] for it in found}
        found = web.search_for_instances(
            study, series, search_filters={"SOPInstanceUID": instance}, fields=["AvailableTransferSyntaxUID"]
        )
        assert [it["00080018"]["Value"] for it in found] == [[instance]]
        assert found[0]["00083002"]["Value"] == [dataset.file_meta.TransferSyntaxUID]
    assert web.search_for_studies(search_filters={"PatientID": "nobody"}) == []


def client_retrieves(node):
    """dicomweb-client retrieves studies, series and instances, equal to the files"""
    web = client(node)
    by_uid = {}
    for file in files(node):
        dataset = read(file)
        by_uid[dataset.SOPInstanceUID] = dataset
    dataset = next(iter(by_uid.values()))
    study, series, instance = uids(dataset)
    any_syntax = (("application/dicom", "*"),)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = list(web.iter_study(study)) + web.retrieve_series(study, series, media_types=any_syntax)
        got.append(web.retrieve_instance(study, series, instance, media_types=any_syntax))
    of_study = [it for it in by_uid.values() if it.StudyInstanceUID == study]
    of_series = [it for it in of_study if it.SeriesInstanceUID == series]
    assert len(got) == len(of_study) + len(of_series) + 1
    for it in got:
        assert it == by_uid[it.SOPInstanceUID]


def client_reads_metadata(node):
    """dicomweb-client reads metadata, which says what the files say, and follows its addresses"""
    web = client(node)
    followed = 0
    for dataset in [read(file) for file in files(node)[::11]] + stored(node):
        study, series, instance = uids(dataset)
        metadata = web.retrieve_instance_metadata(study, series, instance)
        bulk = {}

        def fetch(tag, vr, uri):
            bulk[tag] = uri
            return b""

        found = pydicom.Dataset.from_json(json.dumps(metadata), bulk_data_uri_handler=fetch)
        for element in dataset:
            if element.tag.element == 0 or element.keyword in ("", "PixelData", "SpecificCharacterSet"):
                continue
            if element.VR in ("OB", "OW", "UN", "SQ", "DS"):
                continue
            assert found[element.tag].value == element.value, (element, found[element.tag])
        for tag, uri in bulk.items():
            content = web.retrieve_bulkdata(uri)
            if tag == "7FE00010" and not dataset.file_meta.TransferSyntaxUID.is_compressed:
                if dataset.file_meta.TransferSyntaxUID.is_little_endian:
                    assert content[0] == dataset.PixelData
            followed += 1
    assert followed > 0


def client_retrieves_pixels(node):
    """dicomweb-client retrieves compressed images as Explicit VR Little Endian, and their frames"""
    web = client(node)
    checked = 0
    for dataset in stored(node):
        if "PixelData" not in dataset:
            continue
        study, series, instance = uids(dataset)
        explicit = (("application/dicom", EXPLICIT),)
        got = web.retrieve_instance(study, series, instance, media_types=explicit)
        assert got.file_meta.TransferSyntaxUID == EXPLICIT, got.file_meta
        expected = dataset.pixel_array
        lossy = dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
        close = 3 if lossy else 0
        assert numpy.abs(got.pixel_array.astype(int) - expected.astype(int)).max() <= close, dataset.filename
        count = int(dataset.get("NumberOfFrames", 1))
        frames = web.retrieve_instance_frames(
            study, series, instance, list(range(1, count + 1)), media_types=("application/octet-stream",)
        )
        pixels = b"".join(frames)
        assert len(frames) == count
        assert pixels == got.PixelData[: len(pixels)] or lossy, dataset.filename
        checked += 1
    assert checked >= 6


def client_renders(node):
    """dicomweb-client retrieves rendered images and thumbnails, which Pillow opens"""
    web = client(node)
    for dataset in [read(file) for file in files(node)[::17]] + stored(node):
        if "PixelData" not in dataset:
            continue
        study, series, instance = uids(dataset)
        for media_type in ("image/png", "image/jpeg"):
            content = web.retrieve_instance_rendered(study, series, instance, media_types=(media_type,))
            picture = Image.open(io.BytesIO(content))
            picture.load()
            assert picture.get_format_mimetype() == media_type
        content = web.retrieve_instance_rendered(
            study, series, instance, media_types=("image/png",),
            params={"viewport": "40,40", "window": "40,400,linear"},
        )  # fmt: skip
        assert max(Image.open(io.BytesIO(content)).size) == 40
        thumbnail = node.session().get(f"{url(node)}/studies/{study}/thumbnail")
        assert max(Image.open(io.BytesIO(thumbnail.content)).size) <= 128


class Orthanc:
    """An Orthanc that knows the node as a peer of DICOMweb."""

    def __init__(self, node):
        self.folder = Path(tempfile.mkdtemp(prefix="orthanc-"))
        self.port = free_ports() + 1
        certs = node.folder / "certs"
        configuration = {
            "Name": "judge",
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "HttpPort": self.port,
            "DicomServerEnabled": False,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpsCACertificates": str(certs / "ca.pem"),
            "Plugins": [ORTHANC_PLUGIN],
            "DicomWeb": {
                "Enable": True,
                "Servers": {
                    "hilum": {
                        "Url": url(node) + "/",
                        "CertificateFile": str(certs / "client.pem"),
                        "CertificateKeyFile": str(certs / "client.key"),
                    }
                },
            },
        }
        (self.folder / "orthanc.json").write_text(json.dumps(configuration))
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        with open(self.folder / "log", "w") as log:
            self.process = subprocess.Popen(
                [ORTHANC, self.folder / "orthanc.json"], stdout=log, stderr=log
            )
        for _ in range(200):
            try:
                requests.get(f"{self.url}/system", timeout=5).raise_for_status()
                return self
            except requests.RequestException:
                time.sleep(0.1)
        raise RuntimeError((self.folder / "log").read_text())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder)

    def ask(self, method, path, **more):
        answer = requests.request(method, f"{self.url}{path}", timeout=120, **more)
        if not answer.ok:
            raise RuntimeError(f"{path}: {answer.text}\n{(self.folder / 'log').read_text()[-3000:]}")
        return answer.json()


def orthanc_asks(node):
    """Orthanc asks, retrieves a study as a client of DICOMweb, and stores one"""
    if not (Path(ORTHANC).exists() and Path(ORTHANC_PLUGIN).exists()):
        assert not os.environ.get("HILUM_TEST_ALL"), "Orthanc is not installed"
        return "skipped  Orthanc with its DICOMweb plugin is not installed"
    with Orthanc(node) as orthanc:
        server = "/dicom-web/servers/hilum"
        dataset = read(files(node)[0])
        study = dataset.StudyInstanceUID
        found = orthanc.ask("POST", f"{server}/qido", json={"Uri": "/studies", "Arguments": {"StudyInstanceUID": study}})
        assert [it["0020000D"]["Value"] for it in found] == [study], found
        nothing = orthanc.ask("POST", f"{server}/qido", json={"Uri": "/studies", "Arguments": {"PatientID": "nobody"}})
        assert nothing == [], nothing
        done = orthanc.ask("POST", f"{server}/retrieve", json={"Resources": [{"Study": study}], "Synchronous": True})
        of_study = [file for file in files(node) if read(file).StudyInstanceUID == study]
        assert int(done["ReceivedInstancesCount"]) == len(of_study), done
        for one in orthanc.ask("GET", "/instances"):
            content = requests.get(f"{orthanc.url}/instances/{one}/file", timeout=30).content
            got = pydicom.dcmread(io.BytesIO(content))
            originals = [it for it in map(read, of_study) if it.SOPInstanceUID == got.SOPInstanceUID]
            assert [it.get("PixelData") for it in originals] == [got.get("PixelData")]

        new = pydicom.dcmread(get_testdata_file("CT_small.dcm", download=False))
        new.StudyInstanceUID, new.SeriesInstanceUID = pydicom.uid.generate_uid(), pydicom.uid.generate_uid()
        new.SOPInstanceUID = new.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        content = io.BytesIO()
        new.save_as(content, enforce_file_format=True)
        uploaded = orthanc.ask("POST", "/instances", data=content.getvalue())
        orthanc.ask("POST", f"{server}/stow", json={"Resources": [uploaded["ParentStudy"]], "Synchronous": True})
        got = client(node).retrieve_instance(*uids(new))
        assert got.PixelData == new.PixelData
    return None


JUDGES = [
    client_stores,
    client_finds,
    client_retrieves,
    client_reads_metadata,
    client_retrieves_pixels,
    client_renders,
    orthanc_asks,
]


def main() -> int:
    hilum, studies = (Path(program).absolute() for program in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder, Node(hilum, studies, Path(folder)) as node:
        for judge in JUDGES:
            try:
                said = judge(node)
                print(said or f"ok       {judge.__doc__.splitlines()[0]}", flush=True)
            except Exception:
                print("the node's log:", (Path(folder) / "log").read_text(), sep="\n")
                raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
