/** A message as JSON for programs: the wire's own field names (`until_ms`), bytes as hexadecimal, absent is null. */

export function jsonText(value: unknown): string {
  return JSON.stringify(jsonValue(value), null, 2);
}

function jsonValue(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(jsonValue);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [snakeCase(key), jsonValue(inner)]));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
