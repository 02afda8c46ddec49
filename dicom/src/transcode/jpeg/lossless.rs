//! JPEG Lossless, first-order prediction (process 14, selection value 1; ISO 10918-1 annex H): what
//! every reader of compressed DICOM must know (PS3.5 section 10.2).

use crate::pixels::ImagePixel;
use crate::transcode::codec::Broken;

/// Categories of a difference: how many bits it has, 0 to 16.
const CATEGORIES: usize = 17;
/// Codes have at most this many bits.
const MAX_CODE: usize = 16;

/// Encodes samples by pixel, little endian, of 8 or 16 bits. All bits that are allocated are kept, so
/// that nothing is lost of what stands above Bits Stored.
pub(in crate::transcode) fn encode(image: &ImagePixel, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let values: Vec<u16> = match image.bits_allocated {
        8 => bytes.iter().map(|byte| (*byte).into()).collect(),
        16 => {
            let pairs = bytes.chunks_exact(2);
            pairs.map(|it| u16::from_le_bytes([it[0], it[1]])).collect()
        }
        _ => return Err(Broken("JPEG Lossless: only 8 and 16 bits")),
    };
    let differences = differences(image, &values);
    let mut counts = [0_u64; CATEGORIES];
    for difference in &differences {
        counts[usize::from(category(*difference))] += 1;
    }
    let table = Table::of(&counts);
    let mut stream = header(image, &table);
    let mut bits = Bits {
        stream: &mut stream,
        held: 0,
        count: 0,
    };
    for difference in differences {
        let category = category(difference);
        let (code, length) = table.codes[usize::from(category)];
        bits.put(code.into(), length);
        // 16 stands for 32768 alone and has no further bits.
        if category < 16 {
            let value = if difference < 0 {
                difference - 1
            } else {
                difference
            };
            bits.put(value as u32 & ((1 << category) - 1), category);
        }
    }
    bits.end();
    stream.extend([0xFF, 0xD9]);
    Ok(stream)
}

/// Each value less the one before it; the first of a row, less the one above; modulo 2^16 as a number
/// from -32767 to 32768.
fn differences(image: &ImagePixel, values: &[u16]) -> Vec<i32> {
    let samples = usize::from(image.samples);
    let row = usize::from(image.columns) * samples;
    let middle = 1_u16 << (image.bits_allocated - 1);
    let difference = |(at, value): (usize, &u16)| {
        let predicted = match at {
            at if at % row >= samples => values[at - samples],
            at if at >= row => values[at - row],
            _ => middle,
        };
        match value.wrapping_sub(predicted) as i16 {
            i16::MIN => 32768,
            difference => difference.into(),
        }
    };
    values.iter().enumerate().map(difference).collect()
}

fn category(difference: i32) -> u8 {
    (u32::BITS - difference.unsigned_abs().leading_zeros()) as u8
}

/// Start of image, frame header, code table, scan header.
fn header(image: &ImagePixel, table: &Table) -> Vec<u8> {
    let samples = image.samples as u8;
    let [rows, columns] = [image.rows.to_be_bytes(), image.columns.to_be_bytes()];
    let mut stream = vec![0xFF, 0xD8, 0xFF, 0xC3, 0, 8 + 3 * samples];
    stream.push(image.bits_allocated as u8);
    stream.extend([rows, columns].concat());
    stream.push(samples);
    for sample in 1..=samples {
        stream.extend([sample, 0x11, 0]);
    }
    let length = 2 + 1 + MAX_CODE + table.symbols.len();
    stream.extend([0xFF, 0xC4, 0, length as u8, 0]);
    stream.extend(table.lengths);
    stream.extend(&table.symbols);
    stream.extend([0xFF, 0xDA, 0, 6 + 2 * samples, samples]);
    for sample in 1..=samples {
        stream.extend([sample, 0]);
    }
    // Selection value 1, no point transform.
    stream.extend([1, 0, 0]);
    stream
}

/// Huffman codes of the categories.
struct Table {
    /// How many codes there are of 1 to 16 bits.
    lengths: [u8; MAX_CODE],
    /// Categories by length of code.
    symbols: Vec<u8>,
    /// Code and its length, by category.
    codes: [(u16, u8); CATEGORIES],
}

impl Table {
    /// The best codes for these counts (ISO 10918-1 section K.2).
    fn of(counts: &[u64; CATEGORIES]) -> Self {
        let sizes = sizes(counts);
        let mut table = Self {
            lengths: [0; MAX_CODE],
            symbols: Vec::new(),
            codes: [(0, 0); CATEGORIES],
        };
        let mut code = 0_u16;
        for length in 1..=MAX_CODE {
            for (category, size) in sizes[..CATEGORIES].iter().enumerate() {
                if *size == length {
                    table.lengths[length - 1] += 1;
                    table.symbols.push(category as u8);
                    table.codes[category] = (code, length as u8);
                    code += 1;
                }
            }
            code <<= 1;
        }
        table
    }
}

/// How long each code is, at most 16 bits.
fn sizes(counts: &[u64; CATEGORIES]) -> [usize; CATEGORIES + 1] {
    let mut counts = *counts;
    loop {
        let sizes = unlimited(&counts);
        if sizes.iter().all(|size| *size <= MAX_CODE) {
            return sizes;
        }
        // Counts that lie closer together give codes that do.
        counts
            .iter_mut()
            .filter(|it| **it > 0)
            .for_each(|it| *it = *it / 2 + 1);
    }
}

/// Huffman's codes. One symbol more, rarer than any other, takes the code of all ones, which must not
/// be used.
fn unlimited(counts: &[u64; CATEGORIES]) -> [usize; CATEGORIES + 1] {
    let mut sizes = [0; CATEGORIES + 1];
    // Groups of symbols, and how often they come, twice so that one is rarer than once.
    let used = (0..CATEGORIES).filter(|it| counts[*it] > 0);
    let mut groups: Vec<(u64, Vec<usize>)> = used.map(|it| (counts[it] * 2, vec![it])).collect();
    groups.push((1, vec![CATEGORIES]));
    while groups.len() > 1 {
        groups.sort_by_key(|(count, symbols)| (std::cmp::Reverse(*count), symbols.len()));
        let rarest = groups.split_off(groups.len() - 2);
        let mut merged = (0, Vec::new());
        for (count, symbols) in rarest {
            symbols.iter().for_each(|symbol| sizes[*symbol] += 1);
            merged.0 += count;
            merged.1.extend(symbols);
        }
        groups.push(merged);
    }
    sizes
}

/// Bits, the highest first; after 0xFF comes a zero byte.
struct Bits<'a> {
    stream: &'a mut Vec<u8>,
    held: u64,
    count: u8,
}

impl Bits<'_> {
    fn put(&mut self, bits: u32, count: u8) {
        self.held = (self.held << count) | u64::from(bits);
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.held >> self.count) as u8;
            self.stream.push(byte);
            if byte == 0xFF {
                self.stream.push(0);
            }
        }
    }

    /// Fills the last byte with ones.
    fn end(&mut self) {
        let missing = (8 - self.count) % 8;
        self.put((1 << missing) - 1, missing);
    }
}
