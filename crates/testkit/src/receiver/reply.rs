//! Answers.

#[cfg(feature = "faults")]
use super::ending::Ending;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use std::io;
#[cfg(feature = "faults")]
use std::time::Duration;

#[cfg(feature = "faults")]
pub(super) use super::ending::ReplyBody;
#[cfg(not(feature = "faults"))]
pub(super) type ReplyBody = http_body_util::Full<bytes::Bytes>;

/// The answer to a write request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    #[cfg(feature = "faults")]
    pub delay: Duration,
    #[cfg(feature = "faults")]
    pub ending: Ending,
    /// Whether the lines are stored nevertheless, as when an answer is lost on its way.
    #[cfg(feature = "faults")]
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

    /// An error as 2.x says it.
    pub(super) fn v2(status: u16, code: &str, message: &str) -> Self {
        let json = serde_json::json!({ "code": code, "message": message });
        Self::status(status).header("X-Platform-Error-Code", code).body(json.to_string())
    }

    /// An error as 1.x says it.
    pub(super) fn v1(status: u16, error: &str) -> Self {
        Self::status(status).body(serde_json::json!({ "error": error }).to_string())
    }

    pub(super) async fn send(self) -> io::Result<Response<ReplyBody>> {
        #[cfg(feature = "faults")]
        {
            if !self.delay.is_zero() {
                tokio::time::sleep(self.delay).await;
            }
            self.ending.begin().await?;
        }
        self.response().map_err(io::Error::other)
    }

    fn response(self) -> Result<Response<ReplyBody>, hyper::http::Error> {
        // A status that HTTP does not have is answered as an error of the receiver.
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = self
            .headers
            .iter()
            .fold(Response::builder().status(status), |response, (name, value)| response.header(name, value));
        if status != StatusCode::NO_CONTENT {
            response = response.header(CONTENT_TYPE, "application/json; charset=utf-8");
        }
        #[cfg(feature = "faults")]
        return self.ending.response(response, status != StatusCode::NO_CONTENT, self.body);
        #[cfg(not(feature = "faults"))]
        response.body(self.body.into())
    }
}
