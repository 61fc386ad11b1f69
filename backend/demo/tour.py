"""The demo: the whole loop through the REST API, as any person or program would go through it.

Texts -> base model -> SFT -> answers -> judgments of simulated people -> Elo -> rewards -> reward model -> PPO ->
answers to prompts that no training has seen -> judgments again. Every step looks first whether it is already there, so
a demo that was interrupted goes on where it stopped, and one that was finished only prints its table.
"""

import io
import json
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from backend.client import Client, Json, find_project
from backend.demo import recipe
from backend.demo.annotators import Desk, draw_people, judge_until, sign_in
from backend.demo.display import Display, Stage
from backend.demo.recipe import Names
from backend.demo.record import Record
from backend.demo.utility import utility
from backend.demo.world import GUIDELINES, World, make_world
from backend.errors import Conflict, NotFound, Unavailable

LOOK_EVERY_S = 0.25
ENDED = ("succeeded", "failed", "cancelled")

AFTER_GUIDELINES = (
    "These questions are new to every model here, and so are the answers: some were given before training on people's "
    "judgments and some after.\n\n" + GUIDELINES
)

# name: (title, seconds on two cores)
STAGES: dict[str, tuple[str, float]] = {
    "corpus": ("Texts, demonstrations and questions imported", 3.0),
    "pretrain": ("A small language model learnt from the texts", 60.0),
    "sft": ("It learnt to answer from demonstrations (SFT)", 45.0),
    "sample": ("The models answered the questions", 30.0),
    "judge": ("Simulated people ranked the answers", 25.0),
    "reward_model": ("A reward model learnt from their judgments", 35.0),
    "ppo": ("PPO improved the policy", 90.0),
    "evaluate": ("All models answered questions new to them", 18.0),
    "judge_again": ("People compared before and after", 8.0),
    "fresh": ("SFT and PPO answered the questions left to you", 8.0),
}


@dataclass
class Tour:
    """One demo. `client` is an admin's; `podium_url` is where people find the pages."""

    client: Client
    seed: int
    record: Record
    display: Display
    names: Names = field(init=False)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.names = Names(self.seed)
        self.world = make_world(self.seed)
        self.project = ""
        self.after = ""

    def run(self) -> Json:
        """Go through all stages that are not done; the report."""
        self._recall()
        if self.record.report is not None:
            return self.record.report
        steps: dict[str, Callable[[Stage], None]] = {
            "corpus": self._corpus,
            "pretrain": self._pretrain,
            "sft": self._sft,
            "sample": self._sample,
            "judge": self._judge,
            "reward_model": self._reward_model,
            "ppo": self._ppo,
            "evaluate": self._evaluate,
            "judge_again": self._judge_again,
            "fresh": self._fresh,
        }
        with self.display:
            for name, step in steps.items():
                if name in self.record.done:
                    self.display.skipped(name)
                    continue
                with self.display.stage(name) as stage:
                    try:
                        step(stage)
                    except BaseException:
                        self.record.interrupted(name, stage.seconds)
                        raise
                self.record.finish(name, stage.seconds)
        self.record.report = self._report()
        self.record.save()
        return self.record.report

    # -- stages ---------------------------------------------------------------------------------------------------

    def _corpus(self, stage: Stage) -> None:
        self.project = self._make_project(self.names.project, GUIDELINES, size=recipe.COMPARISON_SIZE, overlap=2)
        texts = [*self.world.corpus, *(f"{chat.question}\n{chat.answer}" for chat in self.world.chats)]
        self._import(self.project, "documents", ({"text": text} for text in texts))
        stage.at(0.4)
        shown = ({"prompt": one.question, "completion": one.answer} for one in self.world.demonstrations)
        self._import(self.project, "demonstrations", shown)
        stage.at(0.8)
        questions = self.world.training_prompts[: recipe.JUDGED_PROMPTS]
        self._import(self.project, "prompts", ({"prompt": question} for question in questions))

    def _pretrain(self, stage: Stage) -> None:
        self._train(stage, "Base model", "pretrain", recipe.pretrain(self.names))

    def _sft(self, stage: Stage) -> None:
        self._train(stage, "SFT, stopped early", "sft", recipe.sft(self.names, early=True), upto=0.25)
        self._train(stage, "SFT", "sft", recipe.sft(self.names), since=0.25)

    def _sample(self, stage: Stage) -> None:
        first = recipe.sample(self.names, ("base", "sft-early"))
        self._train(stage, "Answers of base and early SFT", "sample", first, upto=0.5)
        self._train(stage, "Answers of SFT", "sample", recipe.sample(self.names, ("sft",), each=2), since=0.5)

    def _judge(self, stage: Stage) -> None:
        self._people_judge(stage, self.project, recipe.JUDGMENTS)

    def _reward_model(self, stage: Stage) -> None:
        name = "Rewards of the demo"
        sets = {one["name"]: one for one in self.client.pages(f"projects/{self.project}/reward-sets")}
        frozen = sets.get(name) or self.client.post(f"projects/{self.project}/reward-sets", {"name": name})
        self._train(stage, "Reward model", "reward_model", recipe.reward_model(self.names, frozen["id"]))

    def _ppo(self, stage: Stage) -> None:
        self._train(stage, "PPO", "ppo", recipe.ppo(self.names))

    def _evaluate(self, stage: Stage) -> None:
        """In a project of its own: its prompts are in no training data."""
        self.after = self._make_project(self.names.after_project, AFTER_GUIDELINES, size=2, overlap=1)
        self._import(self.after, "prompts", ({"prompt": question} for question in self.world.held_out_prompts))
        config = recipe.evaluate(self.names, prompts=len(self.world.held_out_prompts))
        self._train(stage, "Base, SFT and PPO compared", "evaluate", config, upto=0.5, project=self.after)
        three = recipe.sample(self.names, ("base", "sft", "ppo"))
        self._train(stage, "Answers to new questions", "sample", three, since=0.5, project=self.after)

    def _judge_again(self, stage: Stage) -> None:
        self._people_judge(stage, self.after, recipe.HELD_OUT_JUDGMENTS)

    def _fresh(self, stage: Stage) -> None:
        """Comparisons of PPO with SFT that nobody has judged, for the newcomer to rank by hand at once."""
        self._import(self.after, "prompts", ({"prompt": question} for question in self.world.fresh_prompts))
        # Those with the fewest completions come first: the fresh ones, which have none.
        config = recipe.sample(self.names, ("sft", "ppo")) | {"max_prompts": len(self.world.fresh_prompts)}
        self._train(stage, "Answers for you to rank", "sample", config, project=self.after)

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _recall(self) -> None:
        """What an earlier start made; a record of things that are gone is forgotten."""
        self.project = find_project(self.client, self.names.project) or ""
        self.after = find_project(self.client, self.names.after_project) or ""
        if (self.record.done and not self.project) or ("evaluate" in self.record.done and not self.after):
            self.record.forget()

    def _make_project(self, name: str, guidelines: str, *, size: int, overlap: int) -> str:
        found = find_project(self.client, name)
        if found is not None:
            return found
        body = {"name": name, "guidelines": guidelines, "protocol": {"size": size}, "overlap": overlap}
        return str(self.client.post("projects", body)["slug"])

    def _import(self, project: str, format: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Sending the same rows twice adds nothing."""
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        path = f"projects/{project}/imports"
        answer = self.client.send_file(path, io.BytesIO(body), len(body), lambda _: None, format=format)
        if answer["rejected_total"]:
            raise Unavailable(f"The import of {format} refused a line: {answer['rejected'][0]['reason']}")

    def _train(
        self,
        stage: Stage,
        name: str,
        kind: str,
        config: Json,
        *,
        since: float = 0.0,
        upto: float = 1.0,
        project: str | None = None,
    ) -> Json:
        """Launch a run, or go on with the one of this name, and watch it to its end."""
        slug = project or self.project
        run = self._begin(slug, name, kind, config)
        while run["state"] not in ENDED:
            progress = run["progress"] or {}
            share = progress.get("step", 0) / progress["total"] if progress.get("total") else 0.0
            stage.at(since + (upto - since) * min(1.0, share), progress.get("phase") or run["state"])
            time.sleep(LOOK_EVERY_S)
            run = self.client.get(f"runs/{run['id']}")
        if run["state"] != "succeeded":
            raise Conflict(
                f"The run “{name}” {run['state']}: {run['message'] or 'its log says why'} "
                f"See {self.client.url}/runs/{run['id']}; the next start of the demo tries it again."
            )
        return run

    def _begin(self, project: str, name: str, kind: str, config: Json) -> Json:
        run = self._run(project, name, kind)
        if run is not None:
            stopped = run["state"] in ("failed", "cancelled")
            return dict(self.client.post(f"runs/{run['id']}/resume")) if stopped else run
        body = {"project": project, "kind": kind, "name": name, "config": config}
        return dict(self.client.get(f"runs/{self.client.post('runs', body)['id']}"))

    def _run(self, project: str, name: str, kind: str) -> Json | None:
        return next((run for run in self.client.pages("runs", project=project, kind=kind) if run["name"] == name), None)

    def _result(self, project: str, name: str, kind: str) -> Json:
        run = self._run(project, name, kind)
        if run is None or run["result"] is None:
            raise NotFound(f"The run “{name}” of the demo has no result.")
        return run

    def _people_judge(self, stage: Stage, project: str, wanted: int) -> None:
        """The simulated people work in turn, each through a session of their own."""
        have = self.client.get(f"projects/{project}/progress")["judgments"]
        with ExitStack() as stack:
            desks = []
            for person in draw_people(self.seed):
                password = account(self.client, self.record, person.email, person.name, "annotator")
                browser = sign_in(f"{self.client.url}/api/v1/", person.email, password)
                stack.callback(browser.close)
                desks.append(Desk(person, browser, project, f"{self.seed}/{have}"))
            judge_until(desks, wanted, have, lambda now: stage.at(now / wanted, f"{now} judgments"))
        self._wait_for_ratings(project)

    def _wait_for_ratings(self, project: str) -> None:
        """The dispatcher folds judgments into ratings within moments."""
        judged = self.client.get(f"projects/{project}/progress")["judgments"]
        give_up = time.monotonic() + 30.0
        while time.monotonic() < give_up:
            if self.client.get(f"projects/{project}/ratings", of="models")["judgments"] >= judged:
                return
            time.sleep(LOOK_EVERY_S)

    # -- the report -----------------------------------------------------------------------------------------------

    def _report(self) -> Json:
        ppo, sft, base = (self.names.model(name) for name in ("ppo", "sft", "base"))
        evaluation = self._result(self.after, "Base, SFT and PPO compared", "evaluate")
        worth, examples = self._worth(evaluation["id"], (base, sft, ppo))
        reward_model = self._result(self.project, "Reward model", "reward_model")["result"]
        judged = sum(self.client.get(f"projects/{slug}/progress")["judgments"] for slug in (self.project, self.after))
        checkpoint = self.client.get(f"checkpoints/by-name/{ppo}")
        return {
            "seed": self.seed,
            "judgments": judged,
            "elo": self._elo(self.after),
            "elo_before_ppo": self._elo(self.project),
            "reward_model": {"held_out_accuracy": reward_model["held_out/accuracy"]},
            "utility": {
                name: round(statistics.fmean(worth[model]), 3)
                for name, model in (("base", base), ("sft", sft), ("ppo", ppo))
            },
            "win_rate_ppo_vs_sft": round(win_rate(worth[ppo], worth[sft]), 4),
            "kl_to_reference_per_seq": evaluation["result"][f"evaluate/kl_reference_per_seq_nats:{ppo}"],
            "held_out_prompts": len(worth[ppo]),
            "seconds": self.record.seconds,
            "checkpoint": f"{ppo}@{checkpoint['revision']}",
            "examples": examples,
        }

    def _elo(self, project: str) -> dict[str, float]:
        board = self.client.get(f"projects/{project}/ratings", of="models", method="elo")
        return {item["name"]: round(item["rating"], 1) for item in board["items"]}

    def _worth(self, run: str, models: Sequence[str]) -> tuple[dict[str, list[float]], list[Json]]:
        """The utility of every model's answers to the held-out prompts, in their order, and some answers to show."""
        answers: dict[str, dict[str, str]] = {model: {} for model in models}
        for sample in self._samples(run):
            model, _, text = sample["completion"].partition(": ")
            answers[model][sample["prompt"][-1]["content"]] = text
        questions = [question for question in self.world.held_out_prompts if question in answers[models[0]]]
        worth = {model: [utility(question, answers[model][question]) for question in questions] for model in models}
        examples = [
            {"prompt": question, **{model.rpartition("/")[2]: answers[model][question] for model in models}}
            for question in questions[:3]
        ]
        return worth, examples

    def _samples(self, run: str) -> Iterator[Json]:
        after = -1
        while (page := self.client.get(f"runs/{run}/samples", after=after))["items"]:
            yield from page["items"]
            after = page["next_after"]


def account(client: Client, record: Record, email: str, name: str, role: str) -> str:
    """The password of an account, which is made if it is not there and given a new password if that is not known."""
    user = next((user for user in client.pages("users", limit=200) if user["email"] == email), None)
    if user is not None and email in record.passwords:
        return record.passwords[email]
    password = record.keep_password(email)
    if user is None:
        client.post("users", {"email": email, "name": name, "role": role, "password": password})
    else:
        client.patch(f"users/{user['id']}", {"password": password})
    return password


def win_rate(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Share of the prompts on which ours is worth more; equal worth is half a win."""
    return statistics.fmean(0.5 + 0.5 * ((a > b) - (a < b)) for a, b in zip(ours, theirs, strict=True))
