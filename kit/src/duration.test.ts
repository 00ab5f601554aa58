import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DurationError, formatDuration, parseDurationSeconds } from "./duration.ts";

test("durations are read in units, the larger first", () => {
  const written = {
    "90s": 90,
    "10m": 600,
    "1h30m": 5_400,
    "7d": 604_800,
    "2w": 1_209_600,
    "1d2h3m4s": 93_784,
    "0s": 0,
  };
  for (const [text, seconds] of Object.entries(written)) assert.equal(parseDurationSeconds(text), seconds);
});

test("anything else is refused with the form to write", () => {
  for (const text of ["", "10", "m", "-5m", "1.5h", "30m1h", "1h 30m", "10 m", "5M", "1y", "１0m", "1e3s"]) {
    assert.throws(
      () => parseDurationSeconds(text),
      (error) => {
        assert.ok(error instanceof DurationError);
        assert.match(error.message, /write numbers with units/);
        return true;
      },
    );
  }
});

test("what is printed reads back as the same number of seconds", () => {
  fc.assert(fc.property(fc.nat(), (seconds) => assert.equal(parseDurationSeconds(formatDuration(seconds)), seconds)));
  assert.equal(formatDuration(93_784.9), "1d2h3m4s");
  assert.equal(formatDuration(-3), "0s");
});
