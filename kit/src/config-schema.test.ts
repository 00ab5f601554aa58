import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConfigTable } from "./config.ts";
import { jsonSchemaOf } from "./config-schema.ts";

const TABLE = {
  "web.port": { kind: "number", default: 80, min: 1, max: 99, description: "Where it listens" },
  rate: { kind: "number", default: undefined, isFraction: true, description: "How often" },
  names: { kind: "texts", default: ["a"], description: "Who" },
  every: { kind: "duration", description: "How long" },
  jails: { kind: "named", description: "By name", of: { on: { kind: "flag", default: true, description: "Whether" } } },
} as const satisfies ConfigTable;

test("a schema has a key's bounds, default and meaning, under each way of writing its path", () => {
  const port = { description: "Where it listens", default: 80, type: "integer", minimum: 1, maximum: 99 };
  const object = (properties: object) => ({ type: ["object", "null"], properties, additionalProperties: false });
  assert.deepEqual(jsonSchemaOf(TABLE, { title: "t", description: "d" }), {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "t",
    description: "d",
    ...object({
      web: object({ port }),
      "web.port": port,
      rate: { description: "How often", type: "number", minimum: 0 },
      names: { description: "Who", default: ["a"], type: "array", items: { type: ["string", "number"] } },
      every: { description: "How long", type: "string", pattern: "^(\\d+[wdhms])+$" },
      jails: {
        type: ["object", "null"],
        description: "By name",
        additionalProperties: object({ on: { description: "Whether", default: true, type: "boolean" } }),
      },
    }),
    required: ["every"],
  });
});
