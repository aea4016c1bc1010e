//! The machine-readable form of the contract.

use axum::Json;
use axum::response::IntoResponse;
use utoipa::OpenApi;

use crate::api::{
    alarms, assets, back_test, balance, detection, events, inbox, live, mapping_rules,
    notifications, oee, overview, performance, quality, rules, session, signals, sources, sql,
    tokens, trend, users,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fettler",
        description = "Everything the screens use. Prose: docs/reference/http-api.md."
    ),
    paths(
        session::login,
        session::logout,
        session::me,
        session::change_password,
        tokens::list,
        tokens::create,
        tokens::remove,
        users::list,
        users::create,
        users::remove,
        assets::list,
        assets::create,
        assets::detail,
        assets::change,
        assets::types,
        signals::list,
        signals::detail,
        signals::change,
        live::upgrade,
        trend::trend,
        trend::extent,
        trend::states,
        events::list,
        overview::overview,
        oee::oee,
        oee::settings,
        oee::set,
        alarms::list,
        alarms::detail,
        alarms::act,
        performance::performance,
        rules::list,
        rules::create,
        rules::replace,
        rules::remove,
        back_test::back_test,
        detection::view,
        detection::change,
        detection::relearn,
        notifications::list,
        notifications::create,
        notifications::remove,
        notifications::test,
        sources::list,
        balance::balance,
        quality::quality,
        inbox::list,
        inbox::bind,
        mapping_rules::list,
        mapping_rules::create,
        mapping_rules::preview,
        mapping_rules::remove,
        sql::run,
        sql::tables,
    )
)]
struct Contract;

/// `ui/openapi.json` as it must be.
pub fn document() -> String {
    let mut contract = Contract::openapi();
    name_operations(&mut contract);
    let mut text = contract.to_pretty_json().expect("the contract has string keys only");
    text.push('\n');
    text
}

/// Operations are called after method and path, as `get_alarms_id`: client generators want each name once.
fn name_operations(contract: &mut utoipa::openapi::OpenApi) {
    for (path, item) in &mut contract.paths.paths {
        let noun =
            path.trim_start_matches("/api/v1/").replace(['{', '}'], "").replace(['/', '-'], "_");
        let methods = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}_{noun}"));
            }
        }
    }
}

/// Serves the contract; it holds no secrets, so nobody needs to be logged in.
pub(crate) async fn serve() -> impl IntoResponse {
    Json(Contract::openapi())
}
