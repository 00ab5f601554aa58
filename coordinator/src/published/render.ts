/**
 * Makes the text of a published list: chunk by chunk in turns with whatever else waits, packed beside the event loop, kept
 * packed. A client that wants it plain gets it unpacked on the way.
 */
import { createHash } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Turns } from "@fleetban/kit/turns";
import type { Format, Page } from "./formats/format.ts";

export interface Rendered {
  /** Packed. */
  readonly gzip: Buffer;
  /** Unpacked. */
  readonly bytes: number;
  /** Of the unpacked text, hexadecimal: equal texts have equal ones, whoever made them. */
  readonly sha256: string;
}

export async function render(format: Format, page: Page, turns: Turns): Promise<Rendered> {
  const hash = createHash("sha256");
  let bytes = 0;
  async function* text(): AsyncGenerator<Buffer> {
    for (const chunk of format.text(page)) {
      const part = Buffer.from(chunk);
      hash.update(part);
      bytes += part.length;
      yield part;
      if (turns.isOver()) await turns.next();
    }
  }
  const packed: Buffer[] = [];
  const collect = new Writable({
    write(part: Buffer, _, done) {
      packed.push(part);
      done();
    },
  });
  await pipeline(Readable.from(text()), createGzip(), collect);
  return { gzip: Buffer.concat(packed), bytes, sha256: hash.digest("hex") };
}
