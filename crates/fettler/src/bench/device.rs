//! The few MQTT 3.1.1 packets that a sending device needs.

use std::net::SocketAddr;

use anyhow::{anyhow, ensure};
use mqtt_protocol_core::mqtt::packet::{Qos, v3_1_1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that the broker has taken.
pub(crate) async fn connect(broker: SocketAddr, client: &str) -> anyhow::Result<TcpStream> {
    let mut socket = TcpStream::connect(broker).await?;
    socket.set_nodelay(true)?;
    let connect = v3_1_1::Connect::builder()
        .client_id(client)
        .and_then(|builder| builder.clean_session(true).keep_alive(0).build())
        .map_err(|error| anyhow!("cannot make a CONNECT: {error:?}"))?;
    socket.write_all(&connect.to_continuous_buffer()).await?;
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).await?;
    ensure!(connack[3] == 0, "the broker refused the connection");
    Ok(socket)
}

/// A PUBLISH at QoS 1 as it goes over the wire.
pub(crate) fn publish(topic: &str, payload: String, packet_id: u16) -> anyhow::Result<Vec<u8>> {
    let publish = v3_1_1::Publish::builder()
        .topic_name(topic)
        .and_then(|builder| {
            builder.qos(Qos::AtLeastOnce).packet_id(packet_id).payload(payload).build()
        })
        .map_err(|error| anyhow!("cannot make a PUBLISH: {error:?}"))?;
    Ok(publish.to_continuous_buffer())
}
