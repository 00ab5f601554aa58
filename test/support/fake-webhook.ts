/** A web server that keeps what is posted to it, and answers as it is told. */
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Posted {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface FakeWebhook {
  readonly url: string;
  /** What was answered with 2xx. */
  readonly taken: readonly Posted[];
  readonly posted: readonly Posted[];
  /** The next so many are answered with this status; 0 = kept, and never answered. */
  answer(status: number, times?: number): void;
  close(): Promise<void>;
}

export async function startFakeWebhook({ host = "127.0.0.1", port = 0 } = {}): Promise<FakeWebhook> {
  const posted: Posted[] = [];
  const taken: Posted[] = [];
  const planned: number[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const one = { path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks).toString() };
      posted.push(one);
      const status = planned.shift() ?? 204;
      if (status === 0) return void request.socket.destroy();
      if (status < 300) taken.push(one);
      response.writeHead(status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/hook`,
    taken,
    posted,
    answer: (status, times = 1) => void planned.push(...new Array<number>(times).fill(status)),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
