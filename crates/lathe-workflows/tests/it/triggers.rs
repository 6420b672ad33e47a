//! What starts pipelines by itself, and what keeps one from it.

use std::collections::BTreeSet;

use lathe_core::{Actor, Error};
use lathe_db::ledger::{self, EventFilter, sealer};
use lathe_testkit::store_test;
use lathe_workflows::pipelines::set_paused;
use lathe_workflows::triggers::{
    Automatic, Due, Happening, Reaction, find_cause, list_automatic, record_not_started, set_next,
};

use crate::*;

const MINUTE_MS: i64 = 60_000;

impl World {
    /// Pushes a pipeline with these lines, and answers it as the dispatcher sees it.
    async fn automatic(&self, lines: &str) -> Automatic {
        let text = format!("name: p\n{lines}\njobs: {{ a: {{ run: echo }} }}\n");
        push_pipeline(&self.ctx, &self.workflows, text, None).await.unwrap();
        list_automatic(&self.ctx, &self.workflows).await.unwrap().remove(0)
    }

    /// What is due now; it is taken note of.
    async fn due(&self, pipeline: &Automatic) -> Vec<Due> {
        let due = pipeline.due(&self.ctx, &self.workflows).await.unwrap();
        for one in &due {
            set_next(&self.ctx, &self.workflows, &pipeline.project, &pipeline.pipeline.name, one).await.unwrap();
        }
        due
    }

    /// How many events of an action the ledger has, and the detail of the newest.
    pub(crate) async fn events(&self, action: &str) -> (usize, String) {
        sealer::seal_all(&self.db, "tester", &self.ctx.clock).await.unwrap();
        let filter = EventFilter { action: Some(action.to_owned()), ..EventFilter::default() };
        let found = ledger::list(&self.ctx, &self.db, &filter, None, 100).await.unwrap().items;
        (found.len(), found.first().map(|event| event.detail.clone()).unwrap_or_default())
    }
}

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn all_times_that_were_missed_are_made_up_for(db: Db) {
    let world = world(&db).await;
    let pipeline = world.automatic("on: { schedule: { cron: \"* * * * *\", catchup: all } }").await;
    assert!(world.due(&pipeline).await[0].starts.is_empty(), "what passed before it was pushed starts nothing");
    world.ctx.clock.advance_ms(250 * MINUTE_MS);
    let mut causes = BTreeSet::new();
    for expected in [100, 100, 50] {
        let due = world.due(&pipeline).await;
        assert_eq!(due[0].starts.len(), expected);
        causes.extend(due[0].starts.iter().map(|start| start.cause.clone().unwrap()));
    }
    assert!(world.due(&pipeline).await.is_empty());
    assert_eq!(causes.len(), 250);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn of_many_missed_times_the_latest_is_the_latest(db: Db) {
    let world = world(&db).await;
    let pipeline = world.automatic("on: { schedule: { cron: \"* * * * *\", catchup: latest } }").await;
    world.due(&pipeline).await;
    world.ctx.clock.advance_ms(250 * MINUTE_MS);
    let due = world.due(&pipeline).await;
    let newest = world.ctx.now_ms() / MINUTE_MS * MINUTE_MS;
    assert_eq!((due[0].starts.len(), due[0].starts[0].cause.clone()), (1, Some(format!("schedule:0:{newest}"))));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn each_trigger_of_a_branch_counts(db: Db) {
    let world = world(&db).await;
    let three = "on: { data_commit: [{ repo: rep, paths: [\"train/**\"] }, { repo: rep, paths: [\"test/**\"] }, { repo: rep, branch: b, paths: [x] }] }";
    let pipeline = world.automatic(three).await;
    assert_eq!(pipeline.wanted_paths("rep", "main"), Some(vec!["train/**".to_owned(), "test/**".to_owned()]));
    assert_eq!(pipeline.wanted_paths("rep", "b"), Some(vec!["x".to_owned()]));
    assert_eq!(pipeline.wanted_paths("rep", "other"), None);
    // One that means any change makes the patterns of the other mean nothing.
    let any = world.automatic("on: { data_commit: [{ repo: rep, paths: [\"train/**\"] }, { repo: rep }] }").await;
    assert_eq!(any.wanted_paths("rep", "main"), Some(Vec::new()));
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn what_did_not_start_is_told_once_for_each_cause(db: Db) {
    let world = world(&db).await;
    world.automatic("on: { schedule: { cron: \"* * * * *\" } }").await;
    let start = |cause: &str| StartPipelineRun {
        pipeline: PipelineName::parse("p").unwrap(),
        params: BTreeMap::new(),
        trigger: Trigger { kind: "schedule".to_owned(), detail: BTreeMap::new() },
        from: Vec::new(),
        cause: Some(cause.to_owned()),
    };
    let error = Error::not_found("repository `gone` does not exist");
    for (cause, is_first) in [("one", true), ("one", false), ("two", true)] {
        let StartPipelineRun { pipeline, trigger, .. } = start(cause);
        let told = record_not_started(&world.ctx, &world.workflows, &pipeline, (&trigger, cause), &error).await.unwrap();
        assert_eq!(told, is_first);
    }
    let (count, detail) = world.events("pipeline.not_started").await;
    assert_eq!(count, 2);
    assert!(detail.contains("repository `gone` does not exist") && detail.contains("schedule"), "{detail}");
    // It may start after all.
    assert!(start_pipeline_run(&world.ctx, &world.workflows, start("one")).await.unwrap().is_some());
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_pause_is_not_made_up_for(db: Db) {
    let world = world(&db).await;
    let pipeline = world.automatic("on: { schedule: { cron: \"* * * * *\", catchup: all } }").await;
    let name = pipeline.pipeline.name.clone();
    let pause = async |is_paused| set_paused(&world.ctx, &world.workflows, &name, is_paused).await.unwrap();
    world.due(&pipeline).await;
    pause(true).await;
    world.ctx.clock.advance_ms(250 * MINUTE_MS);
    pause(false).await;
    assert!(world.due(&pipeline).await[0].starts.is_empty());
    world.ctx.clock.advance_ms(MINUTE_MS);
    // Resumed once more, it has not been paused: what is due stays due.
    pause(false).await;
    assert_eq!(world.due(&pipeline).await[0].starts.len(), 1);
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn a_pipeline_does_not_start_itself(db: Db) {
    let world = world(&db).await;
    let pipeline = world.automatic("on: { model_alias: { model: m, alias: champion } }").await;
    let run = world.start("  a: { run: echo }\n").await;
    let claim = world.claim_one("server").await;
    let of_attempt = (RunId::generate(), TokenId::generate());
    assert!(world.attach_as(&world.ctx, &claim, &of_attempt).await.unwrap());
    let happening =
        Happening::ModelAlias { model: "m".to_owned(), alias: "champion".to_owned(), version: "1".to_owned() };
    let react = async |actor: Actor, request_id: &str| {
        let by = find_cause(&world.ctx, &world.workflows, &actor, request_id).await.unwrap();
        pipeline.react(&world.ctx, &world.workflows, &happening, ("event", by.as_ref()), Vec::new()).await.unwrap()
    };
    let somebody = "0123456789abcdef0123456789abcdef";
    assert!(matches!(react(Actor::user("ada"), somebody).await, Reaction::Start(_)));
    assert!(matches!(react(Actor::run(somebody), somebody).await, Reaction::Start(_)), "a run of no pipeline");
    for (actor, request_id) in [(Actor::run(of_attempt.0.as_str()), somebody), (Actor::user("ada"), run.as_str())] {
        let Reaction::HeldBack { why, .. } = react(actor, request_id).await else { panic!("it starts itself") };
        assert_eq!(why.message(), "a run of `p` caused it, and a pipeline does not start itself");
    }
    let other = Happening::ModelAlias { model: "m".to_owned(), alias: "other".to_owned(), version: "1".to_owned() };
    let by = Some(&pipeline.pipeline.name);
    let nothing = pipeline.react(&world.ctx, &world.workflows, &other, ("event", by), Vec::new()).await.unwrap();
    assert!(matches!(nothing, Reaction::Nothing), "what it does not wait for is not told");
});

store_test!([SCHEMAS[0], SCHEMAS[1]] async fn an_alert_within_the_cooldown_is_told(db: Db) {
    let world = world(&db).await;
    let pipeline = world.automatic("on: { drift_alert: { deployment: d, cooldown: 2h } }").await;
    let happening = Happening::DriftAlert {
        deployment: "d".to_owned(),
        severity: "critical".to_owned(),
        detail: BTreeMap::from([("metric".to_owned(), "psi".into())]),
    };
    let react = async |event: &str| {
        pipeline.react(&world.ctx, &world.workflows, &happening, (event, None), Vec::new()).await.unwrap()
    };
    let Reaction::Start(start) = react("first").await else { panic!("it does not start") };
    assert!(start_pipeline_run(&world.ctx, &world.workflows, start).await.unwrap().is_some());
    let Reaction::HeldBack { why, .. } = react("second").await else { panic!("it starts again") };
    assert_eq!(why.message(), "an alert of `d` started it less than 2h ago, which is its `cooldown`");
    world.ctx.clock.advance_ms(120 * MINUTE_MS);
    assert!(matches!(react("third").await, Reaction::Start(_)));
});
