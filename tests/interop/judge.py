"""Runs all judges against one node; see README.md."""

import sys
import tempfile
import traceback
from pathlib import Path

import audit_events
import dicom_files
import dicomweb
import dimse
import hl7_messages
import imaging_words
import media
import nifti
import soap_messages
from node import Node

# Validations are of everything that was said before.
JUDGES = [
    *soap_messages.JUDGES,
    *hl7_messages.JUDGES,
    *media.JUDGES,
    *dicom_files.JUDGES,
    *imaging_words.JUDGES,
    *dicomweb.JUDGES,
    *dimse.JUDGES,
    *nifti.JUDGES,
    *audit_events.JUDGES,
    *soap_messages.VALIDATIONS,
    *hl7_messages.VALIDATIONS,
]


def main() -> int:
    hilum, studies = (Path(program).absolute() for program in sys.argv[1:3])
    failed = []
    with tempfile.TemporaryDirectory() as folder, Node(hilum, studies, Path(folder)) as node:
        for judge in JUDGES:
            name = judge.__doc__.splitlines()[0]
            try:
                said = judge(node)
            except Exception:
                failed.append(name)
                print(f"WRONG    {name}")
                traceback.print_exc()
            else:
                print(f"ok       {name}" if said is None else said)
            sys.stdout.flush()
        if failed:
            print("the node's log:", (Path(folder) / "log").read_text(), sep="\n")
    print(f"{len(failed)} of the foreign judges have objections" if failed else "no objections")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
