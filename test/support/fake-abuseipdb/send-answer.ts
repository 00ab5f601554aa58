/** Puts an answer on the wire: compressed if asked, and cut, delayed, dripped, endless or reset when a fault says so. */
import type { ServerResponse } from "node:http";
import { gzipSync } from "node:zlib";
import type { Answer } from "./answer.ts";
import type { Fault } from "./fault.ts";

export async function sendAnswer(
  answer: Answer,
  fault: Fault | undefined,
  gzip: boolean,
  response: ServerResponse,
): Promise<void> {
  if (fault?.kind === "reset") return void response.socket?.resetAndDestroy();
  if (fault?.kind === "silence") await wait(fault.silenceMs, response);
  const plain = Buffer.from(answer.body);
  const whole = gzip ? gzipSync(plain) : plain;
  const sent = fault?.kind === "truncated-gzip" ? whole.subarray(0, Math.floor(whole.length / 2)) : whole;
  const length = fault?.kind === "short-body" ? sent.length * 2 : sent.length;
  const hasLength = fault?.kind !== "endless";
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(gzip ? { "content-encoding": "gzip" } : {}),
    ...(hasLength ? { "content-length": String(length) } : {}),
  });
  if (fault?.kind === "drip") return drip(sent, fault.everyMs, response);
  if (fault?.kind === "endless") return endless(gzip, response);
  if (fault?.kind === "short-body") {
    response.write(sent, () => response.socket?.end());
    return;
  }
  response.end(sent);
}

async function drip(bytes: Buffer, everyMs: number, response: ServerResponse): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += 1) {
    response.write(bytes.subarray(at, at + 1));
    await wait(everyMs, response);
  }
  response.end();
}

/** Compressed, it is also a bomb: a megabyte of blanks is a kilobyte on the wire. */
async function endless(gzip: boolean, response: ServerResponse): Promise<void> {
  const blanks = Buffer.alloc(1 << 20, " ");
  const piece = gzip ? gzipSync(blanks) : blanks;
  while (!response.destroyed) {
    if (!response.write(piece)) await once(response, "drain");
  }
}

async function wait(durationMs: number, response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, durationMs);
  response.once("close", resolve);
  await promise;
  clearTimeout(timer);
  response.off("close", resolve);
}

async function once(response: ServerResponse, event: "drain"): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once(event, resolve);
  response.once("close", resolve);
  await promise;
  response.off(event, resolve);
  response.off("close", resolve);
}
