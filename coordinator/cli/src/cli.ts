/** What a command of `fleetban` is given: how to call the coordinator, where to write, what time it is. */

import type { AdminClient } from "@fleetban/proto/wire/admin";
import type { CallOptions, ClientReadableStream, ClientUnaryCall, Metadata, ServiceError } from "@grpc/grpc-js";

/** A method of the generated client. */
export type Method<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

export type StreamMethod<Request, Page> = (request: Request, metadata?: Metadata) => ClientReadableStream<Page>;

export interface Calls {
  /** Rejects with a CliError. */
  call<Request, Response>(
    pick: (client: AdminClient) => Method<Request, Response>,
    request: Request,
    options?: { readonly withinMs?: number },
  ): Promise<Response>;
  pages<Request, Page>(
    pick: (client: AdminClient) => StreamMethod<Request, Page>,
    request: Request,
  ): AsyncIterable<Page>;
}

export interface ConnectOptions {
  readonly socket: string | undefined;
  readonly address: string | undefined;
  readonly credentials: string | undefined;
}

/** Files of a command that reads or makes some; the driver's. */
export interface CliFiles {
  read(path: string): Promise<string>;
  /** All of stdin. */
  readInput(): Promise<string>;
  /** With the folder; refuses to write over what is there. */
  writeNew(path: string, text: string, mode: number): Promise<void>;
}

export interface CliParts {
  readonly connect: (options: ConnectOptions) => Calls & { close(): void };
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly nowMs: () => number;
  readonly files: CliFiles;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
}

/** What an action gets: parts, and the answers to the options that every command has. */
export interface Cli {
  readonly parts: CliParts;
  readonly calls: Calls;
  readonly nowMs: number;
  /** For people; with `--json` the value instead. */
  show(value: unknown, text: () => string): void;
  /** To stderr, for people only. */
  note(text: string): void;
}
