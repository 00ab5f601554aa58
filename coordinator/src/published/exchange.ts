/** A request for something published, and its answer, as the room knows them: no sockets, no streams of a server. */
import type { IncomingHttpHeaders } from "node:http";

export interface PublishRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
  /** Of the peer, canonical. */
  readonly address: string;
  /** The same object for requests that came over one connection. */
  readonly connection: object;
}

export interface PublishAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  /** `gunzip`: packed bytes, to be sent unpacked. */
  readonly body:
    | string
    | Uint8Array
    | { readonly kind: "gunzip"; readonly gzip: Uint8Array }
    | { readonly kind: "text"; readonly chunks: AsyncIterable<string> };
  /** The path without what is in it, for metrics. */
  readonly format: string;
  /** After it: true = all of it was handed to the connection. */
  readonly sent?: (isWhole: boolean) => void;
}
