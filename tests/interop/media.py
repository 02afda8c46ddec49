"""zipfile, lxml and html.parser read the media that the program writes, and it reads theirs."""

import hashlib
import io
import json
import re
import subprocess
import zipfile
from html.parser import HTMLParser
from xml.sax.saxutils import quoteattr

from lxml import etree

from soap_messages import EBRIM, WIRE, client, oid, retrieved

RIM = f"{{{EBRIM}:xsd:rim:3.0}}"
# ISO 9660 level 1.
NAME = re.compile(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?")
LOINC, SNOMED = "2.16.840.1.113883.6.1", "2.16.840.1.113883.6.96"


def writes_media(node):
    """zipfile and lxml find what hilum export writes to be as ITI-32 says"""
    letter, page = node.files / "letter.txt", node.files / "page.html"
    letter.write_text("Grüße & <b>")
    page.write_text("<p>x</p>")
    for file, title in [(letter, "Grüße & </a><script>x</script>"), (page, "A page")]:
        node.run("submit", file, "--patient", "INTEROP-6", "--title", title)
    out = node.files / "medium.zip"
    node.run("export", "--patient", "INTEROP-6", "--out", out)
    with zipfile.ZipFile(out) as medium:
        assert medium.testzip() is None
        names = medium.namelist()
        for name in names:
            assert all(NAME.fullmatch(part) for part in name.split("/")), name
        assert {"INDEX.HTM", "README.TXT"} <= set(names), names
        assert not [name for name in names if name.startswith("AUTORUN")], names
        sets = [name for name in names if re.fullmatch(r"IHE_XDM/[^/]+/METADATA\.XML", name)]
        assert sets, names
        documents, times = set(), set()
        for name in sets:
            metadata = etree.fromstring(medium.read(name))
            # Validated with everything that is said on the wire.
            WIRE.bodies.append(metadata)
            times.add(metadata.findtext(f".//{RIM}Slot[@name='submissionTime']//{RIM}Value"))
            for entry in metadata.iter(f"{RIM}ExtrinsicObject"):
                values = {it.get("name"): it.findtext(f".//{RIM}Value") for it in entry.iter(f"{RIM}Slot")}
                place = f"{name.rpartition('/')[0]}/{values['URI']}"
                content = medium.read(place)
                assert hashlib.sha1(content).hexdigest() == values["hash"].lower()
                assert len(content) == int(values["size"])
                documents.add(place)
        assert len(times) == len(sets), "each submission set has a submissionTime of its own"
        index(medium.read("INDEX.HTM"), documents, names)
        readme = medium.read("README.TXT").decode()
        assert "\r\n" in readme and "Hilum" in readme, readme


def index(page, documents, names):
    # Well-formed, with the document type of XHTML Basic, and no stylesheet or script in it.
    tree = etree.parse(io.BytesIO(page), etree.XMLParser(load_dtd=False, no_network=True))
    assert tree.docinfo.public_id == "-//W3C//DTD XHTML Basic 1.0//EN", tree.docinfo.doctype
    assert etree.QName(tree.getroot()).namespace == "http://www.w3.org/1999/xhtml"

    class Page(HTMLParser):
        links, tags = set(), set()

        def handle_starttag(self, tag, attributes):
            self.tags.add(tag)
            self.links.update(value for name, value in attributes if name == "href")

    Page().feed(page.decode())
    assert Page.links == documents | {"README.TXT"}, Page.links ^ documents
    assert Page.links <= set(names)
    assert not Page.tags & {"script", "style", "iframe", "img", "object"}, Page.tags


def slot(name, *values):
    values = "".join(f"<rim:Value>{value}</rim:Value>" for value in values)
    return f"<rim:Slot name={quoteattr(name)}><rim:ValueList>{values}</rim:ValueList></rim:Slot>"


def name(text):
    return f"<rim:Name><rim:LocalizedString value={quoteattr(text)}/></rim:Name>"


def code(owner, scheme, value, coding, display):
    return (
        f'<rim:Classification id="{owner}{scheme}" classificationScheme="urn:uuid:{scheme}" '
        f'classifiedObject="{owner}" nodeRepresentation="{value}">'
        f'{slot("codingScheme", coding)}{name(display)}</rim:Classification>'
    )


def identifier(owner, scheme, kind, value):
    return (
        f'<rim:ExternalIdentifier id="{owner}{scheme}" identificationScheme="urn:uuid:{scheme}" '
        f'registryObject="{owner}" value={quoteattr(value)}>{name(kind)}</rim:ExternalIdentifier>'
    )


def metadata(documents, patient="THERE-7^^^&2.999.77&ISO", codes=True):
    """METADATA.XML for (uniqueId, URI, content), as other systems write it."""
    objects, members = [], []
    for at, (unique_id, uri, content) in enumerate(documents):
        me = f"doc{at}"
        study = (LOINC, "Diagnostic imaging study")
        coded = [
            code(me, "41a5887f-8865-4c09-adf7-e362475b143a", "REPORTS", "1.3.6.1.4.1.19376.1.2.6.1", "Reports"),
            code(me, "f4f85eac-e6cb-4883-b524-f2705394840f", "N", "2.16.840.1.113883.5.25", "Normal"),
            code(me, "a09d5840-386c-46f2-b5ad-9c3699a4309d", "urn:ihe:iti:xds:2017:mimeTypeSufficient", "1.3.6.1.4.1.19376.1.2.3", "any"),
            code(me, "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1", "22232009", SNOMED, "Hospital"),
            code(me, "cccf5598-8b07-4b77-a05e-ae952c785ead", "394914008", SNOMED, "Radiology"),
            code(me, "f0306f51-975f-434e-a61c-c59651d33983", "18748-4", *study),
        ]  # fmt: skip
        objects.append(
            f'<rim:ExtrinsicObject id="{me}" mimeType="text/plain" '
            f'objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">\r\n'
            + slot("creationTime", "20240229") * codes
            + slot("languageCode", "de") * codes
            + slot("URI", uri)
            + slot("hash", hashlib.sha1(content).hexdigest().upper())
            + slot("size", len(content))
            + name(f"Befund {at}")
            + "\r\n".join(coded if codes else [])
            + (identifier(me, "58a6f841-87b3-4a3e-92fd-a8ffeff98427", "XDSDocumentEntry.patientId", patient) if patient else "")
            + identifier(me, "2e82c1f6-a085-4c72-9da3-8640a32e42ab", "XDSDocumentEntry.uniqueId", unique_id)
            + "</rim:ExtrinsicObject>\r\n"
        )  # fmt: skip
        members.append(
            f'<rim:Association id="m{at}" associationType="{EBRIM}:AssociationType:HasMember" '
            f'sourceObject="set" targetObject="{me}">{slot("SubmissionSetStatus", "Original")}</rim:Association>'
        )
    package = (
        '<rim:RegistryPackage id="set">'
        + slot("submissionTime", "20240229101600")
        + name("Ein Brief")
        + (code("set", "aa543740-bdda-424e-8c96-df4873be8500", "18748-4", LOINC, "x") if codes else "")
        + (identifier("set", "6b5aea1a-874d-4603-a4bc-96a0a7b38446", "XDSSubmissionSet.patientId", patient) if patient else "")
        + identifier("set", "554ac39e-e3fe-47fe-b233-965d2a147832", "XDSSubmissionSet.sourceId", "2.999.7")
        + identifier("set", "96fdda7c-d067-4183-912e-bf5ee74998a8", "XDSSubmissionSet.uniqueId", oid())
        + "</rim:RegistryPackage>\r\n"
    )  # fmt: skip
    # The classification may stand beside what it classifies.
    beside = (
        '<rim:Classification id="is" classifiedObject="set" '
        'classificationNode="urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd"/>'
    )
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\r\n<!-- made by hand -->\r\n'
        f'<SubmitObjectsRequest xmlns="{EBRIM}:xsd:lcm:3.0">\r\n'
        f'<rim:RegistryObjectList xmlns:rim="{EBRIM}:xsd:rim:3.0">\r\n'
        f'{package}{"".join(objects)}{"".join(members)}{beside}\r\n'
        "</rim:RegistryObjectList>\r\n</SubmitObjectsRequest>\r\n"
    )
    return b"\xef\xbb\xbf" + text.encode()


def imported(node, path, *more):
    command = [node.hilum, "media", "import", path, "--json", *more]
    done = subprocess.run(command, cwd=node.folder, capture_output=True, text=True)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["submissionSets"], done.stderr


def takes_over_media(node):
    """media of other systems are taken over: small letters, other directories, ../, CRLF, BOM"""
    here, beside, above = oid(), oid(), oid()
    contents = {here: b"here\r\n", beside: "daneben ü".encode(), above: bytes(range(256))}
    first = metadata([
        (here, "letter 1.txt", contents[here]),
        (beside, "..\\files\\Letter2.TXT", contents[beside]),
        (above, "../../images/letter%203.bin", contents[above]),
    ])  # fmt: skip
    out = node.files / "theirs.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as medium:
        medium.writestr("Export of today/readme.txt", "whatever")
        medium.writestr("Export of today/ihe_xdm/Submission Set one/metadata.xml", first)
        medium.writestr("Export of today/ihe_xdm/Submission Set one/Letter 1.txt", contents[here])
        medium.writestr("Export of today/ihe_xdm/files/letter2.txt", contents[beside])
        medium.writestr("Export of today/images/letter 3.bin", contents[above])
    code, sets, said = imported(node, out, "--patient", "INTEROP-7")
    assert code == 0 and [it["fate"] for it in sets] == ["Registered"], (sets, said)
    service = client(node, node.repository).service
    for unique_id, content in contents.items():
        retrieved(service, unique_id, content)
    code, sets, said = imported(node, out, "--patient", "INTEROP-7")
    assert code == 0 and [it["fate"] for it in sets] == ["Known"], (sets, said)


def takes_little_metadata(node):
    """a medium without codes and patient is taken over when what is missing is said"""
    unique_id, content = oid(), b"little"
    folder = node.files / "little"
    (folder / "IHE_XDM/SUBSET01").mkdir(parents=True)
    (folder / "IHE_XDM/SUBSET01/DOC00001.TXT").write_bytes(content)
    written = metadata([(unique_id, "DOC00001.TXT", content)], patient=None, codes=False)
    (folder / "IHE_XDM/SUBSET01/METADATA.XML").write_bytes(written)
    code, sets, said = imported(node, folder, "--patient", "INTEROP-8")
    reasons = [reason for it in sets for reason in it["reasons"]]
    assert code == 1 and any("--complete" in reason for reason in reasons), (sets, said)
    code, sets, said = imported(node, folder, "--patient", "INTEROP-8", "--complete")
    assert code == 0 and [it["fate"] for it in sets] == ["Registered"], (sets, said)
    retrieved(client(node, node.repository).service, unique_id, content)


def refuses_hostile_media(node):
    """media that wish us ill change nothing and are told by name"""
    content = b"secret"
    out = node.files / "hostile.zip"
    outside = node.files / "outside.txt"
    outside.write_bytes(content)
    uris = ["../../outside.txt", "../../../outside.txt", "/etc/hostname", "file:///etc/hostname", "A.TXT"]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as medium:
        medium.writestr("../outside.txt", b"written")
        for at, uri in enumerate(uris):
            medium.writestr(f"IHE_XDM/SET{at}/METADATA.XML", metadata([(oid(), uri, content)]))
        link = zipfile.ZipInfo("IHE_XDM/SET4/A.TXT")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        medium.writestr(link, "../../outside.txt")
    code, sets, said = imported(node, out, "--patient", "INTEROP-9")
    assert code == 1 and {it["fate"] for it in sets} == {"Unsuitable"}, (sets, said)
    assert len(sets) == len(uris) and outside.read_bytes() == content
    bomb = node.files / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as medium:
        for at in range(12):
            with medium.open(f"IHE_XDM/SET{at}/BIG", "w", force_zip64=True) as big:
                for _ in range(100):
                    big.write(bytes(1024 * 1024))
    command = [node.hilum, "media", "check", bomb]
    done = subprocess.run(command, cwd=node.folder, capture_output=True, text=True)
    assert done.returncode == 1 and "not plausible" in done.stderr, done.stderr


JUDGES = [writes_media, takes_over_media, takes_little_metadata, refuses_hostile_media]
