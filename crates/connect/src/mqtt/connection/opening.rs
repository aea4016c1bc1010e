//! The first packet of a connection, before the protocol sees it.
//!
//! `mqtt-protocol-core` 0.7.9 panics at a CONNECT with Topic Alias Maximum 0, which MQTT 5 §3.1.2.11.5 allows and which
//! means the same as leaving it out. As a panic ends the process, such a 0 is made a 1 here; the broker sends no topic
//! aliases, so the client sees no difference. To be removed when the crate takes the 0, as it does in a CONNACK.

/// A CONNECT holds at most a few strings of 64 KiB.
const MAX_BYTES: usize = 1 << 20;

/// The bytes of a first packet that is not whole yet.
#[derive(Default)]
pub(super) struct Opening(Vec<u8>);

/// What is known of the first packet.
pub(super) enum Opened {
    /// It is not whole yet.
    NotYet,
    /// The first packet and what came behind it.
    Bytes(Vec<u8>),
    /// It is larger than any CONNECT, or its length makes no sense.
    Never,
}

impl Opening {
    /// Takes what was read; once the first packet is whole, everything comes back.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Opened {
        self.0.extend_from_slice(bytes);
        let Some(whole) = packet_bytes(&self.0) else {
            // A length is written in at most four bytes (MQTT 5 §1.5.5).
            return if self.0.len() > 4 { Opened::Never } else { Opened::NotYet };
        };
        if whole > MAX_BYTES {
            return Opened::Never;
        }
        if self.0.len() < whole {
            return Opened::NotYet;
        }
        let mut bytes = std::mem::take(&mut self.0);
        if let Some(at) = alias_maximum_at(&bytes[..whole])
            && bytes[at..at + 2] == [0, 0]
        {
            bytes[at + 1] = 1;
        }
        Opened::Bytes(bytes)
    }
}

/// Length of the packet at the front with its head, if the head is whole.
fn packet_bytes(bytes: &[u8]) -> Option<usize> {
    let (length, n_bytes) = variable(bytes.get(1..)?)?;
    Some(1 + n_bytes + length)
}

/// A variable byte integer and how many bytes it takes.
fn variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (idx, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 127) << (7 * idx);
        if *byte < 128 {
            return Some((value, idx + 1));
        }
    }
    None
}

/// Where a CONNECT of MQTT 5 has the value of its Topic Alias Maximum.
fn alias_maximum_at(packet: &[u8]) -> Option<usize> {
    let (_, n_length) = variable(packet.get(1..)?)?;
    let head = packet.get(1 + n_length..)?;
    // Protocol name and level; then flags and keep-alive.
    if packet[0] != 0x10 || !head.starts_with(b"\0\x04MQTT\x05") {
        return None;
    }
    let mut at = 1 + n_length + 10;
    let (properties, n_bytes) = variable(packet.get(at..)?)?;
    at += n_bytes;
    let end = (at + properties).min(packet.len());
    while at < end {
        let identifier = packet[at];
        at += 1;
        let text = |at: usize| {
            let length = packet.get(at..at + 2)?;
            Some(2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
        };
        at += match identifier {
            0x22 => return (at + 2 <= end).then_some(at),
            0x17 | 0x19 => 1,
            0x21 => 2,
            0x11 | 0x27 => 4,
            0x15 | 0x16 => text(at)?,
            0x26 => {
                let name = text(at)?;
                name + text(at + name)?
            }
            _ => return None,
        };
    }
    None
}
