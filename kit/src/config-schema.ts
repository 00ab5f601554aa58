/**
 * The JSON Schema of a table of keys, for editors that complete and check a YAML file while it is written. What `readConfig`
 * says of a file is stricter: a schema knows nothing of the `check` functions, nor of values that contradict each other.
 */
import type { ConfigTable, NamedKind } from "./config.ts";
import type { ConfigValueKind } from "./config-value.ts";

export type JsonSchema = { readonly [key: string]: unknown };

export interface SchemaTitle {
  readonly title: string;
  readonly description: string;
}

/** A number is read as its text: `ports: 22`. */
const TEXT = ["string", "number"];
const DURATION = "^(\\d+[wdhms])+$";
const SIZE = "^\\d{1,12}(B|kB|MB|GB|KiB|MiB|GiB)?$";

export function jsonSchemaOf(table: ConfigTable, { title, description }: SchemaTitle): JsonSchema {
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title, description, ...objectOf(table) };
}

interface Branch {
  readonly properties: Map<string, Branch | ConfigValueKind | NamedKind>;
}

/** A path is written as maps inside one another, or as one key with dots. */
function objectOf(table: ConfigTable): JsonSchema {
  const root: Branch = { properties: new Map() };
  const required: string[] = [];
  for (const [path, spec] of Object.entries(table)) {
    const names = path.split(".");
    let branch = root;
    for (const name of names.slice(0, -1)) {
      const inner = branch.properties.get(name);
      const next: Branch = inner !== undefined && "properties" in inner ? inner : { properties: new Map() };
      branch.properties.set(name, next);
      branch = next;
    }
    branch.properties.set(names.at(-1) ?? path, spec);
    if (names.length > 1) root.properties.set(path, spec);
    if (spec.kind !== "named" && !("default" in spec)) required.push(path);
  }
  return { ...schemaOfBranch(root), ...(required.length > 0 ? { required } : {}) };
}

function schemaOfBranch({ properties }: Branch): JsonSchema {
  const schemas = [...properties].map(([name, inner]) => {
    return [name, "properties" in inner ? schemaOfBranch(inner) : schemaOfKey(inner)] as const;
  });
  return { type: ["object", "null"], properties: Object.fromEntries(schemas), additionalProperties: false };
}

function schemaOfKey(spec: ConfigValueKind | NamedKind): JsonSchema {
  const { description } = spec;
  if (spec.kind === "named") return { type: ["object", "null"], description, additionalProperties: objectOf(spec.of) };
  const told = spec.default === undefined ? { description } : { description, default: spec.default };
  return { ...told, ...typeOf(spec) };
}

function typeOf(spec: ConfigValueKind): JsonSchema {
  switch (spec.kind) {
    case "text":
      return { type: TEXT };
    case "texts":
      return { type: "array", items: { type: TEXT } };
    case "flag":
      return { type: "boolean" };
    case "choice":
      return { enum: [...spec.of] };
    case "duration":
      return { type: "string", pattern: DURATION };
    case "bytes":
      return { type: ["string", "integer"], pattern: SIZE };
    case "number": {
      const { min = 0, max, isFraction = false } = spec;
      return { type: isFraction ? "number" : "integer", minimum: min, ...(max === undefined ? {} : { maximum: max }) };
    }
  }
}
