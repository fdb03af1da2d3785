//! Failures by a script: late, broken and endless answers.

use super::reply::Reply;
use super::request::WriteRequest;
use bytes::Bytes;
use hyper::Response;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::CONTENT_LENGTH;
use hyper::http::response::Builder;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// A script of faults: what it answers instead of the receiver, for each request that it wants to answer.
pub type Faults = Box<dyn Fn(&WriteRequest) -> Option<Reply> + Send + Sync>;

/// How an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    #[default]
    Whole,
    /// The connection closes when half of the body is out.
    Half,
    /// The body comes byte by byte, with this much time before each.
    Drip(Duration),
    /// The body comes again and again, without end.
    Endless,
    /// The connection closes without an answer.
    Reset,
    /// No answer, and the connection stays open.
    Hang,
}

impl Reply {
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    #[must_use]
    pub fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }

    #[must_use]
    pub fn storing(mut self) -> Self {
        self.stores = true;
        self
    }

    /// Waits, and breaks the connection if the answer ends without a beginning.
    pub(super) async fn begin(&self) -> io::Result<()> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.ending {
            Ending::Hang => std::future::pending().await,
            Ending::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            Ending::Whole | Ending::Half | Ending::Drip(_) | Ending::Endless => Ok(()),
        }
    }
}

/// The response with a body that ends as the reply says.
pub(super) fn response(
    mut response: Builder,
    mut reply: Reply,
) -> Result<Response<ReplyBody>, hyper::http::Error> {
    let length = reply.body.len();
    if reply.ending == Ending::Half {
        reply.body.truncate(length / 2);
    }
    if reply.status != 204 && reply.ending != Ending::Endless {
        response = response.header(CONTENT_LENGTH, length);
    }
    response.body(ReplyBody { rest: Bytes::from(reply.body), ending: reply.ending, pause: None })
}

/// A body, which ends as the reply says.
#[derive(Debug)]
pub(super) struct ReplyBody {
    rest: Bytes,
    ending: Ending,
    /// Before the next byte of one that drips.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.rest.is_empty() {
            let broken = self.ending == Ending::Half;
            return Poll::Ready(broken.then(|| Err(io::ErrorKind::ConnectionReset.into())));
        }
        let data = match self.ending {
            Ending::Endless => self.rest.clone(),
            Ending::Drip(time) => {
                let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
                self.rest.split_to(1)
            }
            _ => self.rest.split_off(0),
        };
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.ending != Ending::Half && self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.ending {
            Ending::Half | Ending::Endless => SizeHint::default(),
            _ => SizeHint::with_exact(self.rest.len() as u64),
        }
    }
}
