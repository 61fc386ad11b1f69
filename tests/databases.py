"""Databases for tests that commit: each finds one as migrations leave it. To empty one that another test has left takes
a tenth of the time that a new one takes."""

import contextlib
from itertools import count

import psycopg
from sqlalchemy import make_url

from backend.embedded import Cluster

# What is not a row of ours: every object and what it hangs on, every column, the version, what ANALYZE has found out.
SHAPE = """
SELECT (SELECT md5(string_agg(one::text, ' ' ORDER BY one::text)) FROM pg_depend AS one WHERE objid >= 16384),
       (SELECT md5(string_agg(concat_ws(' ', attrelid, attname, atttypid, attnotnull), ' ' ORDER BY attrelid, attnum))
          FROM pg_attribute WHERE attrelid >= 16384),
       (SELECT string_agg(version_num, ' ') FROM alembic_version),
       (SELECT count(*) FROM pg_statistic)
"""
ALONE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
EMPTY = """
DO $$
DECLARE filled text;
BEGIN
  SELECT string_agg(oid::regclass::text, ', ') INTO filled FROM pg_class
   WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
     AND pg_relation_size(oid) > 0;
  IF filled IS NOT NULL THEN EXECUTE 'TRUNCATE ' || filled || ' RESTART IDENTITY CASCADE'; END IF;
END $$
"""

_numbers = count(1)


class Databases:
    """Lends databases of a cluster, one at a time each."""

    def __init__(self, cluster: Cluster, template: str) -> None:
        self.cluster, self.template = cluster, template
        self._free: list[str] = []
        with cluster.connect(make_url(fresh := self.lend()).database or "") as connection:
            self._shape = connection.execute(SHAPE).fetchone()
        self.take_back(fresh)

    def lend(self) -> str:
        """The URL of a migrated, empty database."""
        if self._free:
            return self.cluster.url(self._free.pop())
        return self.cluster.create_database(f"test_{next(_numbers)}", self.template)

    def take_back(self, url: str) -> None:
        """Put out whoever is still connected and empty it for the next one; remove it where more than rows changed."""
        name = make_url(url).database or ""
        with self.cluster.connect(name) as connection:
            connection.execute(ALONE)
            with contextlib.suppress(psycopg.errors.UndefinedTable):
                if connection.execute(SHAPE).fetchone() == self._shape:
                    connection.execute(EMPTY)
                    self._free.append(name)
                    return
        self.cluster.drop_database(name)
