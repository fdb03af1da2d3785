//! The only unsafe code: calls of librdkafka's C interface that rust-rdkafka does not offer, first of all fetching records in batches.
//!
//! A batch call on a queue costs 75 to 114 ns per record, polling single records 293 to 327 ns. Partitions' queues are forwarded to
//! one queue per lane, from which the data thread takes records.

#![expect(unsafe_code, reason = "calls librdkafka's C interface; each block says why it is sound")]

mod client;
mod configs;
mod groups;
mod response_queue;
mod topic_ids;

pub use client::Client;
pub use configs::{TopicConfig, TopicConfigs};
pub use groups::{GroupDescription, GroupMember, describe_group};
pub use topic_ids::{TopicId, TopicIds};

use base::TopicPartition;
use base::record::{OwnedHeaders, Record, RecordTime};
use rdkafka::bindings as c;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::thread::Thread;

/// Lets a client connect to these brokers again, which librdkafka may have forgotten: a broker whose metadata names no broker.
pub fn add_brokers<C: ConsumerContext>(consumer: &BaseConsumer<C>, brokers: &str) {
    let Ok(brokers) = CString::new(brokers) else { return };
    // SAFETY: the client is alive, `brokers` is a C string that is copied, and the function is documented as thread-safe.
    let _added = unsafe { c::rd_kafka_brokers_add(consumer.client().native_ptr(), brokers.as_ptr()) };
}

/// A librdkafka queue that partitions are forwarded to.
pub struct RecordQueue<C: ConsumerContext + 'static> {
    queue: *mut c::rd_kafka_queue_t,
    /// The thread that is woken when the queue has records; librdkafka has a pointer to it.
    wake: Box<Thread>,
    /// Keeps the client alive, whose handle the queue uses.
    consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: librdkafka's queues are locked inside, and every function called here is documented as thread-safe.
unsafe impl<C: ConsumerContext> Send for RecordQueue<C> {}
// SAFETY: as above. `take` needs one thread at a time, which `FetchedRecords` being `&mut` and one per queue provides.
unsafe impl<C: ConsumerContext> Sync for RecordQueue<C> {}

impl<C: ConsumerContext> RecordQueue<C> {
    /// Creates a queue that wakes `thread` when it is no longer empty.
    pub fn new(consumer: Arc<BaseConsumer<C>>, thread: Thread) -> Self {
        // SAFETY: the client lives as long as `consumer`.
        let queue = unsafe { c::rd_kafka_queue_new(consumer.client().native_ptr()) };
        let wake = Box::new(thread);
        let opaque = ptr::from_ref::<Thread>(&wake).cast::<c_void>().cast_mut();
        // SAFETY: the boxed thread stays in place until `drop` removes the callback.
        unsafe { c::rd_kafka_queue_cb_event_enable(queue, Some(unpark), opaque) };
        Self { queue, wake, consumer }
    }

    /// Forwards the partition's records here instead of to the consumer's main queue. Returns whether the partition exists.
    pub fn forward(&self, topic: &str, partition: i32) -> bool {
        let Ok(topic) = CString::new(topic) else { return false };
        // SAFETY: the client is alive and `topic` is a C string; the returned reference is given back below.
        unsafe {
            let source = c::rd_kafka_queue_get_partition(
                self.consumer.client().native_ptr(),
                topic.as_ptr(),
                partition,
            );
            if source.is_null() {
                return false;
            }
            c::rd_kafka_queue_forward(source, self.queue);
            c::rd_kafka_queue_destroy(source);
        }
        true
    }

    /// Fills `fetched`, which must be empty, with the records that wait in the queue.
    fn take(&self, fetched: &mut Vec<*mut c::rd_kafka_message_t>, records_max: usize) {
        fetched.clear();
        fetched.reserve_exact(records_max);
        // SAFETY: `fetched` has room for `records_max` pointers, and librdkafka returns how many it wrote (-1: none).
        unsafe {
            let count = c::rd_kafka_consume_batch_queue(self.queue, 0, fetched.as_mut_ptr(), records_max);
            fetched.set_len(usize::try_from(count).unwrap_or(0));
        }
    }
}

impl<C: ConsumerContext> Drop for RecordQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the queue is ours. Removing the callback waits for a running one, so `wake` outlives it.
        unsafe {
            c::rd_kafka_queue_cb_event_enable(self.queue, None, ptr::null_mut());
            c::rd_kafka_queue_destroy(self.queue);
        }
    }
}

impl<C: ConsumerContext> fmt::Debug for RecordQueue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordQueue").field("wakes", &self.wake.name()).finish_non_exhaustive()
    }
}

/// Wakes the data thread. Runs on librdkafka's threads.
unsafe extern "C" fn unpark(_: *mut c::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `opaque` is the boxed thread of a queue that has not been dropped.
    unsafe { &*opaque.cast::<Thread>() }.unpark();
}

/// Records fetched from a queue, in order. They stay in librdkafka's fetch buffers until they are released, all read ones together:
/// librdkafka's fetch thread allocates the memory, and releasing single records would make both threads wait for each other.
pub struct FetchedRecords<C: ConsumerContext + 'static> {
    messages: Vec<*mut c::rd_kafka_message_t>,
    /// Number of messages that were read.
    done: usize,
    /// Dropped after the messages, which belong to its client.
    queue: Arc<RecordQueue<C>>,
}

// SAFETY: messages have no thread affinity; their owner may read and destroy them on any thread.
unsafe impl<C: ConsumerContext> Send for FetchedRecords<C> {}

/// One record in librdkafka's memory, or an error that librdkafka reports instead of a record.
pub enum Delivery<'a> {
    /// `headers` copies all headers; `record` has them only if `headers_wanted` was set.
    Record { place: PartitionRef<'a>, record: Record<'a>, headers: &'a dyn Fn() -> OwnedHeaders },
    /// `offset`: the unreadable record that librdkafka waits for.
    Error { place: PartitionRef<'a>, offset: Option<i64>, code: RDKafkaErrorCode, text: String },
}

/// Topic and partition of a record.
#[derive(Clone, Copy)]
pub struct PartitionRef<'a> {
    /// Reads the topic's name, which takes longer than to compare `topic_handle`.
    pub topic: &'a dyn Fn() -> &'a str,
    pub partition: i32,
    /// Equal for all records of one topic within one [`FetchedRecords::fill`].
    pub topic_handle: usize,
}

impl PartitionRef<'_> {
    pub fn to_owned(&self) -> TopicPartition {
        TopicPartition { topic: (self.topic)().to_owned(), partition: self.partition }
    }
}

impl fmt::Debug for PartitionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_owned().fmt(f)
    }
}

impl<C: ConsumerContext> FetchedRecords<C> {
    pub fn new(queue: Arc<RecordQueue<C>>) -> Self {
        Self { messages: Vec::new(), done: 0, queue }
    }

    pub fn queue(&self) -> &Arc<RecordQueue<C>> {
        &self.queue
    }

    pub fn is_empty(&self) -> bool {
        self.done == self.messages.len()
    }

    /// Fetches the records that wait in the queue, if all earlier ones were read. Returns whether there is a record to read.
    pub fn fill(&mut self, records_max: usize) -> bool {
        if self.is_empty() {
            self.release_read();
            self.queue.take(&mut self.messages, records_max);
        }
        !self.is_empty()
    }

    /// Releases the records that were read.
    pub fn release_read(&mut self) {
        for message in self.messages.drain(..std::mem::take(&mut self.done)) {
            // SAFETY: the pointer came from librdkafka, and this was its only copy.
            drop(unsafe { Message::own(message) });
        }
    }

    /// Releases the records that were read, and unread ones of partitions that `goes` selects.
    pub fn release(&mut self, goes: impl Fn(&str, i32) -> bool) {
        self.release_read();
        self.messages.retain(|message| {
            // SAFETY: the pointer came from librdkafka. It is destroyed below or stays in `messages`, also if `goes` panics.
            let message = std::mem::ManuallyDrop::new(unsafe { Message::own(*message) });
            let leaves = goes(message.topic(), message.partition());
            if leaves {
                drop(std::mem::ManuallyDrop::into_inner(message));
            }
            !leaves
        });
    }

    /// Reads the next record in place. None: all records were read.
    pub fn next<T>(&mut self, headers_wanted: bool, read: impl FnOnce(Delivery<'_>) -> T) -> Option<T> {
        let message = *self.messages.get(self.done)?;
        self.done += 1;
        // SAFETY: the pointer came from librdkafka and stays live in `messages`, whose owner alone destroys it.
        let message = std::mem::ManuallyDrop::new(unsafe { Message::own(message) });
        let headers = if headers_wanted { message.headers() } else { Vec::new() };
        Some(read(message.delivery(&|| message.topic(), &headers, &|| message.owned_headers())))
    }
}

impl<C: ConsumerContext> Drop for FetchedRecords<C> {
    fn drop(&mut self) {
        self.release(|_, _| true);
    }
}

impl<C: ConsumerContext> fmt::Debug for FetchedRecords<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchedRecords")
            .field("left", &(self.messages.len() - self.done))
            .finish_non_exhaustive()
    }
}

/// Owns one live message.
struct Message(*mut c::rd_kafka_message_t);

impl Message {
    /// # Safety
    /// The pointer must be a live message that no other code reads or destroys.
    unsafe fn own(message: *mut c::rd_kafka_message_t) -> Self {
        Self(message)
    }

    /// The name of the topic. Kafka's names are ASCII; an empty one matches no assigned partition, so that its records are not committed.
    fn topic(&self) -> &str {
        // SAFETY: the message is live while `self` is, and `rkt` is a live topic with a C string for its name.
        let name = unsafe { CStr::from_ptr(c::rd_kafka_topic_name((*self.0).rkt)) };
        name.to_str().unwrap_or_default()
    }

    fn partition(&self) -> i32 {
        // SAFETY: the message is live while `self` is.
        unsafe { (*self.0).partition }
    }

    fn delivery<'a>(
        &'a self,
        topic: &'a dyn Fn() -> &'a str,
        headers: &'a [(&'a str, &'a [u8])],
        owned_headers: &'a dyn Fn() -> OwnedHeaders,
    ) -> Delivery<'a> {
        // SAFETY: the message is live while `self` is; `payload` and `key` are null or point to `len` and `key_len` bytes that live as
        // long as the message.
        unsafe {
            let message = &*self.0;
            let place =
                PartitionRef { topic, partition: message.partition, topic_handle: message.rkt as usize };
            if message.err != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                let text = CStr::from_ptr(c::rd_kafka_message_errstr(self.0)).to_string_lossy().into_owned();
                let code = RDKafkaErrorCode::from(message.err);
                let offset = (message.offset >= 0 && waits_there(code)).then_some(message.offset);
                return Delivery::Error { place, offset, code, text };
            }
            let record = Record {
                partition: message.partition,
                offset: message.offset,
                time: RecordTime::from_kafka_ms(c::rd_kafka_message_timestamp(self.0, ptr::null_mut())),
                key: bytes(message.key, message.key_len),
                value: bytes(message.payload, message.len),
                headers,
            };
            Delivery::Record { place, record, headers: owned_headers }
        }
    }

    fn headers(&self) -> Vec<(&str, &[u8])> {
        // SAFETY: the message is live while `self` is.
        let headers = unsafe { headers(self.0) };
        // The configuration can't contain a name that is not UTF-8, and the mapping treats a null value as an empty one.
        headers
            .into_iter()
            .map(|(name, value)| (name.to_str().unwrap_or_default(), value.unwrap_or_default()))
            .collect()
    }

    fn owned_headers(&self) -> OwnedHeaders {
        // SAFETY: as above; `owned` copies everything.
        owned(unsafe { headers(self.0) })
    }
}

/// The headers of a message, with null values distinct from empty ones. rust-rdkafka's own accessor panics on a name that is not UTF-8.
pub fn headers_of(message: &BorrowedMessage<'_>) -> OwnedHeaders {
    // SAFETY: the message is live while it is borrowed, and `owned` copies everything.
    owned(unsafe { headers(message.ptr()) })
}

fn owned(headers: Vec<(&CStr, Option<&[u8]>)>) -> OwnedHeaders {
    let pair = |(name, value): (&CStr, Option<&[u8]>)| {
        (name.to_string_lossy().into_owned(), value.map(<[u8]>::to_vec))
    };
    headers.into_iter().map(pair).collect()
}

/// # Safety
/// The message must be live and unchanged for `'m`.
unsafe fn headers<'m>(message: *mut c::rd_kafka_message_t) -> Vec<(&'m CStr, Option<&'m [u8]>)> {
    let mut list = Vec::new();
    let mut headers = ptr::null_mut();
    let no_error = c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    // SAFETY: the message is live; names are C strings and values are null or have `size` bytes, all owned by the
    // message's header list, which lives as long as the message.
    unsafe {
        if c::rd_kafka_message_headers(message, &raw mut headers) != no_error {
            return list;
        }
        let (mut name, mut value, mut size) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0);
        while c::rd_kafka_header_get_all(headers, list.len(), &raw mut name, &raw mut value, &raw mut size)
            == no_error
        {
            list.push((CStr::from_ptr(name), bytes(value, size)));
        }
    }
    list
}

impl Drop for Message {
    fn drop(&mut self) {
        // SAFETY: this is the message's owner.
        unsafe { c::rd_kafka_message_destroy(self.0) };
    }
}

/// Whether reading waits at the error's offset. librdkafka counts every error as read up to its offset, so that a partition that is paused
/// and resumed continues behind it, although the records there are fetched again until then. It skips batches of an unknown version by
/// itself, and errors about missing topics have no offset.
fn waits_there(code: RDKafkaErrorCode) -> bool {
    // Brokers' error codes are -1 and the positive ones. A batch that cannot be decompressed is fetched again.
    let is_of_broker = code as i32 >= -1 && code != RDKafkaErrorCode::UnknownTopicOrPartition;
    is_of_broker
        || matches!(code, RDKafkaErrorCode::BadCompression | RDKafkaErrorCode::CriticalSystemResource)
}

/// # Safety
/// The pointer must be null or point to `length` bytes that live for `'a`.
unsafe fn bytes<'a>(pointer: *const c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: as promised by the caller.
    (!pointer.is_null()).then(|| unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) })
}

/// The first and the end offset of a partition from the newest fetch, without a request.
pub fn known_watermarks<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partition: i32,
) -> Option<(i64, i64)> {
    let topic = CString::new(topic).ok()?;
    let (mut low, mut high) = (-1, -1);
    // SAFETY: the client is alive, `topic` is a C string, and both numbers outlive the call.
    let code = unsafe {
        c::rd_kafka_get_watermark_offsets(
            consumer.client().native_ptr(),
            topic.as_ptr(),
            partition,
            &raw mut low,
            &raw mut high,
        )
    };
    let is_known = code == c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR && low >= 0 && high >= 0;
    is_known.then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::consumer::DefaultConsumerContext;
    use rdkafka::{ClientConfig, Offset, TopicPartitionList};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;
    use std::time::{Duration, Instant};
    use testkit::{EmbeddedKafka, NewRecord};

    /// Fetches `count` records of one partition.
    fn fetched(kafka: &EmbeddedKafka, count: usize) -> FetchedRecords<DefaultConsumerContext> {
        kafka.create_topic("t", 1).unwrap();
        for _ in 0..count {
            let record = NewRecord { topic: "t", partition: Some(0), value: Some(b"1"), time_ms: None };
            kafka.send(record).unwrap();
        }
        kafka.flush(Duration::from_secs(40)).unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka.address())
            .set("group.id", "g")
            .create()
            .unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_offset("t", 0, Offset::Beginning).unwrap();
        consumer.assign(&list).unwrap();
        let queue = Arc::new(RecordQueue::new(Arc::new(consumer), thread::current()));
        assert!(queue.forward("t", 0));
        let (mut fetched, deadline) = (FetchedRecords::new(queue), Instant::now() + Duration::from_secs(40));
        while fetched.messages.len() < count {
            assert!(Instant::now() < deadline, "no records came");
            thread::sleep(Duration::from_millis(10));
            assert!(fetched.done == 0);
            if fetched.messages.is_empty() {
                fetched.fill(count);
            } else {
                let mut more = Vec::new();
                fetched.queue.take(&mut more, count);
                fetched.messages.append(&mut more);
            }
        }
        fetched
    }

    /// A double free would end the process, at the latest when the client is destroyed.
    #[test]
    fn a_panic_during_release_frees_no_message_twice() {
        let kafka = EmbeddedKafka::start().unwrap();
        let mut fetched = fetched(&kafka, 10);
        let asked = std::cell::Cell::new(0);
        let result = catch_unwind(AssertUnwindSafe(|| {
            fetched.release(|topic, partition| {
                assert_eq!((topic, partition), ("t", 0));
                asked.set(asked.get() + 1);
                assert!(asked.get() < 5, "the fifth is too many");
                asked.get() % 2 == 0
            });
        }));
        assert!(result.is_err());
        assert_eq!(fetched.messages.len(), 8, "two were released");
        let mut left = Vec::new();
        while fetched.next(false, |delivery| {
            let Delivery::Record { record, .. } = delivery else { panic!("an error in a record's place") };
            left.push(record.offset);
        }) == Some(())
        {}
        assert_eq!(left, [0, 2, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn reading_goes_back_to_errors_that_librdkafka_repeats() {
        let f = |code: RDKafkaErrorCode, want: bool| assert_eq!(waits_there(code), want, "{code:?}");
        f(RDKafkaErrorCode::BadCompression, true);
        f(RDKafkaErrorCode::CriticalSystemResource, true);
        f(RDKafkaErrorCode::MessageSizeTooLarge, true);
        f(RDKafkaErrorCode::Unknown, true);
        f(RDKafkaErrorCode::UnknownTopicOrPartition, false);
        // A batch whose version librdkafka does not know: reading continues behind it.
        f(RDKafkaErrorCode::NotImplemented, false);
        f(RDKafkaErrorCode::AutoOffsetReset, false);
    }
}
