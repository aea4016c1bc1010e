//! How rows lie in the log.
//!
//! ```text
//! segment = "FTLWAL01" frame*
//! frame   = magic u32 | payload length u32 | lsn u64 | CRC-32C u32 over length, lsn and payload | payload
//! payload = version u8 | tenant u32 | source u32 | n_samples u32 | n_events u32
//!         | time form u8 | signals u32[] | times | values f64[] | quality form u8 | qualities
//!         | events
//! ```
//! All numbers are little-endian. Times are a base and `u32` steps where they fit, qualities are left out
//! when all are good: 16 bytes for an ordinary sample.

use std::ops::RangeInclusive;

use signal::{
    AssetId, Event, EventKind, Quality, Rows, SampleColumns, SignalId, SourceId, TenantId,
};

pub(crate) const SEGMENT_MAGIC: &[u8; 8] = b"FTLWAL01";
const FRAME_MAGIC: u32 = 0x4d52_4674; // "tFRM"
const HEADER_BYTES: usize = 20;
/// Header and the fixed part of a payload.
pub(crate) const MIN_FRAME_BYTES: usize = HEADER_BYTES + 19;
const VERSION: u8 = 1;
/// No frame is longer; a length beyond it is damage, not a frame.
pub(crate) const MAX_PAYLOAD_BYTES: usize = 1 << 30;
const NONE: u32 = u32::MAX;

/// Appends one frame to `out`.
pub(crate) fn encode(lsn: u64, rows: &Rows, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&FRAME_MAGIC.to_le_bytes());
    out.extend_from_slice(&[0; HEADER_BYTES - 4]);
    encode_payload(rows, out);
    let len = (out.len() - start - HEADER_BYTES) as u32;
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
    out[start + 8..start + 16].copy_from_slice(&lsn.to_le_bytes());
    let crc = checksum(&out[start + 4..start + 16], &out[start + HEADER_BYTES..]);
    out[start + 16..start + 20].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(header), payload)
}

/// Most bytes that `rows` can take in the log.
pub(crate) fn max_bytes(rows: &Rows) -> usize {
    let events: usize = rows.events.iter().map(|event| 32 + event.body.len()).sum();
    HEADER_BYTES + 64 + rows.samples.len() * 24 + events
}

fn encode_payload(rows: &Rows, out: &mut Vec<u8>) {
    let samples = &rows.samples;
    out.push(VERSION);
    put_u32(out, rows.tenant.0);
    put_u32(out, rows.source.0);
    put_u32(out, samples.len() as u32);
    put_u32(out, rows.events.len() as u32);

    let base_us = samples.times_us().iter().copied().min().unwrap_or(0);
    let last_us = samples.times_us().iter().copied().max().unwrap_or(0);
    let narrow = u32::try_from(last_us.abs_diff(base_us)).is_ok();
    out.push(u8::from(narrow));
    put_all(out, samples.signals(), |signal| signal.0.to_le_bytes());
    if narrow {
        out.extend_from_slice(&base_us.to_le_bytes());
        put_all(out, samples.times_us(), |time_us| ((time_us - base_us) as u32).to_le_bytes());
    } else {
        put_all(out, samples.times_us(), |time_us| time_us.to_le_bytes());
    }
    put_all(out, samples.values(), |value| value.to_le_bytes());
    let all_good = samples.qualities().iter().all(|quality| *quality == Quality::GOOD);
    out.push(u8::from(!all_good));
    if !all_good {
        put_all(out, samples.qualities(), |quality| quality.0.to_le_bytes());
    }
    for event in &rows.events {
        encode_event(event, out);
    }
}

/// Copies a column; written so that the compiler turns it into wide moves.
fn put_all<T: Copy, const N: usize>(out: &mut Vec<u8>, column: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let start = out.len();
    out.resize(start + column.len() * N, 0);
    for (slot, value) in out[start..].chunks_exact_mut(N).zip(column) {
        slot.copy_from_slice(&bytes(*value));
    }
}

fn encode_event(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(&event.time_us.to_le_bytes());
    out.push(match event.kind {
        EventKind::Text => 0,
        EventKind::Alarm => 1,
        EventKind::Source => 2,
        EventKind::Note => 3,
    });
    put_u32(out, event.asset.map_or(NONE, |asset| asset.0));
    put_u32(out, event.signal.map_or(NONE, |signal| signal.0));
    put_u32(out, event.body.len() as u32);
    out.extend_from_slice(event.body.as_bytes());
}

fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// A frame found in a segment.
pub(crate) struct Found {
    pub(crate) lsn: u64,
    pub(crate) rows: Rows,
    /// Position after its last byte.
    pub(crate) end: usize,
}

/// Reads the frame that begins at `at`; none when there is no whole, sound frame with one of these positions.
pub(crate) fn decode(bytes: &[u8], at: usize, lsns: &RangeInclusive<u64>) -> Option<Found> {
    let header = bytes.get(at..at + HEADER_BYTES)?;
    let number =
        |from: usize| u32::from_le_bytes(header[from..from + 4].try_into().expect("four bytes"));
    if number(0) != FRAME_MAGIC {
        return None;
    }
    let len = number(4) as usize;
    let lsn = u64::from_le_bytes(header[8..16].try_into().expect("eight bytes"));
    if len > MAX_PAYLOAD_BYTES || !lsns.contains(&lsn) {
        return None;
    }
    let end = at + HEADER_BYTES + len;
    let payload = bytes.get(at + HEADER_BYTES..end)?;
    if checksum(&header[4..16], payload) != number(16) {
        return None;
    }
    Some(Found { lsn, rows: decode_payload(&mut Reader(payload))?, end })
}

/// The next place at or after `at` where a frame might begin.
pub(crate) fn next_magic(bytes: &[u8], at: usize) -> Option<usize> {
    let magic = FRAME_MAGIC.to_le_bytes();
    bytes.get(at..)?.windows(4).position(|window| window == magic).map(|offset| at + offset)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n_bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n_bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn column<T, const N: usize>(
        &mut self,
        n_rows: usize,
        of: impl Fn([u8; N]) -> T,
    ) -> Option<Vec<T>> {
        let bytes = self.take(n_rows.checked_mul(N)?)?;
        Some(
            bytes
                .chunks_exact(N)
                .map(|chunk| of(chunk.try_into().expect("chunks are N bytes")))
                .collect(),
        )
    }
}

fn decode_payload(reader: &mut Reader<'_>) -> Option<Rows> {
    if reader.u8()? != VERSION {
        return None;
    }
    let tenant = TenantId(reader.u32()?);
    let source = SourceId(reader.u32()?);
    let n_samples = reader.u32()? as usize;
    let n_events = reader.u32()? as usize;
    let narrow = reader.u8()? == 1;
    let signals = reader.column(n_samples, |bytes| SignalId(u32::from_le_bytes(bytes)))?;
    let times_us = if narrow {
        let base_us = reader.i64()?;
        reader.column(n_samples, |bytes| base_us + i64::from(u32::from_le_bytes(bytes)))?
    } else {
        reader.column(n_samples, i64::from_le_bytes)?
    };
    let values = reader.column(n_samples, f64::from_le_bytes)?;
    let qualities = match reader.u8()? {
        0 => vec![Quality::GOOD; n_samples],
        _ => reader.column(n_samples, |bytes| Quality(u32::from_le_bytes(bytes)))?,
    };
    let mut events = Vec::with_capacity(n_events.min(1 << 16));
    for _ in 0..n_events {
        events.push(decode_event(reader)?);
    }
    let samples = SampleColumns::from_vecs(signals, times_us, values, qualities);
    reader.0.is_empty().then_some(Rows { tenant, source, samples, events })
}

fn decode_event(reader: &mut Reader<'_>) -> Option<Event> {
    let time_us = reader.i64()?;
    let kind = match reader.u8()? {
        0 => EventKind::Text,
        1 => EventKind::Alarm,
        2 => EventKind::Source,
        3 => EventKind::Note,
        _ => return None,
    };
    let asset = Some(reader.u32()?).filter(|id| *id != NONE).map(AssetId);
    let signal = Some(reader.u32()?).filter(|id| *id != NONE).map(SignalId);
    let len = reader.u32()? as usize;
    let body = std::str::from_utf8(reader.take(len)?).ok()?.to_owned();
    Some(Event { time_us, kind, asset, signal, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::any_rows;
    use proptest::prelude::*;
    use signal::Sample;

    const ANY: RangeInclusive<u64> = 0..=u64::MAX;

    fn check_times(times_us: &[i64]) {
        let mut rows = Rows::default();
        for &time_us in times_us {
            let (signal, quality) = (SignalId(1), Quality::GOOD);
            rows.samples.push(Sample { signal, time_us, value: 1.0, quality });
        }
        let mut bytes = Vec::new();
        encode(1, &rows, &mut bytes);
        let found = decode(&bytes, 0, &ANY).expect("sound");
        assert_eq!(found.rows.samples.times_us(), times_us);
    }

    /// The distance between times before and after 1970 overflowed, looked small, and other times came back.
    #[test]
    fn times_of_any_distance_come_back() {
        check_times(&[i64::MIN, i64::MAX]);
        check_times(&[i64::MAX, i64::MIN, i64::MIN + 1]);
        check_times(&[7, 7 + i64::from(u32::MAX)]);
        check_times(&[7, 8 + i64::from(u32::MAX)]);
        check_times(&[-5]);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(rows in any_rows(), lsn in 1u64..u64::MAX) {
            let mut bytes = vec![7, 7, 7];
            encode(lsn, &rows, &mut bytes);
            prop_assert!(bytes.len() - 3 <= max_bytes(&rows));
            let found = decode(&bytes, 3, &ANY).expect("sound");
            prop_assert_eq!(found.lsn, lsn);
            prop_assert_eq!(format!("{:?}", found.rows), format!("{rows:?}"));
            prop_assert_eq!(found.end, bytes.len());
        }

        #[test]
        fn one_flipped_bit_is_noticed(rows in any_rows(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = Vec::new();
            encode(1, &rows, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes, 0, &ANY).is_none());
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode(&bytes, 0, &ANY).is_none());
        }
    }
}
