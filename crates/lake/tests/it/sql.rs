//! What SQL answers, and what it refuses.

use signal::TenantId;

use crate::house::{House, ONE, ramp};

#[tokio::test]
async fn a_query_can_neither_leave_its_tenant_nor_hurt_the_house() {
    let mut house = House::new();
    house.push(&ramp(1, 0, 10));
    let mut other = ramp(1, 0, 777);
    other.tenant = TenantId(2);
    house.push(&other);
    house.lake.flush(TenantId(2)).await.unwrap();
    assert_eq!(house.sql("SELECT count(*) FROM samples").await, "[[10]]");
    for attempt in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY samples TO '/tmp/x.csv'",
        "INSERT INTO signals VALUES (1)",
        "DROP TABLE samples",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000, 'y')",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT * FROM range(1, 1000000000)",
        "SELECT [1, 2, 3]",
        "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        &doubled("SELECT 'xxxxxxxx' AS x", "SELECT concat(x, x) AS x FROM", 40),
        &doubled("SELECT 'xxxxxxxx' AS x", "SELECT x || x AS x FROM", 40),
        &doubled("SELECT 'xxxxxxxx' AS x", "SELECT replace(x, 'x', 'xxxxxxxx') AS x FROM", 20),
        &doubled("SELECT value AS x FROM samples", "SELECT x + x AS x FROM", 40),
        &format!(
            "WITH a0 AS (SELECT 1 AS x){} SELECT count(*) FROM a30",
            (0..30)
                .map(|n| format!(
                    ", a{} AS (SELECT * FROM a{n} UNION ALL SELECT * FROM a{n})",
                    n + 1
                ))
                .collect::<String>()
        ),
        &format!("SELECT to_char(time, '{}') FROM samples", "%c".repeat(2000)),
        &format!("SELECT {}1", "NOT ".repeat(10_000)),
        &format!("SELECT {}1", "- ".repeat(10_000)),
        &format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        &format!("SELECT '{}'", "x".repeat(100_000)),
    ] {
        let answer = house.sql(attempt).await;
        assert!(!answer.contains("was stopped"), "{attempt:.60} was not refused but stopped");
        assert!(answer.starts_with("error: "), "{attempt:.60}: {answer:.200}");
    }
    assert_eq!(house.sql("SELECT time_bucket(INTERVAL '5 minutes', time) AS t, count(*) FROM samples GROUP BY t ORDER BY t").await,
        r#"[["2026-01-01T00:00:00Z",5],["2026-01-01T00:05:00Z",5]]"#);
    let answer = house.lake.sql(ONE, "SELECT * FROM samples", 3).await.unwrap();
    assert!(answer.truncated && answer.n_rows() == 3);
    assert!(house.sql("SELECT nothing FROM samples").await.contains("nothing"));
}

/// `first`, then `n` steps that each use the one before.
fn doubled(first: &str, step: &str, n: usize) -> String {
    let steps: String =
        (0..n).map(|step_idx| format!(", a{} AS ({step} a{step_idx})", step_idx + 1)).collect();
    format!("WITH a0 AS ({first}){steps} SELECT * FROM a{n} WHERE x IS NOT NULL")
}

#[tokio::test]
async fn long_chains_of_operators_are_answered() {
    let mut house = House::new();
    house.push(&ramp(1, 0, 10));
    for operator in ["+", "OR signal =", "AND 1 <", "||"] {
        let chain = format!(
            "SELECT count(*) FROM samples WHERE signal = 1{} IS NOT NULL",
            format!(" {operator} 2").repeat(4000)
        );
        let answer = house.sql(&chain).await;
        assert!(
            answer.starts_with("[[") || answer.starts_with("error: "),
            "{operator}: {answer:.100}"
        );
    }
}
