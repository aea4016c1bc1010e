//! A server in its own process, so that its CPU time is its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// A child process that is ended with its owner.
pub(crate) struct Server {
    child: Child,
    pub(crate) web: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Server {
    /// This Fettler, on free ports and an empty directory.
    pub(crate) fn fettler() -> anyhow::Result<Server> {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let (web, mqtt) = (free_port()?, free_port()?);
        let mut command =
            Command::new(std::env::current_exe().context("cannot find this program")?);
        command.args([
            "--log",
            "warn",
            "--listen",
            &web.to_string(),
            "--mqtt-listen",
            &mqtt.to_string(),
        ]);
        command.arg("--data-dir").arg(dir.path().join("data")).arg("serve");
        Server::start(command, web, mqtt, dir)
    }

    /// InfluxDB 1.x, if it is installed.
    pub(crate) fn influxdb() -> anyhow::Result<Option<Server>> {
        let Some(program) = find("influxd") else { return Ok(None) };
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let (web, rpc) = (free_port()?, free_port()?);
        let path = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "reporting-disabled = true\nbind-address = \"{rpc}\"\n[meta]\ndir = \"{}\"\n[data]\ndir = \"{}\"\nwal-dir = \"{}\"\n\
             [http]\nbind-address = \"{web}\"\nlog-enabled = false\n[monitor]\nstore-enabled = false\n",
            path("meta"),
            path("data"),
            path("wal")
        );
        let file = dir.path().join("influxdb.conf");
        std::fs::write(&file, config).context("cannot write the configuration of InfluxDB")?;
        let mut command = Command::new(program);
        command.arg("-config").arg(file);
        Ok(Some(Server::start(command, web, rpc, dir)?))
    }

    /// mosquitto, if it is installed. It keeps nothing on disk: its PUBACK promises less than ours.
    pub(crate) fn mosquitto() -> anyhow::Result<Option<Server>> {
        let Some(program) = find("mosquitto") else { return Ok(None) };
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mqtt = free_port()?;
        let file = dir.path().join("mosquitto.conf");
        let config = format!(
            "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n",
            mqtt.port()
        );
        std::fs::write(&file, config).context("cannot write the configuration of mosquitto")?;
        let mut command = Command::new(program);
        command.arg("-c").arg(file);
        Ok(Some(Server::start(command, mqtt, mqtt, dir)?))
    }

    fn start(
        mut command: Command,
        web: SocketAddr,
        mqtt: SocketAddr,
        dir: tempfile::TempDir,
    ) -> anyhow::Result<Server> {
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let child =
            command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let mut server = Server { child, web, mqtt, _dir: dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(web).is_err() {
            if Instant::now() > deadline
                || server.child.try_wait().is_ok_and(|status| status.is_some())
            {
                bail!("{:?} did not begin to listen on {web}", command.get_program());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// CPU time of the process so far, user and system, in seconds.
    pub(crate) fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(
            Path::new("/proc").join(self.child.id().to_string()).join("stat"),
        );
        let stat = stat.unwrap_or_default();
        // Fields after the name, which may hold spaces: utime and stime are the 14th and 15th of all.
        let after = stat.rsplit_once(") ").map_or("", |(_, after)| after);
        let ticks: f64 =
            after.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
        // Linux has told user space 100 ticks a second on every architecture for twenty years.
        ticks / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Values that a Fettler has stored since its start, by its own books.
pub(crate) async fn stored_values(web: SocketAddr) -> anyhow::Result<u64> {
    let metrics = reqwest::get(format!("http://{web}/metrics")).await?.text().await?;
    let stored = metrics
        .lines()
        .filter(|line| line.starts_with("fettler_rows_stored_total"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(stored.sum::<f64>() as u64)
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .map(|dir| Path::new(dir).join(program))
        .find(|path| path.is_file())
}

fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no port is free")?;
    listener.local_addr().context("no port is free")
}
