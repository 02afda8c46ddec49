"""pydicom agrees with the DICOM JSON of its own test files.

    cargo build -p hilum-dicom --example dicom
    python dicom_json.py ../../target/debug/examples/dicom
"""

import base64
import json
import math
import subprocess
import sys
import warnings
from pathlib import Path

import pydicom

warnings.simplefilter("ignore")
BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
MAX_INLINE = 1024


def ours(program, files):
    lines = subprocess.run([program, "json", *files], check=True, capture_output=True).stdout
    return [json.loads(line) for line in lines.decode("utf-8").splitlines()]


def decimal(value):
    return value if value is None else float(value)


def same(vr, mine, theirs):
    if vr in ("DS", "IS"):
        return len(mine) == len(theirs) and all(
            decimal(a) == decimal(b) for a, b in zip(mine, theirs)
        )
    if vr == "FL":
        return all(a is None or math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-44) for a, b in zip(mine, theirs))
    if vr in ("UV", "SV"):
        return [int(a) for a in mine] == [int(b) for b in theirs]
    if vr == "AT":
        return mine == [str(value).upper() for value in theirs]
    if vr == "PN":
        empty = lambda name: {k: v for k, v in (name or {}).items() if v}
        return [empty(name) for name in mine] == [empty(name) for name in theirs]
    clean = lambda it: (it or "").strip(" \0") if it is None or isinstance(it, str) else it
    return [clean(a) for a in mine] == [clean(b) for b in theirs]


def compare(where, mine, theirs, differences):
    keys = set(theirs) - {key for key in theirs if key.endswith("0000") or key.startswith("FFFC")}
    if set(mine) != keys:
        differences.append(f"{where}: only one has {sorted(set(mine) ^ keys)[:5]}")
    if list(mine) != sorted(mine):
        differences.append(f"{where}: not in order")
    for key in keys & set(mine):
        a, b = mine[key], theirs[key]
        here = f"{where}{key}"
        if a["vr"] == "UN" and int(key[:4], 16) % 2:
            pass  # pydicom knows the private elements of some manufacturers.
        elif a["vr"] != b["vr"]:
            differences.append(f"{here}: {a['vr']} {b['vr']}")
        elif a["vr"] == "SQ":
            left, right = a.get("Value", []), b.get("Value", [])
            if len(left) != len(right):
                differences.append(f"{here}: {len(left)} items, {len(right)} items")
            for index, (x, y) in enumerate(zip(left, right)):
                compare(f"{here}/{index}/", x, y, differences)
        elif "BulkDataURI" in a:
            if a["BulkDataURI"] != f"bulk/{here}":
                differences.append(f"{here}: {a['BulkDataURI']}")
            if a["vr"] in BINARY and len(base64.b64decode(b.get("InlineBinary", ""))) <= MAX_INLINE:
                if key != "7FE00010":
                    differences.append(f"{here}: a short value is not written")
        elif a["vr"] in BINARY:
            if base64.b64decode(a.get("InlineBinary", "")) != base64.b64decode(b.get("InlineBinary", "")):
                differences.append(f"{here}: other bytes")
        elif not same(a["vr"], a.get("Value", []), b.get("Value", [])):
            if json.dumps(a.get("Value")) != json.dumps(b.get("Value")):
                differences.append(f"{here} {a['vr']}: {a.get('Value')!r} {b.get('Value')!r}"[:300])


def said(dataset):
    try:
        return dataset.to_json_dict()
    except Exception:
        # Without the elements that pydicom refuses to write.
        return dataset.to_json_dict(suppress_invalid_tags=True)


def readable(attributes):
    try:
        pydicom.Dataset.from_json(attributes, bulk_data_uri_handler=lambda uri: None)
        return True
    except Exception:
        return False


def main(program):
    # Only what came with the package: it would fetch the rest from elsewhere.
    folder = Path(pydicom.__file__).parent / "data"
    files = sorted(str(it) for it in folder.rglob("*") if it.is_file() and it.suffix != ".py")
    compared, wrong, unread = 0, set(), []
    for file, mine in zip(files, ours(program, files)):
        try:
            dataset = pydicom.dcmread(file)
            theirs = said(dataset)
        except Exception as error:
            if not isinstance(mine, str):
                unread.append(f"{Path(file).name}: only pydicom refuses it: {error!r:.80}")
            continue
        if isinstance(mine, str):
            unread.append(f"{Path(file).name}: {mine}")
            continue
        differences = []
        compare("", mine, theirs, differences)
        # And the other way: pydicom reads what we wrote, if it reads what it wrote itself.
        if readable(theirs) and not readable(mine):
            differences.append("pydicom does not read it")
        compared += 1
        if differences:
            wrong.add(Path(file).name)
        for difference in differences:
            print(f"{Path(file).name}: {difference}")
    print("\n".join(unread))
    print(f"{compared} compared, {len(wrong)} different, {len(unread)} not compared")
    return compared, wrong


if __name__ == "__main__":
    main(sys.argv[1])
