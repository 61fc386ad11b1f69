"""precision asked for, posteriors of ratings, slopes and leans of annotators, scores of the reward model"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = '0003'
down_revision: str | None = '0002'
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table('annotator_fits',
    sa.Column('id', sa.UUID(), nullable=False),
    sa.Column('project_id', sa.UUID(), nullable=False),
    sa.Column('number', sa.BigInteger(), nullable=False),
    sa.Column('position', sa.BigInteger(), nullable=False),
    sa.Column('judgments', sa.BigInteger(), nullable=False),
    sa.Column('prior_deviation', sa.Double(), nullable=False),
    sa.Column('mean_lean', sa.Double(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('clock_timestamp()'), nullable=False),
    sa.ForeignKeyConstraint(['project_id'], ['projects.id'], name=op.f('fk_annotator_fits_project_id_projects'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_annotator_fits')),
    sa.UniqueConstraint('project_id', 'number', name=op.f('uq_annotator_fits_project_id_number'))
    )
    op.create_table('annotator_slopes',
    sa.Column('fit_id', sa.UUID(), nullable=False),
    sa.Column('annotator_id', sa.UUID(), nullable=False),
    sa.Column('slope', sa.Double(), nullable=False),
    sa.Column('slope_error', sa.Double(), nullable=False),
    sa.Column('lean', sa.Double(), nullable=False),
    sa.Column('lean_error', sa.Double(), nullable=False),
    sa.Column('votes', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['annotator_id'], ['users.id'], name=op.f('fk_annotator_slopes_annotator_id_users'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['fit_id'], ['annotator_fits.id'], name=op.f('fk_annotator_slopes_fit_id_annotator_fits'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('fit_id', 'annotator_id', name=op.f('pk_annotator_slopes'))
    )
    op.create_table('completion_scores',
    sa.Column('completion_id', sa.UUID(), nullable=False),
    sa.Column('run_id', sa.UUID(), nullable=False),
    sa.Column('score', sa.Double(), nullable=False),
    sa.ForeignKeyConstraint(['completion_id'], ['completions.id'], name=op.f('fk_completion_scores_completion_id_completions'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['run_id'], ['runs.id'], name=op.f('fk_completion_scores_run_id_runs'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('completion_id', name=op.f('pk_completion_scores'))
    )
    op.create_index(op.f('ix_completion_scores_run_id'), 'completion_scores', ['run_id'], unique=False)
    op.add_column('completion_ratings', sa.Column('bradley_terry', sa.Double(), nullable=True))
    op.add_column('completion_ratings', sa.Column('standard_error', sa.Double(), nullable=True))
    op.add_column('completion_ratings', sa.Column('best', sa.Double(), nullable=True))
    op.add_column('completion_ratings', sa.Column('component', sa.BigInteger(), nullable=True))
    op.add_column('projects', sa.Column('target_error', sa.Double(), nullable=True))
    op.add_column('runs', sa.Column('warnings', postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False))
    op.add_column('prompts', sa.Column('settled', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.create_check_constraint(op.f('ck_projects_target_error'), 'projects', 'target_error > 0')
    op.drop_index('ix_prompts_queue', table_name='prompts')
    op.create_index('ix_prompts_queue', 'prompts', ['project_id', 'handed_out', 'id'], unique=False, postgresql_where='completions >= 2 AND NOT settled')
    # The next fold plays everything anew, which gives the ratings that are there their posteriors.
    op.execute(
        "INSERT INTO rating_changes (project_id, prompt_id, position) SELECT project_id, prompt_id, min(position)"
        " FROM judgments WHERE position > 0 GROUP BY project_id, prompt_id"
    )


def downgrade() -> None:
    op.drop_index('ix_prompts_queue', table_name='prompts')
    op.create_index('ix_prompts_queue', 'prompts', ['project_id', 'handed_out', 'id'], unique=False, postgresql_where='completions >= 2')
    op.drop_constraint(op.f('ck_projects_target_error'), 'projects', type_='check')
    op.drop_column('runs', 'warnings')
    op.drop_column('prompts', 'settled')
    op.drop_column('projects', 'target_error')
    op.drop_column('completion_ratings', 'component')
    op.drop_column('completion_ratings', 'best')
    op.drop_column('completion_ratings', 'standard_error')
    op.drop_column('completion_ratings', 'bradley_terry')
    op.drop_index(op.f('ix_completion_scores_run_id'), table_name='completion_scores')
    op.drop_table('completion_scores')
    op.drop_table('annotator_slopes')
    op.drop_table('annotator_fits')
