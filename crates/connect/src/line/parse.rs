//! The grammar of a line, byte by byte.

/// A field's value as it stands in the line.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Number(f64),
    /// Still with its escapes.
    Text(&'a [u8]),
}

/// Lines of a body; a newline inside a string value does not end one.
pub(super) struct Lines<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let mut from = 0;
        loop {
            let end = self.0[from..]
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(self.0.len(), |at| from + at);
            let line = &self.0[..end];
            // An odd number of quotes: the newline belongs to a string. Rare, so counting is no cost.
            let is_open =
                line.contains(&b'"') && !line.starts_with(b"#") && count_quotes(line) % 2 == 1;
            if is_open && end < self.0.len() {
                from = end + 1;
                continue;
            }
            self.0 = self.0.get(end + 1..).unwrap_or_default();
            return Some(line);
        }
    }
}

fn count_quotes(line: &[u8]) -> usize {
    let mut n_quotes = 0;
    let mut escaped = false;
    for byte in line {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b'"' if !escaped => n_quotes += 1,
            _ => {}
        }
        escaped = false;
    }
    n_quotes
}

#[inline]
pub(super) fn find_unescaped(bytes: &[u8], wanted: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == wanted)?;
        if at == 0 || bytes[at - 1] != b'\\' {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The first space outside a string value.
pub(super) fn find_end_of_fields(bytes: &[u8]) -> Result<usize, &'static str> {
    let mut in_string = false;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\\' if !escaped => {
                escaped = true;
                continue;
            }
            b'"' if !escaped => in_string = !in_string,
            b' ' if !in_string && !escaped => return Ok(at),
            _ => {}
        }
        escaped = false;
    }
    if in_string { Err("a string is not closed") } else { Ok(bytes.len()) }
}

pub(super) fn split_unescaped(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let bytes = rest?;
        match find_unescaped(bytes, separator) {
            Some(at) => {
                rest = Some(&bytes[at + 1..]);
                Some(&bytes[..at])
            }
            None => {
                rest = None;
                Some(bytes)
            }
        }
    })
}

pub(super) fn unescape(bytes: &[u8]) -> String {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut iter = bytes.iter().copied().peekable();
    while let Some(byte) = iter.next() {
        match (byte, iter.peek()) {
            (b'\\', Some(b',' | b'=' | b' ')) => {}
            _ => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

pub(super) fn unescaped_len(bytes: &[u8]) -> usize {
    unescape(bytes).len()
}

/// Reads one field value; returns it and where it ends.
#[inline]
pub(super) fn parse_value(bytes: &[u8]) -> Result<(Value<'_>, usize), &'static str> {
    if bytes.first() == Some(&b'"') {
        let mut escaped = false;
        for (at, byte) in bytes.iter().enumerate().skip(1) {
            match byte {
                b'\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                b'"' if !escaped => return Ok((Value::Text(&bytes[1..at]), at + 1)),
                _ => {}
            }
            escaped = false;
        }
        return Err("the string is not closed");
    }
    let end = bytes.iter().position(|byte| *byte == b',').unwrap_or(bytes.len());
    let number = parse_number(&bytes[..end])?;
    Ok((Value::Number(number), end))
}

/// Booleans count as 1 and 0; whole numbers are exact up to 2^53, as everything is stored as a double.
#[inline]
fn parse_number(token: &[u8]) -> Result<f64, &'static str> {
    let number = match token {
        [] => return Err("there is no value"),
        b"t" | b"T" | b"true" | b"True" | b"TRUE" => 1.0,
        b"f" | b"F" | b"false" | b"False" | b"FALSE" => 0.0,
        [digits @ .., b'i'] => {
            parse_integer(digits).ok_or("not a whole number of 64 bits with sign")? as f64
        }
        [digits @ .., b'u'] => {
            parse_unsigned(digits).ok_or("not a whole number of 64 bits without sign")? as f64
        }
        _ => fast_float2::parse::<f64, _>(token).map_err(|_| "not a number, string or boolean")?,
    };
    // The line protocol has no NaN and no infinity; leave the field out when there is no value.
    if number.is_finite() {
        Ok(number)
    } else {
        Err("NaN and infinity are not values, leave the field out")
    }
}

/// A whole number with sign, `i64::MIN` to `i64::MAX`.
#[inline]
pub(super) fn parse_integer(bytes: &[u8]) -> Option<i64> {
    match bytes {
        [b'-', digits @ ..] => 0_i64.checked_sub_unsigned(parse_unsigned(digits)?),
        [b'+', digits @ ..] => i64::try_from(parse_unsigned(digits)?).ok(),
        digits => i64::try_from(parse_unsigned(digits)?).ok(),
    }
}

/// Digits only, up to `u64::MAX`.
#[inline]
fn parse_unsigned(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(number)
}
