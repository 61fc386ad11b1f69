import { describe, expect, it } from "vitest";
import { csv } from "./rows";

const one = (...row: Parameters<typeof csv>[0]["rows"][number]): string => csv({ columns: ["a"], rows: [row] }).slice("a\r\n".length, -"\r\n".length);

describe("CSV", () => {
  it("has a line for the columns and one for each row", () => {
    expect(csv({ columns: ["model", "rating"], rows: [["x", 1016], ["y", 984]] })).toBe("model,rating\r\nx,1016\r\ny,984\r\n");
  });
  it("quotes what would break a line, and doubles quotes", () => {
    expect(one('a, "b"')).toBe('"a, ""b"""');
    expect(one("two\nlines")).toBe('"two\nlines"');
    expect(csv({ columns: ["left, right"], rows: [] })).toBe('"left, right"\r\n');
  });
  it("keeps all digits of numbers, and leaves out what is not known", () => {
    expect(one(0.1 + 0.2, -3, null, undefined, Number.NaN, true)).toBe("0.30000000000000004,-3,,,,true");
  });
  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])("lets no spreadsheet run the text %j", (text) => {
    expect(one(text)).toBe(`'${text}`);
  });
  it("guards a formula behind a quote too", () => {
    expect(one('=HYPERLINK("x","y")')).toBe(`"'=HYPERLINK(""x"",""y"")"`);
  });
});
