import { expect, test } from "vitest";
import { lastLine } from "./upload";

test("only whole lines tell how far it is", () => {
  expect(lastLine("")).toBeNull();
  expect(lastLine('{"read": 4')).toBeNull();
  expect(lastLine('{"read": 4, "share": 0.1}\n')).toEqual({ read: 4, share: 0.1 });
  expect(lastLine('{"read": 4, "share": 0.1}\n{"read": 8, "share": 0.2}\n{"re')).toEqual({ read: 8, share: 0.2 });
});
