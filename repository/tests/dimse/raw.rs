//! What others send, byte by byte.

use dicom_ul::pdu::{
    AssociationRQ, PDataValue, PDataValueType, Pdu, PresentationContextProposed, UserVariableItem,
    read_pdu, write_pdu,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub(crate) const SECONDARY_CAPTURE: &str = "1.2.840.10008.5.1.4.1.1.7";
pub(crate) const COMMITMENT: &str = "1.2.840.10008.1.20.1";

/// A connection to a node.
pub(crate) struct Raw(pub(crate) TcpStream);

impl Raw {
    pub(crate) async fn connect(port: u16) -> Self {
        Self(TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    /// An association with a context for each of these, numbered 1, 3, 5, …
    pub(crate) async fn associate(port: u16, contexts: &[(&str, &[&str])]) -> Self {
        let mut raw = Self::connect(port).await;
        raw.send(&Pdu::AssociationRQ(request(contexts))).await;
        match raw.receive().await {
            Some(Pdu::AssociationAC(_)) => raw,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn send(&mut self, pdu: &Pdu) {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).unwrap();
        self.0.write_all(&bytes).await.unwrap();
    }

    /// The next PDU; `None` when the connection is closed.
    pub(crate) async fn receive(&mut self) -> Option<Pdu> {
        let received = async {
            let mut head = [0; 6];
            self.0.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
            let mut bytes = head.to_vec();
            bytes.resize(6 + length as usize, 0);
            self.0.read_exact(&mut bytes[6..]).await.ok()?;
            Some(read_pdu(&bytes[..], 1 << 20, true).unwrap().unwrap())
        };
        let patience = std::time::Duration::from_secs(20);
        timeout(patience, received).await.expect("nothing comes")
    }

    /// Sends a message: command elements, and a data set.
    pub(crate) async fn message(&mut self, context: u8, command: &[u8], data: Option<&[u8]>) {
        let of = |value_type, data: &[u8]| PDataValue {
            presentation_context_id: context,
            value_type,
            is_last: true,
            data: data.to_vec(),
        };
        let mut values = vec![of(PDataValueType::Command, command)];
        values.extend(data.map(|data| of(PDataValueType::Data, data)));
        self.send(&Pdu::PData { data: values }).await;
    }

    /// The next message: its command, and its data set.
    pub(crate) async fn next_message(&mut self) -> (Vec<u8>, Vec<u8>) {
        let (mut command, mut data) = (Vec::new(), Vec::new());
        loop {
            let Some(Pdu::PData { data: values }) = self.receive().await else {
                panic!("no message");
            };
            for value in values {
                let is_command = value.value_type == PDataValueType::Command;
                let into = if is_command { &mut command } else { &mut data };
                into.extend(value.data);
                let has_data = number(&command, 0x0800) != Some(0x0101);
                if value.is_last && (!is_command || !has_data) {
                    return (command, data);
                }
            }
        }
    }
}

pub(crate) fn request(contexts: &[(&str, &[&str])]) -> AssociationRQ {
    let contexts = contexts.iter().zip((1..).step_by(2));
    let proposed = contexts.map(|((class, syntaxes), id)| PresentationContextProposed {
        id,
        abstract_syntax: (*class).to_owned(),
        transfer_syntaxes: syntaxes.iter().map(|it| (*it).to_owned()).collect(),
    });
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "CT1".to_owned(),
        called_ae_title: "HILUM".to_owned(),
        application_context_name: "1.2.840.10008.3.1.1.1".to_owned(),
        presentation_contexts: proposed.collect(),
        user_variables: vec![UserVariableItem::MaxLength(16384)],
    }
}

/// An element of a command.
pub(crate) fn element(number: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0];
    bytes.extend(number.to_le_bytes());
    let padded = value.len().next_multiple_of(2);
    bytes.extend((padded as u32).to_le_bytes());
    bytes.extend(value);
    bytes.resize(8 + padded, 0);
    bytes
}

/// A command of these elements.
pub(crate) fn command(elements: &[(u16, &[u8])]) -> Vec<u8> {
    let elements = elements.iter();
    elements
        .flat_map(|(number, value)| element(*number, value))
        .collect()
}

/// A number in a command.
pub(crate) fn number(command: &[u8], wanted: u16) -> Option<u16> {
    let value = value(command, wanted)?;
    Some(u16::from_le_bytes(value.get(..2)?.try_into().ok()?))
}

pub(crate) fn value(mut command: &[u8], wanted: u16) -> Option<&[u8]> {
    while command.len() >= 8 {
        let number = u16::from_le_bytes([command[2], command[3]]);
        let length = u32::from_le_bytes(command[4..8].try_into().unwrap()) as usize;
        let value = &command[8..8 + length];
        if number == wanted {
            return Some(value);
        }
        command = &command[8 + length..];
    }
    None
}

/// A C-STORE request.
pub(crate) fn store(class: &str, instance: &str) -> Vec<u8> {
    command(&[
        (0x0002, class.as_bytes()),
        (0x0100, &[1, 0]),
        (0x0110, &[7, 0]),
        (0x0700, &[0, 0]),
        (0x0800, &[1, 0]),
        (0x1000, instance.as_bytes()),
    ])
}

/// A file of so many bytes of pixel data, in explicit VR little endian.
pub(crate) fn object(instance: &str, syntax: &str, pixels: usize) -> Vec<u8> {
    fn put(bytes: &mut Vec<u8>, group: u16, number: u16, vr: &str, value: &str) {
        bytes.extend(group.to_le_bytes());
        bytes.extend(number.to_le_bytes());
        bytes.extend(vr.as_bytes());
        let padded = value.len().next_multiple_of(2);
        bytes.extend((padded as u16).to_le_bytes());
        bytes.extend(value.as_bytes());
        if padded > value.len() {
            bytes.push(if vr == "UI" { 0 } else { b' ' });
        }
    }
    let mut bytes = hilum_dicom::part10::beginning(SECONDARY_CAPTURE, instance, syntax);
    put(&mut bytes, 8, 0x16, "UI", SECONDARY_CAPTURE);
    put(&mut bytes, 8, 0x18, "UI", instance);
    put(&mut bytes, 8, 0x20, "DA", "20260102");
    put(&mut bytes, 8, 0x60, "CS", "OT");
    put(&mut bytes, 0x10, 0x20, "LO", "P-1");
    put(&mut bytes, 0x20, 0x0d, "UI", "2.25.1");
    put(&mut bytes, 0x20, 0x0e, "UI", "2.25.1.1");
    bytes.extend([0xe0, 0x7f, 0x10, 0x00]);
    bytes.extend(b"OW\0\0");
    bytes.extend((pixels as u32).to_le_bytes());
    bytes.resize(bytes.len() + pixels, 0x5a);
    bytes
}
