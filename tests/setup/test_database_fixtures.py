"""The fixtures that the other tests stand on."""

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from tests.databases import Databases
from tests.factories import make_judgment, make_study, make_user

INSERT = text("INSERT INTO projects_of_fixture_test VALUES (1)")


def test_commits_are_undone_after_the_test(session: Session, shared_engine) -> None:
    session.execute(text("CREATE TABLE projects_of_fixture_test (id int)"))
    session.execute(INSERT)
    session.commit()
    session.execute(INSERT)
    session.rollback()
    assert session.scalar(text("SELECT count(*) FROM projects_of_fixture_test")) == 1
    with shared_engine.connect() as other:
        assert other.scalar(text("SELECT to_regclass('projects_of_fixture_test')")) is None


def test_each_database_is_migrated_and_its_own(cluster, template: str, database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT count(*) FROM alembic_version")) == 1
        connection.execute(text("CREATE TABLE mine (id int)"))
    engine.dispose()
    other = create_engine(cluster.create_database("other_copy", template))
    with other.connect() as connection:
        assert connection.scalar(text("SELECT to_regclass('mine')")) is None
    other.dispose()
    cluster.drop_database("other_copy")


def test_a_database_is_lent_again_as_if_new_unless_more_than_rows_has_changed(cluster, template: str) -> None:
    databases = Databases(cluster, template)
    seen = []
    for change in ("SELECT 1", "ALTER TABLE users ALTER name DROP NOT NULL", "ANALYZE users", "SELECT 1"):
        seen.append(url := databases.lend())
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection, Session(connection) as filling:
            assert connection.scalar(text("SELECT count(*) FROM users")) == 0
            assert connection.scalar(text("SELECT nextval(pg_get_serial_sequence('judgments', 'sequence'))")) == 1
            make_judgment(filling, make_study(filling), make_user(filling))
            filling.commit()
            connection.execute(text(change))
        databases.take_back(url)  # though the engine holds its connection
        engine.dispose()
    assert seen[0] == seen[1]
    assert len(set(seen)) == 3, "not lent again after a change of a column, nor with statistics"


def test_text_sorts_the_same_on_every_machine(session: Session) -> None:
    words = session.scalars(text("SELECT w FROM unnest(ARRAY['b', 'A', 'ä', 'a', 'B']) AS w ORDER BY w")).all()
    assert words == ["A", "B", "a", "b", "ä"]
    assert session.scalar(text("SELECT upper('ä')")) == "Ä"
