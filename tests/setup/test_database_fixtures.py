"""The fixtures that the other tests stand on."""

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

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


def test_text_sorts_the_same_on_every_machine(session: Session) -> None:
    words = session.scalars(text("SELECT w FROM unnest(ARRAY['b', 'A', 'ä', 'a', 'B']) AS w ORDER BY w")).all()
    assert words == ["A", "B", "a", "b", "ä"]
    assert session.scalar(text("SELECT upper('ä')")) == "Ä"
