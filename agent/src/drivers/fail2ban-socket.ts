/** One request a connection to fail2ban's socket, with a deadline and a bound on the answer. */
import { connect } from "node:net";
import { Fail2banError } from "../sources/fail2ban/fail2ban-error.ts";
import type { AskFail2ban } from "../sources/fail2ban/server.ts";

const END = Buffer.from("<F2B_END_COMMAND>");
const CLOSE = Buffer.from("<F2B_CLOSE_COMMAND>");
const ANSWER_MAX_BYTES = 64 << 20; // a million addresses

export function createAskFail2ban(path: string, deadlineMs = 5_000): AskFail2ban {
  return (request) =>
    new Promise((resolve, reject) => {
      const pieces: Buffer[] = [];
      let size = 0;
      const socket = connect(path);
      const fail = (code: string, why: string, cause?: unknown) => {
        socket.destroy();
        reject(new Fail2banError(code, `fail2ban at ${path}: ${why}; is it running?`, { cause }));
      };
      const timer = setTimeout(() => fail("fail2ban-unreachable", `no answer within ${deadlineMs} ms`), deadlineMs);
      socket.once("close", () => {
        clearTimeout(timer);
        fail("fail2ban-unreachable", "it hung up"); // without effect after an answer
      });
      socket.once("error", (cause) => fail("fail2ban-unreachable", cause.message, cause));
      socket.on("data", (piece: Buffer) => {
        pieces.push(piece);
        size += piece.length;
        if (size > ANSWER_MAX_BYTES) return fail("fail2ban-garbled", `an answer of over ${ANSWER_MAX_BYTES} bytes`);
        if (!endsWithMark(pieces)) return;
        resolve(Buffer.concat(pieces).subarray(0, size - END.length));
        socket.end(Buffer.concat([CLOSE, END]));
      });
      socket.write(Buffer.concat([request, END]));
    });
}

function endsWithMark(pieces: readonly Buffer[]): boolean {
  const last = pieces.at(-1) ?? END;
  const tail = last.length >= END.length ? last : Buffer.concat(pieces.slice(-END.length));
  return tail.subarray(-END.length).equals(END);
}
