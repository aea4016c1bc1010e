//! Rows as line protocol, which is the front door for files as well.

/// One row; empty when it has no values.
pub(crate) fn line(measurement: &str, (time_us, values): &(i64, Vec<(&str, String)>)) -> String {
    let mut line = String::new();
    for (n, (signal, text)) in values.iter().enumerate() {
        line.push_str(if n == 0 { measurement } else { "" });
        line.push(if n == 0 { ' ' } else { ',' });
        line.push_str(&escape(signal, &[',', ' ', '=']));
        line.push('=');
        match text.as_str() {
            "true" | "false" | "True" | "False" => line.push_str(text),
            number if number.parse::<f64>().is_ok_and(f64::is_finite) => line.push_str(number),
            text => {
                line.push_str(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
            }
        }
    }
    if !line.is_empty() {
        line.push_str(&format!(" {time_us}\n"));
    }
    line
}

/// Puts a backslash before each special character.
pub(crate) fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
