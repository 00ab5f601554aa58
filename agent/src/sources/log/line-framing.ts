/** Cuts a log into lines. A line longer than any of fail2ban's is passed over, so that memory stays small. */
import type { Framed, Framing } from "../follow/framing.ts";

const LINE_MAX_BYTES = 8_192;
const LINE_FEED = 0x0a;

export function createLineFraming(offset: number): Framing<string> {
  let pending: Buffer = Buffer.alloc(0);
  let begin = offset; // of `pending`, or of the line that is passed over
  let isTooLong = false;

  return {
    push(bytes) {
      let rest: Buffer = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      const lines: Framed<string>[] = [];
      for (let end = rest.indexOf(LINE_FEED); end >= 0; end = rest.indexOf(LINE_FEED)) {
        begin += end + 1;
        if (!isTooLong && end <= LINE_MAX_BYTES) lines.push({ record: rest.toString("utf8", 0, end), end: begin });
        isTooLong = false;
        rest = rest.subarray(end + 1);
      }
      if (rest.length > LINE_MAX_BYTES) {
        isTooLong = true;
        begin += rest.length;
        rest = Buffer.alloc(0);
      }
      pending = Buffer.from(rest); // a copy: the rest of the chunk may go
      return lines;
    },
  };
}
