"""pynetdicom sends images, asks whether they are safe, and is told: on the same association and on
another one."""

import queue
import ssl
import threading

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
    generate_uid,
)
from pynetdicom import AE, build_role, evt
from pynetdicom.presentation import StoragePresentationContexts
from pynetdicom.sop_class import (
    CTImageStorage,
    StorageCommitmentPushModel,
    StorageCommitmentPushModelInstance,
    Verification,
)

PATIENT = "INTEROP-DIMSE"


def tls(node):
    certs = node.folder / "certs"
    context = ssl.create_default_context(cafile=str(certs / "ca.pem"))
    context.load_cert_chain(str(certs / "client.pem"), str(certs / "client.key"))
    return (context, "localhost")


def entity(*contexts):
    ae = AE("PYNETDICOM")
    for context in contexts:
        ae.add_requested_context(*context)
    return ae


def associated(node, ae, **options):
    association = ae.associate(
        "localhost", node.dicom_port, ae_title="HILUM", tls_args=tls(node), **options
    )  # fmt: skip
    assert association.is_established, association
    return association


def slice_of(study, series, number, syntax):
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, generate_uid()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.StudyInstanceUID, image.SeriesInstanceUID = study, series
    image.PatientID, image.PatientName, image.PatientBirthDate = PATIENT, "Sänder^Anna", "19600102"
    image.SpecificCharacterSet, image.PatientSex = "ISO_IR 192", "F"
    image.StudyDate, image.StudyTime, image.Modality = "20260102", "101112", "CT"
    image.AccessionNumber, image.StudyID, image.ReferringPhysicianName = "A-DIMSE", "1", ""
    image.SeriesNumber, image.InstanceNumber = 1, number
    image.Rows = image.Columns = 64
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 4096
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OW"
    if syntax == RLELossless:
        image.compress(RLELossless, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        image["PixelData"].value = pixels.astype(">u2").tobytes()
        image.file_meta.TransferSyntaxUID = syntax
    else:
        image.file_meta.TransferSyntaxUID = syntax
    return image


def store(node, syntaxes):
    study, series = generate_uid(), generate_uid()
    images = [slice_of(study, series, at, syntax) for at, syntax in enumerate(syntaxes, 1)]
    association = associated(node, entity(*[(CTImageStorage, syntax) for syntax in set(syntaxes)]))
    for image in images:
        status = association.send_c_store(image)
        assert status.Status == 0, status
    association.release()
    return images


def stores(node):
    """pynetdicom says hello (C-ECHO) and stores in every encoding (C-STORE) over mutual TLS"""
    # With all the storage classes that it knows, up to the limit.
    ae = entity((Verification,))
    ae.requested_contexts = ae.requested_contexts + StoragePresentationContexts[:127]
    association = associated(node, ae)
    assert not association.rejected_contexts, association.rejected_contexts
    assert association.send_c_echo().Status == 0
    image = slice_of(generate_uid(), generate_uid(), 1, ExplicitVRLittleEndian)
    assert association.send_c_store(image).Status == 0
    # The same again.
    assert association.send_c_store(image).Status == 0
    association.release()
    store(node, [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])


def strangers(node):
    """pynetdicom is turned away with a wrong AE title, and without a certificate"""
    ae = entity((Verification,))
    association = ae.associate("localhost", node.dicom_port, ae_title="OTHER", tls_args=tls(node))
    assert association.is_rejected, association
    context = ssl.create_default_context(cafile=str(node.folder / "certs" / "ca.pem"))
    stranger = ae.associate("localhost", node.dicom_port, ae_title="HILUM", tls_args=(context, "localhost"))
    assert not stranger.is_established


def asked(images, missing=()):
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for uid in [image.SOPInstanceUID for image in images] + list(missing):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, uid
        request.ReferencedSOPSequence.append(item)
    return request


def action(association, request):
    status, _ = association.send_n_action(
        request, 1, StorageCommitmentPushModel, StorageCommitmentPushModelInstance
    )  # fmt: skip
    assert status.Status == 0, status


def reported(reports, request):
    """What is told of a request: the event, and what it says."""
    event, answer = reports.get(timeout=30)
    assert answer.TransactionUID == request.TransactionUID
    return event, answer


def taking(reports):
    def take(event):
        reports.put((event.event_type, event.event_information))
        return 0x0000, None

    return [(evt.EVT_N_EVENT_REPORT, take)]


def commits(node):
    """pynetdicom asks for storage commitment and is told on the same association"""
    images = store(node, [ExplicitVRLittleEndian] * 3)
    reports = queue.Queue()
    ae = entity((StorageCommitmentPushModel,))
    roles = [build_role(StorageCommitmentPushModel, scu_role=True)]
    association = associated(node, ae, evt_handlers=taking(reports), ext_neg=roles)
    request = asked(images)
    action(association, request)
    event, answer = reported(reports, request)
    assert event == 1 and "FailedSOPSequence" not in answer, answer
    told = {item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence}
    assert told == {image.SOPInstanceUID for image in images}, told
    unknown = generate_uid()
    request = asked(images[:1], [unknown])
    action(association, request)
    event, answer = reported(reports, request)
    assert event == 2 and len(answer.ReferencedSOPSequence) == 1, answer
    (failed,) = answer.FailedSOPSequence
    assert (failed.ReferencedSOPInstanceUID, failed.FailureReason) == (unknown, 0x0112), failed
    association.release()


def commits_later(node):
    """pynetdicom asks for storage commitment, leaves, and is called back"""
    images = store(node, [ImplicitVRLittleEndian] * 2)
    reports = queue.Queue()
    listening = AE("PYNETDICOM")
    # On this association the one who calls is the provider.
    listening.add_supported_context(StorageCommitmentPushModel, scu_role=False, scp_role=True)
    server = listening.start_server(
        ("127.0.0.1", node.called_back_port), block=False, evt_handlers=taking(reports)
    )  # fmt: skip
    try:
        association = associated(node, entity((StorageCommitmentPushModel,)))
        request = asked(images)
        action(association, request)
        association.release()
        event, answer = reported(reports, request)
        assert event == 1 and len(answer.ReferencedSOPSequence) == 2, answer
    finally:
        server.shutdown()


def many(node):
    """pynetdicom stores on several associations at the same time"""
    failed = []

    def one():
        try:
            store(node, [ExplicitVRLittleEndian] * 10)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed


JUDGES = (stores, strangers, commits, commits_later, many)
