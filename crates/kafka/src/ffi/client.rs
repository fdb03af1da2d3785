//! A Kafka client together with the renewal of its token. rust-rdkafka passes no SASL extensions to librdkafka, so the bridge
//! sets tokens itself.

use crate::oauth_token::{Oauth, Token, TokenRenewal, TokenSink};
use rdkafka::admin::AdminClient;
use rdkafka::bindings as c;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::producer::{Producer, ProducerContext, ThreadedProducer};
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A Kafka client whose token is renewed until the client is dropped.
pub struct Client<T> {
    /// Declared, and so dropped, before the client that it sets tokens for.
    renewal: Option<TokenRenewal>,
    client: T,
}

/// A client that owns a librdkafka handle, at the latest until the client is dropped.
pub trait OwnsHandle {
    fn handle(&self) -> *mut c::rd_kafka_t;
}

impl<C: ConsumerContext> OwnsHandle for BaseConsumer<C> {
    fn handle(&self) -> *mut c::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ProducerContext + 'static> OwnsHandle for ThreadedProducer<C> {
    fn handle(&self) -> *mut c::rd_kafka_t {
        self.client().native_ptr()
    }
}

impl<C: ClientContext> OwnsHandle for AdminClient<C> {
    fn handle(&self) -> *mut c::rd_kafka_t {
        self.inner().native_ptr()
    }
}

impl<T: OwnsHandle> OwnsHandle for Arc<T> {
    fn handle(&self) -> *mut c::rd_kafka_t {
        (**self).handle()
    }
}

impl<T: OwnsHandle> Client<T> {
    /// Starts the renewal of the client's token, if the brokers want tokens.
    pub(crate) fn new(client: T, oauth: Option<&Oauth>) -> Self {
        let sink = ClientHandle(client.handle());
        let renewal = oauth.map(|oauth| TokenRenewal::start(oauth.clone(), Box::new(sink)));
        Self { renewal, client }
    }

    /// Waits until the first token is set or could not be had. librdkafka queues requests until then, and a time limit of a
    /// request would count the time of the token endpoint, too.
    pub(crate) fn wait_for_token(&self) {
        self.renewal.iter().for_each(TokenRenewal::wait_for_first);
    }
}

impl<T> Client<T> {
    /// Ends the renewal of the token.
    pub(crate) fn into_inner(self) -> T {
        drop(self.renewal);
        self.client
    }
}

impl<T> Deref for Client<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.client
    }
}

impl<T> fmt::Debug for Client<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("renewal", &self.renewal).finish_non_exhaustive()
    }
}

/// Sets the tokens of one client. Only [`Client::new`] makes one, and [`TokenRenewal`] destroys it before the client is dropped.
struct ClientHandle(*mut c::rd_kafka_t);

// SAFETY: librdkafka documents the functions that are called here as thread-safe; there is no other state.
unsafe impl Send for ClientHandle {}

impl TokenSink for ClientHandle {
    fn set(&self, token: &Token) -> Result<(), String> {
        let text = |text: &str| CString::new(text).map_err(|_| "the token has a NUL character".to_owned());
        let (value, principal) = (text(&token.value)?, text(&token.principal)?);
        let extensions = token.extensions.iter().flat_map(|(name, value)| [text(name), text(value)]);
        let extensions: Vec<CString> = extensions.collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = extensions.iter().map(|text| text.as_ptr()).collect();
        let mut why: [c_char; 512] = [0; 512];
        // SAFETY: the client is alive, because its renewal destroys this sink first. All strings are C strings that outlive the
        // call, which copies them; `why` has room for its own size and ends in a NUL.
        unsafe {
            let code = c::rd_kafka_oauthbearer_set_token(
                self.0,
                value.as_ptr(),
                token.end_ms,
                principal.as_ptr(),
                pointers.as_mut_ptr(),
                pointers.len(),
                why.as_mut_ptr(),
                why.len(),
            );
            if code == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                Ok(())
            } else {
                Err(CStr::from_ptr(why.as_ptr()).to_string_lossy().into_owned())
            }
        }
    }

    /// librdkafka keeps the token before, and passes the reason on as an error of the client.
    fn fail(&self, why: &str) {
        let why = CString::new(why.replace('\0', "")).unwrap_or_default();
        // SAFETY: the client is alive, as above, and `why` is a C string that the call copies.
        unsafe { c::rd_kafka_oauthbearer_set_token_failure(self.0, why.as_ptr()) };
    }
}

impl fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientHandle")
    }
}

// Without the feature, librdkafka has no OAUTHBEARER.
#[cfg(all(test, feature = "tls"))]
mod tests {
    use crate::oauth_token::{Oauth, TokenSource};
    use crate::{ClientKind, Settings, StandaloneConsumer};
    use base::secret::Secret;
    use rdkafka::consumer::Consumer;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::thread;
    use std::time::{Duration, Instant};

    fn settings(address: String, oauth: Oauth) -> Settings {
        let properties = [("security.protocol", "sasl_plaintext"), ("sasl.mechanisms", "OAUTHBEARER")];
        let properties = properties.map(|(name, value)| (name.to_owned(), Secret::new(value))).to_vec();
        Settings { brokers: vec![address], properties, oauth: Some(oauth), ..Settings::default() }
    }

    /// A message or a request without the size in front.
    fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
        let mut size = [0; 4];
        stream.read_exact(&mut size).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).unwrap();
        frame
    }

    fn respond(stream: &mut TcpStream, request: &[u8], body: &[u8]) {
        // After the API key and its version comes the number that the response repeats.
        let response = [&(body.len() as u32 + 4).to_be_bytes()[..], &request[4..8], body].concat();
        stream.write_all(&response).unwrap();
    }

    /// The first message of a SASL login (RFC 7628, section 3.1) that a client with this source of tokens sends.
    fn first_message(oauth: Oauth) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let kafka = settings(listener.local_addr().unwrap().to_string(), oauth);
        let broker = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let versions = read_frame(&mut stream);
            assert_eq!(versions[..2], [0, 18], "ApiVersions");
            // No error; two APIs: SaslHandshake and ApiVersions, each with a range of versions. No SaslAuthenticate, so that the
            // login comes without a Kafka request around it.
            let apis = [0, 0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 18, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0];
            respond(&mut stream, &versions, &apis);
            let handshake = read_frame(&mut stream);
            assert_eq!(handshake[..2], [0, 17], "SaslHandshake");
            respond(&mut stream, &handshake, b"\0\0\0\0\0\x01\0\x0bOAUTHBEARER");
            String::from_utf8(read_frame(&mut stream)).unwrap()
        });
        let client = StandaloneConsumer::of(&kafka, ClientKind::Query).unwrap();
        let until = Instant::now() + Duration::from_secs(40);
        while !broker.is_finished() {
            assert!(Instant::now() < until, "no login");
            drop(client.poll(Duration::from_millis(10)));
        }
        broker.join().unwrap()
    }

    fn with_extensions(token: &str, extensions: &[(&str, &str)]) -> Oauth {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let source = TokenSource::Token(Secret::new(token));
        Oauth { source, extensions: extensions.iter().map(owned).collect() }
    }

    #[test]
    fn a_login_sends_the_token() {
        let message = first_message(with_extensions("the-token", &[]));
        assert_eq!(message, "n,,\u{1}auth=Bearer the-token\u{1}\u{1}");
    }

    #[test]
    fn a_login_sends_the_extensions_with_the_token() {
        let extensions = [("logicalCluster", "lkc-1"), ("identityPoolId", "pool-2")];
        let message = first_message(with_extensions("the-token", &extensions));
        let want =
            "n,,\u{1}auth=Bearer the-token\u{1}logicalCluster=lkc-1\u{1}identityPoolId=pool-2\u{1}\u{1}";
        assert_eq!(message, want);
    }

    #[test]
    fn a_client_without_a_token_reports_why() {
        // It expired in 2001.
        let expired = with_extensions("e30.eyJleHAiOjEwMDAwMDAwMDB9.c2ln", &[]);
        let kafka = settings("127.0.0.1:1".to_owned(), expired);
        let client = StandaloneConsumer::of(&kafka, ClientKind::Query).unwrap();
        let error = client.fetch_metadata(None, Duration::from_millis(10)).err().unwrap();
        let diagnosis = client.explain(&error);
        assert_eq!(diagnosis.fault, crate::Fault::NoToken);
        let text = diagnosis.to_string();
        assert!(
            text.contains("`kafka.sasl.token` expired") && text.contains("put a new one there"),
            "{text}"
        );
    }
}
