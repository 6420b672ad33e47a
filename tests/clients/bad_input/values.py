"""Values that are wrong, bodies that are no JSON, and paths that lead elsewhere."""

from typing import Any


def nested(depth: int, kind: type = list) -> Any:
    """Lists (or objects) inside each other."""
    value: Any = "deep"
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


# Certainly wrong for a field of this type: refused with a 4xx.
WRONG: dict[str, list[Any]] = {
    "text": [{"a": 1}, [1], ["a", "b"], nested(200), nested(200, dict)],
    "integer": ["many", "1.5x", {"a": 1}, [1], nested(200)],
    "number": ["many", "", {"a": 1}, [1], "1.5.2", nested(200)],
    "list": [{"a": 1}, "text", 5, True, [5], ["x", None], [[1]], nested(200), [nested(200, dict)]],
}
# Some routes take lists of plain words: what is wrong there differs from lists of objects.
WORDS = {"experiment_ids", "order_by", "stages", "run_ids"}
WRONG_WORDS: list[Any] = [{"a": 1}, 5, True, [{"a": 1}], [[1]], nested(200)]

# May be right or wrong, by the field: only a 5xx is forbidden.
ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    2**63,
    -(2**70),
    "",
    " ",
    "\0",
    "nul\0inside",
    "new\nline",
    "tab\ttab",
    "\x7f\x1b[31m",
    "‮right to left",
    "\ufeffmark",
    "\ud800",  # half a character
    "e\u0301",
    "🚀" * 300,
    "x" * 100_000,
    "../..",
    "%2e%2e%2f",
    "'; DROP TABLE runs; --",
    "' OR '1'='1",
    "{{7*7}}${x}",
    "<script>alert(1)</script>",
    "NaN",
    "Infinity",
    "\\",
    [],
    {},
    [None],
    [{}],
    [{"key": None, "value": None}],
    [{"key": "\0", "value": "\0"}],
    [{"key": "a\nb", "value": "1"}],
    [{"key": "../up", "value": "1"}],
    [{"key": "k" * 5000, "value": "v"}],
]

# Bodies that are no JSON object.
BODIES: dict[str, bytes] = {
    "no JSON": b"{bad",
    "cut off": b'{"name": "x',
    "a list": b"[]",
    "a list of objects": b'[{"name": "x"}]',
    "a number": b"5",
    "a text": b'"text"',
    "true": b"true",
    "invalid UTF-8": b'{"name": "\xff\xfe", "run_id": "\xc3\x28", "experiment_id": "\xff"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "a trailing comma": b'{"name": "x",}',
    "two objects": b'{"name": "x"}{"name": "y"}',
    "single quotes": b"{'name': 'x'}",
    "a raw NUL": b'{"name": "a\0b"}',
    "a raw newline in a text": b'{"name": "a\nb", "run_id": "a\nb", "experiment_id": "a\nb"}',
    "200 levels": b'{"name": ' + b"[" * 200 + b"]" * 200 + b"}",
    "100000 levels": b"[" * 100_000,
    "100000 levels of objects": b'{"a":' * 100_000,
    "a huge number": b'{"timestamp": 1' + b"0" * 5000 + b"}",
    "a form": b"name=x&run_id=y",
    "binary": bytes(range(256)) * 4,
}

# Ways to write a path that leaves its folder: refused at every door, with nothing read or written.
ESCAPES = [
    "..",
    "../x",
    "../../../../etc/passwd",
    "a/../../x",
    "a/..",
    "%2e%2e",
    "%2e%2e/x",
    "%2E%2E%2Fx",
    "..%2fx",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%252e%252e/x",
    "%252e%252e%252fx",
    "%25252e%25252e%25252fx",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "a/%2e%2e/%2e%2e/x",
    "%00",
    "a%00b",
    "a%00/../x",
    "a%0ab",
    "%ff",
    "%c0%ae%c0%ae/x",
]

# Odd, but not an escape: refused or taken as a name inside the folder.
ODD_PATHS = [
    "a//b",
    "//etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "./a",
    "a/./b",
    ".",
    "a;b",
    "..;/x",
    "..\\x",
    "..%5cx",
    "%5c%5chost%5cshare",
    "C:%5cx",
    "a%23b",
    "a%3fb",
    "a%25b",
    "a%zz",
    "%E2%80%A5/x",
    "．．/x",
    "a" * 1100,
    "a/" * 600 + "b",
    "CON",
    "a%7f",
]
