"""judgments that were voided are counted by an index; prompts whose judgments tell little come sooner"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = '0004'
down_revision: str | None = '0003'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index('ix_judgments_voided', 'judgments', ['project_id'], unique=False, postgresql_where='voided_at IS NOT NULL AND position > 0')
    op.add_column('prompts', sa.Column('missing', sa.Double(), server_default=sa.text('0'), nullable=False))
    op.drop_index('ix_prompts_queue', table_name='prompts')
    op.create_index('ix_prompts_queue', 'prompts', ['project_id', sa.text('(handed_out - missing)'), 'id'], unique=False, postgresql_where='completions >= 2 AND NOT settled')


def downgrade() -> None:
    op.drop_index('ix_prompts_queue', table_name='prompts')
    op.create_index('ix_prompts_queue', 'prompts', ['project_id', 'handed_out', 'id'], unique=False, postgresql_where='completions >= 2 AND NOT settled')
    op.drop_column('prompts', 'missing')
    op.drop_index('ix_judgments_voided', table_name='judgments', postgresql_where='voided_at IS NOT NULL AND position > 0')
