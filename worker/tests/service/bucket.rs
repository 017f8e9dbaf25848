//! An S3 bucket of the test's own over a folder, whose server can hang: it accepts, reads the request, and does not answer.

use std::collections::HashSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::site::{PROGRAM, Site, eventually};

/// What the server does not answer for the time being.
#[derive(Debug, Clone, Default)]
struct Hangs {
    everything: bool,
    keys: HashSet<String>,
}

const NO_OBJECTS: &[u8] = b"<ListBucketResult><Name>images</Name><IsTruncated>false</IsTruncated></ListBucketResult>";

/// The bucket `images`.
pub struct Bucket {
    address: String,
    hangs: watch::Sender<Hangs>,
}

/// A worker in a process of its own; killed when it is dropped.
pub struct Process(Child);

impl Bucket {
    /// Serves the site's objects.
    pub async fn of(site: &Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (hangs, told) = watch::channel(Hangs::default());
        let folder = site.objects();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, folder.clone(), told.clone()));
            }
        });
        Self { address, hangs }
    }

    /// From now on nothing is answered, or everything is again.
    pub fn hang(&self, everything: bool) {
        self.hangs.send_modify(|hangs| hangs.everything = everything);
    }

    /// From now on this object is not given, or it is again.
    pub fn hang_on(&self, key: &str, hang: bool) {
        self.hangs.send_modify(|hangs| {
            if hang {
                hangs.keys.insert(key.to_owned())
            } else {
                hangs.keys.remove(key)
            };
        });
    }

    /// Starts a worker that has its objects from here.
    pub fn start_worker(&self, mut flags: Vec<String>) -> Process {
        let store = flags.iter().position(|flag| flag == "--store-url").expect("a site's flags name its store");
        flags[store + 1] = "s3://images".into();
        let mut command = Command::new(PROGRAM);
        command.arg("run").args(flags).stderr(Stdio::null());
        let settings = [("REGION", "eu"), ("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("ALLOW_HTTP", "true")];
        command.envs(settings.map(|(name, value)| (format!("AWS_{name}"), value)));
        Process(command.env("AWS_ENDPOINT", &self.address).spawn().unwrap())
    }
}

async fn answer(mut stream: TcpStream, folder: PathBuf, mut hangs: watch::Receiver<Hangs>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    let request = String::from_utf8(request).unwrap();
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let key = path.strip_prefix("/images/").unwrap_or_default();
    if hangs.wait_for(|hangs| !hangs.everything && !hangs.keys.contains(key)).await.is_err() {
        return;
    }
    // Whoever asks whether the bucket is there asks for a list: that of nothing will do.
    let listing = path.contains("list-type").then(|| Ok(NO_OBJECTS.to_vec()));
    let (status, body) = match listing.unwrap_or_else(|| std::fs::read(folder.join(key))) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let headers = "last-modified: Mon, 30 Nov 2026 09:00:00 GMT\r\netag: \"one\"\r\nconnection: close\r\n";
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).await;
    if method == "GET" {
        let _ = stream.write_all(&body).await;
    }
    let _ = stream.shutdown().await;
}

impl Process {
    /// SIGTERM: its exit code.
    pub async fn terminated(mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-TERM", &self.0.id().to_string()]).status().unwrap().success());
        eventually("it ends", async || self.0.try_wait().unwrap()).await.code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
