//! People who do not exist, and everything by which they would be known.

/// Numbers that are the same every time (SplitMix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut hash = self.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        hash ^ (hash >> 31)
    }

    pub(super) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(super) fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(b'0' + self.below(10) as u8))
            .collect()
    }
}

const FAMILIES: [&str; 24] = [
    "Abendroth",
    "Kowalczyk",
    "Fitzgerald",
    "Müller-Lüdenscheid",
    "Øvergård",
    "Castellanos",
    "Brzęczek",
    "O'Shaughnessy",
    "Yamadaguchi",
    "Papadopoulos",
    "Van Nieuwenhuizen",
    "Okonkwo",
    "Ravindranath",
    "Szabadkai",
    "Delacroix",
    "Lindqvist",
    "Ferreira",
    "Haraldsdóttir",
    "Mbekizulu",
    "Thistlewood",
    "Grünwald",
    "Petrosyan",
    "Quattrocchi",
    "Zwingli",
];
const GIVEN: [&str; 16] = [
    "Annelise",
    "Bartholomew",
    "Cassandra",
    "Dietmar",
    "Evangeline",
    "Friedhelm",
    "Giuseppina",
    "Hjalmar",
    "Ingeborg",
    "Jaroslav",
    "Konstanze",
    "Leopoldine",
    "Marguerite",
    "Nathaniel",
    "Ottokar",
    "Philippa",
];
const TOWNS: [&str; 8] = [
    "Wolkenstein",
    "Brackwater",
    "Saint-Aubinel",
    "Kirkholme",
    "Torrevaldo",
    "Neuhagenau",
    "Ashcombery",
    "Lundsviken",
];

/// A patient, the people around them, and their papers.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) number: usize,
    pub(super) family: String,
    pub(super) given: String,
    pub(super) id: String,
    pub(super) other_id: String,
    pub(super) birth_date: String,
    pub(super) age: String,
    pub(super) sex: &'static str,
    pub(super) physician: String,
    pub(super) operator: String,
    pub(super) institution: String,
    pub(super) town: String,
    pub(super) address: String,
    pub(super) phone: String,
    pub(super) mail: String,
    pub(super) accession: String,
    pub(super) station: String,
    pub(super) serial: String,
    pub(super) study_date: String,
    pub(super) uids: String,
}

impl Person {
    pub(super) fn new(random: &mut Random, number: usize) -> Self {
        let family = FAMILIES[(number + random.below(3) * 7) % FAMILIES.len()].to_owned();
        let given = random.one(&GIVEN).to_owned();
        let town = random.one(&TOWNS).to_owned();
        let year = 1925 + random.below(85);
        let day =
            |random: &mut Random| format!("{:02}{:02}", 1 + random.below(12), 1 + random.below(28));
        let other = |random: &mut Random| loop {
            let name = random.one(&FAMILIES);
            if name != family {
                return name.to_owned();
            }
        };
        let age = (2024 - year).min(99);
        Self {
            number,
            id: format!("{}-{}", random.one(&["MRN", "PAT", "KH"]), random.digits(8)),
            other_id: random.digits(9),
            birth_date: format!("{year}{}", day(random)),
            age: format!("{age:03}Y"),
            sex: random.one(&["F", "M"]),
            physician: format!("{}^{}^^Dr", other(random), random.one(&GIVEN)),
            operator: format!("{}^{}", other(random), random.one(&GIVEN)),
            institution: format!("{town} Memorial Hospital"),
            address: format!("{} {town}lane, {}", 10 + random.below(80), random.digits(5)),
            phone: format!("+49 {} {}", random.digits(3), random.digits(7)),
            mail: format!("{}.{}@example.org", plain(&given), plain(&family)).to_lowercase(),
            accession: format!("ACC{}", random.digits(7)),
            station: format!("{}CT{}", town.to_uppercase(), random.digits(3)),
            serial: format!("SN{}", random.digits(8)),
            study_date: format!("{}{}", 2015 + random.below(10), day(random)),
            uids: format!(
                "1.3.6.1.4.1.99999.{}.{}",
                number + 1,
                100_000 + random.below(900_000)
            ),
            family,
            given,
            town,
        }
    }

    /// The name as PN writes it.
    pub(super) fn name(&self) -> String {
        format!("{}^{}", self.family, self.given)
    }

    /// A UID of this patient.
    pub(super) fn uid(&self, what: &str) -> String {
        // One component for each letter would be long; a sum of them is enough to tell them apart.
        let sum = what.bytes().fold(7_u64, |sum, byte| {
            (sum * 31 + u64::from(byte)) % 1_000_000_007
        });
        format!("{}.{sum}", self.uids)
    }

    /// Texts of which none may be left. Words of few letters would be found in anything.
    pub(super) fn identities(&self) -> Vec<String> {
        let mut texts = vec![
            self.id.clone(),
            self.other_id.clone(),
            self.birth_date.clone(),
            self.town.clone(),
            self.phone.clone(),
            self.mail.clone(),
            self.accession.clone(),
            self.station.clone(),
            self.serial.clone(),
            self.uids.clone(),
            self.study_date.clone(),
        ];
        let names = [&self.family, &self.given, &self.physician, &self.operator];
        for name in names {
            let parts = name
                .split(['^', ' ', '-', '\''])
                .filter(|part| part.len() >= 4);
            texts.extend(parts.map(str::to_owned));
        }
        texts
    }
}

/// In ASCII, for addresses.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphabetic).collect()
}
