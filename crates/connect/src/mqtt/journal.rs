//! The file that retained messages survive a restart in.
//!
//! ```text
//! "FTRET001", then frames: length u32 · crc32c u32 · expiry i64 (µs since 1970, 0: never) · MQTT 5 PUBLISH packet
//! ```
//!
//! Numbers are little-endian; length and checksum are those of expiry and packet. The newest frame of a topic
//! counts, and one without payload removes it. A frame that was cut off ends the file. When most of the file is
//! out of date it is written anew beside the old one, which it then replaces.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::{MessageExpiryInterval, Property, Qos, v5_0};

use super::hub::Message;

const MAGIC: &[u8; 8] = b"FTRET001";
const HEAD_BYTES: usize = 8;
/// A file smaller than this is not worth writing anew.
const SMALL_BYTES: u64 = 1 << 20;
/// How many times larger than its messages a file may be.
const MAX_WASTE: u64 = 4;

/// The open file. One owner.
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Journal {
    /// Opens or makes the file and reads what it holds.
    ///
    /// # Errors
    /// When it cannot be read or written, or is no file of retained messages.
    pub(crate) fn open(path: &Path, now_us: i64) -> io::Result<(Journal, Vec<Message>)> {
        let old = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        if !old.is_empty() && !old.starts_with(&MAGIC[..old.len().min(MAGIC.len())]) {
            let message = format!("{} holds no retained messages of this version", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let (messages, sound_bytes) = read(&old, now_us);
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut journal = Journal { path: path.to_owned(), file, bytes: old.len() as u64 };
        let kept: Vec<Arc<Message>> = messages.values().cloned().map(Arc::new).collect();
        if sound_bytes < old.len() || old.len() < MAGIC.len() || journal.is_wasteful(&kept) {
            journal.write_anew(&kept, now_us)?;
        }
        Ok((journal, messages.into_values().collect()))
    }

    /// Appends changes and syncs them; with an error, none of them may be there.
    pub(crate) fn append(&mut self, changes: &[Arc<Message>], now_us: i64) -> io::Result<()> {
        let mut bytes = Vec::new();
        changes.iter().for_each(|message| put_frame(&mut bytes, message, now_us));
        self.file.write_all(&bytes)?;
        self.bytes += bytes.len() as u64;
        self.file.sync_data()
    }

    /// Whether the file is much larger than these messages, which are all that there are.
    pub(crate) fn is_wasteful(&self, all: &[Arc<Message>]) -> bool {
        let live: usize = all.iter().map(|message| message.bytes()).sum();
        self.bytes > SMALL_BYTES && self.bytes > MAX_WASTE * live as u64
    }

    /// Whether the file has grown so far that [`Journal::is_wasteful`] is worth asking.
    pub(crate) fn is_large(&self) -> bool {
        self.bytes > SMALL_BYTES
    }

    /// Replaces the file by one that holds only these messages.
    pub(crate) fn write_anew(&mut self, all: &[Arc<Message>], now_us: i64) -> io::Result<()> {
        let mut bytes = MAGIC.to_vec();
        all.iter().for_each(|message| put_frame(&mut bytes, message, now_us));
        let beside = self.path.with_extension("new");
        let mut file = File::create(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&beside, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        self.file = OpenOptions::new().append(true).open(&self.path)?;
        self.bytes = bytes.len() as u64;
        Ok(())
    }
}

/// The messages, and how many bytes of the file are sound.
fn read(bytes: &[u8], now_us: i64) -> (BTreeMap<String, Message>, usize) {
    let mut messages = BTreeMap::new();
    let mut at = MAGIC.len().min(bytes.len());
    while let Some(head) = bytes.get(at..at + HEAD_BYTES) {
        let number = |from: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| head[from + n]));
        let end = at + HEAD_BYTES + number(0) as usize;
        let Some(body) = bytes.get(at + HEAD_BYTES..end) else { break };
        let Some(message) = (crc32c::crc32c(body) == number(4)).then(|| parse(body, now_us)) else {
            break;
        };
        at = end;
        match message {
            Some(message) if !message.payload.is_empty() => {
                messages.insert(message.topic.clone(), message);
            }
            Some(message) => {
                messages.remove(&message.topic);
            }
            None => tracing::warn!(at, "a retained message cannot be read and is left out"),
        }
    }
    (messages, at)
}

fn put_frame(bytes: &mut Vec<u8>, message: &Message, now_us: i64) {
    let Some(packet) = packet_of(message) else { return };
    let left = message.expires.map(|expires| expires.saturating_duration_since(Instant::now()));
    let expiry_us = left.map_or(0, |left| now_us + left.as_micros() as i64);
    let mut body = expiry_us.to_le_bytes().to_vec();
    body.extend_from_slice(&packet);
    bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
}

/// None for a topic that no PUBLISH can carry; such a message has never come in.
fn packet_of(message: &Message) -> Option<Vec<u8>> {
    let packet = v5_0::Publish::builder()
        .topic_name(message.topic.as_str())
        .ok()?
        .qos(message.qos)
        .packet_id((message.qos != Qos::AtMostOnce).then_some(1))
        .retain(true)
        .props(message.props.clone())
        .payload(message.payload.clone())
        .build()
        .ok()?;
    Some(packet.to_continuous_buffer())
}

/// None when the body is no message; one whose time is over comes back as one that removes its topic.
fn parse(body: &[u8], now_us: i64) -> Option<Message> {
    let (expiry_us, packet) = body.split_first_chunk::<8>()?;
    let expiry_us = i64::from_le_bytes(*expiry_us);
    let first = packet.first()?;
    // The remaining length ends at the first byte below 128 (MQTT 5 §1.5.5).
    let length_bytes = packet.iter().skip(1).position(|byte| *byte < 128)? + 1;
    let (publish, _) =
        v5_0::Publish::parse(first & 0x0F, Arc::from(packet.get(1 + length_bytes..)?)).ok()?;
    let is_over = expiry_us != 0 && expiry_us <= now_us;
    let left_us = (expiry_us != 0 && !is_over).then(|| (expiry_us - now_us) as u64);
    Some(Message {
        topic: publish.topic_name().to_owned(),
        payload: if is_over { Arc::from([]) } else { Arc::from(publish.payload().as_slice()) },
        qos: publish.qos(),
        retain: true,
        props: publish.props().iter().filter_map(|prop| aged(prop, left_us)).collect(),
        expires: left_us.and_then(|us| Instant::now().checked_add(Duration::from_micros(us))),
    })
}

/// A message tells for how long it is still wanted, not for how long it was.
fn aged(prop: &Property, left_us: Option<u64>) -> Option<Property> {
    let Property::MessageExpiryInterval(_) = prop else { return Some(prop.clone()) };
    let seconds = u32::try_from(left_us? / 1_000_000).unwrap_or(u32::MAX);
    MessageExpiryInterval::new(seconds).ok().map(Property::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_US: i64 = 1_767_225_600_000_000;

    fn message(topic: &str, payload: &str) -> Arc<Message> {
        Arc::new(Message::from_house(topic, payload.as_bytes(), true))
    }

    fn kept(path: &Path, now_us: i64) -> Vec<(String, String)> {
        let (_, messages) = Journal::open(path, now_us).expect("opens");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        messages.iter().map(|message| (message.topic.clone(), text(&message.payload))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(topic, payload)| (topic.to_string(), payload.to_string())).collect()
    }

    #[test]
    fn what_was_appended_is_there_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("retained");
        let (mut journal, messages) = Journal::open(&path, NOW_US).expect("opens");
        assert!(messages.is_empty());
        journal.append(&[message("a", "1"), message("b", "2")], NOW_US).expect("written");
        journal.append(&[message("a", "3"), message("b", "")], NOW_US).expect("written");
        drop(journal);
        assert_eq!(kept(&path, NOW_US), pairs(&[("a", "3")]));
    }

    /// The power went while a frame was written: what was whole before it stays, and the file goes on.
    #[test]
    fn a_file_cut_off_at_any_byte_keeps_its_whole_frames() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("retained");
        let (mut journal, _) = Journal::open(&path, NOW_US).expect("opens");
        journal.append(&[message("a", "1")], NOW_US).expect("written");
        let first_end = std::fs::metadata(&path).expect("there").len() as usize;
        journal.append(&[message("b", "2")], NOW_US).expect("written");
        let whole = std::fs::read(&path).expect("readable");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let expected = if cut < first_end { pairs(&[]) } else { pairs(&[("a", "1")]) };
            assert_eq!(kept(&path, NOW_US), expected, "cut at {cut}");
            let (mut journal, _) = Journal::open(&path, NOW_US).expect("opens");
            journal.append(&[message("c", "3")], NOW_US).expect("written");
            assert!(kept(&path, NOW_US).contains(&("c".into(), "3".into())), "cut at {cut}");
        }
    }

    #[test]
    fn a_message_ages_while_the_broker_is_off() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("retained");
        let mut short = Message::from_house("a", b"1", true);
        short.expires = Some(Instant::now() + Duration::from_secs(100));
        short.props.extend(MessageExpiryInterval::new(100).ok().map(Property::from));
        let (mut journal, _) = Journal::open(&path, NOW_US).expect("opens");
        journal.append(&[Arc::new(short)], NOW_US).expect("written");
        let (_, later) = Journal::open(&path, NOW_US + 60_000_000).expect("opens");
        let left = later[0].expires.expect("expires").saturating_duration_since(Instant::now());
        assert!((38..=40).contains(&left.as_secs()), "{left:?}");
        assert!(
            matches!(&later[0].props[..], [Property::MessageExpiryInterval(left)] if left.val() <= 40)
        );
        assert_eq!(kept(&path, NOW_US + 101_000_000), pairs(&[]));
    }

    #[test]
    fn a_file_that_is_mostly_out_of_date_is_written_anew() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("retained");
        let (mut journal, _) = Journal::open(&path, NOW_US).expect("opens");
        let large = "x".repeat(100_000);
        for _ in 0..20 {
            journal.append(&[message("a", &large)], NOW_US).expect("written");
        }
        let all = [message("a", &large)];
        assert!(journal.is_large() && journal.is_wasteful(&all));
        journal.write_anew(&all, NOW_US).expect("written");
        assert!(!journal.is_wasteful(&all) && !journal.is_large());
        journal.append(&[message("b", "2")], NOW_US).expect("written");
        assert_eq!(kept(&path, NOW_US), pairs(&[("a", &large), ("b", "2")]));
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("retained");
        std::fs::write(&path, "something else").expect("written");
        let error = Journal::open(&path, NOW_US).err().expect("refused");
        assert!(error.to_string().contains("no retained messages"), "{error}");
        assert_eq!(std::fs::read(&path).expect("there"), b"something else");
    }
}
