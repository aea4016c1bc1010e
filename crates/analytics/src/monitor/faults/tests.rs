use super::*;
use crate::testing::Noise;

const D: usize = 4;

/// Four columns that follow one slow state; `fault` 0 shifts a column, 1 makes one restless, 2 cuts one off, 3 drifts.
fn run(seed: u64, n_rows: usize, fault: Option<usize>) -> Frame {
    let mut noise = Noise::new(seed);
    let (mut slow, mut values) = (0.0, Vec::new());
    for row_idx in 0..n_rows {
        slow = 0.9 * slow + noise.normal();
        let mut row: [f64; D] = std::array::from_fn(|_| slow + 0.5 * noise.normal());
        match fault {
            Some(0) => row[0] += 4.0,
            Some(1) => row[1] += 4.0 * noise.normal(),
            Some(2) => row[2] = 0.1 * noise.normal(),
            Some(3) => row[3] -= 0.1 * row_idx as f64,
            _ => (),
        }
        values.extend(row);
    }
    Frame::from_rows(D, &values)
}

fn book(faults: &[usize]) -> FaultBook {
    let runs: Vec<Frame> =
        faults.iter().map(|fault| run(*fault as u64 + 10, 300, Some(*fault))).collect();
    FaultBook::learn(&run(1, 500, None), &runs, 1).expect("learns")
}

/// Diagnoses of fresh rows, beginning 50 rows after the fault.
fn judge(book: &FaultBook, seed: u64, fault: usize) -> Vec<Diagnosis> {
    let mut track = FaultTrack::default();
    let mut row = Vec::new();
    let mut all = Vec::new();
    for frame in [run(seed, 60, None), run(seed + 1, 250, Some(fault))] {
        all.clear();
        for row_idx in 0..frame.n_rows() {
            frame.copy_row(row_idx, &mut row);
            all.push(book.push(&mut track, &row).clone());
        }
    }
    all.split_off(50)
}

#[test]
fn known_faults_are_named_and_an_unknown_one_is_called_so() {
    let book = book(&[0, 1, 2]);
    let share = |all: &[Diagnosis], is: &dyn Fn(&Diagnosis) -> bool| {
        all.iter().filter(|diagnosis| is(diagnosis)).count() as f64 / all.len() as f64
    };
    for fault in 0..3 {
        let all = judge(&book, 20 + fault as u64, fault);
        assert!(share(&all, &|diagnosis| diagnosis.best == fault) > 0.95, "{fault}");
        assert!(share(&all, &|diagnosis| diagnosis.set.contains(&fault)) > 0.9, "{fault}");
        assert!(share(&all, &|diagnosis| diagnosis.is_unknown) < 0.3, "{fault}");
    }
    let all = judge(&book, 30, 3);
    assert!(share(&all, &|diagnosis| diagnosis.is_unknown) > 0.9);
}

#[test]
fn what_cannot_be_learned_says_why() {
    let (normal, fault) = (run(1, 500, None), run(2, 300, Some(0)));
    let error =
        |runs: &[Frame]| FaultBook::learn(&normal, runs, 1).expect_err("refused").to_string();
    assert_eq!(error(&[]), "cannot tell 0 faults apart; two or more are needed");
    let expected = "the run of fault 1 has 99 rows of 4 columns; 100 of 4 are needed";
    assert_eq!(error(&[fault.clone(), fault.rows(0..99)]), expected);
    let still = Frame::from_rows(D, &[1.0; 400]);
    let result = FaultBook::learn(&still, &[fault.clone(), fault], 1);
    assert!(matches!(result, Err(LearnError::Normal(FitError::NothingMoves))));
}

#[test]
fn saved_and_restored_goes_on_as_if_never_stopped() {
    let book = book(&[0, 1]);
    let text = serde_json::to_string(&book).expect("serializes");
    assert_eq!(serde_json::from_str::<FaultBook>(&text).expect("parses"), book);
    let (mut track, mut restored) = (FaultTrack::default(), FaultTrack::default());
    for (row_idx, row) in
        run(5, 80, Some(1)).columns[0].chunks(D).chain([&[f64::NAN; D][..]]).enumerate()
    {
        if row_idx == 10 {
            let text = serde_json::to_string(&track).expect("serializes");
            restored = serde_json::from_str(&text).expect("parses");
        }
        let diagnosis = book.push(&mut track, row).clone();
        assert!((diagnosis.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        if row_idx >= 10 {
            assert_eq!(book.push(&mut restored, row), &diagnosis);
        }
    }
}
