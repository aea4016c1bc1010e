//! The last message of each topic that wanted to be kept, bounded in number and in bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::Message;

/// Retained messages; more are passed on but not kept.
const MAX_MESSAGES: usize = 200_000;
/// Their topics and payloads together.
const MAX_BYTES: usize = 128 << 20;

/// What is retained, and what of it is not yet in the file.
#[derive(Default)]
pub(crate) struct Retained {
    messages: BTreeMap<String, Arc<Message>>,
    bytes: usize,
    /// Topic → its newest message; an empty payload means that it is gone.
    changed: BTreeMap<String, Arc<Message>>,
    /// Counts changes.
    number: u64,
}

/// What happened to a message that wanted to be retained.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is in memory, and this is the number of the change for [`Retained::take_changes`].
    Change(u64),
    /// Nothing was there that it would have removed.
    Nothing,
    /// There is no room.
    Full,
}

impl Retained {
    /// Keeps a message, or removes the one of its topic when its payload is empty.
    pub(crate) fn keep(&mut self, message: &Arc<Message>) -> Kept {
        let is_gone = message.payload.is_empty();
        let old_bytes = self.messages.get(&message.topic).map(|old| old.bytes());
        if is_gone && old_bytes.is_none() {
            return Kept::Nothing;
        }
        if !is_gone {
            let bytes = self.bytes - old_bytes.unwrap_or(0) + message.bytes();
            let is_full = old_bytes.is_none() && self.messages.len() >= MAX_MESSAGES;
            if is_full || bytes > MAX_BYTES {
                return Kept::Full;
            }
        }
        self.put(message);
        if message.is_system() {
            return Kept::Nothing;
        }
        self.changed.insert(message.topic.clone(), message.clone());
        self.number += 1;
        Kept::Change(self.number)
    }

    /// Puts back what the file held; nothing of it counts as a change.
    pub(crate) fn restore(&mut self, messages: Vec<Message>) {
        for message in messages {
            self.put(&Arc::new(message));
        }
    }

    /// Messages that are not over, in the order of their topics.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Message>> {
        let now = Instant::now();
        self.messages.values().filter(move |message| !message.is_over(now))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Removes what is over.
    pub(crate) fn sweep(&mut self, now: Instant) {
        let over: Vec<String> = self
            .messages
            .values()
            .filter(|message| message.is_over(now))
            .map(|message| message.topic.clone())
            .collect();
        for topic in over {
            self.keep(&Arc::new(Message::from_house(&topic, b"", true)));
        }
    }

    /// What has changed since the last call, and the number of the last change.
    pub(crate) fn take_changes(&mut self) -> (Vec<Arc<Message>>, u64) {
        (std::mem::take(&mut self.changed).into_values().collect(), self.number)
    }

    fn put(&mut self, message: &Arc<Message>) {
        let old = if message.payload.is_empty() {
            self.messages.remove(&message.topic)
        } else {
            self.bytes += message.bytes();
            self.messages.insert(message.topic.clone(), message.clone())
        };
        self.bytes -= old.map_or(0, |old| old.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, n_bytes: usize) -> Arc<Message> {
        Arc::new(Message::from_house(topic, &vec![1; n_bytes], true))
    }

    #[test]
    fn the_newest_of_a_topic_is_kept_and_an_empty_one_removes_it() {
        let mut retained = Retained::default();
        assert_eq!(retained.keep(&message("a", 1)), Kept::Change(1));
        assert_eq!(retained.keep(&message("a", 2)), Kept::Change(2));
        assert_eq!(retained.keep(&message("b", 0)), Kept::Nothing);
        assert_eq!(retained.iter().map(|kept| kept.payload.len()).collect::<Vec<_>>(), [2]);
        assert_eq!(retained.keep(&message("a", 0)), Kept::Change(3));
        assert_eq!((retained.len(), retained.bytes), (0, 0));
        let (changes, number) = retained.take_changes();
        assert_eq!((changes.len(), number), (1, 3), "only the newest of a topic is written");
        assert!(retained.take_changes().0.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut retained = Retained::default();
        let n_kept = (0..40)
            .filter(|n| retained.keep(&message(&format!("t{n}"), 8 << 20)) != Kept::Full)
            .count();
        assert_eq!(n_kept, 15, "sixteen times 8 MiB and their topics are more than 128 MiB");
        assert_eq!(
            retained.keep(&message("t3", 9)),
            Kept::Change(16),
            "a smaller one takes its place"
        );
    }

    #[test]
    fn what_the_broker_says_of_itself_is_not_written_down() {
        let mut retained = Retained::default();
        assert_eq!(retained.keep(&message("$SYS/broker/uptime", 3)), Kept::Nothing);
        assert_eq!((retained.len(), retained.take_changes().0.len()), (1, 0));
    }
}
