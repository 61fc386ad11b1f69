import { expect, test } from "vitest";
import { fieldsOf, startValues } from "../components/schema";
import { changed, groupsOf, type Layout, matters } from "./form";

const fields = fieldsOf({
  required: ["model"],
  properties: {
    model: { type: "string" },
    objective: { enum: ["clip", "reinforce"], default: "clip" },
    epochs: { type: "integer", default: 2 },
    clip_range: { type: "number", default: 0.2 },
    guard: { type: "object", properties: { action: { type: "string", default: "stop" } } },
    seed: { type: "integer", default: 0 },
  },
});
const layout: Layout = {
  first: ["objective"],
  groups: { Guard: ["guard"], Steps: ["epochs", "clip_range"] },
  only: { clip_range: { objective: ["clip"] }, seed: { model: [null] } },
  sets: { objective: { reinforce: { epochs: 1 } } },
};

test("fields stand where the layout says, and none is lost", () => {
  const { first, rest } = groupsOf(fields, layout);
  expect(first.map((one) => one.path)).toEqual(["objective", "model"]);
  expect(rest.map((group) => [group.title, group.fields.map((one) => one.path)])).toEqual([["Further settings", ["seed"]], ["Guard", ["guard.action"]], ["Steps", ["epochs", "clip_range"]]]);
});

test("a field matters while another has its value, or is empty", () => {
  const values = startValues(fields);
  expect([matters("clip_range", values, layout), matters("clip_range", { ...values, objective: "reinforce" }, layout)]).toEqual([true, false]);
  expect([matters("seed", values, layout), matters("seed", { ...values, model: "a/b" }, layout), matters("epochs", values, layout)]).toEqual([true, false, true]);
});

test("what goes with a choice is set with it, and taken back with it", () => {
  const one = changed(fields, startValues(fields), "objective", "reinforce", layout);
  expect([one.values["epochs"], one.moved]).toEqual(["1", ["epochs"]]);
  const back = changed(fields, one.values, "objective", "clip", layout);
  expect([back.values["epochs"], back.moved]).toEqual(["2", ["epochs"]]);
  expect(changed(fields, { ...one.values, epochs: "3" }, "objective", "clip", layout).values["epochs"]).toBe("3");
});
