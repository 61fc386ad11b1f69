"""The last page of the demo: what came of it, and where to look. Reads the report and nothing else."""

import os
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from backend.client import Json

# Accounts and what each is for: (email, password, words).
Account = tuple[str, str, str]


def show(console: Console, report: Json) -> None:
    """Before and after, in a table, with a few answers side by side."""
    before, elo, worth = report["elo_before_ppo"], report["elo"], report["utility"]
    names = {name.rpartition("/")[2]: name for name in {**before, **elo}}
    table = Table(title="Before and after, on questions that no training has seen", title_justify="left")
    table.add_column("model", no_wrap=True)
    table.add_column("hidden utility", justify="right")
    table.add_column("wins vs SFT", justify="right")
    table.add_column("Elo", justify="right")
    table.add_column("Elo, round 1", justify="right")
    wins = {"sft": "—", "ppo": f"{report['win_rate_ppo_vs_sft']:.0%}"}
    for short in ("base", "sft-early", "sft", "ppo"):
        name = names.get(short, short)
        table.add_row(
            name,
            f"{worth[short]:+.2f}" if short in worth else "",
            wins.get(short, ""),
            f"{elo[name]:.0f}" if name in elo else "",
            f"{before[name]:.0f}" if name in before else "",
            style="bold" if short == "ppo" else None,
        )
    console.print()
    console.print(table)
    console.print(
        f"{report['judgments']} judgments by simulated people · reward model right on "
        f"{report['reward_model']['held_out_accuracy']:.0%} of held-out pairs · PPO is "
        f"{report['kl_to_reference_per_seq']:.1f} nats per answer from the SFT model · "
        f"{report['held_out_prompts']} held-out questions · {sum(report['seconds'].values()):.0f} s in all",
        highlight=False,
        soft_wrap=True,
    )
    for example in report["examples"][:2]:
        console.print(f"\n  [bold]{example['prompt']}[/bold]", highlight=False)
        for name in ("base", "sft", "ppo"):
            console.print(f"    {name:<5}{example[name]}", highlight=False, markup=False, soft_wrap=True)


def where_to_look(
    console: Console, url: str, report: Json, projects: Sequence[str], accounts: Sequence[Account], data_dir: str
) -> None:
    """Addresses, accounts and commands for the newcomer."""
    judged, after = projects
    console.print("\n[bold]Where to look[/bold]")
    for email, password, words in accounts:
        console.print(f"  {words:<50}{email}  {password}", highlight=False, markup=False, soft_wrap=True)
    name = report["checkpoint"].partition("@")[0]
    here = f"PODIUM_DATA_DIR={data_dir} " if os.environ.get("PODIUM_DATA_DIR") else ""
    for words, place in (
        ("Sign in", f"{url}/login"),
        ("Rank by hand: PPO or SFT, without knowing which", f"{url}/projects/{after}/annotate"),
        ("Leaderboards", f"{url}/projects/{judged}/leaderboard"),
        ("Runs and their curves", f"{url}/runs"),
        ("Checkpoints and where they come from", f"{url}/checkpoints"),
        ("Fetch the policy", f"{here}./podium pull {name} FOLDER"),
    ):
        console.print(f"  {words:<50}{place}", highlight=False, markup=False, soft_wrap=True)
