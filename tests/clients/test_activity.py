"""The ledger as those read it who have just made a change."""

from support.http import Http


def test_a_change_is_in_the_activity_as_soon_as_it_is_answered(http: Http) -> None:
    for _ in range(20):  # changes that keep coming are sealed together, and must not be found the later for it
        run_id = http.ok(http.post("runs/create", {"experiment_id": "0"}))["run"]["info"]["run_id"]
        events = http.ok(http.get("/api/v1/activity", subject=f"default/run/{run_id}"))["events"]
        assert [event["action"] for event in events] == ["run.created"]
