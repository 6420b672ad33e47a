"""Model versions: create, stages, aliases, tags, search, delete."""

from ..steps import delete, get, patch, post
from .models import M


# For what not both servers take.
OTHER = "tt-${suffix}"


def version(label: str, **fields: object):
    return post(label, "model-versions/create", {"name": M, **fields})


def other_version(label: str, **fields: object):
    return version(label, name=OTHER, **fields)


SOURCE = "mlflow-artifacts:/${e}/${r}/artifacts/model"

STEPS = [
    version("create version", source=SOURCE, run_id="${r}", description="first", tags=[{"key": "a", "value": "b"}]),
    post("create version of unknown model", "model-versions/create", {"name": "zz", "source": "s3://a/b"}),
    version("create version with bare bucket", source="s3://a"),
    version("create version with local source", source="/etc/passwd"),
    version("create version with file source", source="file:///etc/passwd"),
    version("create version without source", run_id="${r}"),
    version("create version with empty source", source=""),
    version("create version with models source", source="models:/%s/1" % M),
    version("create version with logged model", source="models:/${lm}"),
    version("create version with unknown logged model", source="models:/m-0"),
    version("create version with runs source", source="runs:/${r}/model", run_id="${r}"),
    version("create version with dots in source", source="s3://b/../x"),
    version("create version with encoded dots in source", source="s3://b/%2e%2e/x"),
    version("create version with twice encoded dots in source", source="s3://b/%252e%252e/x"),
    version("create version with dots in artifacts source", source="mlflow-artifacts:/987654/../../x"),
    other_version("create version of another model", source="s3://b/y"),
    other_version("create version with dots in query", source="s3://b/x?y=../z"),
    version("create version with unknown run", source="s3://b/x", run_id="nope"),
    version("create version with number as source", source=5),
    get("get version", "model-versions/get", name=M, version="1"),
    get("get version that is a word", "model-versions/get", name=M, version="x"),
    get("get version that is not there", "model-versions/get", name=M, version="77"),
    get("get version of unknown model", "model-versions/get", name="zz", version="1"),
    get("get version without number", "model-versions/get", name=M),
    get("get version of negative number", "model-versions/get", name=M, version="-1"),
    get("get model with versions", "registered-models/get", name=M),
    get("get download URI", "model-versions/get-download-uri", name=M, version="1"),
    get("get download URI of a version of a version", "model-versions/get-download-uri", name=M, version="2"),
    get("get download URI of unknown version", "model-versions/get-download-uri", name=M, version="77"),
    patch("update version", "model-versions/update", {"name": M, "version": "1", "description": "better"}),
    patch("update version without description", "model-versions/update", {"name": M, "version": "1"}),
    patch("update unknown version", "model-versions/update", {"name": M, "version": "77", "description": "x"}),
    post("set version tag", "model-versions/set-tag", {"name": M, "version": "1", "key": "c", "value": "d"}),
    post("set version tag without key", "model-versions/set-tag", {"name": M, "version": "1", "value": "d"}),
    post("set tag of unknown version", "model-versions/set-tag", {"name": M, "version": "77", "key": "c", "value": "d"}),
    delete("delete version tag", "model-versions/delete-tag", {"name": M, "version": "1", "key": "c"}),
    delete("delete version tag twice", "model-versions/delete-tag", {"name": M, "version": "1", "key": "c"}),
    delete("delete tag of unknown version", "model-versions/delete-tag", {"name": M, "version": "77", "key": "c"}),
    post("set alias", "registered-models/alias", {"name": M, "alias": "champ", "version": "1"}),
    *(
        post(f"set alias {alias!r}", "registered-models/alias", {"name": M, "alias": alias, "version": "1"})
        for alias in ("latest", "Latest", "v1", "V2", "v1x", "a b", "a/b", "a.b", "", "a" * 256, "1")
    ),
    post("set alias 'größe'", "registered-models/alias", {"name": OTHER, "alias": "größe", "version": "1"}),
    post("set alias to unknown version", "registered-models/alias", {"name": M, "alias": "c2", "version": "99"}),
    post("set alias to a word", "registered-models/alias", {"name": M, "alias": "c2", "version": "x"}),
    post("set alias without version", "registered-models/alias", {"name": M, "alias": "c2"}),
    post("set alias of unknown model", "registered-models/alias", {"name": "zz", "alias": "c2", "version": "1"}),
    get("get alias", "registered-models/alias", name=M, alias="champ"),
    get("get unknown alias", "registered-models/alias", name=M, alias="nope"),
    get("get alias of unknown model", "registered-models/alias", name="zz", alias="champ"),
    get("get alias latest", "registered-models/alias", name=M, alias="latest"),
    delete("delete alias by query", "registered-models/alias", params={"name": M, "alias": "nope"}),
    delete("delete unknown alias", "registered-models/alias", {"name": M, "alias": "nope"}),
    delete("delete alias of unknown model", "registered-models/alias", {"name": "zz", "alias": "nope"}),
    delete("delete alias", "registered-models/alias", {"name": M, "alias": "v1x"}),
    post("move stage", "model-versions/transition-stage", {"name": M, "version": "1", "stage": "production"}),
    post(
        "move stage and archive",
        "model-versions/transition-stage",
        {"name": M, "version": "2", "stage": "Production", "archive_existing_versions": True},
    ),
    post(
        "move stage to None and archive",
        "model-versions/transition-stage",
        {"name": M, "version": "2", "stage": "None", "archive_existing_versions": True},
    ),
    post("move stage to bogus", "model-versions/transition-stage", {"name": M, "version": "1", "stage": "bogus"}),
    post("move stage to nothing", "model-versions/transition-stage", {"name": M, "version": "1"}),
    post("move stage of unknown version", "model-versions/transition-stage", {"name": M, "version": "77", "stage": "Staging"}),
    post("get latest versions", "registered-models/get-latest-versions", {"name": M}),
    post("get latest versions of stages", "registered-models/get-latest-versions", {"name": M, "stages": ["None", "archived"]}),
    post("get latest versions of bogus stage", "registered-models/get-latest-versions", {"name": M, "stages": ["bogus"]}),
    post("get latest versions of unknown model", "registered-models/get-latest-versions", {"name": "zz"}),
    get("get latest versions by GET", "registered-models/get-latest-versions", name=M),
    *(
        get(f"search versions {text}", "model-versions/search", filter=text, order_by="version_number ASC")
        for text in (
            "name='%s'" % M,
            "name='%s' and run_id='${r}'" % M,
            "run_id IN ('${r}')",
            "name LIKE '%s'" % M,
            "name='%s' AND version_number >= 2" % M,
            "name='%s' AND version_number = '2'" % M,
            "source_path = '%s'" % SOURCE,
            "tags.a = 'b' AND name = '%s'" % M,
            "foo='m'",
            "run_id IN ()",
            "name > 'a'",
            "name = 'a' OR name = 'b'",
            "name='no such model at all'",
        )
    ),
    get("search versions for 0", "model-versions/search", max_results=0),
    get("search versions for 200001", "model-versions/search", max_results=200001),
    get("search versions in wrong order", "model-versions/search", order_by="bogus"),
    get("search versions with bad token", "model-versions/search", page_token="!!!"),
    get(
        "search versions, first page",
        "model-versions/search",
        filter="name='%s'" % M,
        max_results=2,
        order_by="version_number DESC",
    ),
    post("rename model", "registered-models/rename", {"name": M, "new_name": "m2-${suffix}"}),
    post("rename unknown model", "registered-models/rename", {"name": "zz", "new_name": "m3-${suffix}"}),
    post("rename model to a taken name", "registered-models/rename", {"name": "m2-${suffix}", "new_name": "tt-${suffix}"}),
    post("rename model to a wrong name", "registered-models/rename", {"name": "m2-${suffix}", "new_name": "a/b"}),
    post("rename model to nothing", "registered-models/rename", {"name": "m2-${suffix}"}),
    post("rename model to itself", "registered-models/rename", {"name": "m2-${suffix}", "new_name": "m2-${suffix}"}),
    get("get alias after rename", "registered-models/alias", name="m2-${suffix}", alias="champ"),
    delete("delete version", "model-versions/delete", {"name": "m2-${suffix}", "version": "1"}),
    delete("delete version twice", "model-versions/delete", {"name": "m2-${suffix}", "version": "1"}),
    delete("delete version that is a word", "model-versions/delete", {"name": "m2-${suffix}", "version": "x"}),
    get("get alias of deleted version", "registered-models/alias", name="m2-${suffix}", alias="champ"),
    post("create version after deleting", "model-versions/create", {"name": "m2-${suffix}", "source": "s3://a/b"}),
    get("get model after deleting", "registered-models/get", name="m2-${suffix}"),
    delete("delete model", "registered-models/delete", {"name": "tt-${suffix}"}),
    delete("delete model twice", "registered-models/delete", {"name": "tt-${suffix}"}),
    delete("delete model without name", "registered-models/delete", {}),
]
