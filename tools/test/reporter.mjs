/** A reporter of node:test that writes one JSON line for every test that began, passed, failed or was skipped. */
import { inspect } from "node:util";

const INSPECT = { depth: 6, maxArrayLength: 100, breakLength: 120 };

export default async function* report(events) {
  for await (const { type, data } of events) {
    const line = lineOf(type, data);
    if (line !== undefined) yield `${JSON.stringify(line)}\n`;
  }
}

function lineOf(type, data) {
  if (type === "test:diagnostic" && data.nesting === 0) return { kind: "diagnostic", text: data.message };
  if (type === "test:dequeue") return { kind: "began", test: data.name };
  if (type !== "test:pass" && type !== "test:fail") return undefined;
  const test = data.name;
  const isSkipped = data.skip !== undefined || data.todo !== undefined;
  if (isSkipped) return { kind: "skipped", test, reason: reasonOf(data.skip ?? data.todo) };
  if (type === "test:fail") return { kind: "failed", test, text: textOf(data.details.error) };
  return { kind: data.details.type === "suite" ? "ended" : "passed", test };
}

function reasonOf(skip) {
  return typeof skip === "string" && skip !== "" ? skip : "no reason given";
}

/** node:test wraps what was thrown; the wrapper says nothing more. */
function textOf(error) {
  const cause = error?.code === "ERR_TEST_FAILURE" && error.cause !== undefined ? error.cause : error;
  return typeof cause === "string" ? cause : inspect(cause, INSPECT);
}
