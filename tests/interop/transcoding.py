"""pydicom, DCMTK and GDCM find the same pixels in what was transcoded.

    cargo build -p hilum-dicom --example dicom
    pip install pydicom numpy pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg pylibjpeg-rle pyjpegls \\
        imagecodecs
    python transcoding.py ../../target/debug/examples/dicom

Images are those that come with pydicom, and what DCMTK, GDCM and imagecodecs (HTJ2K) make of some of
them.
"""

import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import imagecodecs
import numpy
import pydicom
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array

warnings.simplefilter("ignore")
TARGETS = {
    "implicit": "1.2.840.10008.1.2",
    "explicit": "1.2.840.10008.1.2.1",
    "big endian": "1.2.840.10008.1.2.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "RLE": "1.2.840.10008.1.2.5",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
}
LOSSY = {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"}
# What other software makes of a native file.
ENCODERS = {
    "dcmcrle": ["/usr/bin/dcmcrle"],
    "dcmcjpeg +e1": ["/usr/bin/dcmcjpeg", "+e1"],
    "dcmcjpeg +el": ["/usr/bin/dcmcjpeg", "+el", "+sv", "4"],
    "dcmcjpeg +eb": ["/usr/bin/dcmcjpeg", "+eb"],
    "dcmcjpls": ["/usr/bin/dcmcjpls"],
    "dcmcjpls +en": ["/usr/bin/dcmcjpls", "+en"],
    "gdcmconv --j2k": ["gdcmconv", "--j2k"],
    "gdcmconv --jpeg": ["gdcmconv", "--jpeg"],
    "gdcmconv --jpegls": ["gdcmconv", "--jpegls"],
    "gdcmconv --rle": ["gdcmconv", "--rle"],
}
DECODERS = {
    "RLE": [["/usr/bin/dcmdrle"], ["gdcmconv", "--raw"]],
    "JPEG lossless": [["/usr/bin/dcmdjpeg"], ["gdcmconv", "--raw"]],
}


def pixels(path):
    """Pixels, colours always as RGB."""
    return numpy.asarray(pixel_array(pydicom.dcmread(path)))


def same(before, after, lossy):
    if before.shape != after.shape:
        return f"shape {before.shape} {after.shape}"
    if numpy.array_equal(before, after):
        return ""
    differences = numpy.abs(before.astype("i8") - after.astype("i8"))
    # Readers round a cosine transform differently, and fill in colours that were left out.
    if lossy and differences.max() <= 16 and differences.mean() < 0.5:
        return ""
    return f"differ by {differences.max()}, on average {differences.mean():.3f}"


def transcoded(program, uid, folder, files):
    lines = subprocess.run(
        [program, "transcode", uid, folder, *files], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return [(line, folder / str(number)) for number, line in enumerate(lines)]


def sources(folder):
    """Files with pixels that pydicom decodes, and the pixels."""
    data = Path(pydicom.__file__).parent / "data"
    for path in sorted(it for it in data.rglob("*.dcm")):
        try:
            yield path.name, path, pixels(path)
        except Exception:
            continue
    for name in (
        "CT_small.dcm",
        "MR_small.dcm",
        "examples_rgb_color.dcm",
        "SC_rgb_small_odd.dcm",
    ):
        for path in data.rglob(name):
            made = folder / f"{path.stem}_htj2k"
            high_throughput(path, made)
            yield f"{path.name} as HTJ2K", made, pixels(path)
            for encoder, command in ENCODERS.items():
                made = folder / f"{path.stem} {encoder}".replace(" ", "_")
                done = subprocess.run([*command, path, made], capture_output=True)
                if done.returncode == 0 and made.exists():
                    try:
                        yield f"{path.name} by {encoder}", made, pixels(made)
                    except Exception as error:
                        print(f"{path.name} by {encoder}: pydicom: {error!r:.100}")


def high_throughput(path, made):
    """HTJ2K without loss, by OpenJPH."""
    dataset = pydicom.dcmread(path)
    frame = imagecodecs.htj2k_encode(pixel_array(dataset, raw=True), reversible=True)
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    if dataset.SamplesPerPixel == 3:
        dataset.PhotometricInterpretation = "YBR_RCT"
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    dataset.save_as(made)


def judged(path, target, before, lossy):
    """DCMTK and GDCM read what was written."""
    done = subprocess.run(["/usr/bin/dcmdump", "-q", "+L", path], capture_output=True)
    if done.returncode or done.stderr.strip():
        return f"dcmdump: {done.stderr.decode()[:100]}"
    for command in DECODERS.get(target, []):
        if command[0] == "gdcmconv" and before.ndim > 2 and before.itemsize > 1:
            continue  # GDCM does not write colours of more than 8 bits.
        made = path.with_suffix(".native")
        done = subprocess.run([*command, path, made], capture_output=True)
        if done.returncode:
            return f"{command[0]}: {done.stderr.decode()[:200]}"
        fault = same(before, pixels(made), lossy)
        made.unlink()
        if fault:
            return f"{command[0]}: {fault}"
    return ""


def main(program):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        known = list(sources(folder / "made"))
        print(f"{len(known)} images")
        wrong = 0
        for target, uid in TARGETS.items():
            into = folder / target.replace(" ", "_")
            into.mkdir()
            results = transcoded(program, uid, into, [path for _, path, _ in known])
            good, refused = 0, {}
            for (source, path, before), (line, made) in zip(known, results):
                if line != "ok":
                    refused.setdefault(line, []).append(source)
                    continue
                assert pydicom.dcmread(made).file_meta.TransferSyntaxUID == uid
                lossy = pydicom.dcmread(path).file_meta.TransferSyntaxUID in LOSSY
                try:
                    fault = same(before, pixels(made), lossy) or judged(made, target, before, lossy)
                except Exception as error:
                    fault = f"pydicom: {error!r:.200}"
                if fault:
                    wrong += 1
                    print(f"{source} to {target}: {fault}")
                else:
                    good += 1
            print(f"{target}: {good} right")
            for line, names in refused.items():
                print(f"  refused: {line}: {', '.join(names)}")
        print(f"{wrong} wrong")
        return len(known), wrong


if __name__ == "__main__":
    main(sys.argv[1])
