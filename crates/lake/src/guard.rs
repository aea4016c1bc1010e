//! Refuses queries that would overwhelm the planner, before it sees them. Running queries have other limits:
//! time, memory and the functions of [`crate::functions`].

use std::collections::HashMap;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::Error;

/// Parentheses nested deeper than this would overflow the parser's stack.
const MAX_NESTING: usize = 50;
/// Operators of a query; each can be a level of a tree that is walked by recursion.
const MAX_OPERATORS: usize = 400;
/// Steps of a plan when every named part is put in where it is used.
const MAX_STEPS: usize = 1000;
/// How often one column may end up in an expression when each step is put into the next.
const MAX_UNFOLDED: f64 = 10_000.0;

/// Words that join or prefix expressions and queries.
const OPERATOR_WORDS: &[Keyword] = &[
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::XOR,
    Keyword::IS,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::SIMILAR,
    Keyword::BETWEEN,
    Keyword::IN,
    Keyword::AT,
    Keyword::COLLATE,
    Keyword::CASE,
    Keyword::WHEN,
    Keyword::JOIN,
    Keyword::UNION,
    Keyword::INTERSECT,
    Keyword::EXCEPT,
    Keyword::INTERVAL,
    Keyword::DIV,
];

/// Refuses texts that are too long or too deep.
///
/// # Errors
/// [`Error::Query`] says which limit it passes.
pub(crate) fn check_text(query: &str, max_bytes: usize) -> Result<(), Error> {
    if query.len() > max_bytes {
        return Err(Error::Query(format!(
            "the query has {} bytes, at most {max_bytes} are taken",
            query.len()
        )));
    }
    let mut depth = 0usize;
    for byte in query.bytes() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(Error::Query(format!("the query nests deeper than {MAX_NESTING} levels")));
        }
    }
    // What cannot be cut into words is refused by the parser, which does that first.
    let words = Tokenizer::new(&GenericDialect {}, query).tokenize().unwrap_or_default();
    let n_operators = words.iter().filter(is_operator).count();
    if n_operators > MAX_OPERATORS {
        return Err(Error::Query(format!(
            "the query has {n_operators} operators, at most {MAX_OPERATORS} are taken; use IN for long lists"
        )));
    }
    if unfolded(&words) > MAX_STEPS as f64 {
        return Err(Error::Query(
            "the parts that WITH names are used too often in each other".to_owned(),
        ));
    }
    Ok(())
}

/// Whatever stands between the things that a query names, lists and calls.
fn is_operator(word: &&Token) -> bool {
    match word {
        Token::Word(word) => OPERATOR_WORDS.contains(&word.keyword),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::Whitespace(_) => false,
        Token::Comma | Token::Period | Token::LParen | Token::RParen => false,
        _ => true,
    }
}

/// How large a query can become when each part that WITH names is put in wherever its name stands.
fn unfolded(words: &[Token]) -> f64 {
    let words: Vec<&Token> =
        words.iter().filter(|word| !matches!(word, Token::Whitespace(_))).collect();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for part in words.windows(3) {
        if let [Token::Word(name), Token::Word(then), Token::LParen] = part
            && then.keyword == Keyword::AS
        {
            uses.insert(name.value.to_lowercase(), 0);
        }
    }
    for word in &words {
        if let Token::Word(word) = word
            && let Some(uses) = uses.get_mut(&word.value.to_lowercase())
        {
            *uses += 1;
        }
    }
    // Less the place where it is named.
    uses.values().map(|uses| uses.saturating_sub(1).max(1) as f64).product()
}

/// Refuses plans that grow without bound when the optimizer unfolds them: thirty named parts that each use the one
/// before twice are a billion steps.
///
/// # Errors
/// [`Error::Query`] says which limit it passes.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<(), Error> {
    let mut n_steps = 0;
    let mut most = 1.0;
    unfold(plan, &mut n_steps, &mut most);
    if n_steps > MAX_STEPS {
        return Err(Error::Query(format!("the query unfolds to more than {MAX_STEPS} steps")));
    }
    if most > MAX_UNFOLDED {
        let message = "the query uses the same column too often, step upon step";
        return Err(Error::Query(message.to_owned()));
    }
    Ok(())
}

/// Counts the steps of a plan with its subqueries, and how often one column may be used; stops when it is too much.
fn unfold(plan: &LogicalPlan, n_steps: &mut usize, most: &mut f64) {
    let mut open = vec![(plan, 1.0f64)];
    while let Some((step, uses_above)) = open.pop() {
        *n_steps += 1;
        let uses = uses_above * uses_of(step);
        *most = most.max(uses);
        if *n_steps > MAX_STEPS || *most > MAX_UNFOLDED {
            return;
        }
        let walked = step.apply_subqueries(|subquery| {
            for input in subquery.inputs() {
                unfold(input, n_steps, most);
            }
            Ok(TreeNodeRecursion::Continue)
        });
        debug_assert!(walked.is_ok(), "counting does not fail");
        open.extend(step.inputs().into_iter().map(|input| (input, uses)));
    }
}

/// How often an expression of a step uses one column, at most.
fn uses_of(step: &LogicalPlan) -> f64 {
    match step {
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().map(uses_in).max().unwrap_or(1).max(1) as f64
        }
        _ => 1.0,
    }
}

fn uses_in(expr: &Expr) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let counted = expr.apply(|part| {
        if let Expr::Column(column) = part {
            *counts.entry(column.name.as_str()).or_default() += 1;
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(counted.is_ok(), "counting does not fail");
    counts.into_values().max().unwrap_or(1)
}
