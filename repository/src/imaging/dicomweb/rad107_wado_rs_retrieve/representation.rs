//! In which form instances, frames and images are given: what of the wanted forms we have
//! (PS3.18 8.7).

use hilum_transport::rest::{Accept, MediaRange};

use super::super::refused::Refused;

/// Explicit VR Little Endian: what is given if nothing else is wanted.
pub(in crate::imaging::dicomweb) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// What has no place on the web (PS3.18 8.7.3): Implicit VR and Big Endian.
pub(super) const NOT_ON_THE_WEB: [&str; 2] = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2"];

/// Media types of compressed pixels, each with its transfer syntaxes, the usual one first (PS3.18
/// table 8.7.3-5).
const COMPRESSED: [(&str, &[&str]); 9] = [
    (
        "image/jpeg",
        &[
            "1.2.840.10008.1.2.4.70",
            "1.2.840.10008.1.2.4.50",
            "1.2.840.10008.1.2.4.51",
            "1.2.840.10008.1.2.4.57",
        ],
    ),
    ("image/dicom-rle", &["1.2.840.10008.1.2.5"]),
    (
        "image/jls",
        &["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"],
    ),
    (
        "image/jp2",
        &["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"],
    ),
    (
        "image/jpx",
        &["1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"],
    ),
    (
        "image/jphc",
        &[
            "1.2.840.10008.1.2.4.201",
            "1.2.840.10008.1.2.4.202",
            "1.2.840.10008.1.2.4.203",
        ],
    ),
    (
        "image/jxl",
        &[
            "1.2.840.10008.1.2.4.110",
            "1.2.840.10008.1.2.4.111",
            "1.2.840.10008.1.2.4.112",
        ],
    ),
    (
        "video/mpeg2",
        &["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.101"],
    ),
    (
        "video/mp4",
        &[
            "1.2.840.10008.1.2.4.102",
            "1.2.840.10008.1.2.4.103",
            "1.2.840.10008.1.2.4.104",
            "1.2.840.10008.1.2.4.105",
            "1.2.840.10008.1.2.4.106",
        ],
    ),
];

/// The media type of pixels that are stored so.
pub(super) fn media_type_of(transfer_syntax: &str) -> Option<&'static str> {
    let found = COMPRESSED
        .iter()
        .find(|(_, all)| all.contains(&transfer_syntax));
    found.map(|(media_type, _)| *media_type)
}

/// Which transfer syntax is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Syntax {
    /// Whichever it has.
    Stored,
    /// The usual one, because none was named.
    Usual,
    /// This one.
    This(String),
}

impl Syntax {
    fn of(range: &MediaRange) -> Self {
        match range.media.parameter("transfer-syntax") {
            Some("*") => Self::Stored,
            Some(uid) => Self::This(uid.to_owned()),
            None => Self::Usual,
        }
    }
}

/// A form that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// In parts, even if there is one only.
    pub(super) multipart: bool,
    /// Of what media type; `*/*` if any will do.
    pub(super) media: String,
    pub(super) syntax: Syntax,
    /// How much, in thousandths.
    quality: u16,
}

/// Forms that are wanted, the most wanted first. They are all in parts or all not: what is wanted
/// most decides.
#[derive(Debug, Clone)]
pub(super) struct Forms(Vec<Form>);

impl Forms {
    /// Of instances. One alone may be given without parts around it.
    pub(super) fn of_instances(accept: &Accept, one: bool) -> Result<Self, Refused> {
        let forms = Self::of(accept, one, |media| {
            ["application/dicom", "*/*"].contains(&media)
        });
        forms.ok_or_else(|| {
            Refused::new(
                406,
                "instances can be given as multipart/related; type=\"application/dicom\", and a \
                 single one as application/dicom",
            )
        })
    }

    /// Of pixels. Those of one frame may be given without parts around them.
    pub(super) fn of_frames(accept: &Accept, one: bool) -> Result<Self, Refused> {
        let known = |media: &str| {
            ["application/octet-stream", "*/*", "image/*"].contains(&media)
                || COMPRESSED.iter().any(|(it, _)| *it == media)
        };
        Self::of(accept, one, known).ok_or_else(|| {
            Refused::new(
                406,
                "pixels can be given as multipart/related; type=\"application/octet-stream\", or \
                 as they are stored, such as type=\"image/jpeg\"",
            )
        })
    }

    fn of(accept: &Accept, one: bool, known: impl Fn(&str) -> bool) -> Option<Self> {
        let form = |range: &MediaRange| {
            let essence = range.media.essence.as_str();
            let (multipart, media) = match essence {
                "multipart/related" | "multipart/*" => {
                    (true, range.media.parameter("type").unwrap_or("*/*"))
                }
                // In parts is how DICOMweb gives everything, if nobody minds.
                "*/*" => (true, "*/*"),
                "application/*" => (true, "*/*"),
                essence if one => (false, essence),
                _ => return None,
            };
            let media = media.to_ascii_lowercase();
            known(&media).then(|| Form {
                multipart,
                media,
                syntax: Syntax::of(range),
                quality: range.quality,
            })
        };
        let mut forms: Vec<Form> = accept.wanted().filter_map(form).collect();
        let multipart = forms.first()?.multipart;
        forms.retain(|form| form.multipart == multipart);
        Some(Self(forms))
    }

    /// Whether they are in parts.
    pub(super) fn multipart(&self) -> bool {
        self.0.first().is_none_or(|form| form.multipart)
    }

    /// The transfer syntax in which an instance that is stored in `stored` is given, if there is one.
    /// `convertible` says whether it can be turned into another one.
    pub(super) fn instance(
        &self,
        stored: &str,
        convertible: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let on_the_web = !NOT_ON_THE_WEB.contains(&stored);
        let as_it_is = |form: &Form| match &form.syntax {
            Syntax::Stored => on_the_web,
            Syntax::Usual => stored == EXPLICIT,
            Syntax::This(wanted) => on_the_web && wanted == stored,
        };
        let converted = |form: &Form| match &form.syntax {
            Syntax::This(wanted) => convertible(wanted).then(|| wanted.clone()),
            Syntax::Usual | Syntax::Stored => convertible(EXPLICIT).then(|| EXPLICIT.to_owned()),
        };
        for equally_wanted in self.0.chunk_by(|one, other| one.quality == other.quality) {
            // Nothing is converted if something equally wanted is there.
            if equally_wanted.iter().any(as_it_is) {
                return Some(stored.to_owned());
            }
            if let Some(converted) = equally_wanted.iter().find_map(converted) {
                return Some(converted);
            }
        }
        // Who names no transfer syntax gets what there is, if there is nothing else (8.7.3).
        let names_none = |form: &Form| form.syntax == Syntax::Usual;
        (self.0.iter().any(names_none) && on_the_web).then(|| stored.to_owned())
    }

    /// How frames are given that are stored in `stored`: media type, and the transfer syntax if they
    /// are given as they are stored. `decodable` says whether they can be decoded.
    pub(super) fn frame(&self, stored: &str, decodable: bool) -> Option<Frame> {
        let compressed = media_type_of(stored);
        self.0.iter().find_map(|form| {
            let as_stored = |media_type: &str| Frame {
                content_type: format!("{media_type}; transfer-syntax={stored}"),
                decoded: false,
            };
            let decoded = || Frame {
                content_type: "application/octet-stream".to_owned(),
                decoded: true,
            };
            match (form.media.as_str(), &form.syntax, compressed) {
                ("application/octet-stream" | "*/*", Syntax::Stored, Some(_)) => {
                    Some(as_stored("application/octet-stream"))
                }
                ("application/octet-stream" | "*/*", Syntax::This(wanted), Some(_))
                    if wanted == stored =>
                {
                    Some(as_stored("application/octet-stream"))
                }
                ("application/octet-stream" | "*/*", Syntax::This(wanted), _)
                    if wanted != EXPLICIT =>
                {
                    None
                }
                ("application/octet-stream" | "*/*", _, _) => decodable.then(decoded),
                (wanted, syntax, Some(media_type))
                    if wanted == media_type || wanted == "image/*" =>
                {
                    let fits = match syntax {
                        Syntax::This(wanted) => wanted == stored,
                        // Every frame of one media type is an image that its readers know.
                        Syntax::Usual | Syntax::Stored => true,
                    };
                    fits.then(|| as_stored(media_type))
                }
                _ => None,
            }
        })
    }
}

/// How a frame is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) content_type: String,
    /// As pixels, rather than as it is stored.
    pub(super) decoded: bool,
}

#[cfg(test)]
mod tests;
