//! The ways in which an answer ends, and the body that ends so.

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

impl Ending {
    /// Breaks the connection, or waits without end, if there is no answer.
    pub(super) async fn begin(self) -> io::Result<()> {
        match self {
            Self::Hang => std::future::pending().await,
            Self::Reset => Err(io::ErrorKind::ConnectionReset.into()),
            Self::Whole | Self::Half | Self::Drip(_) | Self::Endless => Ok(()),
        }
    }

    /// The response with a body that ends in this way. `has_length`: whether its status allows a length.
    pub(super) fn response(
        self,
        mut response: Builder,
        has_length: bool,
        mut body: Vec<u8>,
    ) -> Result<Response<ReplyBody>, hyper::http::Error> {
        let length = body.len();
        if self == Self::Half {
            body.truncate(length / 2);
        }
        if has_length && self != Self::Endless {
            response = response.header(CONTENT_LENGTH, length);
        }
        response.body(ReplyBody { rest: Bytes::from(body), ending: self, pause: None })
    }
}

/// A body, which ends as its answer does.
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
