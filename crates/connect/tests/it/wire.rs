//! MQTT packets byte by byte, so that the tests see what is on the wire and in which order.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing that the tests wait for takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a client introduces itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hello<'a> {
    pub(crate) name: &'a str,
    pub(crate) v5: bool,
    /// Seconds that the session outlives the connection (MQTT 5), or whether it does at all (3.1.1).
    pub(crate) keep_s: u32,
    /// Topic, payload and delay in seconds (MQTT 5).
    pub(crate) will: Option<(&'a str, &'a str, u32)>,
}

/// A client's end of a connection.
pub(crate) struct Wire {
    socket: TcpStream,
    v5: bool,
}

impl Wire {
    /// Connects and returns after the CONNACK, with whether a session was there.
    pub(crate) async fn connect(broker: SocketAddr, hello: Hello<'_>) -> (Wire, bool) {
        let socket = TcpStream::connect(broker).await.expect("the broker listens");
        let mut wire = Wire { socket, v5: hello.v5 };
        let clean = if hello.keep_s == 0 { 0x02 } else { 0 };
        let will = if hello.will.is_some() { 0x04 } else { 0 };
        let mut body = text("MQTT");
        body.extend_from_slice(&[if hello.v5 { 5 } else { 4 }, clean | will, 0, 0]);
        if hello.v5 {
            body.push(5);
            body.push(0x11);
            body.extend_from_slice(&hello.keep_s.to_be_bytes());
        }
        body.extend(text(hello.name));
        if let Some((topic, payload, delay_s)) = hello.will {
            if hello.v5 {
                body.push(5);
                body.push(0x18);
                body.extend_from_slice(&delay_s.to_be_bytes());
            }
            body.extend(text(topic));
            body.extend(text(payload));
        }
        wire.send(0x10, &body).await;
        let (kind, connack) = wire.receive().await.expect("a CONNACK");
        assert_eq!((kind, connack[1]), (0x20, 0), "accepted");
        (wire, connack[0] == 1)
    }

    /// Publishes; `qos_1`: with this packet identifier.
    pub(crate) async fn publish(
        &mut self,
        topic: &str,
        payload: &str,
        qos_1: Option<u16>,
        retain: bool,
    ) {
        let mut body = text(topic);
        body.extend(qos_1.iter().flat_map(|id| id.to_be_bytes()));
        if self.v5 {
            body.push(0);
        }
        body.extend_from_slice(payload.as_bytes());
        let qos = if qos_1.is_some() { 0x02 } else { 0 };
        self.send(0x30 | qos | u8::from(retain), &body).await;
    }

    /// Subscribes at QoS 1 and returns the code of the SUBACK.
    pub(crate) async fn subscribe(&mut self, filter: &str) -> u8 {
        let mut body = vec![0, 9];
        if self.v5 {
            body.push(0);
        }
        body.extend(text(filter));
        body.push(1);
        self.send(0x82, &body).await;
        let (kind, suback) = self.receive().await.expect("a SUBACK");
        assert_eq!(kind, 0x90);
        *suback.last().expect("a code")
    }

    /// The next PUBLISH as (topic, payload, retained), acknowledged if it wants that.
    pub(crate) async fn message(&mut self) -> (String, String, bool) {
        let (kind, body) = self.receive().await.expect("a PUBLISH");
        assert_eq!(kind & 0xF0, 0x30, "{kind:#x} {body:?}");
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        let topic = String::from_utf8_lossy(&body[2..2 + length]).into_owned();
        let mut rest = &body[2 + length..];
        if kind & 0x06 != 0 {
            let id = [rest[0], rest[1]];
            rest = &rest[2..];
            self.send(0x40, &id).await;
        }
        if self.v5 {
            rest = &rest[1 + usize::from(rest[0])..];
        }
        (topic, String::from_utf8_lossy(rest).into_owned(), kind & 1 == 1)
    }

    /// The next PUBACK as (packet identifier, reason code).
    pub(crate) async fn puback(&mut self) -> (u16, u8) {
        let (kind, body) = self.receive().await.expect("a PUBACK");
        assert_eq!(kind, 0x40, "{body:?}");
        (u16::from_be_bytes([body[0], body[1]]), body.get(2).copied().unwrap_or(0))
    }

    /// The next packet as first byte and body; none when the broker has hung up.
    pub(crate) async fn receive(&mut self) -> Option<(u8, Vec<u8>)> {
        tokio::time::timeout(PATIENCE, self.read_packet())
            .await
            .expect("within the test's patience")
    }

    async fn read_packet(&mut self) -> Option<(u8, Vec<u8>)> {
        let kind = self.socket.read_u8().await.ok()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.socket.read_u8().await.ok()?;
            length |= usize::from(byte & 127) << shift;
            shift += 7;
            if byte < 128 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await.ok()?;
        Some((kind, body))
    }

    /// Sends a packet; a broker that has hung up is found out by the next read.
    pub(crate) async fn send(&mut self, kind: u8, body: &[u8]) {
        let mut packet = vec![kind];
        let mut length = body.len();
        while length >= 128 {
            packet.push((length % 128) as u8 | 128);
            length /= 128;
        }
        packet.push(length as u8);
        packet.extend_from_slice(body);
        let _ = self.socket.write_all(&packet).await;
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}
