//! The content coding of a response body (RFC 9110 section 8.4).
//!
//! A body is decoded after it was read whole, so that its length on the wire and its decoded length
//! are both limited.

use std::io::Read;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use zeroize::Zeroize as _;

use crate::json::{self, WipedBuffer};

/// The supported codings, for the request header. Without this header a server may choose any
/// coding (RFC 9110 section 12.5.3).
// See decision 0034.
pub(super) const ACCEPTED: &str = "gzip, deflate";

/// No server has a reason for more stacked codings.
const LAYERS: usize = 3;

/// Why a body was not decoded.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    /// It is not in the coding that the header names, or it is incomplete.
    Broken,
    /// Its decoded length exceeds the limit.
    TooLong,
    /// The coding is not supported.
    Unknown,
}

/// The codings that a `Content-Encoding` header lists, in the order in which they were applied.
pub(super) fn listed(header: &str) -> Vec<&str> {
    let names = header.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
        .collect()
}

/// The body without its codings.
pub(super) fn decoded(body: &[u8], codings: &[&str], limit: usize) -> Result<Vec<u8>, Trouble> {
    if codings.len() > LAYERS {
        return Err(Trouble::Unknown);
    }
    let mut body = body.to_vec();
    for coding in codings.iter().rev() {
        let bare = without(&body, coding, limit);
        body.zeroize();
        body = bare?;
    }
    Ok(body)
}

fn without(body: &[u8], coding: &str, limit: usize) -> Result<Vec<u8>, Trouble> {
    match coding.to_ascii_lowercase().as_str() {
        // An empty body is empty in any coding (the response to HEAD, or 204).
        "gzip" | "x-gzip" | "deflate" if body.is_empty() => Ok(Vec::new()),
        "gzip" | "x-gzip" => gunzip(body, limit),
        // RFC 9110 section 8.4.1.2: zlib's form; some servers send the bare stream.
        "deflate" => match bounded(ZlibDecoder::new(body), limit) {
            Err(Trouble::Broken) => bounded(DeflateDecoder::new(body), limit),
            read => read,
        },
        _ => Err(Trouble::Unknown),
    }
}

/// All members of a gzip stream (RFC 1952 section 2.2). Anything after them is ignored, as every
/// decoder does.
fn gunzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Trouble> {
    let mut rest = body;
    let mut out = Vec::new();
    loop {
        let mut member = GzDecoder::new(rest);
        out.append(&mut bounded(&mut member, limit - out.len())?);
        rest = member.into_inner();
        if !rest.starts_with(b"\x1f\x8b") {
            return Ok(out);
        }
    }
}

fn bounded(decoder: impl Read, limit: usize) -> Result<Vec<u8>, Trouble> {
    let mut out = WipedBuffer::default();
    let read = out.fill_from(decoder, limit as u64);
    match read {
        _ if out.as_slice().len() > limit => Err(Trouble::TooLong),
        Ok(()) => Ok(out.into_vec()),
        // Only the checksum at the end is missing or wrong.
        Err(_broken) if json::is_whole_object(out.as_slice()) => Ok(out.into_vec()),
        Err(_broken) => Err(Trouble::Broken),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    const TEXT: &[u8] = br#"{"access_token":"made-up"}"#;
    const LIMIT: usize = 4096;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(text: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_coding_that_is_asked_for_is_decoded() {
        let members = [gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat();
        let padded = [&gzip(TEXT)[..], b"\0\0\0"].concat();
        for (header, body) in [
            ("gzip", gzip(TEXT)),
            ("X-GZIP", gzip(TEXT)),
            ("GZip", members),
            ("gzip", padded),
            ("deflate", zlib(TEXT)),
            ("Deflate", bare(TEXT)),
            ("identity", TEXT.to_vec()),
            ("", TEXT.to_vec()),
            (" , gzip , identity", gzip(TEXT)),
            ("deflate, gzip", gzip(&zlib(TEXT))),
        ] {
            let found = decoded(&body, &listed(header), LIMIT);
            assert_eq!(found.as_deref(), Ok(TEXT), "{header}");
        }
        assert_eq!(decoded(b"", &["gzip"], LIMIT), Ok(Vec::new()));
    }

    #[test]
    fn what_grows_over_the_limit_is_never_held_whole() {
        let bomb = vec![b' '; LIMIT + 1];
        let fits = vec![b' '; LIMIT];
        let twice = [gzip(&fits), gzip(b" ")].concat();
        for (coding, body) in [
            ("gzip", gzip(&bomb)),
            ("gzip", twice),
            ("deflate", zlib(&bomb)),
            ("deflate", bare(&bomb)),
        ] {
            let found = decoded(&body, &[coding], LIMIT);
            assert_eq!(found, Err(Trouble::TooLong), "{coding}");
        }
        assert_eq!(decoded(&gzip(&fits), &["gzip"], LIMIT), Ok(fits));
    }

    #[test]
    fn what_is_not_what_it_says_and_what_is_not_known_are_told_apart() {
        let whole = gzip(TEXT);
        for (coding, body, reason) in [
            ("gzip", TEXT, Trouble::Broken),
            ("gzip", &whole[..whole.len() / 2], Trouble::Broken),
            ("deflate", &whole, Trouble::Broken),
            ("br", TEXT, Trouble::Unknown),
            ("zstd", TEXT, Trouble::Unknown),
            ("utf-8", TEXT, Trouble::Unknown),
            ("*", TEXT, Trouble::Unknown),
        ] {
            assert_eq!(decoded(body, &[coding], LIMIT), Err(reason), "{coding}");
        }
        assert_eq!(
            decoded(TEXT, &["gzip"; 4], LIMIT),
            Err(Trouble::Unknown),
            "no end of codings"
        );
    }
}
