/** A publisher of a list, good or bad, on loopback: says what the test has told it to say. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Sends that many bytes of blanks after the body. */
  readonly padBytes?: number;
  /** Sends the body byte by byte, so far apart. */
  readonly dripMs?: number;
  /** Says nothing, and keeps the connection. */
  readonly isSilent?: boolean;
}

export interface Publisher {
  readonly url: string;
  says(said: Said): void;
  /** Headers of the requests so far. */
  readonly requests: readonly IncomingHttpHeaders[];
}

export async function startPublisher(t: TestContext): Promise<Publisher> {
  let next: Said = { body: "" };
  const requests: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    requests.push(request.headers);
    if (!next.isSilent) void say(next, response); // ends with the response, which the server owns
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/list.txt`,
    requests,
    says(said) {
      next = said;
    },
  };
}

async function say({ status = 200, headers, body = "", padBytes = 0, dripMs }: Said, response: ServerResponse) {
  response.writeHead(status, { "content-type": "text/plain", ...headers });
  const bytes = Buffer.from(body);
  if (dripMs !== undefined) return drip(bytes, dripMs, response);
  response.write(bytes);
  const blanks = Buffer.alloc(1 << 20, "#\n");
  for (let sent = 0; sent < padBytes && !response.destroyed; sent += blanks.length) {
    if (!response.write(blanks)) await writable(response);
  }
  response.end();
}

async function drip(bytes: Buffer, everyMs: number, response: ServerResponse): Promise<void> {
  for (let at = 0; at < bytes.length && !response.destroyed; at += 1) {
    response.write(bytes.subarray(at, at + 1));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, everyMs);
      response.once("close", () => [clearTimeout(timer), resolve()]);
    });
  }
  response.end();
}

function writable(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}
