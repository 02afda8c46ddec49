"""nibabel writes volumes that we state, and reads those that we make of the studies."""

import itertools
import json
import subprocess
from pathlib import Path

import nibabel
import numpy
import pydicom

from dicom_files import studies

OBLIQUE = nibabel.affines.from_matvec(
    nibabel.eulerangles.euler2mat(0.1, -0.2, 0.3) @ numpy.diag([-2.0, 2.5, 3.0]), [10.0, -20.5, 30.25]
)
UNITS = {"unknown": "unknown", "meter": "m", "mm": "mm", "micron": "um"}
TIMES = {"unknown": "unknown", "sec": "s", "msec": "ms", "usec": "us", "hz": "Hz", "ppm": "ppm", "rads": "rad/s"}


def program(node):
    """The example of hilum-dicom; it lies beside the one that writes studies."""
    return Path(node.studies).with_name("nifti")


def facts(node, *paths):
    """What we say of files."""
    done = subprocess.run([program(node), "facts", *paths], check=True, capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def opened(name):
    """The volume as one, though it holds something else."""
    image = nibabel.load(name)
    if isinstance(image, nibabel.Cifti2Image):
        return nibabel.Nifti2Image.from_filename(name)
    return image


def compare(said, image):
    """What we say of a file that nibabel has opened is what nibabel says."""
    header = image.header
    assert said["problems"] == [], said["problems"]
    assert said["byte_order"] == {"<": "little", ">": "big"}[header.endianness]
    assert tuple(said["dimensions"]) == image.shape
    sizes = header.get_zooms()[:3]
    assert numpy.allclose(said["voxel_size"][: len(sizes)], sizes)
    if header.get_data_dtype().names is None:
        assert said["datatype"]["name"] == header.get_data_dtype().name
    orientation = said["orientation"]
    if not isinstance(image, nibabel.Nifti1Pair):
        # nibabel has an affine for Analyze; it says itself that it is a guess.
        assert said["format"] == "Analyze 7.5"
        assert orientation["affine"] is None and orientation["axes"] is None
        assert "analyze_without_orientation" in said["flags"]
        return
    second = isinstance(header, nibabel.nifti2.Nifti2Header)
    assert said["format"] == ("NIfTI-2" if second else "NIfTI-1")
    assert orientation["sform"]["code"] == header["sform_code"]
    assert orientation["qform"]["code"] == header["qform_code"]
    space, time = header.get_xyzt_units()
    assert said["space_unit"] == UNITS[space]
    if said["time"]:
        assert said["time"]["unit"] == TIMES[time]
        assert numpy.isclose(said["time"]["step"], header.get_zooms()[3])
    if orientation["sform"]["code"] or orientation["qform"]["code"]:
        assert numpy.allclose(orientation["affine"], header.get_best_affine()[:3], atol=1e-4)
        assert orientation["axes"] == "".join(nibabel.aff2axcodes(image.affine))
    else:
        assert orientation["axes"] is None and "left_right_unknown" in said["flags"]
    # The header of an image that was opened has forgotten them.
    slope, intercept = image.dataobj.slope, image.dataobj.inter
    if said["scaling"]:
        assert numpy.isclose(said["scaling"]["slope"], slope)
        assert numpy.isclose(said["scaling"]["intercept"], intercept)
    else:
        assert (slope, intercept) == (1, 0)
    assert [it["kind"]["code"] for it in said["extensions"]] == [it.get_code() for it in header.extensions]


def we_state_what_nibabel_writes(node):
    """What nibabel writes of NIfTI-1, NIfTI-2 and Analyze 7.5, in both byte orders, we state"""
    folder = node.files / "nibabel"
    folder.mkdir()
    kinds = [
        (nibabel.Nifti1Image, ".nii"),
        (nibabel.Nifti1Image, ".nii.gz"),
        (nibabel.Nifti1Pair, ".img"),
        (nibabel.Nifti1Pair, ".img.gz"),
        (nibabel.Nifti2Image, ".nii"),
        (nibabel.Nifti2Image, ".nii.gz"),
        (nibabel.Nifti2Pair, ".img"),
        (nibabel.AnalyzeImage, ".img"),
        (nibabel.Spm2AnalyzeImage, ".img"),
        (nibabel.Spm99AnalyzeImage, ".img"),
    ]
    shapes = [(5, 4, 3), (5, 4, 3, 2), (7,)]
    types = [numpy.uint8, numpy.int16, numpy.float32]
    written = []
    cases = itertools.product(kinds, "<>", shapes, types, range(3))
    for number, ((kind, ending), order, shape, dtype, codes) in enumerate(cases):
        header = kind.header_class(endianness=order)
        header.set_data_dtype(dtype)
        data = numpy.arange(numpy.prod(shape)).reshape(shape).astype(dtype)
        # With an affine, SPM's images have a file of MATLAB besides.
        image = kind(data, None if issubclass(kind, nibabel.Spm99AnalyzeImage) else OBLIQUE, header)
        if issubclass(kind, nibabel.Nifti1Pair):
            image.header.set_xyzt_units(["mm", "micron", "unknown"][codes], ["sec", "msec", "unknown"][codes])
            image.header.set_sform(OBLIQUE, code=[2, 0, 0][codes])
            image.header.set_qform(OBLIQUE, code=[1, 1, 0][codes])
            image.header["pixdim"][4] = [2.5, 2500, 1][codes]
            if codes == 1:
                image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"not to be read"))
        name = folder / f"{number}{ending}"
        nibabel.save(image, name)
        written.append(name)
    for start in range(0, len(written), 50):
        names = written[start : start + 50]
        for name, said in zip(names, facts(node, *names), strict=True):
            assert "facts" in said, (name, said)
            assert "not to be read" not in json.dumps(said)
            compare(said["facts"], opened(name))


def we_state_the_files_of_nibabel(node):
    """The volumes that come with nibabel we state as nibabel does"""
    folder = Path(nibabel.__file__).parent / "tests" / "data"
    names = [it for it in sorted(folder.iterdir()) if it.name.endswith((".nii", ".nii.gz"))]
    assert len(names) >= 5, names
    for name, said in zip(names, facts(node, *names), strict=True):
        compare(said["facts"], opened(name))


def nibabel_reads_our_volumes(node):
    """nibabel reads volumes made of the studies: the pixels that pydicom finds at each place"""
    made = 0
    for folder in sorted(it for it in studies(node).iterdir() if it.is_dir()):
        datasets = [pydicom.dcmread(it) for it in sorted(folder.iterdir())]
        if any("ImageOrientationPatient" not in it for it in datasets):
            continue
        made += 1
        stem = node.files / f"volume-{made}"
        subprocess.run([program(node), "convert", folder, stem], check=True)
        image = nibabel.load(stem.with_suffix(".nii.gz"))
        assert image.header.__class__.diagnose_binaryblock(image.header.binaryblock) == ""
        assert image.header.get_xyzt_units() == ("mm", "sec")
        assert numpy.allclose(image.get_qform(), image.affine, atol=1e-4)
        data = image.get_fdata()
        inverse = numpy.linalg.inv(image.affine)
        assert data.shape == (datasets[0].Columns, datasets[0].Rows, len(datasets))
        for dataset in datasets:
            values = dataset.pixel_array * float(dataset.get("RescaleSlope", 1)) + float(
                dataset.get("RescaleIntercept", 0)
            )
            rows, columns = numpy.mgrid[0 : dataset.Rows, 0 : dataset.Columns]
            along_row, along_column = numpy.array(dataset.ImageOrientationPatient, float).reshape(2, 3)
            between_rows, between_columns = dataset.PixelSpacing
            place = (
                numpy.array(dataset.ImagePositionPatient, float)
                + columns[..., None] * along_row * float(between_columns)
                + rows[..., None] * along_column * float(between_rows)
            ) * [-1, -1, 1]
            voxels = nibabel.affines.apply_affine(inverse, place)
            assert numpy.allclose(voxels, voxels.round(), atol=1e-3)
            i, j, k = voxels.round().astype(int).transpose(2, 0, 1)
            assert numpy.allclose(data[i, j, k], values, atol=1e-3)
        sidecar = json.loads(stem.with_suffix(".json").read_text())
        assert sidecar["Modality"] == datasets[0].Modality
        (said,) = facts(node, stem.with_suffix(".nii.gz"))
        compare(said["facts"], image)
        assert said["mime_type"] == "application/x-nifti+gzip" and said["remarks"] == []
    assert made >= 2, "no volumes"


JUDGES = [
    we_state_what_nibabel_writes,
    we_state_the_files_of_nibabel,
    nibabel_reads_our_volumes,
]
