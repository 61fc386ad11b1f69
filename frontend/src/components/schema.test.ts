import { describe, expect, it } from "vitest";
import { boundsText, check, fieldsOf, type JsonSchema, parse, serverErrors, startValues } from "./schema";

/** As pydantic writes it: unions with null, references, bounds, marks of our own. */
const schema: JsonSchema = {
  type: "object",
  required: ["model", "models"],
  $defs: { Method: { type: "string", enum: ["full", "lora"] }, Inner: { type: "object", properties: { rank: { type: "integer", default: 16, minimum: 1 } } } },
  properties: {
    model: { type: "string", minLength: 1, "x-podium": "model", description: "The model to train." },
    models: { type: "array", items: { type: "string" }, minItems: 1, "x-podium": "model" },
    method: { $ref: "#/$defs/Method", default: "lora" },
    learning_rate: { type: "number", default: 0.0002, exclusiveMinimum: 0, maximum: 1 },
    max_steps: { anyOf: [{ type: "integer", minimum: 1 }, { type: "null" }], default: null, description: "Empty: no end." },
    kl_target_per_seq_nats: { type: "number", default: 6 },
    tie_embeddings: { type: "boolean", default: true },
    output_name: { anyOf: [{ type: "string", pattern: "^[a-z]+/[a-z]+$" }, { type: "null" }], default: null, "x-podium": "output_name" },
    inner: { $ref: "#/$defs/Inner" },
    width: { type: "integer", default: 128, multipleOf: 8 },
  },
};
const fields = fieldsOf(schema);
const field = (path: string) => fields.find((one) => one.path === path)!;

describe("fields of a schema", () => {
  it("keeps the order, follows references, and flattens what is inside", () => {
    expect(fields.map((one) => one.path)).toEqual(["model", "models", "method", "learning_rate", "max_steps", "kl_target_per_seq_nats", "tie_embeddings", "output_name", "inner.rank", "width"]);
    expect(field("method")).toMatchObject({ type: "choice", choices: ["full", "lora"], fallback: "lora" });
    expect(field("inner.rank")).toMatchObject({ type: "integer", fallback: 16 });
  });

  it("tells optional from required, and reads the marks", () => {
    expect(field("max_steps")).toMatchObject({ type: "integer", nullable: true, required: false, bounds: { min: 1 } });
    expect(field("model")).toMatchObject({ type: "text", required: true, source: "model" });
    expect(field("models")).toMatchObject({ type: "list", required: true, source: "model" });
    expect(field("output_name")).toMatchObject({ nullable: true, source: "output_name", bounds: { pattern: "^[a-z]+/[a-z]+$" } });
  });

  it("takes units out of names", () => {
    expect(field("kl_target_per_seq_nats")).toMatchObject({ label: "KL target per seq", unit: "nats" });
    expect(field("learning_rate")).toMatchObject({ label: "Learning rate", unit: null });
  });

  it("says bounds in words", () => {
    expect(boundsText({ min: 1, max: 64 })).toBe("1 to 64");
    expect(boundsText({ above: 0, max: 1 })).toBe("more than 0, at most 1");
    expect(boundsText({})).toBeNull();
  });
});

describe("what was typed", () => {
  it("is checked with a sentence that says what to do", () => {
    expect(parse(field("learning_rate"), "abc").error).toBe("This is not a number.");
    expect(parse(field("learning_rate"), "0").error).toBe("This has to be more than 0, at most 1.");
    expect(parse(field("max_steps"), "1.5").error).toBe("This has to be a whole number.");
    expect(parse(field("max_steps"), "0").error).toBe("This has to be at least 1.");
    expect(parse(field("width"), "12").error).toBe("This has to be a multiple of 8.");
    expect(parse(field("model"), "").error).toBe("This has to be given.");
    expect(parse(field("models"), []).error).toBe("Choose at least one.");
    expect(parse(field("output_name"), "Wrong").error).toMatch(/namespace\/name/);
  });

  it("becomes a value of the right type", () => {
    expect(parse(field("learning_rate"), " 1e-5 ").value).toBe(1e-5);
    expect(parse(field("max_steps"), "").value).toBeNull();
    expect(parse(field("tie_embeddings"), false).value).toBe(false);
    expect(parse(field("models"), ["a/b", " "]).value).toEqual(["a/b"]);
  });

  it("is sent where it is required or differs from the default", () => {
    const start = startValues(fields);
    expect(check(fields, start).errors).toEqual({ model: "This has to be given.", models: "Choose at least one." });
    const filled = { ...start, model: "a/b", models: ["c/d"], learning_rate: "0.00020", "inner.rank": "8", tie_embeddings: false };
    expect(check(fields, filled)).toEqual({ config: { model: "a/b", models: ["c/d"], inner: { rank: 8 }, tie_embeddings: false }, errors: {} });
  });
});

it("puts the server's errors at their fields, and keeps those that belong to none", () => {
  const { known, other } = serverErrors({ "config.learning_rate": "too high", "models.0": "unknown", "body.config.inner.rank": "too big", project: "is closed" }, fields);
  expect(known).toEqual({ learning_rate: "too high", models: "unknown", "inner.rank": "too big" });
  expect(other).toEqual(["is closed"]);
});

describe("settings written as JSON", () => {
  const [scorers] = fieldsOf({ type: "object", properties: { scorers: { type: "array", items: { type: "object" }, default: [], examples: [[{ name: "polite" }]] } } });

  it("shows how to fill it, and takes an emptied list for an empty one", () => {
    expect(scorers).toMatchObject({ type: "json", example: '[{"name":"polite"}]' });
    expect(parse(scorers!, "")).toEqual({ value: [] });
    expect(parse(scorers!, '[{"name": "a"}]')).toEqual({ value: [{ name: "a" }] });
    expect(parse(scorers!, "[")).toEqual({ error: "This is not valid JSON." });
  });

  it("names the group of a nested setting", () => {
    expect(field("inner.rank").label).toBe("Inner: rank");
  });
});
