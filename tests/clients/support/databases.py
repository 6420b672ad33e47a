"""A fresh database for each server that a test starts: a new SQLite file, or a new database in a PostgreSQL server.

LATHE_TEST_DATABASE_URL chooses: unset or `sqlite` = a file in the server's own data folder; `postgres` = a PostgreSQL server
that `scripts/postgres.sh` starts; a URL `postgres://…` = that server, in which a database is made for each test server.
"""

import os
import sqlite3
import subprocess
import uuid
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from .paths import SCRIPTS


def database_kind() -> str:
    """`sqlite` or `postgres`: what the environment asks for."""
    wanted = os.environ.get("LATHE_TEST_DATABASE_URL", "sqlite")
    return "postgres" if wanted.startswith("postgres") else "sqlite"


def new_database_url(kind: str | None = None) -> str | None:
    """The URL of an empty database, or None for a server's own SQLite file."""
    kind = kind or database_kind()
    if kind == "sqlite":
        return None
    given = os.environ.get("LATHE_TEST_DATABASE_URL", "")
    if not given.startswith(("postgres://", "postgresql://")):
        script = [str(SCRIPTS / "postgres.sh"), "start"]
        given = subprocess.run(script, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    name = f"lathe_{uuid.uuid4().hex}"
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(urlsplit(given)._replace(path=f"/{name}"))


def drop_database(url: str | None) -> None:
    """Removes what `new_database_url` made."""
    if url is None:
        return
    parts = urlsplit(url)
    with psycopg.connect(urlunsplit(parts._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{parts.path.lstrip("/")}" WITH (FORCE)')


def change_rows(url: str | None, data_folder: Path, statements: list[tuple[str, tuple]]) -> None:
    """Changes the database of a server that is stopped, in one transaction; a parameter is written `?`."""
    if url is None:
        with sqlite3.connect(data_folder / "lathe.db") as connection:
            for statement, values in statements:
                connection.execute(statement, values)
        connection.close()
        return
    with psycopg.connect(url) as connection:
        for statement, values in statements:
            connection.execute(statement.replace("%", "%%").replace("?", "%s"), values)


def read_rows(url: str | None, data_folder: Path, select: str) -> list[tuple]:
    """Rows of the database of a server."""
    if url is None:
        with sqlite3.connect(data_folder / "lathe.db") as connection:
            rows = connection.execute(select).fetchall()
        connection.close()
        return rows
    with psycopg.connect(url) as connection:
        return connection.execute(select).fetchall()
