"""fhir.resources reads the events of the Audit Record Repository, in JSON and in XML.

By itself: `audit_events.py HILUM STUDIES` starts nodes for it, as `./run` does for all judges.
"""

import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

from fhir.resources.R4B.auditevent import AuditEvent
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.consent import Consent
from fhir.resources.R4B.operationoutcome import OperationOutcome

from node import Node

# What fits into a datagram.
LONGEST = 60_000
HEADER = "<85>1 2026-11-27T09:00:00Z interop hilum 1 IHE+RFC-3881 - "


class Repository(Node):
    """A node with an Audit Record Repository."""

    def __enter__(self):
        # What it records itself is not wanted here.
        os.environ["HILUM_AUDIT__SEND"] = ""
        try:
            return super().__enter__()
        finally:
            del os.environ["HILUM_AUDIT__SEND"]

    def fhir(self, path, **headers):
        answer = self.session().get(f"https://localhost:{self._base + 4}/fhir/{path}", headers=headers)
        return answer

    def send(self, messages):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for message in messages:
                udp.sendto((HEADER + message).encode(), ("127.0.0.1", self._base + 9))
                # Nobody waits for datagrams to be taken.
                time.sleep(0.002)


def events_are_read(node):
    """fhir.resources reads every event that was made of this node's audit records"""
    messages = node.run("audit", "list", "--xml").splitlines()
    messages = [message for message in messages if len(message) < LONGEST]
    assert messages
    with Repository(node.hilum, node.studies, node.files / "audit") as repository:
        repository.send(messages + ["<AuditMessage", "<AuditMessage/>"])
        expected = len(messages) + 2
        began = time.monotonic()
        while True:
            found = repository.fhir("AuditEvent?date=ge2000&_summary=count").json()["total"]
            if found >= expected:
                break
            assert time.monotonic() - began < 30, f"{found} of {expected}"
            time.sleep(0.2)
        seen = 0
        path = "AuditEvent?date=ge2000&_count=50"
        while path:
            page = repository.fhir(path).json()
            Bundle.model_validate(page)
            for entry in page["entry"]:
                event = AuditEvent.model_validate(entry["resource"])
                xml = repository.fhir(f"AuditEvent/{event.id}", accept="application/fhir+xml").content
                assert AuditEvent.model_validate_xml(xml) == event, xml
                seen += 1
            following = [link["url"] for link in page["link"] if link["relation"] == "next"]
            path = following[0].split("/fhir/")[1] if following else None
        assert seen >= expected, f"{seen} of {expected}"
        CapabilityStatement.model_validate(repository.fhir("metadata").json())
        OperationOutcome.model_validate(repository.fhir("AuditEvent").json())


def fed_events_are_taken(node):
    """Events that fhir.resources writes are taken, in JSON and in XML, and given back"""
    event = AuditEvent.model_validate(
        {
            "resourceType": "AuditEvent",
            "type": {
                "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
                "code": "rest",
            },
            "recorded": "2026-11-27T09:00:00+01:00",
            "agent": [{"who": {"reference": "Practitioner/1"}, "requestor": True}],
            "source": {"observer": {"display": "an app"}},
            "entity": [
                {
                    "what": {"reference": "Patient/1"},
                    "detail": [{"type": "a", "valueString": "b"}],
                }
            ],
        }
    )
    with Repository(node.hilum, node.studies, node.files / "fed") as repository:
        base = f"https://localhost:{repository._base + 4}/fhir/AuditEvent"
        for kind, text in [("json", event.model_dump_json()), ("xml", event.model_dump_xml())]:
            headers = {"content-type": f"application/fhir+{kind}"}
            answer = repository.session().post(base, data=text, headers=headers)
            assert answer.status_code == 201, (text, answer.text)
            place = answer.headers["location"].split("/fhir/")[1]
            again = AuditEvent.model_validate(repository.fhir(place).json())
            again.id = again.meta = None
            assert again == event, again


def consents_are_read(node):
    """fhir.resources reads what the registry says of itself, and consents in pages"""
    base = f"https://localhost:{node._base + 1}/fhir"
    headers = {"accept": "application/fhir+json"}

    def fhir(url):
        return node.session().get(url, headers=headers).json()

    described = CapabilityStatement.model_validate(fhir(f"{base}/metadata"))
    assert described.rest[0].resource[0].type == "Consent", described
    for _ in range(3):
        node.run("consent", "record", "--patient", "P-fhir", "--deny")
    listed = json.loads(node.run("consent", "list", "--patient", "P-fhir", "--json"))
    of_patient = listed["consents"][0]["patient"]["identifier"]
    url = f"{base}/Consent?_count=2&patient={of_patient['system']}%7C{of_patient['value']}"
    seen = 0
    while url:
        page = Bundle.model_validate(fhir(url))
        assert page.total == 3, page
        for entry in page.entry:
            Consent.model_validate(entry.resource.model_dump())
            seen += 1
        url = next((link.url for link in page.link if link.relation == "next"), None)
    assert seen == 3, seen


JUDGES = [events_are_read, fed_events_are_taken, consents_are_read]


def main():
    hilum, studies = (Path(program).absolute() for program in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder, Node(hilum, studies, Path(folder)) as node:
        for judge in JUDGES:
            judge(node)
            print(f"ok  {judge.__doc__}")


if __name__ == "__main__":
    main()
