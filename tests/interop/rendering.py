"""pydicom's modality and VOI transforms, and palettes, give the pictures that we give.

    cargo build -p hilum-dicom --example dicom
    pip install pydicom numpy pillow pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle
    python rendering.py ../../target/debug/examples/dicom
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy
import pydicom
from PIL import Image
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

warnings.simplefilter("ignore")


def picture(dataset):
    """What pydicom makes of the first frame, and how much rounding there may be."""
    values = pixel_array(dataset, index=0)
    photometric = dataset.PhotometricInterpretation
    if photometric == "PALETTE COLOR":
        colours = apply_color_lut(values, dataset)
        return colours / (2 ** (8 * colours.itemsize) - 1) * 255, 1
    if values.ndim == 3:
        return values / (2**dataset.BitsStored - 1) * 255, 16 if "4.5" in dataset.file_meta.TransferSyntaxUID[-4:] else 2
    values = apply_modality_lut(values, dataset)
    if "VOILUTSequence" in dataset and "WindowCenter" not in dataset:
        grey = apply_voi_lut(values, dataset) / (2 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1) * 255
    elif "WindowCenter" in dataset and numpy.atleast_1d(dataset.WindowWidth)[0] >= 1:
        # pydicom scales to the range of stored values after rescaling; here it is 0 to 1.
        center = float(numpy.atleast_1d(dataset.WindowCenter)[0]) - 0.5
        width = float(numpy.atleast_1d(dataset.WindowWidth)[0]) - 1
        wide = values.astype("f8")
        windowed = apply_voi_lut(values, dataset)
        low, high = windowed.min(), windowed.max()
        if wide.min() <= center - width / 2 and wide.max() > center + width / 2:
            grey = (windowed - low) / (high - low) * 255
        else:
            grey = numpy.clip((wide - center) / width + 0.5, 0, 1) * 255
    else:
        wide = values.astype("f8")
        shown = wide
        if "PixelPaddingValue" in dataset:
            stored = pixel_array(dataset, index=0)
            shown = wide[stored != dataset.PixelPaddingValue]
        low, high = shown.min(), shown.max()
        grey = numpy.clip((wide - low) / max(high - low, 1e-9), 0, 1) * 255
    return (255 - grey if photometric == "MONOCHROME1" else grey), 1


def main(program):
    files = sorted((Path(pydicom.__file__).parent / "data").rglob("*.dcm"))
    good, wrong, refused = 0, 0, {}
    with tempfile.TemporaryDirectory() as folder:
        lines = subprocess.run(
            [program, "render", folder, *files], check=True, capture_output=True, text=True
        ).stdout.splitlines()
        for number, (path, line) in enumerate(zip(files, lines)):
            if line != "ok":
                refused.setdefault(line, []).append(path.name)
                continue
            ours = numpy.asarray(Image.open(Path(folder) / str(number))).astype("f8")
            try:
                theirs, rounding = picture(pydicom.dcmread(path))
            except Exception as error:
                print(f"{path.name}: pydicom: {error!r:.100}")
                continue
            if ours.shape != theirs.shape:
                print(f"{path.name}: {ours.shape} {theirs.shape} (pixels that are not square?)")
                continue
            difference = numpy.abs(ours - theirs).max()
            if difference > rounding:
                wrong += 1
                print(f"{path.name}: differs by {difference:.2f}")
            else:
                good += 1
    for line, names in refused.items():
        print(f"refused: {line}: {', '.join(names)}")
    print(f"{good} right, {wrong} wrong")
    return good, wrong


if __name__ == "__main__":
    main(sys.argv[1])
