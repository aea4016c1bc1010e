//! Line-protocol writers over HTTP/1.1, written by hand so that the generator costs little beside the server.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Latency, value_of};

/// A server that does not answer for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(120);

/// What is written.
#[derive(Clone, Debug)]
pub struct LineLoad {
    /// The server.
    pub server: SocketAddr,
    /// Path and query of the request; the precision must be ns.
    pub path: String,
    /// More headers, each ended with `\r\n`: `Authorization: Token …`.
    pub headers: String,
    /// Writers, each with a connection of its own.
    pub connections: u32,
    /// Requests of one writer.
    pub requests: u64,
    /// Lines of one request.
    pub lines: u64,
    /// Fields of one line.
    pub fields: u32,
    /// Series (machines) of one writer, used in turn.
    pub series: u32,
    /// Measurement of all lines.
    pub measurement: String,
    /// Time stamp of line 0 in µs; line n is n µs later.
    pub first_us: i64,
}

impl Default for LineLoad {
    fn default() -> LineLoad {
        LineLoad {
            server: SocketAddr::from(([127, 0, 0, 1], 8080)),
            path: "/api/v2/write?org=fettler&bucket=bench&precision=ns".to_owned(),
            headers: String::new(),
            connections: 4,
            requests: 50,
            lines: 5_000,
            fields: 10,
            series: 100,
            measurement: "bench".to_owned(),
            first_us: 1_767_225_600_000_000,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct LineReport {
    /// Lines that the server said it has stored.
    pub stored_lines: u64,
    /// Requests of each writer that were answered with success: its first n.
    pub stored_by_connection: Vec<u64>,
    /// Why writers ended before their work was done.
    pub errors: Vec<String>,
    /// From the first connection to the last answer.
    pub elapsed: Duration,
    /// From a request to its answer.
    pub latency: Latency,
}

impl LineReport {
    /// Stored lines per second.
    pub fn lines_per_s(&self) -> f64 {
        self.stored_lines as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Runs the load to its end; a writer whose request fails is reported and not tried again.
pub async fn run_line(load: &LineLoad) -> LineReport {
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for connection in 0..load.connections {
        let load = load.clone();
        writers.spawn(async move {
            let mut writer = Writer { connection, load, stored: 0, latency: Latency::default() };
            let result = writer.run().await;
            (writer, result)
        });
    }
    let mut report = LineReport {
        stored_by_connection: vec![0; load.connections as usize],
        ..LineReport::default()
    };
    while let Some(finished) = writers.join_next().await {
        let Ok((writer, result)) = finished else { continue };
        report.stored_lines += writer.stored * load.lines;
        report.stored_by_connection[writer.connection as usize] = writer.stored;
        report.latency.merge(&writer.latency);
        if let Err(error) = result {
            report.errors.push(format!("writer {}: {error}", writer.connection));
        }
    }
    report.elapsed = started.elapsed();
    report
}

struct Writer {
    connection: u32,
    load: LineLoad,
    stored: u64,
    latency: Latency,
}

impl Writer {
    async fn run(&mut self) -> io::Result<()> {
        let socket = TcpStream::connect(self.load.server).await?;
        socket.set_nodelay(true)?;
        let mut socket = BufReader::new(socket);
        let (mut body, mut request) = (Vec::new(), Vec::new());
        for n in 0..self.load.requests {
            body.clear();
            for line in n * self.load.lines..(n + 1) * self.load.lines {
                self.encode(&mut body, line);
            }
            request.clear();
            let (path, server, headers) = (&self.load.path, self.load.server, &self.load.headers);
            let _ = write!(
                request,
                "POST {path} HTTP/1.1\r\nHost: {server}\r\n{headers}Content-Length: {}\r\n\r\n",
                body.len()
            );
            request.extend_from_slice(&body);
            let sent = Instant::now();
            socket.get_mut().write_all(&request).await?;
            tokio::time::timeout(SILENCE, expect_success(&mut socket)).await??;
            self.latency.add(sent.elapsed());
            self.stored += 1;
        }
        Ok(())
    }

    fn encode(&self, body: &mut Vec<u8>, line: u64) {
        let machine = line % u64::from(self.load.series.max(1));
        let _ =
            write!(body, "{},line=l{},machine=m{machine} ", self.load.measurement, self.connection);
        let value = value_of(self.connection, line);
        for field in 0..self.load.fields {
            let separator = if field == 0 { "" } else { "," };
            // A fraction, as sensors have one; still exact and unique within the field.
            let _ = write!(body, "{separator}f{field}={value}.5");
        }
        let _ = writeln!(body, " {}", (self.load.first_us + line as i64) * 1000);
    }
}

/// Reads one answer; its body must say how long it is.
async fn expect_success(socket: &mut BufReader<TcpStream>) -> io::Result<()> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let from = head.len();
        if socket.read_line(&mut head).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server hung up"));
        }
        let line = head[from..].trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().unwrap_or(0).min(64 * 1024);
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await?;
    match head.split_ascii_whitespace().nth(1) {
        Some("204" | "200") => Ok(()),
        _ => {
            let status = head.lines().next().unwrap_or_default();
            Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&body))))
        }
    }
}
