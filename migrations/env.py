"""Runs the migrations. The URL is handed over by `podium migrate` or the tests; nothing is read from files."""

from alembic import context

from backend.database import make_engine
from backend.tables import Base

url = context.config.get_main_option("sqlalchemy.url")
if not url:
    raise SystemExit("no database URL was given to the migrations; use `podium migrate`")

engine = make_engine(url, application="podium-migrate")
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=False)
    with context.begin_transaction():
        # Two starts at once must not migrate twice; the lock ends with the transaction.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7261041)")
        context.run_migrations()
engine.dispose()
