//! What a message changes in what is known of somebody.

use super::Person;
use crate::hl7v2::Message;
use crate::metadata::PatientId;

/// What a message speaks of. What it does not speak of stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is one thing that can be said"
)]
pub struct Said {
    names: bool,
    gender: bool,
    birth_time: bool,
    birth_place: bool,
    addresses: bool,
    telecoms: bool,
    mothers_maiden_name: bool,
    deceased: bool,
    multiple_birth: bool,
}

impl Said {
    /// A snapshot, as records of HL7 v3 are (ITI TF-2 3.44.4.1.1): what is not in it is not so.
    pub const EVERYTHING: Self = Self {
        names: true,
        gender: true,
        birth_time: true,
        birth_place: true,
        addresses: true,
        telecoms: true,
        mothers_maiden_name: true,
        deceased: true,
        multiple_birth: true,
    };

    /// The fields of PID that are not empty. `""` says that there is nothing (HL7 v2.5 section 2.5.3).
    pub fn by_pid(message: &Message) -> Self {
        let pid = message.segment("PID");
        let said = |number| pid.is_some_and(|pid| !pid.field(number).is_empty());
        Self {
            names: said(5),
            gender: said(8),
            birth_time: said(7),
            birth_place: said(23),
            addresses: said(11),
            telecoms: said(13) || said(14),
            mothers_maiden_name: said(6),
            deceased: said(29) || said(30),
            multiple_birth: said(24) || said(25),
        }
    }
}

impl Person {
    /// Changes what is known by what a message says. Identifiers are replaced domain by domain: one source
    /// does not know those that another one gave.
    pub fn revise(&mut self, new: &Self, said: Said) {
        let replaced: Vec<PatientId> = std::mem::take(&mut self.ids);
        let kept = replaced
            .into_iter()
            .filter(|id| new.ids_of(&id.authority).next().is_none());
        self.ids = new.ids.iter().cloned().chain(kept).collect();
        let new = new.clone();
        if said.names {
            self.names = new.names;
        }
        if said.gender {
            self.gender = new.gender;
        }
        if said.birth_time {
            self.birth_time = new.birth_time;
        }
        if said.birth_place {
            self.birth_place = new.birth_place;
        }
        if said.addresses {
            self.addresses = new.addresses;
        }
        if said.telecoms {
            self.telecoms = new.telecoms;
        }
        if said.mothers_maiden_name {
            self.mothers_maiden_name = new.mothers_maiden_name;
        }
        if said.deceased {
            self.deceased = new.deceased;
            self.deceased_time = new.deceased_time;
        }
        if said.multiple_birth {
            self.multiple_birth = new.multiple_birth;
            self.multiple_birth_order = new.multiple_birth_order;
        }
    }
}
