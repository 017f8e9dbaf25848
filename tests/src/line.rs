//! A line to a server that falls silent: nothing is reset, nothing is answered.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A line to a server. Connections that are open when it falls silent stay open, and hear nothing any more; later ones work.
pub struct Line {
    /// The server's URL through this line.
    pub url: String,
    silences: watch::Sender<u64>,
}

impl Line {
    /// A line to the server of this URL, which names user and port.
    pub async fn to(url: &str) -> Self {
        let (before, rest) = url.rsplit_once('@').expect("a URL with a user");
        let (address, path) = rest.split_once('/').expect("a URL with a path");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let through = format!("{before}@{}/{path}", listener.local_addr().expect("its address"));
        let (silences, silenced) = watch::channel(0);
        tokio::spawn(carry(listener, address.to_owned(), silenced));
        Self { url: through, silences }
    }

    /// Every connection that is open now falls silent.
    pub fn fall_silent(&self) {
        self.silences.send_modify(|count| *count += 1);
    }
}

async fn carry(listener: TcpListener, address: String, silenced: watch::Receiver<u64>) {
    while let Ok((mut client, _)) = listener.accept().await {
        let (address, mut silenced) = (address.clone(), silenced.clone());
        silenced.mark_unchanged();
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(address).await else { return };
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                // both ends stay open for as long as the test's runtime lives
                Ok(()) = silenced.changed() => std::future::pending().await,
            }
        });
    }
}
