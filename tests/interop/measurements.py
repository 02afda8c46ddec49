"""Measured values that highdicom and pydicom write, as the program reads them.

highdicom makes reports by TID 1500 (planar and volumetric regions, whole images), a segmentation, a
parametric map and specimens; pydicom radiation dose reports and a vascular ultrasound report, item by
item. Each comes with what is to be read in it, said here independently of the program.

    python measurements.py target/debug/examples/measurements FOLDER
"""

import json
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

OIDS = {
    "DCM": "1.2.840.10008.2.16.4",
    "SCT": "2.16.840.1.113883.6.96",
    "UCUM": "2.16.840.1.113883.6.8",
    "LN": "2.16.840.1.113883.6.1",
    "NCIt": "2.16.840.1.113883.3.26.1.1",
    "UMLS": "2.16.840.1.113883.6.86",
    "RADLEX": "2.16.840.1.113883.6.256",
}
# Every UID has the same beginning as the script's previous ones, so that files can be compared.
SEED = "hilum measurements"
MEAN = Code("373098007", "SCT", "Mean")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
MM = Code("mm", "UCUM", "mm")
MM3 = Code("mm3", "UCUM", "mm3")


def made_uid(name):
    return generate_uid(entropy_srcs=[SEED, name])


def line(code):
    """A code as it stands in a line."""
    escaped = [
        "".join({"\\": "\\E\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "|": "\\F\\"}.get(c, c) for c in part)
        for part in (code.value, code.meaning, OIDS.get(code.scheme_designator, code.scheme_designator))
    ]
    return "^".join(escaped)


def said(concept, value=None, *, context=(), instances=(), series=(), **others):
    """The lines of one value, in any order."""
    lines = [f"concept={line(concept)}"]
    if value is not None:
        lines.append(f"value={value}")
    for name, it in others.items():
        text = line(it) if isinstance(it, Code) else it
        lines.append(f"{name.replace('_', '-')}={text}")
    for name, it in context:
        lines.append(f"context={line(name)}^{line(it) if isinstance(it, Code) else it}")
    lines += [f"source-series={uid}" for uid in series]
    lines += [f"source-instance={uid}" for uid in instances]
    return sorted(lines)


# ---- images ----------------------------------------------------------------------------------------


def ct_slices(count=4):
    """A CT series to measure on."""
    slices = []
    for number in range(count):
        it = Dataset()
        it.file_meta = FileMetaDataset()
        it.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        it.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        it.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        it.SOPInstanceUID = made_uid(f"ct {number}")
        it.file_meta.MediaStorageSOPInstanceUID = it.SOPInstanceUID
        it.StudyInstanceUID, it.SeriesInstanceUID = made_uid("study"), made_uid("ct")
        it.FrameOfReferenceUID = made_uid("frame of reference")
        it.PatientID, it.PatientName, it.PatientBirthDate, it.PatientSex = "P1", "A^B", "", "O"
        it.StudyDate, it.StudyTime, it.StudyID, it.AccessionNumber = "20260101", "120000", "1", "A1"
        it.ReferringPhysicianName, it.Modality, it.Manufacturer = "", "CT", "M"
        it.SeriesNumber, it.InstanceNumber, it.PositionReferenceIndicator = 1, number + 1, ""
        it.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        it.Rows = it.Columns = 16
        it.PixelSpacing, it.SliceThickness = [1.0, 1.0], 2.0
        it.ImagePositionPatient = [0.0, 0.0, 2.0 * number]
        it.ImageOrientationPatient = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]
        it.SamplesPerPixel, it.PhotometricInterpretation = 1, "MONOCHROME2"
        it.BitsAllocated = it.BitsStored = 16
        it.HighBit, it.PixelRepresentation = 15, 0
        it.RescaleIntercept, it.RescaleSlope = -1024, 1
        it.PixelData = np.full((16, 16), 1024 + number, np.uint16).tobytes()
        slices.append(it)
    return slices


def equipment(name):
    return {
        "series_instance_uid": made_uid(f"series {name}"),
        "series_number": 9,
        "sop_instance_uid": made_uid(name),
        "instance_number": 1,
        "manufacturer": "M",
    }


def full_equipment(name):
    return {
        **equipment(name),
        "manufacturer_model_name": "N",
        "software_versions": "1",
        "device_serial_number": "7",
    }


def segmentation(slices):
    mask = np.zeros((len(slices), 16, 16), np.uint8)
    mask[1:3, 4:8, 4:8] = 1
    mask[:, 10:12, 10:12] = 2
    lesion = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="lesion",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type="AUTOMATIC",
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="Net^7", family=codes.DCM.ArtificialIntelligence, version="2.1"
        ),
        tracking_uid=made_uid("lesion 1"),
        tracking_id="Lesion 1",
        anatomic_regions=[codes.SCT.Liver],
    )
    kidney = hd.seg.SegmentDescription(
        segment_number=2,
        segment_label="kidney",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Kidney,
        algorithm_type="MANUAL",
    )
    right = hd.sr.CodedConcept("24028007", "SCT", "Right")
    kidney.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [right]
    it = hd.seg.Segmentation(
        source_images=slices, pixel_array=mask, segmentation_type="BINARY",
        segment_descriptions=[lesion, kidney], **full_equipment("seg"),
    )  # fmt: skip
    where = {"series": [made_uid("ct")], "instances": [s.SOPInstanceUID for s in slices]}
    name = Code("113076", "DCM", "Segmentation")
    category = Code("276214006", "SCT", "Finding category")
    kind = Code("00620008", "DCM", "Segment Algorithm Type")
    expected = [
        said(
            name, finding=codes.SCT.Lesion, site=codes.SCT.Liver, algorithm="Net\\S\\7^2.1",
            tracking_identifier="Lesion 1", tracking_uid=made_uid("lesion 1"),
            segment=f"{made_uid('seg')}^1", said_in=made_uid("seg"),
            context=[(category, codes.SCT.MorphologicallyAbnormalStructure), (kind, "AUTOMATIC")],
            **where,
        ),
        said(
            name, finding=codes.SCT.Kidney, laterality=Code("24028007", "SCT", "Right"),
            segment=f"{made_uid('seg')}^2", said_in=made_uid("seg"),
            context=[(category, codes.SCT.AnatomicalStructure), (kind, "MANUAL")],
            **where,
        ),
    ]  # fmt: skip
    return it, expected


def parametric_map(slices):
    quantity = Code("113041", "DCM", "Apparent Diffusion Coefficient")
    unit = Code("um2/s", "UCUM", "um2/s")
    mapping = hd.pm.RealWorldValueMapping(
        lut_label="ADC", lut_explanation="ADC", unit=unit, value_range=[0.0, 4000.0],
        slope=1.0, intercept=0.0, quantity_definition=quantity,
    )  # fmt: skip
    # A method, as QIBA's profile writes it.
    mapping.QuantityDefinitionSequence.append(
        item(None, "CODE", codes.SCT.MeasurementMethod, code=Code("113250", "DCM", "Mono-exponential ADC model"))
    )
    it = hd.pm.ParametricMap(
        source_images=slices, pixel_array=np.ones((len(slices), 16, 16), np.float32),
        contains_recognizable_visual_features=False, real_world_value_mappings=[mapping],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=2000.0, window_width=4000.0)],
        **full_equipment("map"),
    )  # fmt: skip
    expected = said(
        quantity, unit=unit, per_pixel="true", said_in=made_uid("map"),
        method=Code("113250", "DCM", "Mono-exponential ADC model"),
        series=[made_uid("ct")], instances=[s.SOPInstanceUID for s in slices],
    )  # fmt: skip
    return it, [expected]


# ---- TID 1500 --------------------------------------------------------------------------------------


def observation_context():
    person = hd.sr.PersonObserverIdentifyingAttributes(name="Reader^Emil")
    observer = hd.sr.ObserverContext(observer_type=codes.DCM.Person, observer_identifying_attributes=person)
    return hd.sr.ObservationContext(observer_person_context=observer)


def tracking(name):
    return hd.sr.TrackingIdentifier(uid=made_uid(name), identifier=name)


def tracked(name, report):
    return {"tracking_identifier": name, "tracking_uid": made_uid(name), "said_in": made_uid(report)}


def report(name, slices, groups, klass, evidence=()):
    content = hd.sr.MeasurementReport(
        observation_context=observation_context(), procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=groups, title=codes.DCM.ImagingMeasurementReport, referenced_images=slices,
    )  # fmt: skip
    return klass(evidence=[*slices, *evidence], content=content, is_complete=True, **equipment(name))


def planar(slices):
    """TID 1410: a circle in one image."""
    right = Code("24028007", "SCT", "Right")
    name = "planar"
    group = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Nodule 1"),
        referenced_region=hd.sr.ImageRegion(
            graphic_type="CIRCLE", graphic_data=np.array([[8.0, 8.0], [10.0, 8.0]]),
            source_image=hd.sr.SourceImageForRegion(slices[1].SOPClassUID, slices[1].SOPInstanceUID),
        ),
        finding_type=codes.SCT.Nodule, finding_category=codes.SCT.MorphologicallyAbnormalStructure,
        finding_sites=[hd.sr.FindingSite(anatomic_location=codes.SCT.Lung, laterality=right)],
        algorithm_id=hd.sr.AlgorithmIdentification(name="Circle", version="1.0"),
        session="first", method=Code("126081", "DCM", "RECIST 1.1"),
        time_point_context=hd.sr.TimePointContext(time_point="TP1"),
        measurements=[
            hd.sr.Measurement(name=codes.SCT.Diameter, value=12.25, unit=MM),
            hd.sr.Measurement(
                name=codes.DCM.AttenuationCoefficient, value=-3.5, unit=HOUNSFIELD, derivation=MEAN,
                method=Code("113041", "DCM", "other"),
                algorithm_id=hd.sr.AlgorithmIdentification(name="Mean & more", version="3"),
                properties=hd.sr.MeasurementProperties(
                    normality=Code("17621005", "SCT", "Normal"), upper_measurement_uncertainty=0.5
                ),
            ),
        ],
        qualitative_evaluations=[
            hd.sr.QualitativeEvaluation(
                name=Code("RID5971", "RADLEX", "Margin"), value=Code("RID5713", "RADLEX", "Spiculated")
            )
        ],
    )  # fmt: skip
    beside = [
        (Code("276214006", "SCT", "Finding category"), codes.SCT.MorphologicallyAbnormalStructure),
        (Code("C67447", "NCIt", "Activity Session"), "first"),
        (Code("C2348792", "UMLS", "Time Point"), "TP1"),
    ]
    common = {
        **tracked("Nodule 1", name), "finding": codes.SCT.Nodule, "site": codes.SCT.Lung, "laterality": right,
        "series": [made_uid("ct")], "instances": [slices[1].SOPInstanceUID],
    }  # fmt: skip
    recist = Code("126081", "DCM", "RECIST 1.1")
    expected = [
        said(codes.SCT.Diameter, 12.25, unit=MM, method=recist, algorithm="Circle^1.0", context=beside, **common),
        said(
            codes.DCM.AttenuationCoefficient, -3.5, unit=HOUNSFIELD, derivation=MEAN,
            method=Code("113041", "DCM", "other"), algorithm="Mean \\T\\ more^3",
            context=[*beside, (Code("121402", "DCM", "Normality"), Code("17621005", "SCT", "Normal"))], **common,
        ),
        said(
            Code("RID5971", "RADLEX", "Margin"), coded_value=Code("RID5713", "RADLEX", "Spiculated"),
            method=recist, algorithm="Circle^1.0", context=beside, **common,
        ),
    ]  # fmt: skip
    return report(name, slices, [group], hd.sr.Comprehensive3DSR), expected


def volumetric(slices, seg):
    """TID 1411: a segment, and circles in two images."""
    name = "volumetric"
    of_segment = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Lesion 1"),
        referenced_segment=hd.sr.ReferencedSegment(
            sop_class_uid=seg.SOPClassUID, sop_instance_uid=seg.SOPInstanceUID, segment_number=1,
            source_series=hd.sr.SourceSeriesForSegmentation(made_uid("ct")),
        ),
        finding_type=codes.SCT.Lesion, finding_sites=[hd.sr.FindingSite(codes.SCT.Liver)],
        measurements=[hd.sr.Measurement(name=codes.SCT.Volume, value=64.0, unit=MM3)],
    )  # fmt: skip
    regions = [
        hd.sr.ImageRegion(
            graphic_type="CIRCLE", graphic_data=np.array([[8.0, 8.0], [10.0, 8.0]]),
            source_image=hd.sr.SourceImageForRegion(s.SOPClassUID, s.SOPInstanceUID),
        )
        for s in slices[:2]
    ]  # fmt: skip
    of_regions = hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Lesion 2"), referenced_regions=regions, finding_type=codes.SCT.Lesion,
        measurements=[
            hd.sr.Measurement(name=codes.SCT.Volume, value=0.1, unit=MM3),
            hd.sr.Measurement(
                name=codes.SCT.Diameter, value=1.0, unit=MM, tracking_identifier=tracking("Axis"),
                finding_sites=[hd.sr.FindingSite(codes.SCT.Kidney)],
                referenced_images=[
                    hd.sr.SourceImageForMeasurement(slices[3].SOPClassUID, slices[3].SOPInstanceUID)
                ],
            ),
        ],
    )  # fmt: skip
    series = [made_uid("ct")]
    expected = [
        said(
            codes.SCT.Volume, 64, unit=MM3, finding=codes.SCT.Lesion, site=codes.SCT.Liver,
            segment=f"{seg.SOPInstanceUID}^1", series=series, **tracked("Lesion 1", name),
        ),
        said(
            codes.SCT.Volume, 0.1, unit=MM3, finding=codes.SCT.Lesion, series=series,
            instances=[s.SOPInstanceUID for s in slices[:2]], **tracked("Lesion 2", name),
        ),
        said(
            codes.SCT.Diameter, 1, unit=MM, finding=codes.SCT.Lesion, site=codes.SCT.Kidney, series=series,
            instances=[slices[3].SOPInstanceUID], **tracked("Axis", name),
        ),
    ]  # fmt: skip
    return report(name, slices, [of_segment, of_regions], hd.sr.Comprehensive3DSR, [seg]), expected


def whole_images(slices):
    """TID 1501: whole images, and a value that is missing for a reason."""
    name = "whole"
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Image"),
        source_images=[hd.sr.SourceImageForMeasurementGroup(s.SOPClassUID, s.SOPInstanceUID) for s in slices[:2]],
        measurements=[
            hd.sr.Measurement(name=codes.SCT.Volume, value=1e-7, unit=MM3),
            hd.sr.Measurement(
                name=codes.SCT.Area, value=0.0, unit=Code("mm2", "UCUM", "mm2"),
                qualifier=Code("114009", "DCM", "Value out of range"),
            ),
        ],
    )  # fmt: skip
    unplaced = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking("Patient"),
        measurements=[hd.sr.Measurement(name=codes.SCT.Length, value=3, unit=MM)],
    )
    where = {"series": [made_uid("ct")], "instances": [s.SOPInstanceUID for s in slices[:2]]}
    expected = [
        said(codes.SCT.Volume, "0.0000001", unit=MM3, **tracked("Image", name), **where),
        said(
            codes.SCT.Area, 0, unit=Code("mm2", "UCUM", "mm2"),
            qualifier=Code("114009", "DCM", "Value out of range"), **tracked("Image", name), **where,
        ),
        said(codes.SCT.Length, 3, unit=MM, series=[made_uid("ct")], **tracked("Patient", name)),
    ]  # fmt: skip
    return report(name, slices, [group, unplaced], hd.sr.ComprehensiveSR), expected


# ---- reports item by item ----------------------------------------------------------------------------


def coded(code):
    it = Dataset()
    it.CodeValue, it.CodingSchemeDesignator, it.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return it


def item(relationship, value_type, name, *children, code=None, text=None, uid=None, number=None, unit=None):
    it = Dataset()
    if relationship:
        it.RelationshipType = relationship
    it.ValueType = value_type
    it.ConceptNameCodeSequence = Sequence([coded(name)])
    if value_type == "CONTAINER":
        it.ContinuityOfContent = "SEPARATE"
    if code:
        it.ConceptCodeSequence = Sequence([coded(code)])
    if text:
        it.TextValue = text
    if uid:
        it.UID = uid
    if number is not None:
        measured = Dataset()
        measured.NumericValue = number
        measured.MeasurementUnitsCodeSequence = Sequence([coded(unit)])
        it.MeasuredValueSequence = Sequence([measured])
    if children:
        it.ContentSequence = Sequence(children)
    return it


def dcm(value, meaning):
    return Code(value, "DCM", meaning)


def contains(name, *children, **value):
    kinds = {"code": "CODE", "text": "TEXT", "uid": "UIDREF", "number": "NUM"}
    value_type = next((kind for key, kind in kinds.items() if key in value), "CONTAINER")
    return item("CONTAINS", value_type, name, *children, **value)


def document(name, sop_class, template, title, items, syntax=ExplicitVRLittleEndian):
    it = item(None, "CONTAINER", title, *items)
    it.file_meta = FileMetaDataset()
    it.file_meta.TransferSyntaxUID = syntax
    it.file_meta.MediaStorageSOPClassUID = it.SOPClassUID = sop_class
    it.file_meta.MediaStorageSOPInstanceUID = it.SOPInstanceUID = made_uid(name)
    it.StudyInstanceUID, it.SeriesInstanceUID = made_uid("study"), made_uid(f"series {name}")
    it.Modality, it.PatientID, it.PatientName = "SR", "P1", "A^B"
    template_item = Dataset()
    template_item.MappingResource, template_item.TemplateIdentifier = "DCMR", template
    it.ContentTemplateSequence = Sequence([template_item])
    return it


X_RAY_DOSE = "1.2.840.10008.5.1.4.1.1.88.67"
MGY, MGYCM = Code("mGy", "UCUM", "mGy"), Code("mGy.cm", "UCUM", "mGy.cm")


def ct_dose():
    """TID 10011, in implicit VR: two events and what they come to."""
    name = "ct dose"
    chest = Code("51185008", "SCT", "Chest")
    spiral, body = Code("116152004", "SCT", "Spiral Acquisition"), dcm("113691", "IEC Body Dosimetry Phantom")
    events = dcm("113812", "Total Number of Irradiation Events")
    total, ctdi, dlp = dcm("113813", "CT Dose Length Product Total"), dcm("113830", "Mean CTDIvol"), dcm("113838", "DLP")
    one = Code("{events}", "UCUM", "events")

    def event(number, protocol, values):
        return contains(
            dcm("113819", "CT Acquisition"),
            contains(dcm("125203", "Acquisition Protocol"), text=protocol),
            contains(dcm("123014", "Target Region"), code=chest),
            contains(dcm("113820", "CT Acquisition Type"), code=spiral),
            contains(dcm("113769", "Irradiation Event UID"), uid=made_uid(f"event {number}")),
            contains(
                dcm("113822", "CT Acquisition Parameters"),
                contains(dcm("113824", "Exposure Time"), number="2.5", unit=Code("s", "UCUM", "s")),
            ),
            contains(
                dcm("113829", "CT Dose"),
                contains(ctdi, number=values[0], unit=MGY),
                contains(dcm("113835", "CTDIw Phantom Type"), code=body),
                contains(dlp, number=values[1], unit=MGYCM),
            ),
        )  # fmt: skip

    it = document(
        name, X_RAY_DOSE, "10011", dcm("113701", "X-Ray Radiation Dose Report"),
        [
            item("HAS CONCEPT MOD", "CODE", dcm("121058", "Procedure reported"),
                 code=Code("77477000", "SCT", "Computed Tomography X-Ray")),
            contains(
                dcm("113811", "CT Accumulated Dose Data"),
                contains(events, number="2", unit=one),
                contains(total, number="412.37", unit=MGYCM),
            ),
            event(1, "Thorax", ("8.21", "301.2")),
            event(2, "Thorax late", ("4.05", "111.17")),
        ],
        ImplicitVRLittleEndian,
    )  # fmt: skip
    expected = [
        said(events, 2, unit=one, said_in=made_uid(name)),
        said(total, 412.37, unit=MGYCM, said_in=made_uid(name)),
    ]
    for number, protocol, values in ((1, "Thorax", (8.21, 301.2)), (2, "Thorax late", (4.05, 111.17))):
        common = {
            "said_in": made_uid(name), "site": chest, "irradiation_event": made_uid(f"event {number}"),
            "context": [
                (dcm("125203", "Acquisition Protocol"), protocol),
                (dcm("113820", "CT Acquisition Type"), spiral),
                (dcm("113835", "CTDIw Phantom Type"), body),
            ],
        }  # fmt: skip
        expected += [said(ctdi, values[0], unit=MGY, **common), said(dlp, values[1], unit=MGYCM, **common)]
    return it, expected


def projection_dose():
    """TID 10001: a mammographic event, with the codes of SNOMED RT that most devices write."""
    name = "projection dose"
    plane = dcm("113622", "Single Plane")
    total = dcm("113722", "Dose Area Product Total")
    accumulated = dcm("111637", "Accumulated Average Glandular Dose")
    area, glandular = dcm("122130", "Dose Area Product"), dcm("111631", "Average Glandular Dose")
    gym2 = Code("Gy.m2", "UCUM", "Gy.m2")
    it = document(
        name, X_RAY_DOSE, "10001", dcm("113701", "X-Ray Radiation Dose Report"),
        [
            contains(
                dcm("113702", "Accumulated X-Ray Dose Data"),
                item("HAS CONCEPT MOD", "CODE", dcm("113764", "Acquisition Plane"), code=plane),
                contains(total, number="1.2e-05", unit=gym2),
                contains(
                    accumulated,
                    item("HAS CONCEPT MOD", "CODE", Code("G-C171", "SRT", "Laterality"),
                         code=Code("T-04030", "SRT", "Left breast")),
                    number="1.4", unit=MGY,
                ),
            ),
            contains(
                dcm("113706", "Irradiation Event X-Ray Data"),
                contains(dcm("113769", "Irradiation Event UID"), uid=made_uid("exposure")),
                contains(
                    dcm("123014", "Target Region"),
                    item("HAS CONCEPT MOD", "CODE", Code("G-C171", "SRT", "Laterality"),
                         code=Code("G-A101", "SRT", "Left")),
                    code=Code("T-04000", "SRT", "Breast"),
                ),
                contains(area, number="0.000012", unit=gym2),
                contains(glandular, number="1.4", unit=MGY),
                contains(dcm("113733", "KVP"), number="28", unit=Code("kV", "UCUM", "kV")),
            ),
        ],
    )  # fmt: skip
    over = {"said_in": made_uid(name), "context": [(dcm("113764", "Acquisition Plane"), plane)]}
    event = {
        "said_in": made_uid(name), "irradiation_event": made_uid("exposure"),
        "site": Code("76752008", "SCT", "Breast"), "laterality": Code("7771000", "SCT", "Left"),
    }  # fmt: skip
    expected = [
        said(total, "0.000012", unit=gym2, **over),
        said(accumulated, 1.4, unit=MGY, laterality=Code("80248007", "SCT", "Left breast"), **over),
        said(area, "0.000012", unit=gym2, **event),
        said(glandular, 1.4, unit=MGY, **event),
    ]
    return it, expected


def radiopharmaceutical_dose():
    """TID 10021: what was injected."""
    name = "radiopharmaceutical dose"
    agent, radionuclide = Code("35321007", "SCT", "FDG F^18"), Code("77004003", "SCT", "^18^Fluorine")
    route = Code("47625008", "SCT", "Intravenous route")
    activity = dcm("113507", "Administered activity")
    unit = Code("MBq", "UCUM", "MBq")
    it = document(
        name, "1.2.840.10008.5.1.4.1.1.88.68", "10021", dcm("113500", "Radiopharmaceutical Radiation Dose Report"),
        [
            contains(
                dcm("113502", "Radiopharmaceutical Administration"),
                contains(
                    Code("349358000", "SCT", "Radiopharmaceutical agent"),
                    item("HAS PROPERTIES", "CODE", Code("89457008", "SCT", "Radionuclide"), code=radionuclide),
                    item("HAS PROPERTIES", "NUM", Code("304283002", "SCT", "Radionuclide Half Life"),
                         number="6586.2", unit=Code("s", "UCUM", "s")),
                    code=agent,
                ),
                contains(dcm("113503", "Radiopharmaceutical Administration Event UID"), uid=made_uid("injection")),
                contains(activity, number="318.5", unit=unit),
                contains(Code("410675002", "SCT", "Route of administration"), code=route),
            )
        ],
    )  # fmt: skip
    expected = said(
        activity, 318.5, unit=unit, said_in=made_uid(name), irradiation_event=made_uid("injection"),
        context=[
            (Code("349358000", "SCT", "Radiopharmaceutical agent"), agent),
            (Code("89457008", "SCT", "Radionuclide"), radionuclide),
            (Code("410675002", "SCT", "Route of administration"), route),
        ],
    )  # fmt: skip
    return it, [expected]


def vascular():
    """TID 5100: sections by vessel, numbers without groups, old codes, a local code."""
    name = "vascular"
    velocity = Code("11726-7", "LN", "Peak Systolic Velocity")
    local = Code("IMT", "99ACME", "Intima media thickness")
    cms = Code("cm/s", "UCUM", "centimeter per second")
    carotid = Code("T-45100", "SRT", "Common Carotid Artery")
    side = item("HAS CONCEPT MOD", "CODE", Code("G-C171", "SRT", "Laterality"), code=Code("G-A100", "SRT", "Right"))
    it = document(
        name, "1.2.840.10008.5.1.4.1.1.88.33", "5100", dcm("125100", "Vascular Ultrasound Procedure Report"),
        [
            item("HAS CONCEPT MOD", "CODE", dcm("121049", "Language"), code=Code("en", "RFC5646", "English")),
            item("HAS OBS CONTEXT", "TEXT", dcm("121030", "Subject ID"), text="P1"),
            contains(
                dcm("121070", "Findings"),
                item("HAS CONCEPT MOD", "CODE", Code("G-C0E3", "SRT", "Finding Site"),
                     code=Code("T-45010", "SRT", "Carotid Artery")),
                side,
                contains(
                    carotid,
                    contains(
                        velocity,
                        item("HAS CONCEPT MOD", "CODE", Code("G-A1F8", "SRT", "Topographical modifier"),
                             code=Code("G-A119", "SRT", "Distal")),
                        item("HAS PROPERTIES", "NUM", dcm("121414", "Standard deviation of population"),
                             number="3", unit=cms),
                        number="91.5", unit=cms,
                    ),
                    contains(local, number="0.7", unit=MM),
                ),
            ),
        ],
    )  # fmt: skip
    common = {
        "said_in": made_uid(name), "site": Code("69105007", "SCT", "Carotid Artery"),
        "laterality": Code("24028007", "SCT", "Right"),
    }  # fmt: skip
    distal = (Code("106233006", "SCT", "Topographical modifier"), Code("46053002", "SCT", "Distal"))
    return it, [said(velocity, 91.5, unit=cms, context=[distal], **common), said(local, 0.7, unit=MM, **common)]


# ---- specimens ---------------------------------------------------------------------------------------


def slide():
    """An image of a slide with two specimens; only the identifiers matter here."""
    it = document("slide", "1.2.840.10008.5.1.4.1.1.77.1.6", "", dcm("1", "x"), [])
    del it.ContentTemplateSequence, it.ConceptNameCodeSequence, it.ValueType
    issuer = hd.IssuerOfIdentifier("1.2.276.0.99", "ISO")
    it.ContainerIdentifier = "S26-117-A1"
    it.IssuerOfTheContainerIdentifierSequence = Sequence([issuer])
    first = hd.SpecimenDescription(
        specimen_id="S26-117^A", specimen_uid=made_uid("specimen"), issuer_of_specimen_id=issuer,
        primary_anatomic_structures=[codes.SCT.Liver],
    )  # fmt: skip
    second = hd.SpecimenDescription(
        specimen_id="B", specimen_uid=made_uid("specimen 2"),
        issuer_of_specimen_id=hd.IssuerOfIdentifier("PATHLAB"),
    )  # fmt: skip
    it.SpecimenDescriptionSequence = Sequence([first, second])
    expected = {
        "S26-117\\S\\A^^^&1.2.276.0.99&ISO^urn:hilum:xds:2026:specimen",
        f"{made_uid('specimen')}^^^^urn:hilum:xds:2026:specimenUID",
        "B^^^PATHLAB^urn:hilum:xds:2026:specimen",
        f"{made_uid('specimen 2')}^^^^urn:hilum:xds:2026:specimenUID",
        "S26-117-A1^^^&1.2.276.0.99&ISO^urn:hilum:xds:2026:container",
    }
    return it, expected


# ---- the comparison ------------------------------------------------------------------------------------


def cases():
    """By name: a data set, and the lines of every value in it."""
    slices = ct_slices()
    seg, segments = segmentation(slices)
    return {
        "seg": (seg, segments),
        "map": parametric_map(slices),
        "planar": planar(slices),
        "volumetric": volumetric(slices, seg),
        "whole": whole_images(slices),
        "ct dose": ct_dose(),
        "projection dose": projection_dose(),
        "radiopharmaceutical dose": radiopharmaceutical_dose(),
        "vascular": vascular(),
    }


def compare(program, folder):
    """Writes the files, lets the program read them, and gives back how many values were compared."""
    folder.mkdir(parents=True, exist_ok=True)
    expected = {}
    slide_file, slide_ids = slide()
    for name, (it, values) in {**cases(), "slide": (slide_file, None)}.items():
        file = folder / f"{name.replace(' ', '-')}.dcm"
        it.save_as(file, enforce_file_format=True)
        expected[str(file)] = (name, values)
    done = subprocess.run([program, *expected], capture_output=True, text=True, check=True)
    compared = 0
    answers = [json.loads(it) for it in done.stdout.splitlines()]
    assert [it["file"] for it in answers] == list(expected)
    for answer in answers:
        name, values = expected[answer["file"]]
        if values is None:
            assert answer["measured"] is None
            assert set(answer["referenceIds"]) == slide_ids, answer["referenceIds"]
            continue
        measured = answer["measured"]
        got = [sorted(lines) for lines in measured["measurements"]]
        for one, other in zip(got, values, strict=False):
            difference = (name, set(one) - set(other), set(other) - set(one))
            assert one == other, difference
        assert len(got) == len(values) and measured["left_out"] == 0, (name, len(got), len(values))
        compared += len(got)
    return compared


if __name__ == "__main__":
    print(compare(sys.argv[1], Path(sys.argv[2])), "values are as they were written")
