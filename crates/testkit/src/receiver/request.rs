//! Write requests as they come in.

use super::Product;
use super::reply::Reply;
use base::{Api, Credential, Destination};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
#[cfg(feature = "faults")]
use hyper::header::HeaderValue;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING};
use hyper::http::request::Parts;
use libdeflater::Decompressor;
use reqwest::Url;
use std::collections::BTreeMap;

/// Largest body after decompression. Batches are a few megabytes; a decompression bomb stops here.
const BODY_BYTES_MAX: usize = 64 << 20;

/// A request to write lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteRequest {
    /// From 1, over all destinations.
    pub number: u64,
    pub destination: Destination,
    pub precision: Option<String>,
    /// Parameter of `/api/v3/write_lp`.
    pub accept_partial: Option<bool>,
    /// Parameter of `/api/v3/write_lp`.
    pub no_sync: Option<bool>,
    pub gzipped: bool,
    /// Lines, unpacked.
    pub text: Bytes,
}

impl WriteRequest {
    pub fn api(&self) -> Api {
        self.destination.api()
    }

    pub fn line_count(&self) -> usize {
        line_protocol::reader::split_lines(&self.text).count()
    }

    /// As InfluxDB checks it: login, then parameters, then the body.
    pub(super) fn new(number: u64, parts: &Parts, body: Bytes, product: &Product) -> Result<Self, Reply> {
        let api = match parts.uri.path() {
            "/write" => Api::V1,
            "/api/v3/write_lp" => Api::V3,
            _ => Api::V2,
        };
        let parameters = parameters(parts);
        let get = |name: &str| parameters.get(name).filter(|value| !value.is_empty()).cloned();
        let destination = match api {
            Api::V2 => {
                let org = match product {
                    #[cfg(feature = "faults")]
                    Product::Cloud => get("org").unwrap_or_default(),
                    Product::Influx1And2 => {
                        get("org").ok_or_else(|| invalid("Please provide either orgID or org"))?
                    }
                    #[cfg(feature = "faults")]
                    Product::Influx3(_) | Product::QuestDb => get("org").unwrap_or_default(),
                };
                let bucket = get("bucket").ok_or_else(|| Reply::v2(404, "not found", "bucket not found"))?;
                Destination::Bucket { org, bucket }
            }
            Api::V1 => {
                let database = get("db").ok_or_else(|| Reply::v1(400, "database is required"))?;
                Destination::Database { database, retention_policy: get("rp") }
            }
            Api::V3 => {
                Destination::Database3 { database: get("db").ok_or_else(|| Reply::v1(400, "missing db"))? }
            }
        };
        let precision = get("precision");
        let precisions: &[&str] = match api {
            // `auto`, the default, guesses by the size of the number.
            Api::V3 => &["nanosecond"],
            Api::V2 => &["ns", "us", "ms", "s"],
            Api::V1 => &[],
        };
        let is_known =
            precision.as_deref().map_or(api != Api::V3, |precision| precisions.contains(&precision));
        if api != Api::V1 && !is_known {
            return Err(invalid("invalid precision; valid precision units are ns, us, ms, and s"));
        }
        let flag = |name: &str| get(name).map(|value| value == "true");
        let (accept_partial, no_sync) = (flag("accept_partial"), flag("no_sync"));
        let gzipped = parts.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let text = match product {
            #[cfg(feature = "faults")]
            Product::Influx3(server) => unpack3(parts, body, api, server.body_bytes_max)?,
            _ if gzipped => gunzip(&body)?,
            _ => body,
        };
        Ok(Self { number, destination, precision, accept_partial, no_sync, gzipped, text })
    }
}

/// Unpacks a body as InfluxDB 3 does. `bytes_max` bounds the body, as sent and unpacked.
#[cfg(feature = "faults")]
fn unpack3(parts: &Parts, body: Bytes, api: Api, bytes_max: usize) -> Result<Bytes, Reply> {
    let too_large = || match api {
        Api::V2 => Reply::v2(413, "request too large", "request entity too large"),
        Api::V1 | Api::V3 => Reply::status(413).body("request entity too large"),
    };
    let encoding = parts.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let text = match encoding {
        _ if body.len() > bytes_max => return Err(too_large()),
        None | Some(b"identity") => body,
        Some(b"gzip") => gunzip(&body).map_err(|reply| match reply.status {
            413 => too_large(),
            _ => Reply::v1(400, "error decoding gzip stream: invalid gzip header"),
        })?,
        Some(other) => {
            let name = String::from_utf8_lossy(other);
            return Err(Reply::v1(400, &format!("unacceptable content-encoding: {name}")));
        }
    };
    if text.len() > bytes_max { Err(too_large()) } else { Ok(text) }
}

/// Whether the request carries this login.
pub(super) fn is_authorized(parts: &Parts, credential: &Credential) -> bool {
    // A header that is no text is no credential, and the request is refused.
    let header = parts.headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()).unwrap_or_default();
    match credential {
        Credential::None => true,
        Credential::Token(token) => {
            header.split_once(' ').is_some_and(|(scheme, sent)| scheme == "Token" && sent == token.expose())
        }
        Credential::Basic { username, password } => {
            header.strip_prefix("Basic ").and_then(|login| BASE64_STANDARD.decode(login).ok())
                == Some(format!("{username}:{}", password.expose()).into_bytes())
        }
    }
}

pub(super) fn parameters(parts: &Parts) -> BTreeMap<String, String> {
    let url = Url::parse(&format!("http://receiver{}", parts.uri)).ok();
    url.map(|url| url.query_pairs().into_owned().collect()).unwrap_or_default()
}

fn invalid(message: &str) -> Reply {
    Reply::v2(400, "invalid", message)
}

fn gunzip(packed: &[u8]) -> Result<Bytes, Reply> {
    let bad = || invalid("unable to read data: gzip: invalid header");
    if !packed.starts_with(&[0x1f, 0x8b]) {
        return Err(bad());
    }
    // The last four bytes are the length of the text.
    let length = packed.last_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    if length > BODY_BYTES_MAX {
        return Err(Reply::v2(413, "request too large", "unable to read data: points batch is too large"));
    }
    let mut text = vec![0; length];
    match Decompressor::new().gzip_decompress(packed, &mut text) {
        Ok(read) if read == length => Ok(text.into()),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_its_base64() {
        let password = base::secret::Secret::new("pö?>".to_owned());
        let credential = Credential::Basic { username: "tower".to_owned(), password };
        let f = |header: &str, want: bool| {
            let request = hyper::Request::builder().header(AUTHORIZATION, header).body(()).unwrap();
            assert_eq!(is_authorized(&request.into_parts().0, &credential), want, "{header}");
        };
        f("Basic dG93ZXI6cMO2Pz4=", true);
        for other in ["Basic dG93ZXI6cA==", "Basic not base64!", "Basic", "Token dG93ZXI6cMO2Pz4=", ""] {
            f(other, false);
        }
    }

    #[test]
    fn unpacks_only_what_gzip_packed() {
        let packed = line_protocol::Gzip::new().compress(b"m v=1\n").unwrap();
        assert_eq!(gunzip(&packed).unwrap(), "m v=1\n");
        let wrong: [&[u8]; 3] = [b"", b"m v=1\n\0\0\0", &packed[..packed.len() - 1]];
        for packed in wrong {
            assert!([400, 413].contains(&gunzip(packed).unwrap_err().status), "{packed:?}");
        }
        let bomb = [&packed[..packed.len() - 4], &[255; 4]].concat();
        assert_eq!(gunzip(&bomb).unwrap_err().status, 413);
    }
}
