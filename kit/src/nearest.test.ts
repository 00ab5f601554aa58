import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest } from "./nearest.ts";

const WORDS = ["status", "ban", "unban", "allow", "explain", "agents", "web.port"];

test("a slip of a letter or two finds the word that was meant", () => {
  const slips = {
    stauts: "status",
    bna: "ban",
    unbann: "unban",
    agent: "agents",
    explian: "explain",
    "web.prot": "web.port",
  };
  for (const [slip, meant] of Object.entries(slips)) assert.equal(nearest(slip, WORDS), meant);
});

test("a word far from all others finds none", () => {
  for (const word of ["frobnicate", "xyzzy", "database"]) assert.equal(nearest(word, WORDS), undefined);
});
