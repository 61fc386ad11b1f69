"""judgments that were voided are counted by an index"""

from collections.abc import Sequence

from alembic import op

revision: str = '0004'
down_revision: str | None = '0003'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index('ix_judgments_voided', 'judgments', ['project_id'], unique=False, postgresql_where='voided_at IS NOT NULL AND position > 0')


def downgrade() -> None:
    op.drop_index('ix_judgments_voided', table_name='judgments', postgresql_where='voided_at IS NOT NULL AND position > 0')
