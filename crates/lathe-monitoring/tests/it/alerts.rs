use lathe_monitoring::alerts::{Alert, Checked, OnlyOpen, check_all, check_deployment_now, list_alerts};
use lathe_monitoring::quality::{NewLabel, RequestRef, add_labels};
use lathe_monitoring::references::set_window_reference;
use lathe_monitoring::rules::{
    Columns, Metric, Rule, Served, Severity, check_columns, check_output, create_rule, delete_rule, list_rules,
};
use lathe_testkit::store_test;

use crate::*;

fn rule(name: &str, metric: Metric, threshold: f64) -> Rule {
    let severity = Severity::Warning;
    Rule {
        name: name.to_owned(),
        metric,
        column: None,
        measure: None,
        threshold,
        severity,
        min_rows: 0,
        cool_down_ms: 0,
    }
}

/// A request in the given hour that failed or did not.
fn request(hour: i64, at: i64, is_failed: bool) -> Sample {
    let mut made = sample(&format!("r{hour}-{at}"), hour * HOUR_MS + at, (1.0, "UA"), 0.1);
    if is_failed {
        (made.outcome, made.inputs, made.outputs) =
            (Outcome::Failed("internal".into()), Table::default(), Table::default());
    }
    made
}

async fn check(world: &World) -> Checked {
    check_deployment_now(&world.ctx, &world.monitoring, DEPLOYMENT).await.unwrap()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_alert_is_raised_once_and_resolved_by_a_good_window(db: Db) {
    let world = world(&db).await;
    create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule("errors", Metric::ErrorRate, 0.4)).await.unwrap();
    world.record(vec![request(0, 0, false), request(1, 0, true)]).await;
    let first = check(&world).await;
    assert_eq!((first.windows, first.raised.len(), first.resolved.len()), (2, 1, 0));
    assert_eq!((first.raised[0].window_start_ms, first.raised[0].value), (HOUR_MS, 1.0));
    assert_eq!(check(&world).await, Checked::default(), "each state of a window is judged once");
    world.record(vec![request(1, 1, true), request(2, 0, true)]).await;
    assert_eq!(check(&world).await.raised.len(), 0, "an open alert is not raised again");
    world.record(vec![request(3, 0, false)]).await;
    assert_eq!(check(&world).await.resolved.len(), 1);
    let listed = list_alerts(&world.ctx, &world.monitoring, None, OnlyOpen::No).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].window_start_ms, listed[0].resolved_window_start_ms), (HOUR_MS, Some(3 * HOUR_MS)));
    assert!(listed[0].resolved_at_ms.is_some());
    assert!(list_alerts(&world.ctx, &world.monitoring, Some(DEPLOYMENT), OnlyOpen::Yes).await.unwrap().is_empty());
    assert!(list_alerts(&elsewhere(), &world.monitoring, None, OnlyOpen::No).await.unwrap().is_empty());
    let actions = world.actions().await;
    assert_eq!(actions.iter().filter(|action| action.starts_with("alert.")).collect::<Vec<_>>(), ["alert.raised", "alert.resolved"]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_window_that_gets_bad_again_opens_its_alert_again(db: Db) {
    let world = world(&db).await;
    create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule("errors", Metric::ErrorRate, 0.4)).await.unwrap();
    world.record(vec![request(0, 0, true)]).await;
    let first = check(&world).await.raised;
    world.record((1..10).map(|at| request(0, at, false)).collect()).await;
    assert_eq!(check(&world).await.resolved.len(), 1);
    world.record((10..40).map(|at| request(0, at, true)).collect()).await;
    let again = check(&world).await.raised;
    let name = |alerts: &[Alert]| alerts.iter().map(|alert| (alert.id.clone(), alert.raised_at_ms)).collect::<Vec<_>>();
    assert_eq!((name(&first).len(), name(&first)), (1, name(&again)), "it is the same alert");
    let open = list_alerts(&world.ctx, &world.monitoring, None, OnlyOpen::Yes).await.unwrap();
    assert_eq!((open.len(), open[0].resolved_at_ms, open[0].resolved_window_start_ms), (1, None, None));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_rule_that_cools_down_is_silent(db: Db) {
    let world = world(&db).await;
    let cooling = Rule { cool_down_ms: 5 * HOUR_MS, ..rule("errors", Metric::ErrorRate, 0.4) };
    create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, cooling).await.unwrap();
    let hours = [true, false, true, false, false, true];
    let lot = hours.iter().zip(0..).map(|(is_failed, hour)| request(hour, 0, *is_failed)).collect();
    world.record(lot).await;
    let raised: Vec<i64> = check(&world).await.raised.iter().map(|alert| alert.window_start_ms / HOUR_MS).collect();
    assert_eq!(raised, [0, 5]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_new_rule_looks_at_the_latest_window_of_before(db: Db) {
    let world = world(&db).await;
    world.record(vec![request(0, 0, true), request(1, 0, true)]).await;
    assert_eq!(check(&world).await.windows, 2, "there is no rule yet");
    create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule("errors", Metric::ErrorRate, 0.4)).await.unwrap();
    let raised: Vec<i64> = check(&world).await.raised.iter().map(|alert| alert.window_start_ms).collect();
    assert_eq!(raised, [HOUR_MS]);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn two_servers_that_look_at_once_raise_one_alert(db: Db) {
    let world = world(&db).await;
    create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule("errors", Metric::ErrorRate, 0.4)).await.unwrap();
    world.record(vec![request(0, 0, true)]).await;
    let (one, other) = tokio::join!(check(&world), check(&world));
    assert_eq!(one.raised.len() + other.raised.len(), 1);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn silence_is_seen_where_a_rule_is_about_rows(db: Db) {
    let world = world(&db).await;
    let made = create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule("rows", Metric::Rows, 1.0)).await.unwrap();
    let now_ms = made.created_at_ms + 3 * HOUR_MS;
    check_all(&world.monitoring, now_ms).await.unwrap();
    let raised = check_all(&world.monitoring, now_ms + 10_000).await.unwrap();
    let alerts = list_alerts(&world.ctx, &world.monitoring, None, OnlyOpen::Yes).await.unwrap();
    assert_eq!((alerts.len(), alerts[0].value), (1, 0.0), "{raised:?}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn rules_are_named_once_checked_and_deleted_with_their_open_alerts(db: Db) {
    let world = world(&db).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    let made = create_rule(ctx, monitoring, DEPLOYMENT, rule("errors", Metric::ErrorRate, 0.4)).await.unwrap();
    let again = create_rule(ctx, monitoring, DEPLOYMENT, rule("errors", Metric::Rows, 1.0)).await;
    assert_eq!(code(again), Code::AlreadyExists);
    for bad in [
        rule("", Metric::Rows, 1.0),
        rule("x", Metric::Rows, f64::NAN),
        rule("x", Metric::Psi, 0.2),
        rule("x", Metric::Quality, 0.2),
        Rule { measure: Some("beauty".into()), ..rule("x", Metric::Quality, 0.2) },
        Rule { column: Some("temp".into()), ..rule("x", Metric::ErrorRate, 0.2) },
        Rule { min_rows: -1, ..rule("x", Metric::Rows, 0.2) },
        Rule { cool_down_ms: -1, ..rule("x", Metric::Rows, 0.2) },
    ] {
        assert_eq!(code(create_rule(ctx, monitoring, DEPLOYMENT, bad).await), Code::InvalidArgument);
    }
    let denied = create_rule(&as_role(Role::Viewer), monitoring, DEPLOYMENT, rule("v", Metric::Rows, 1.0)).await;
    assert_eq!(code(denied), Code::PermissionDenied);
    assert_eq!(list_rules(ctx, monitoring, DEPLOYMENT).await.unwrap(), [made]);
    world.record(vec![request(0, 0, true)]).await;
    assert_eq!(check(&world).await.raised.len(), 1);
    delete_rule(ctx, monitoring, DEPLOYMENT, "errors").await.unwrap();
    assert_eq!(code(delete_rule(ctx, monitoring, DEPLOYMENT, "errors").await), Code::NotFound);
    assert!(list_alerts(ctx, monitoring, None, OnlyOpen::Yes).await.unwrap().is_empty());
    let listed = list_alerts(ctx, monitoring, None, OnlyOpen::No).await.unwrap();
    assert!(listed[0].resolved_at_ms.is_some() && listed[0].resolved_window_start_ms.is_none(), "no window ended it");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_window_whose_labels_trickle_in_is_judged_a_minute_after_the_first(db: Db) {
    let world = world(&db).await;
    world.record((0..40).map(|at| request(0, at, false)).collect()).await;
    let first_ms = Clock::System.now_ms() + 20_000;
    assert_eq!(check_all(&world.monitoring, first_ms).await.unwrap().windows, 1);
    let mut judged_after_ms = Vec::new();
    for at in 0..40 {
        let after_ms = at * 3_000;
        let ctx = Ctx { clock: Clock::fixed(first_ms + after_ms), ..world.ctx.clone() };
        let label = NewLabel { id: RequestRef::Server(format!("r0-{at}")), row: 0, label: 1.into() };
        add_labels(&ctx, &world.monitoring, DEPLOYMENT, vec![label]).await.unwrap();
        if check_all(&world.monitoring, first_ms + after_ms + 1_000).await.unwrap().windows > 0 {
            judged_after_ms.push(after_ms);
        }
    }
    assert_eq!(judged_after_ms.first(), Some(&60_000), "{judged_after_ms:?}");
    let after_ms = 40 * 3_000 + 5_000;
    assert_eq!(check_all(&world.monitoring, first_ms + after_ms).await.unwrap().windows, 1, "quiet at last");
});

fn of_column(metric: Metric, column: &str, threshold: f64) -> Rule {
    Rule { column: Some(column.to_owned()), ..rule(&format!("{}-{column}", metric.as_str()), metric, threshold) }
}

/// 200 rows in the given hour: temperatures from a centre on, carriers by turns, of whom every tenth is missing when the hour is odd.
fn rows(hour: i64, centre: f64, carriers: [&str; 2], late: f64) -> Vec<Sample> {
    let one = |at: usize| {
        let carrier = carriers[at % 2];
        let mut made = sample(&format!("r{hour}-{at}"), hour * HOUR_MS, (centre + (at % 20) as f64, carrier), late);
        if hour % 2 == 1 && at.is_multiple_of(10) {
            let temperature = column("temp", Values::Numbers(vec![centre]));
            made.inputs = Table::new(vec![temperature, column("carrier", Values::Texts(vec![None]))]).unwrap();
        }
        made
    };
    (0..200).map(one).collect()
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn every_metric_of_drift_raises_its_alert(db: Db) {
    let world = world(&db).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    world.record([rows(0, 0.0, ["UA", "AA"], 0.2), rows(1, 30.0, ["UA", "ZZ"], 0.9)].concat()).await;
    check(&world).await;
    set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 0).await.unwrap();
    let raised = [
        rule("drift_share", Metric::DriftShare, 1.0),
        rule("prediction_drift_share", Metric::PredictionDriftShare, 1.0),
        of_column(Metric::Psi, "temp", 0.2),
        of_column(Metric::Psi, "late", 0.2),
        of_column(Metric::KsPValue, "temp", 0.05),
        of_column(Metric::ChiSquaredPValue, "carrier", 0.05),
        of_column(Metric::JensenShannon, "carrier", 0.1),
        of_column(Metric::NormedWasserstein, "temp", 2.0),
        of_column(Metric::NewCategoryShare, "carrier", 0.5),
        of_column(Metric::MissingShare, "carrier", 0.05),
    ];
    let silent = [
        of_column(Metric::MissingShare, "temp", 0.0),
        of_column(Metric::MissingShare, "carrier", 0.1),
        of_column(Metric::NewCategoryShare, "carrier", 0.6),
        of_column(Metric::NormedWasserstein, "temp", 100.0),
        rule("schema_changes", Metric::SchemaChanges, 0.0),
    ];
    for (at, rule) in raised.iter().chain(&silent).enumerate() {
        check_columns(ctx, monitoring, DEPLOYMENT, rule, &Served { version: 1, ..Served::default() }).await.unwrap();
        let rule = Rule { name: format!("{at} {}", rule.name), ..rule.clone() };
        create_rule(ctx, monitoring, DEPLOYMENT, rule).await.unwrap();
    }
    let mut names: Vec<String> = check(&world).await.raised.iter().map(|alert| alert.rule.clone()).collect();
    names.sort_by_key(|name| name.split(' ').next().and_then(|at| at.parse::<usize>().ok()));
    let expected: Vec<String> = raised.iter().enumerate().map(|(at, rule)| format!("{at} {}", rule.name)).collect();
    assert_eq!(names, expected);
    let details = world.db.fetch_all(query("SELECT detail FROM events WHERE action = 'alert.raised' ORDER BY id")).await.unwrap();
    let first: String = details[0].get(0).unwrap();
    assert!(first.contains("\"metric\":\"drift_share\""), "{first}");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_column_that_is_not_there_or_of_another_kind_has_no_rule(db: Db) {
    let world = world(&db).await;
    let (ctx, monitoring) = (&world.ctx, &world.monitoring);
    let check = async |rule: Rule, served: &Served| check_columns(ctx, monitoring, DEPLOYMENT, &rule, served).await;
    let told = |names: &[&str]| Columns::Told(names.iter().map(|name| (*name).to_owned()).collect());
    let signed = Served { version: 1, columns: told(&["temp", "predictions"]), outputs: told(&["predictions"]) };
    // Nothing is known yet, then that nothing is told, then the signature, then a reference.
    let refused = check(of_column(Metric::Psi, "temp", 0.2), &Served::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused:?}");
    check(rule("rows", Metric::Rows, 5.0), &Served::default()).await.unwrap();
    let untold = Served { version: 1, columns: Columns::Untold, outputs: Columns::Untold };
    check(of_column(Metric::Psi, "nope", 0.2), &untold).await.unwrap();
    assert_eq!(code(check_output(DEPLOYMENT, "temp", &signed)), Code::InvalidArgument);
    assert_eq!(code(check_output(DEPLOYMENT, "predictions", &Served::default())), Code::Unavailable);
    check_output(DEPLOYMENT, "predictions.1", &signed).unwrap();
    check_output(DEPLOYMENT, "nope", &untold).unwrap();
    check(of_column(Metric::Psi, "predictions.1", 0.2), &signed).await.unwrap();
    let refused = check(of_column(Metric::Psi, "nope", 0.2), &signed).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.hint().unwrap().contains("temp, predictions"), "{refused:?}");
    world.record(rows(0, 0.0, ["UA", "AA"], 0.2)).await;
    set_window_reference(ctx, monitoring, DEPLOYMENT, 0, 0).await.unwrap();
    for wrong in [
        of_column(Metric::Psi, "nope", 0.2),
        of_column(Metric::MissingShare, "nope", 0.2),
        of_column(Metric::KsPValue, "carrier", 0.05),
        of_column(Metric::ChiSquaredPValue, "temp", 0.05),
        of_column(Metric::NewCategoryShare, "late", 0.05),
    ] {
        assert_eq!(code(check(wrong, &signed).await), Code::InvalidArgument);
    }
    check(of_column(Metric::Psi, "late", 0.2), &signed).await.unwrap();
    check(rule("predictions", Metric::PredictionDriftShare, 0.2), &signed).await.unwrap();
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_threshold_beyond_its_metric_is_refused(db: Db) {
    let world = world(&db).await;
    let quality = |measure: &str, threshold| Rule {
        measure: Some(measure.to_owned()),
        ..rule(&format!("{measure} {threshold}"), Metric::Quality, threshold)
    };
    let error_rate = |threshold| rule(&format!("errors {threshold}"), Metric::ErrorRate, threshold);
    let make = async |rule: Rule| create_rule(&world.ctx, &world.monitoring, DEPLOYMENT, rule).await;
    for wrong in [
        error_rate(7.0),
        error_rate(1.0),
        error_rate(-0.1),
        rule("x", Metric::DriftShare, 0.0),
        rule("x", Metric::DriftShare, 1.1),
        rule("x", Metric::Rows, 0.0),
        rule("x", Metric::P95LatencyMs, -1.0),
        rule("x", Metric::SchemaChanges, -1.0),
        of_column(Metric::Psi, "temp", 0.0),
        of_column(Metric::KsPValue, "temp", 0.0),
        of_column(Metric::JensenShannon, "temp", 0.84),
        of_column(Metric::MissingShare, "temp", 1.0),
        quality("accuracy", 1.5),
        quality("brier", 1.0),
        quality("mae", -1.0),
        quality("r2", 1.1),
    ] {
        assert_eq!(code(make(wrong.clone()).await), Code::InvalidArgument, "{wrong:?}");
    }
    let refused = make(error_rate(7.0)).await.unwrap_err();
    let said = "the threshold is 7; a rule about error_rate is raised above it, so it must be at least 0 and below 1";
    assert_eq!(refused.message(), said);
    // What is named as the bound is within it, though the true one (the root of ln 2) has more digits.
    let refused = make(of_column(Metric::JensenShannon, "temp", 0.8326)).await.unwrap_err();
    assert!(refused.message().ends_with("above 0 and at most 0.8325"), "{refused}");
    make(of_column(Metric::JensenShannon, "temp", 0.8325)).await.unwrap();
    for right in [error_rate(0.0), rule("d", Metric::DriftShare, 1.0), quality("r2", -3.0), quality("mae", 1e9)] {
        make(right).await.unwrap();
    }
});
