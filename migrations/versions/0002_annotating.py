"""what the annotator's workplace needs: gold, standings, flags, remarks, ideal answers, judgments voided together"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = '0001'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table('standings',
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('annotator_id', sa.UUID(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('attempt', sa.BigInteger(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('right', sa.BigInteger(), nullable=True),
    sa.Column('asked', sa.BigInteger(), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decided_by', sa.UUID(), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.CheckConstraint("state IN ('learning', 'qualified', 'failed')", name=op.f('ck_standings_state')),
    sa.ForeignKeyConstraint(['annotator_id'], ['users.id'], name=op.f('fk_standings_annotator_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['decided_by'], ['users.id'], name=op.f('fk_standings_decided_by_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_standings_project_id_projects'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'annotator_id', name=op.f('pk_standings'))
    )
    op.create_table('voidings',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('annotator_id', sa.UUID(), nullable=True),
    sa.Column('adjudication_id', sa.UUID(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('judgments', sa.BigInteger(), nullable=False),
    sa.Column('created_by', sa.UUID(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('undone_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('undone_by', sa.UUID(), nullable=True),
    sa.ForeignKeyConstraint(['adjudication_id'], ['judgments.id'], name=op.f('fk_voidings_adjudication_id_judgments'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['annotator_id'], ['users.id'], name=op.f('fk_voidings_annotator_id_users')),
    sa.ForeignKeyConstraint(['created_by'], ['users.id'], name=op.f('fk_voidings_created_by_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_voidings_project_id_projects'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['undone_by'], ['users.id'], name=op.f('fk_voidings_undone_by_users'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_voidings'))
    )
    op.create_index('ix_voidings_project_id', 'voidings', ['project_id', 'id'], unique=False)
    op.create_table('gold',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('prompt_id', sa.UUID(), nullable=False),
    sa.Column('completions', postgresql.ARRAY(sa.UUID()), nullable=False),
    sa.Column('ranks', postgresql.ARRAY(sa.BigInteger()), nullable=True),
    sa.Column('use', sa.Text(), nullable=False),
    sa.Column('explanation', sa.Text(), nullable=False),
    sa.Column('created_by', sa.UUID(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("use IN ('check', 'practice', 'qualification')", name=op.f('ck_gold_use')),
    sa.CheckConstraint('cardinality(completions) BETWEEN 2 AND 9', name=op.f('ck_gold_size')),
    sa.ForeignKeyConstraint(['created_by'], ['users.id'], name=op.f('fk_gold_created_by_users'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_gold_project_id_projects'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['prompt_id'], ['prompts.id'], name=op.f('fk_gold_prompt_id_prompts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gold'))
    )
    op.create_index('ix_gold_project_id', 'gold', ['project_id', 'id'], unique=False)
    op.create_table('flags',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('comparison_id', sa.UUID(), nullable=False),
    sa.Column('annotator_id', sa.UUID(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.Column('resolved_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('resolved_by', sa.UUID(), nullable=True),
    sa.Column('resolution', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['annotator_id'], ['users.id'], name=op.f('fk_flags_annotator_id_users')),
    sa.ForeignKeyConstraint(['comparison_id'], ['comparisons.id'], name=op.f('fk_flags_comparison_id_comparisons'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_flags_project_id_projects'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['resolved_by'], ['users.id'], name=op.f('fk_flags_resolved_by_users'), ondelete='SET NULL'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_flags'))
    )
    op.create_index(op.f('ix_flags_comparison_id'), 'flags', ['comparison_id'], unique=False)
    op.create_index('ix_flags_project_id', 'flags', ['project_id', 'id'], unique=False)
    op.add_column('comparisons', sa.Column('gold_id', sa.UUID(), nullable=True))
    op.add_column('comparisons', sa.Column('skip_settled_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('comparisons', sa.Column('skipped_at', sa.DateTime(timezone=True), nullable=True))
    op.create_index('ix_comparisons_skipped', 'comparisons', ['project_id', 'set_key'], unique=False, postgresql_where="state = 'skipped'")
    op.create_index('ix_comparisons_gold_id', 'comparisons', ['gold_id'], unique=False, postgresql_where='gold_id IS NOT NULL')
    op.add_column('prompts', sa.Column('sets_retired', sa.BigInteger(), server_default=sa.text('0'), nullable=False))
    op.create_foreign_key(op.f('fk_comparisons_gold_id_gold'), 'comparisons', 'gold', ['gold_id'], ['id'], ondelete='SET NULL')
    op.add_column('demonstrations', sa.Column('judgment_id', sa.UUID(), nullable=True))
    op.create_index(op.f('ix_demonstrations_judgment_id'), 'demonstrations', ['judgment_id'], unique=False)
    op.create_foreign_key(op.f('fk_demonstrations_judgment_id_judgments'), 'demonstrations', 'judgments', ['judgment_id'], ['id'], ondelete='SET NULL')
    op.add_column('judgments', sa.Column('ideal_answer', sa.Text(), nullable=True))
    op.add_column('judgments', sa.Column('spans', postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column('judgments', sa.Column('guidelines_version', sa.BigInteger(), nullable=True))
    # What was shown when it was handed out is the best that is known of judgments made before.
    op.execute(
        'UPDATE judgments SET guidelines_version = comparisons.guidelines_version'
        ' FROM comparisons WHERE comparisons.id = judgments.comparison_id'
    )
    op.alter_column('judgments', 'guidelines_version', nullable=False)
    op.add_column('judgments', sa.Column('gold_right', sa.Boolean(), nullable=True))
    op.add_column('judgments', sa.Column('voiding_id', sa.UUID(), nullable=True))
    op.create_index('ix_judgments_voiding_id', 'judgments', ['voiding_id'], unique=False, postgresql_where='voiding_id IS NOT NULL')
    op.create_foreign_key(op.f('fk_judgments_voiding_id_voidings'), 'judgments', 'voidings', ['voiding_id'], ['id'], ondelete='SET NULL')
    op.create_index('ix_judgments_created_at', 'judgments', ['project_id', 'created_at'], unique=False)
    op.create_table('disagreements',
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('set_key', sa.UUID(), nullable=False),
    sa.Column('prompt_id', sa.UUID(), nullable=False),
    sa.Column('completions', postgresql.ARRAY(sa.UUID()), nullable=False),
    sa.Column('judgments', sa.BigInteger(), nullable=False),
    sa.Column('conflict', sa.Double(), nullable=False),
    sa.Column('latest', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_disagreements_project_id_projects'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['prompt_id'], ['prompts.id'], name=op.f('fk_disagreements_prompt_id_prompts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'set_key', name=op.f('pk_disagreements'))
    )
    op.create_index('ix_disagreements_newest', 'disagreements', ['project_id', 'latest'], unique=False)
    op.create_index('ix_disagreements_strongest', 'disagreements', ['project_id', 'conflict', 'set_key'], unique=False)
    op.create_table('rating_snapshots',
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('position', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('models', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_rating_snapshots_project_id_projects'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('project_id', 'position', name=op.f('pk_rating_snapshots'))
    )
    op.create_table('rating_changes',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('prompt_id', sa.UUID(), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_rating_changes_project_id_projects'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['prompt_id'], ['prompts.id'], name=op.f('fk_rating_changes_prompt_id_prompts'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rating_changes'))
    )
    op.create_index('ix_rating_changes_project_id', 'rating_changes', ['project_id'], unique=False)
    # The next fold plays everything anew: it makes the snapshots, and tells disagreements from what is there already.
    op.execute(
        'INSERT INTO rating_changes (project_id, prompt_id, position)'
        ' SELECT project_id, prompt_id, min(position) FROM judgments WHERE position > 0 GROUP BY project_id, prompt_id'
    )
    op.drop_column('projects', 'ratings_stale')
    op.drop_constraint(op.f('ck_comparisons_kind'), 'comparisons', type_='check')
    op.create_check_constraint(
        op.f('ck_comparisons_kind'), 'comparisons', "kind IN ('regular', 'gold', 'repeat', 'adjudication')"
    )
    op.create_index('ix_comparisons_adjudicated', 'comparisons', ['project_id', 'set_key'], unique=False, postgresql_where="kind = 'adjudication'")
    op.drop_constraint(op.f('ck_projects_state'), 'projects', type_='check')
    op.create_check_constraint(
        op.f('ck_projects_state'), 'projects', "state IN ('active', 'paused', 'closed', 'archived')"
    )
    op.add_column('projects', sa.Column('protocol_changed_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('projects', sa.Column('skips_to_retire', sa.BigInteger(), nullable=True))
    op.add_column('projects', sa.Column('masks', postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False))
    op.add_column('projects', sa.Column('qualification_share', sa.Double(), server_default=sa.text('0.8'), nullable=False))
    op.add_column('projects', sa.Column('people_ranking', sa.Boolean(), server_default=sa.text('false'), nullable=False))


def downgrade() -> None:
    op.drop_index('ix_comparisons_adjudicated', table_name='comparisons', postgresql_where="kind = 'adjudication'")
    op.execute("DELETE FROM comparisons WHERE kind = 'adjudication'")
    op.drop_constraint(op.f('ck_comparisons_kind'), 'comparisons', type_='check')
    op.create_check_constraint(op.f('ck_comparisons_kind'), 'comparisons', "kind IN ('regular', 'gold', 'repeat')")
    op.drop_table('disagreements')
    op.add_column('projects', sa.Column('ratings_stale', sa.Boolean(), server_default=sa.text('true'), nullable=False))
    op.alter_column('projects', 'ratings_stale', server_default=None)
    op.drop_table('rating_changes')
    op.drop_table('rating_snapshots')
    op.drop_index('ix_judgments_created_at', table_name='judgments')
    op.execute("UPDATE projects SET state = 'closed' WHERE state = 'archived'")
    op.drop_constraint(op.f('ck_projects_state'), 'projects', type_='check')
    op.create_check_constraint(op.f('ck_projects_state'), 'projects', "state IN ('active', 'paused', 'closed')")
    op.drop_column('projects', 'protocol_changed_at')
    op.drop_column('projects', 'people_ranking')
    op.drop_column('projects', 'qualification_share')
    op.drop_column('projects', 'masks')
    op.drop_column('projects', 'skips_to_retire')
    op.drop_constraint(op.f('fk_judgments_voiding_id_voidings'), 'judgments', type_='foreignkey')
    op.drop_index('ix_judgments_voiding_id', table_name='judgments', postgresql_where='voiding_id IS NOT NULL')
    op.drop_column('judgments', 'voiding_id')
    op.drop_column('judgments', 'gold_right')
    op.drop_column('judgments', 'guidelines_version')
    op.drop_column('judgments', 'spans')
    op.drop_column('judgments', 'ideal_answer')
    op.drop_constraint(op.f('fk_demonstrations_judgment_id_judgments'), 'demonstrations', type_='foreignkey')
    op.drop_index(op.f('ix_demonstrations_judgment_id'), table_name='demonstrations')
    op.drop_column('demonstrations', 'judgment_id')
    op.drop_constraint(op.f('fk_comparisons_gold_id_gold'), 'comparisons', type_='foreignkey')
    op.drop_column('prompts', 'sets_retired')
    op.drop_index('ix_comparisons_gold_id', table_name='comparisons')
    op.drop_index('ix_comparisons_skipped', table_name='comparisons')
    op.drop_column('comparisons', 'skipped_at')
    op.drop_column('comparisons', 'skip_settled_at')
    op.drop_column('comparisons', 'gold_id')
    op.drop_index('ix_flags_project_id', table_name='flags')
    op.drop_index(op.f('ix_flags_comparison_id'), table_name='flags')
    op.drop_table('flags')
    op.drop_index('ix_gold_project_id', table_name='gold')
    op.drop_table('gold')
    op.drop_index('ix_voidings_project_id', table_name='voidings')
    op.drop_table('voidings')
    op.drop_table('standings')
