//! The wire format: Jupyter messages as ZeroMQ frames, and their signatures.
//!
//! A message is `[identities.., "<IDS|MSG>", signature, header, parent header, metadata, content,
//! buffers..]`; the signature covers the four parts after it.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use zeromq::ZmqMessage;

const DELIMITER: &[u8] = b"<IDS|MSG>";

/// Why a message is not passed on.
#[derive(Debug, PartialEq)]
pub enum Invalid {
    /// The delimiter is missing, or one of the four parts.
    Frames,
    /// The header is not JSON with a `msg_id` and a `msg_type`.
    Header,
    /// It was not signed with this kernel's key.
    Signature,
}

/// A Jupyter message, its parts as they came.
#[derive(Clone, Debug)]
pub struct Message {
    identities: Vec<Bytes>,
    signature: Bytes,
    /// Header, parent header, metadata, content.
    parts: [Bytes; 4],
    buffers: Vec<Bytes>,
    id: String,
    kind: String,
}

const HEADER: usize = 0;
const PARENT: usize = 1;
const METADATA: usize = 2;
const CONTENT: usize = 3;

/// The parts of a header that a relay has to know.
#[derive(Deserialize)]
struct Header {
    msg_id: String,
    #[serde(default)]
    msg_type: String,
}

impl Message {
    /// The message type, such as `execute_request`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The content, or `null` where it is not JSON.
    pub fn content(&self) -> Value {
        serde_json::from_slice(&self.parts[CONTENT]).unwrap_or_default()
    }

    /// Whether this is a consequence of that request.
    pub fn answers(&self, request: &Message) -> bool {
        serde_json::from_slice::<Header>(&self.parts[PARENT])
            .is_ok_and(|parent| parent.msg_id == request.id)
    }

    /// Whether both are consequences of the same request.
    pub fn has_parent_of(&self, other: &Message) -> bool {
        self.parts[PARENT] == other.parts[PARENT]
    }

    /// Whether it is addressed to a front end.
    pub fn has_identities(&self) -> bool {
        !self.identities.is_empty()
    }

    /// The number of bytes that a front end will have to take in.
    pub fn size(&self) -> usize {
        self.parts.iter().chain(&self.buffers).map(Bytes::len).sum()
    }

    /// The frames to be sent.
    pub fn into_frames(self) -> ZmqMessage {
        let head = [Bytes::from_static(DELIMITER), self.signature];
        let frames = self.identities.into_iter().chain(head);
        let frames: Vec<Bytes> = frames.chain(self.parts).chain(self.buffers).collect();
        let mut message = ZmqMessage::from(frames[0].clone());
        for frame in &frames[1..] {
            message.push_back(frame.clone());
        }
        message
    }
}

/// Reads, makes and signs the messages of one kernel.
#[derive(Clone)]
pub struct Key(Option<Hmac<Sha256>>);

impl Key {
    /// The key of a connection file; an empty one means that messages are not signed.
    pub fn new(key: &str) -> Self {
        // HMAC takes keys of any length.
        Self(match key {
            "" => None,
            key => Hmac::new_from_slice(key.as_bytes()).ok(),
        })
    }

    /// Takes a message apart and checks its signature.
    pub fn read(&self, frames: ZmqMessage) -> Result<Message, Invalid> {
        let mut frames = frames.into_vec();
        let delimiter = frames.iter().position(|frame| frame == DELIMITER);
        let at = delimiter.ok_or(Invalid::Frames)?;
        if frames.len() < at + 6 {
            return Err(Invalid::Frames);
        }
        let buffers = frames.split_off(at + 6);
        let parts = [2, 3, 4, 5].map(|part| frames[at + part].clone());
        let signature = frames[at + 1].clone();
        frames.truncate(at);
        if let Some(mac) = &self.0 {
            let mac = parts
                .iter()
                .fold(mac.clone(), |mac, part| mac.chain_update(part));
            let given = decode_hex(&signature).ok_or(Invalid::Signature)?;
            mac.verify_slice(&given).map_err(|_| Invalid::Signature)?;
        }
        let header: Header = serde_json::from_slice(&parts[HEADER]).map_err(|_| Invalid::Header)?;
        Ok(Message {
            identities: frames,
            signature,
            parts,
            buffers,
            id: header.msg_id,
            kind: header.msg_type,
        })
    }

    /// A request of the relay's own to the kernel.
    pub fn request(&self, kind: &str, content: &Value) -> Message {
        let id = next_id("relay");
        let header = json!({
            "msg_id": id, "msg_type": kind, "session": "relay", "username": "relay",
            "date": "1970-01-01T00:00:00Z", "version": "5.3",
        });
        let mut message = Message {
            identities: Vec::new(),
            signature: Bytes::new(),
            parts: [&header, &json!({}), &json!({}), content].map(|part| part.to_string().into()),
            buffers: Vec::new(),
            id,
            kind: kind.into(),
        };
        self.sign(&mut message);
        message
    }

    /// The same message with another type and content, under an id of its own.
    pub fn variant(&self, message: &Message, kind: &str, content: &Value) -> Message {
        let mut header: Value = serde_json::from_slice(&message.parts[HEADER]).unwrap_or_default();
        let id = next_id(&message.id);
        header["msg_type"] = json!(kind);
        header["msg_id"] = json!(id);
        let mut variant = Message {
            id,
            kind: kind.into(),
            buffers: Vec::new(),
            ..message.clone()
        };
        variant.parts[HEADER] = header.to_string().into();
        variant.parts[CONTENT] = content.to_string().into();
        self.sign(&mut variant);
        variant
    }

    /// What the relay itself has to say in answer to a request, addressed to who sent that.
    pub fn answer(&self, request: &Message, kind: &str, content: &Value) -> Message {
        let mut parent = request.clone();
        parent.parts[PARENT] = request.parts[HEADER].clone();
        parent.parts[METADATA] = Bytes::from_static(b"{}");
        self.variant(&parent, kind, content)
    }

    /// As [`Key::answer`], for all that listen.
    pub fn broadcast(&self, request: &Message, kind: &str, content: &Value) -> Message {
        let mut message = self.answer(request, kind, content);
        message.identities.clear();
        message
    }

    /// The same message with another content.
    pub fn with_content(&self, message: Message, content: &Value) -> Message {
        let mut message = message;
        message.parts[CONTENT] = content.to_string().into();
        self.sign(&mut message);
        message
    }

    /// The same message as a consequence of another request.
    pub fn adopt(&self, message: Message, request: &Message) -> Message {
        let mut message = message;
        message.parts[PARENT] = request.parts[HEADER].clone();
        self.sign(&mut message);
        message
    }

    fn sign(&self, message: &mut Message) {
        if let Some(mac) = &self.0 {
            let parts = message.parts.iter();
            let mac = parts.fold(mac.clone(), |mac, part| mac.chain_update(part));
            message.signature = encode_hex(&mac.finalize().into_bytes()).into();
        }
    }
}

/// Ids must differ: a front end rejects what it has seen before.
fn next_id(of: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{of}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Bytes as lower-case hexadecimal digits.
pub fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn decode_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    text.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frames(parts: Vec<Vec<u8>>) -> ZmqMessage {
        let mut parts = parts.into_iter().map(Bytes::from);
        let mut message = ZmqMessage::from(parts.next().unwrap_or_default());
        parts.for_each(|part| message.push_back(part));
        message
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            Just(DELIMITER.to_vec()),
            Just(br#"{"msg_id":"a","msg_type":"stream"}"#.to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ]
    }

    proptest! {
        #[test]
        fn what_is_made_is_read_back_and_goes_on_unchanged(
            key in "[ -~]{0,80}", id in any::<String>(), kind in "[a-z_]{1,20}", text in any::<String>(),
            who in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..9), 0..3),
            buffers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 0..3),
        ) {
            prop_assume!(who.iter().all(|who| who != DELIMITER));
            let key = Key::new(&key);
            let mut made = key.request(&kind, &json!({"text": text}));
            made.identities = who.into_iter().map(Bytes::from).collect();
            made.buffers = buffers.into_iter().map(Bytes::from).collect();
            let first = made.clone().into_frames().into_vec();
            let read = key.read(made.clone().into_frames()).unwrap();
            prop_assert_eq!(read.kind(), kind);
            prop_assert_eq!(&read.content()["text"], &json!(text));
            prop_assert_eq!(read.clone().into_frames().into_vec(), first);

            let answer = key.answer(&read, "execute_reply", &json!({"id": id}));
            let answer = key.read(answer.into_frames()).unwrap();
            prop_assert!(answer.answers(&read));
            prop_assert_eq!(&answer.identities, &read.identities);
            prop_assert_ne!(answer.id, read.id);
        }

        #[test]
        fn a_change_of_any_signed_byte_is_noticed(
            part in 0usize..4, at in any::<prop::sample::Index>(), flip in 1u8..=255,
        ) {
            let key = Key::new("secret");
            let mut message = key.request("execute_request", &json!({"code": "1 + 1"}));
            let mut bytes = message.parts[part].to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            message.parts[part] = bytes.into();
            prop_assert_eq!(key.read(message.into_frames()).unwrap_err(), Invalid::Signature);
        }

        #[test]
        fn no_frames_whatever_end_the_relay(
            parts in proptest::collection::vec(any_frame(), 1..10), key in "[a-z]{0,3}",
        ) {
            let _ = Key::new(&key).read(frames(parts));
        }
    }

    #[test]
    fn another_key_or_none_is_refused() {
        let message = Key::new("theirs").request("execute_request", &json!({}));
        let ours = Key::new("ours");
        assert_eq!(
            ours.read(message.into_frames()).unwrap_err(),
            Invalid::Signature
        );
        let unsigned = Key::new("").request("execute_request", &json!({}));
        assert_eq!(
            ours.read(unsigned.into_frames()).unwrap_err(),
            Invalid::Signature
        );
    }

    /// RFC 4231, test case 2, split over the four parts.
    #[test]
    fn the_signature_is_hmac_sha256() {
        let mut message = Key::new("").request("x", &json!({}));
        message.parts = ["what do ya ", "want ", "for ", "nothing?"].map(Bytes::from);
        Key::new("Jefe").sign(&mut message);
        let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(message.signature, known);
    }
}
