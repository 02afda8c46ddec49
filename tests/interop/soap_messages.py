"""zeep works from our WSDLs alone; libxml2 validates what is said on the wire."""

import base64
import hashlib
import io
import os
import uuid
from pathlib import Path

from lxml import etree
from pymtom_xop import MtomAttachment, MtomTransport
from zeep import Client, Plugin, Transport

from node import PATIENT_AUTHORITY, REPOSITORY

EBRIM = "urn:oasis:names:tc:ebxml-regrep"
SUCCESS = f"{EBRIM}:ResponseStatusType:Success"
APPROVED = f"('{EBRIM}:StatusType:Approved')"
PATIENT = f"INTEROP-1^^^&{PATIENT_AUTHORITY}&ISO"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"


class Wire(Plugin):
    """Keeps the body of every message that is sent or received."""

    def __init__(self):
        self.bodies = []

    def egress(self, envelope, http_headers, operation, binding_options):
        self._keep(envelope)

    def ingress(self, envelope, http_headers, operation):
        self._keep(envelope)

    def _keep(self, envelope):
        body = envelope.find(f"{SOAP}Body")[0]
        self.bodies.append(etree.fromstring(etree.tostring(body)))


WIRE = Wire()


def client(node, url, transport=Transport) -> Client:
    return Client(f"{url}?wsdl", transport=transport(session=node.session()), plugins=[WIRE])


def oid() -> str:
    return f"2.25.{uuid.uuid4().int}"


def slot(name, *values):
    return {"name": name, "ValueList": {"Value": list(values)}}


def text(value):
    return {"LocalizedString": [{"value": value}]}


def classification(owner, scheme, code, coding, display):
    return {
        "id": f"{owner}-{scheme}",
        "classificationScheme": f"urn:uuid:{scheme}",
        "classifiedObject": owner,
        "nodeRepresentation": code,
        "Slot": [slot("codingScheme", coding)],
        "Name": text(display),
    }


def identifier(owner, scheme, name, value):
    return {
        "id": f"{owner}-{scheme}",
        "identificationScheme": f"urn:uuid:{scheme}",
        "registryObject": owner,
        "value": value,
        "Name": text(name),
    }


def submission(unique_id, content, repository=None):
    """A RegistryObjectList as zeep takes it."""
    loinc, snomed = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"
    study = ("18748-4", loinc, "Diagnostic imaging study")
    document = {
        "id": "Document01",
        "objectType": "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
        "mimeType": "text/plain",
        "Slot": [
            slot("creationTime", "20240229101500"),
            slot("languageCode", "en-US"),
            slot("sourcePatientId", "D-1^^^&2.999.9&ISO"),
            slot("hash", hashlib.sha1(content).hexdigest()),
            slot("size", str(len(content))),
            *([slot("repositoryUniqueId", repository)] if repository else []),
        ],
        "Name": text("A letter from zeep"),
        "Classification": [
            classification("Document01", "41a5887f-8865-4c09-adf7-e362475b143a", "REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
            classification("Document01", "f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25", "Normal"),
            classification("Document01", "a09d5840-386c-46f2-b5ad-9c3699a4309d", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "mimeType sufficient"),
            classification("Document01", "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "22232009", snomed, "Hospital"),
            classification("Document01", "cccf5598-8b07-4b77-a05e-ae952c785ead", "394914008", snomed, "Radiology"),
            classification("Document01", "f0306f51-975f-434e-a61c-c59651d33983", *study),
        ],
        "ExternalIdentifier": [
            identifier("Document01", "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId", PATIENT),
            identifier("Document01", UNIQUE_ID.removeprefix("urn:uuid:"), "XDSDocumentEntry.uniqueId", unique_id),
        ],
    }  # fmt: skip
    package = {
        "id": "Set01",
        "Slot": [slot("submissionTime", "20240229101600")],
        "Classification": [
            classification("Set01", "aa543740-bdda-424e-8c96-df4873be8500", *study),
            {
                "id": "Set01-is-one",
                "classifiedObject": "Set01",
                "classificationNode": "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
            },
        ],
        "ExternalIdentifier": [
            identifier("Set01", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId", PATIENT),
            identifier("Set01", "554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId", "2.999.7"),
            identifier("Set01", "96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId", oid()),
        ],
    }  # fmt: skip
    member = {
        "id": "Member01",
        "associationType": f"{EBRIM}:AssociationType:HasMember",
        "sourceObject": "Set01",
        "targetObject": "Document01",
        "Slot": [slot("SubmissionSetStatus", "Original")],
    }
    objects = [{"ExtrinsicObject": document}, {"RegistryPackage": package}, {"Association": member}]
    return {"_value_1": objects}


def find(service, slots, return_type="LeafClass", query="14d4debf-8f97-4251-9a74-a90016b0af0d"):
    return service["DocumentRegistry_RegistryStoredQuery"](
        ResponseOption={"returnType": return_type, "returnComposedObjects": True},
        AdhocQuery={"id": f"urn:uuid:{query}", "Slot": slots},
    )


def registers_and_asks(node):
    """zeep registers (ITI-42) and finds it (ITI-18)"""
    service = client(node, node.registry).service
    unique_id = oid()
    answer = service["DocumentRegistry_RegisterDocumentSet-b"](
        RegistryObjectList=submission(unique_id, b"registered only", REPOSITORY)
    )
    assert answer.status == SUCCESS, answer
    slots = [
        slot("$XDSDocumentEntryPatientId", f"'{PATIENT}'"),
        slot("$XDSDocumentEntryStatus", APPROVED),
    ]
    leaves = find(service, slots)
    assert leaves.status == SUCCESS, leaves
    entries = [entry["ExtrinsicObject"] for entry in leaves.RegistryObjectList._value_1]
    ids = [identifier.value for identifier in entries[0].ExternalIdentifier]
    assert len(entries) == 1 and unique_id in ids, entries
    assert entries[0].Name.LocalizedString[0].value == "A letter from zeep"
    references = find(service, slots, "ObjectRef")
    found = [entry["ObjectRef"].id for entry in references.RegistryObjectList._value_1]
    assert found == [entries[0].id], found
    # A failure is readable too.
    refused = find(service, slots[:1])
    errors = [error.errorCode for error in refused.RegistryErrorList.RegistryError]
    assert errors == ["XDSStoredQueryMissingParam"], errors


def provides_inline(node):
    """zeep provides a document in base64 (ITI-41) and retrieves it (ITI-43)"""
    content = "Grüße aus Python\r\n--boundary\r\n".encode()
    unique_id = oid()
    service = client(node, node.repository).service
    answer = service["DocumentRepository_ProvideAndRegisterDocumentSet-b"](
        SubmitObjectsRequest={"RegistryObjectList": submission(unique_id, content)},
        Document=[{"id": "Document01", "_value_1": content}],
    )
    assert answer.status == SUCCESS, answer
    retrieved(service, unique_id, content)


def provides_mtom(node):
    """zeep with pymtom_xop provides a document as MTOM (ITI-41)"""
    content = bytes(range(256)) * 500
    unique_id = oid()
    attachment = MtomAttachment(file=io.BytesIO(content), file_name="attachment.bin")
    with_mtom = client(node, node.repository, MtomTransport)
    with_mtom.transport.add_files(files=[attachment])
    answer = with_mtom.service["DocumentRepository_ProvideAndRegisterDocumentSet-b"](
        SubmitObjectsRequest={"RegistryObjectList": submission(unique_id, content)},
        Document=[{"id": "Document01", "_value_1": attachment.get_cid()}],
    )
    assert answer.status == SUCCESS, answer
    retrieved(client(node, node.repository).service, unique_id, content)


def removes(node):
    """zeep removes a document (ITI-86)"""
    content = b"soon gone"
    unique_id = oid()
    of_repository = client(node, node.repository)
    answer = of_repository.service["DocumentRepository_ProvideAndRegisterDocumentSet-b"](
        SubmitObjectsRequest={"RegistryObjectList": submission(unique_id, content)},
        Document=[{"id": "Document01", "_value_1": content}],
    )
    assert answer.status == SUCCESS, answer
    retrieved(of_repository.service, unique_id, content)
    remover = of_repository.bind(
        "DocumentRepository_Service", "DocumentRepository_Remove_Port_Soap12"
    )
    document = {"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": unique_id}
    answer = remover["DocumentRepository_RemoveDocuments"](DocumentRequest=[document])
    assert answer.status == SUCCESS, answer
    answer = remover["DocumentRepository_RemoveDocuments"](DocumentRequest=[document])
    errors = [error.errorCode for error in answer.RegistryErrorList.RegistryError]
    assert errors == ["XDSDocumentUniqueIdError"], errors


def retrieved(service, unique_id, content):
    answer = service["DocumentRepository_RetrieveDocumentSet"](
        DocumentRequest=[{"RepositoryUniqueId": REPOSITORY, "DocumentUniqueId": unique_id}]
    )
    assert answer.RegistryResponse.status == SUCCESS, answer
    document = answer.DocumentResponse[0]
    assert document.mimeType == "text/plain", document.mimeType
    assert document.Document == content, document.Document[:100]


def messages_are_valid(node):
    """libxml2 finds every message valid by the schemas of the node"""
    session = node.session()

    class Served(etree.Resolver):
        def resolve(self, url, public_id, context):
            return self.resolve_string(session.get(url).content, context, base_url=url)

    parser = etree.XMLParser()
    parser.resolvers.add(Served())
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{node.imaging}?xsd={file}"/>'
        for namespace, file in [
            (f"{EBRIM}:xsd:rs:3.0", "rs.xsd"),
            (f"{EBRIM}:xsd:lcm:3.0", "lcm.xsd"),
            (f"{EBRIM}:xsd:query:3.0", "query.xsd"),
            ("urn:ihe:iti:xds-b:2007", "xds-b.xsd"),
            ("urn:ihe:rad:xdsi-b:2009", "xdsi-b.xsd"),
            ("urn:ihe:iti:rmd:2017", "rmd.xsd"),
        ]
    )
    root = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    valid(etree.XMLSchema(etree.fromstring(root, parser)))


def messages_are_valid_as_published(node):
    """libxml2 finds every message valid by the published schemas"""
    published = os.environ.get("HILUM_PUBLISHED_SCHEMAS")
    if not published:
        return "skipped  validation by the published schemas: HILUM_PUBLISHED_SCHEMAS is not set"
    published = Path(published).absolute()
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(published / file).as_uri()}"/>'
        for namespace, file in [
            (f"{EBRIM}:xsd:rs:3.0", "rs.xsd"),
            (f"{EBRIM}:xsd:lcm:3.0", "lcm.xsd"),
            (f"{EBRIM}:xsd:query:3.0", "query.xsd"),
            ("urn:ihe:iti:xds-b:2007", "XDS.b_DocumentRepository.xsd"),
            ("urn:ihe:rad:xdsi-b:2009", "XDSI.b_ImagingDocumentSource.xsd"),
            ("urn:ihe:iti:rmd:2017", "rmd.xsd"),
        ]
    )
    root = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    valid(etree.XMLSchema(etree.fromstring(root)))


def valid(schema):
    seen = set()
    for body in WIRE.bodies:
        seen.add(etree.QName(body).localname)
        for include in body.iter("{http://www.w3.org/2004/08/xop/include}Include"):
            # What stands there when the message is put together again.
            parent = include.getparent()
            parent.remove(include)
            parent.text = base64.b64encode(b"attached").decode()
        schema.assertValid(body)
    wanted = {
        "SubmitObjectsRequest", "RegistryResponse", "AdhocQueryRequest", "AdhocQueryResponse",
        "ProvideAndRegisterDocumentSetRequest", "RetrieveDocumentSetRequest",
        "RetrieveDocumentSetResponse", "RetrieveImagingDocumentSetRequest",
        "RemoveDocumentsRequest",
    }  # fmt: skip
    assert seen == wanted, f"not seen on the wire: {wanted - seen}"


JUDGES = [registers_and_asks, provides_inline, provides_mtom, removes]
# Of everything that was said before.
VALIDATIONS = [messages_are_valid, messages_are_valid_as_published]
