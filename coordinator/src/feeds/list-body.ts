/**
 * From the bytes of a body to text that a format can read: unpacked, and no page for people, no picture, no program.
 *
 * What a publisher's proxy, parking page or broken disk sends in place of a list is found here, before a line is read.
 */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { ListFormat } from "./feed.ts";

export type BodyText = { readonly text: string } | { readonly reason: string };
export type Unpacked = { readonly bytes: Uint8Array } | { readonly reason: string };

/** What lists are sent as; servers that know no better say octet-stream or nothing. */
const TEXT_TYPES =
  /^(?:text\/(?:plain|csv|tab-separated-values|x-[\w.-]+)|application\/(?:json|x-ndjson|ndjson|jsonl|json-lines|csv|octet-stream|gzip|x-gzip|txt|x-maxmind-db))$/;

const unpack = promisify(gunzip);

/** Undefined = it may be a list. */
export function contentTypeProblem(contentType: string | undefined): string | undefined {
  const type = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "" || TEXT_TYPES.test(type)
    ? undefined
    : `content type ${type.slice(0, 60)}, and a list is plain text`;
}

/** A file that is gzip itself, whatever it was sent in. */
export async function unpackedBody(body: Uint8Array, maxBytes: number): Promise<Unpacked> {
  if (body[0] !== 0x1f || body[1] !== 0x8b) return { bytes: body };
  try {
    return { bytes: await unpack(body, { maxOutputLength: maxBytes }) };
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    return {
      reason: code === "ERR_BUFFER_TOO_LARGE" ? `unpacked it is longer than ${maxBytes} bytes` : `bad gzip (${code})`,
    };
  }
}

export function textOfBody(body: Uint8Array, format: Exclude<ListFormat, "mmdb">): BodyText {
  if (body.subarray(0, 65_536).includes(0)) return { reason: `the body is no text, and ${format} is` };
  const text = new TextDecoder().decode(body);
  return /^\s*</.test(text.slice(0, 1_024)) ? { reason: "the body is a page for people, not a list" } : { text };
}
