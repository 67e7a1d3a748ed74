//! A TCP stream that acknowledges what it receives at once.
//!
//! sshd leaves Nagle's algorithm on for commands without a terminal: its second small packet in a row waits for our
//! acknowledgement of the first, which the kernel would hold back for 40 ms.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

pub(super) struct PromptStream(TcpStream);

impl PromptStream {
    pub fn new(stream: TcpStream) -> Self {
        // A stream that cannot have these still works.
        let _ = stream.set_nodelay(true);
        let _ = stream.set_quickack(true);
        Self(stream)
    }
}

impl AsyncRead for PromptStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer))?;
        // The kernel falls back to waiting on its own, so the option is set again and again.
        let _ = self.0.set_quickack(true);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for PromptStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
