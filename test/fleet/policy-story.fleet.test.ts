/**
 * The story in docs/policy.md is what happens: told again, it differs in times only. To write it anew into the page:
 * `FLEETBAN_WRITE_STORY=1 npm test -- test/fleet/policy-story`.
 */
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { needs } from "../support/fleet/needs.ts";
import { tellPolicyStory } from "../support/policy-story.ts";

const skip = needs("ssh", "sshd", "ssh-keygen");
const PAGE = join(import.meta.dirname, "../../docs/policy.md");
const BEGIN = "<!-- told by test/support/policy-story.ts -->\n";
const END = "<!-- the story ends -->\n";

test("a bad feed is observed, planned, tried on a group, alarmed and rolled back, as the handbook tells", {
  skip,
}, async () => {
  const told = await tellPolicyStory();
  const page = await readFile(PAGE, "utf8");
  const [before = "", rest = ""] = page.split(BEGIN);
  const [story = "", after = ""] = rest.split(END);
  if (process.env.FLEETBAN_WRITE_STORY === "1") await writeFile(PAGE, `${before}${BEGIN}\n${told}\n${END}${after}`);
  else assert.deepEqual(timeless(told), timeless(story.trim()));
});

function timeless(text: string): string[] {
  return text
    .trim()
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "TIME")
    .replaceAll(/\bin (?:\d+[dhms])+|(?:\d+[dhms])+ ago|\bnow\b/g, "WHEN")
    .replaceAll(/ {2,}/g, "  ")
    .split("\n");
}
