"""Registered models."""

from ..steps import delete, get, patch, post

M = "m-${suffix}"

STEPS = [
    post("create model", "registered-models/create", {"name": M, "tags": [{"key": "k", "value": "v"}], "description": "d"}),
    post("create model twice", "registered-models/create", {"name": M}),
    post("create model without name", "registered-models/create", {}),
    post("create model with empty name", "registered-models/create", {"name": ""}),
    post("create model with slash", "registered-models/create", {"name": "a/b"}),
    post("create model with colon", "registered-models/create", {"name": "a:b"}),
    post("create model with number as name", "registered-models/create", {"name": 5}),
    post("create model with dots as name", "registered-models/create", {"name": ".."}),
    post("create model with long name", "registered-models/create", {"name": "n" * 257 + "${suffix}"}),
    post("create model with long description", "registered-models/create", {"name": "ld-${suffix}", "description": "d" * 5001}),
    post(
        "create model with long tag",
        "registered-models/create",
        {"name": "lt-${suffix}", "tags": [{"key": "k", "value": "v" * 100001}]},
    ),
    post(
        "create model with tag twice",
        "registered-models/create",
        {"name": "tt-${suffix}", "tags": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]},
    ),
    get("get model", "registered-models/get", name=M),
    get("get unknown model", "registered-models/get", name="zz"),
    get("get model without name", "registered-models/get"),
    patch("update model", "registered-models/update", {"name": M, "description": "new"}),
    patch("update model without description", "registered-models/update", {"name": M}),
    patch("update unknown model", "registered-models/update", {"name": "zz", "description": "new"}),
    post("set model tag", "registered-models/set-tag", {"name": M, "key": "k2", "value": "v2"}),
    post("set model tag without key", "registered-models/set-tag", {"name": M, "value": "v2"}),
    post("set model tag with long key", "registered-models/set-tag", {"name": M, "key": "k" * 251, "value": "v"}),
    post("set tag of unknown model", "registered-models/set-tag", {"name": "zz", "key": "k", "value": "v"}),
    delete("delete model tag", "registered-models/delete-tag", {"name": M, "key": "k2"}),
    delete("delete model tag twice", "registered-models/delete-tag", {"name": M, "key": "k2"}),
    delete("delete tag of unknown model", "registered-models/delete-tag", {"name": "zz", "key": "k2"}),
    get("search models", "registered-models/search", filter="name ilike '%M-${suffix}%'"),
    get(
        "search models by tag",
        "registered-models/search",
        filter="tags.k='v' and name = '%s'" % M,
        order_by="last_updated_timestamp DESC",
    ),
    get("search models for 1001", "registered-models/search", max_results=1001),
    get("search models for 0", "registered-models/search", max_results=0),
    get("search models by bogus", "registered-models/search", filter="bogus = 'x'"),
    get("search models with >", "registered-models/search", filter="name > 'x'"),
    get("search models in wrong order", "registered-models/search", order_by="bogus"),
    get("search models with bad token", "registered-models/search", page_token="!!!"),
    get("search models, none found", "registered-models/search", filter="name = 'no such model at all'"),
]
