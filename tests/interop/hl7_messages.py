"""Foreign senders announce patients, foreign receivers hear ours, and both are judged by hl7apy."""

import http.server
import os
import socket
import ssl
import subprocess
import threading
import uuid
from pathlib import Path

from hl7.client import MLLPClient
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from lxml import etree

import soap_messages
from node import PATIENT_AUTHORITY, Node

HL7V3 = "urn:hl7-org:v3"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
SEEN = []


def adt(event, patient, more="PV1||O", structure="ADT_A01"):
    lines = [
        f"MSH|^~\\&|ADT|CLINIC|REGISTRY|XDS|20260101120000||ADT^{event}^{structure}|{patient}-{event}|P|2.3.1",
        f"EVN|{event}|20260101120000",
        f"PID|1||L-1^^^CLINIC~{patient}^^^&{PATIENT_AUTHORITY}&ISO||Doe^Jane||19700101|F",
        more,
    ]
    return "\r".join(lines) + "\r"


def merge(subsumed, survivor):
    prior = f"MRG|{subsumed}^^^&{PATIENT_AUTHORITY}&ISO"
    return adt("A40", survivor, prior, "ADT_A39").replace("L-1^^^CLINIC~", "")


class TlsClient(MLLPClient):
    """The client of the hl7 package, over TLS with a certificate."""

    def __init__(self, node, host, port):
        super().__init__(host, port)
        certs = node.folder / "certs"
        context = ssl.create_default_context(cafile=certs / "ca.pem")
        context.load_cert_chain(certs / "client.pem", certs / "client.key")
        self.socket = context.wrap_socket(self.socket, server_hostname=host)


def acknowledged(answer: bytes):
    """MSA-1 and ERR of an answer that hl7apy finds valid."""
    text = answer.decode().strip("\x0b\x1c\r") + "\r"
    message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    message.validate()
    segments = [segment.name for segment in message.children]
    assert segments[:2] == ["MSH", "MSA"], segments
    return message.msa.msa_1.value, text


def announce(client):
    one, other = uuid.uuid4().hex[:12], uuid.uuid4().hex[:12]
    with client:
        for event, patient in [("A04", one), ("A01", other)]:
            code, text = acknowledged(client.send_message(adt(event, patient)))
            assert code == "AA", text
        code, text = acknowledged(client.send_message(merge(one, other)))
        assert code == "AA", text
        code, text = acknowledged(client.send_message(merge(one, other)))
        assert code == "AE" and "subsumed by an earlier message" in text, text
        code, text = acknowledged(client.send_message(adt("A28", one)))
        assert code == "AR" and "MSH-9.2" in text, text


def announces_with_tls(node):
    """the hl7 package announces and merges patients over TLS (ITI-8), hl7apy validates the answers"""
    announce(TlsClient(node, "localhost", node.feed_port))


def announces_plainly(node):
    """mllp_send and the hl7 package do so over plain MLLP"""
    with Node(node.hilum, node.studies, node.files / "plain", plain=True) as plain:
        announce(MLLPClient("localhost", plain.feed_port))
        file = plain.files / "a04.hl7"
        file.write_bytes(adt("A04", "FROM-A-FILE").replace("\r", "\n").encode())
        command = ["mllp_send", "--loose", "--file", file, "--port", str(plain.feed_port), "localhost"]
        bin_folder = Path(os.sys.executable).parent
        sent = subprocess.run([bin_folder / command[0], *command[1:]], capture_output=True, check=True)
        assert b"MSA|AA|FROM-A-FILE-A04" in sent.stdout, sent


def hears_ours(node):
    """hl7apy finds the messages of hilum feed valid (ITI-8)"""
    heard = []

    def hear(server, messages):
        connection, _ = server.accept()
        with connection, connection.makefile("rb") as stream:
            for _ in range(messages):
                frame = b""
                while not frame.endswith(b"\x1c\r"):
                    frame += stream.read(1)
                heard.append(frame.strip(b"\x0b\x1c\r").decode() + "\r")
                control_id = heard[-1].split("|")[9]
                answer = f"MSH|^~\\&|R|X|H|H|20260101||ACK|1|P|2.3.1\rMSA|AA|{control_id}\r"
                connection.sendall(b"\x0b" + answer.encode() + b"\x1c\r")

    with socket.create_server(("127.0.0.1", 0)) as server:
        environment = {"HILUM_FEED__URL": f"mllp://127.0.0.1:{server.getsockname()[1]}"}
        for arguments, messages in [(["add", "P-1", "P-2"], 2), (["merge", "P-2", "P-1"], 1)]:
            thread = threading.Thread(target=hear, args=(server, messages), daemon=True)
            thread.start()
            node.run_with(environment, "feed", *arguments)
            thread.join(10)
    assert len(heard) == 3, heard
    for text in heard:
        message = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
        message.validate()


class Receiver(http.server.BaseHTTPRequestHandler):
    """A receiver of HL7 v3 that keeps what it hears and accepts it."""

    def do_POST(self):
        envelope = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        body = envelope.find(f"{SOAP}Body")[0]
        SEEN.append(etree.fromstring(etree.tostring(body)))
        answer = f"""<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action>{HL7V3}:MCCI_IN000002UV01</a:Action></s:Header><s:Body><MCCI_IN000002UV01 xmlns="{HL7V3}" ITSVersion="XML_1.0"><id root="1.2.3"/><acknowledgement><typeCode code="CA"/><targetMessage><id root="1.2"/></targetMessage></acknowledgement></MCCI_IN000002UV01></s:Body></s:Envelope>""".encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/soap+xml; charset=UTF-8")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def hears_ours_in_v3(node):
    """a receiver of HL7 v3 takes the messages of hilum feed --hl7v3 (ITI-44)"""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {"HILUM_REGISTRY__URL": f"http://127.0.0.1:{server.server_port}/registry"}
        node.run_with(environment, "feed", "add", "P-1", "--hl7v3")
        node.run_with(environment, "feed", "merge", "P-2", "P-1", "--hl7v3")
        server.shutdown()
    assert len(SEEN) == 2


def announces_in_v3(node):
    """zeep announces patients in HL7 v3 from our WSDL (ITI-44)"""
    wire = soap_messages.WIRE
    before = len(wire.bodies)
    service = soap_messages.client(node, node.registry).service
    element = lambda name, *children, **attributes: _element(name, children, attributes)
    device = lambda root: element(
        "device", element("id", root=root), classCode="DEV", determinerCode="INSTANCE"
    )
    patient = element(
        "patient",
        element("id", root=PATIENT_AUTHORITY, extension="ZEEP-1"),
        element("statusCode", code="active"),
        element("patientPerson", element("name", element("family", text="Doe"))),
        element(
            "providerOrganization",
            element("id", root=PATIENT_AUTHORITY),
            element("contactParty", element("telecom", value="tel:+1"), classCode="CON"),
            classCode="ORG", determinerCode="INSTANCE",
        ),
        classCode="PAT",
    )  # fmt: skip
    event = element(
        "registrationEvent",
        element("statusCode", code="active"),
        element("subject1", patient, typeCode="SBJ"),
        element(
            "custodian",
            element("assignedEntity", element("id", root="2.999.7"), classCode="ASSIGNED"),
            typeCode="CST",
        ),
        classCode="REG", moodCode="EVN",
    )  # fmt: skip
    act = element(
        "controlActProcess",
        element("code", code="PRPA_TE201301UV02", codeSystem="2.16.840.1.113883.1.18"),
        element("subject", event, typeCode="SUBJ"),
        classCode="CACT", moodCode="EVN",
    )  # fmt: skip
    content = [
        element("id", root=soap_messages.oid()),
        element("creationTime", value="20260101120000"),
        element("interactionId", root="2.16.840.1.113883.1.6", extension="PRPA_IN201301UV02"),
        element("processingCode", code="P"),
        element("processingModeCode", code="T"),
        element("acceptAckCode", code="AL"),
        element("receiver", device("2.999.8"), typeCode="RCV"),
        element("sender", device("2.999.7"), typeCode="SND"),
        act,
    ]
    answer = service["DocumentRegistry_PRPA_IN201301UV02"](_value_1=content, ITSVersion="XML_1.0")
    code = [part for part in answer._value_1 if part.tag.endswith("acknowledgement")][0][0]
    assert code.get("code") == "CA", etree.tostring(code)
    # They are judged here, by other schemas.
    SEEN.extend(wire.bodies[before:])
    del wire.bodies[before:]


def _element(name, children, attributes):
    text = attributes.pop("text", None)
    made = etree.Element(f"{{{HL7V3}}}{name}", attributes, nsmap={None: HL7V3})
    made.text = text
    made.extend(children)
    return made


def messages_are_valid_as_published(node):
    """libxml2 finds every message of HL7 v3 valid by the published schemas"""
    published = os.environ.get("HILUM_PUBLISHED_HL7V3_SCHEMAS")
    if not published:
        return "skipped  validation of HL7 v3: HILUM_PUBLISHED_HL7V3_SCHEMAS is not set"
    names = set()
    for body in SEEN:
        name = etree.QName(body).localname
        names.add(name)
        etree.XMLSchema(file=str(Path(published) / f"{name}.xsd")).assertValid(body)
    assert names == {"PRPA_IN201301UV02", "PRPA_IN201304UV02", "MCCI_IN000002UV01"}, names


JUDGES = [announces_with_tls, announces_plainly, hears_ours, hears_ours_in_v3, announces_in_v3]
# Of everything that was said before.
VALIDATIONS = [messages_are_valid_as_published]
