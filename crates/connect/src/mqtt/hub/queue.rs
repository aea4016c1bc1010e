//! What waits for one client, bounded in number and in bytes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mqtt_protocol_core::mqtt::packet::Qos;
use tokio::sync::Notify;

use super::Outgoing;

/// Messages that wait for one client, connected or absent.
const MAX_MESSAGES: usize = 20_000;
/// Bytes that wait for one client.
const MAX_BYTES: usize = 16 << 20;
/// Bytes that wait for all clients together.
const MAX_ALL_BYTES: usize = 256 << 20;

/// One client's messages, in order. The hub puts them in, the connection takes them out.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    /// Bytes of all queues of the hub.
    all_bytes: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Outgoing>,
    bytes: usize,
}

impl Queue {
    /// An empty queue that counts its bytes into `all_bytes` as well.
    pub(crate) fn new(all_bytes: Arc<AtomicUsize>) -> Queue {
        Queue { waiting: Mutex::default(), arrived: Notify::new(), all_bytes }
    }

    /// False when the message does not fit; a queue that is empty takes any message.
    pub(crate) fn push(&self, outgoing: Outgoing) -> bool {
        let n_bytes = outgoing.bytes();
        let mut waiting = self.lock();
        let is_full = waiting.messages.len() >= MAX_MESSAGES
            || waiting.bytes + n_bytes > MAX_BYTES
            || self.all_bytes.load(Ordering::Relaxed) + n_bytes > MAX_ALL_BYTES;
        if is_full && !waiting.messages.is_empty() {
            return false;
        }
        waiting.bytes += n_bytes;
        self.all_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        waiting.messages.push_back(outgoing);
        drop(waiting);
        self.arrived.notify_one();
        true
    }

    /// The oldest message, if there is one.
    pub(crate) fn pop(&self) -> Option<Outgoing> {
        let mut waiting = self.lock();
        let outgoing = waiting.messages.pop_front()?;
        self.forget_bytes(&mut waiting, outgoing.bytes());
        Some(outgoing)
    }

    /// Waits for the oldest message. Safe to cancel: it takes nothing until it returns.
    pub(crate) async fn next(&self) -> Outgoing {
        loop {
            let arrived = self.arrived.notified();
            if let Some(outgoing) = self.pop() {
                return outgoing;
            }
            arrived.await;
        }
    }

    /// Moves everything to a new queue, so that a connection that was taken over finds nothing more.
    pub(crate) fn hand_over(&self) -> Queue {
        let heir = Queue::new(self.all_bytes.clone());
        std::mem::swap(&mut *self.lock(), &mut *heir.lock());
        heir
    }

    /// The client is gone: what it gets at most once is not kept for it.
    pub(crate) fn drop_at_most_once(&self) {
        let mut waiting = self.lock();
        let all = std::mem::take(&mut waiting.messages);
        for outgoing in all {
            if outgoing.qos == Qos::AtMostOnce {
                self.forget_bytes(&mut waiting, outgoing.bytes());
            } else {
                waiting.messages.push_back(outgoing);
            }
        }
    }

    fn forget_bytes(&self, waiting: &mut Waiting, n_bytes: usize) {
        waiting.bytes -= n_bytes;
        self.all_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let n_bytes = self.lock().bytes;
        self.all_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;

    fn outgoing(n_bytes: usize, qos: Qos) -> Outgoing {
        let message = Arc::new(Message::from_house("t", &vec![0; n_bytes], false));
        Outgoing { message, qos, retain: false, identifiers: Vec::new() }
    }

    #[test]
    fn a_queue_is_bounded_in_number_and_in_bytes() {
        let all = Arc::new(AtomicUsize::new(0));
        let queue = Queue::new(all.clone());
        let n_small = (0..30_000).filter(|_| queue.push(outgoing(0, Qos::AtLeastOnce))).count();
        assert_eq!(n_small, MAX_MESSAGES);
        drop(queue);
        assert_eq!(all.load(Ordering::Relaxed), 0, "a queue that goes gives its room back");

        let queue = Queue::new(all.clone());
        let n_large = (0..30).filter(|_| queue.push(outgoing(1 << 20, Qos::AtLeastOnce))).count();
        assert_eq!(n_large, 15, "sixteen times 1 MiB and their topics are more than 16 MiB");
        while queue.pop().is_some() {}
        assert_eq!(all.load(Ordering::Relaxed), 0);
        assert!(queue.push(outgoing(20 << 20, Qos::AtLeastOnce)), "one message always fits");
    }

    #[test]
    fn all_queues_together_are_bounded() {
        let all = Arc::new(AtomicUsize::new(0));
        let queues: Vec<Queue> = (0..40).map(|_| Queue::new(all.clone())).collect();
        for queue in &queues {
            while queue.push(outgoing(4 << 20, Qos::AtLeastOnce)) {}
        }
        let bound = MAX_ALL_BYTES + queues.len() * (5 << 20);
        assert!(all.load(Ordering::Relaxed) <= bound, "{all:?}");
    }

    #[tokio::test]
    async fn order_survives_a_new_connection_and_quality_0_does_not() {
        let queue = Queue::default();
        for n in 0..10_usize {
            let qos = if n % 2 == 0 { Qos::AtMostOnce } else { Qos::AtLeastOnce };
            assert!(queue.push(outgoing(n, qos)));
        }
        queue.drop_at_most_once();
        let heir = queue.hand_over();
        assert!(queue.pop().is_none());
        let mut lengths = Vec::new();
        for _ in 0..5 {
            lengths.push(heir.next().await.message.payload.len());
        }
        assert_eq!(lengths, [1, 3, 5, 7, 9]);
    }
}
