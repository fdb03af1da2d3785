//! Answers, well-formed and broken.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use hyper::{Response, StatusCode};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

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

/// The answer to a write request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub delay: Duration,
    pub ending: Ending,
    /// Whether the lines are stored nevertheless, as when an answer is lost on its way.
    pub stores: bool,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

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

    /// An error as 2.x says it.
    pub(super) fn v2(status: u16, code: &str, message: &str) -> Self {
        let json = serde_json::json!({ "code": code, "message": message });
        Self::status(status).header("X-Platform-Error-Code", code).body(json.to_string())
    }

    /// An error as 1.x says it.
    pub(super) fn v1(status: u16, error: &str) -> Self {
        Self::status(status).body(serde_json::json!({ "error": error }).to_string())
    }

    /// Waits, and then gives the response or breaks the connection.
    pub(super) async fn send(self) -> io::Result<Response<ReplyBody>> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        match self.ending {
            Ending::Hang => std::future::pending().await,
            Ending::Reset => return Err(io::ErrorKind::ConnectionReset.into()),
            Ending::Whole | Ending::Half | Ending::Drip(_) | Ending::Endless => {}
        }
        self.response().map_err(io::Error::other)
    }

    fn response(mut self) -> Result<Response<ReplyBody>, hyper::http::Error> {
        // A status that HTTP does not have is answered as an error of the receiver.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self
            .headers
            .iter()
            .fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
        if status != StatusCode::NO_CONTENT {
            response = response.header(CONTENT_TYPE, "application/json; charset=utf-8");
        }
        let length = self.body.len();
        if self.ending == Ending::Half {
            self.body.truncate(length / 2);
        }
        if status != StatusCode::NO_CONTENT && self.ending != Ending::Endless {
            response = response.header(CONTENT_LENGTH, length);
        }
        response.body(ReplyBody { rest: Bytes::from(self.body), ending: self.ending, pause: None })
    }
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
