/**
 * Calls the Admin service: by the coordinator's unix socket, or over the network with an operator's certificate.
 *
 * A failed call is told with the coordinator's own words and remedy; one that never arrived, with what to look at.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileProblem } from "@fleetban/kit/file-problem";
import { AdminClient } from "@fleetban/proto/wire/admin";
import { CLIENT_CHANNEL_OPTIONS } from "@fleetban/proto/wire/channel";
import { CODE_KEY, HINT_KEY, OPERATOR_KEY } from "@fleetban/proto/wire/error-metadata";
import { type ChannelCredentials, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import type { Calls, ConnectOptions, Method, StreamMethod } from "../cli.ts";
import { CliError, usageError } from "../cli-error.ts";
import { whyUnreachable } from "./why-unreachable.ts";

export const CREDENTIAL_FILES = {
  certificate: "certificate.pem",
  key: "key.pem",
  ca: "ca.pem",
  address: "address",
} as const;

interface Way {
  readonly over: "socket" | "network";
  /** For messages. */
  readonly name: string;
  readonly target: string;
  readonly credentials: ChannelCredentials;
  readonly options: Readonly<Record<string, string | number>>;
  readonly hint: string;
}

const SOCKET = "/run/fleetban/admin.sock";
const CALL_WITHIN_MS = 20_000;
const CREDENTIALS_HINT = "--credentials names a folder that `fleetban certificates create` has made";
/** What only the coordinator can tell, and is a mistake of the command line all the same. */
const MISTYPED_CODES = ["bad-prefix", "bad-argument", "too-wide"];

export function openAdminChannel(options: ConnectOptions, operator: string): Calls & { close(): void } {
  const way = wayOf(options);
  const client = new AdminClient(way.target, way.credentials, way.options);
  const metadata = new Metadata();
  metadata.set(OPERATOR_KEY, Buffer.from(operator, "utf8"));
  return {
    call<Request, Response>(
      pick: (client: AdminClient) => Method<Request, Response>,
      request: Request,
      { withinMs = CALL_WITHIN_MS }: { readonly withinMs?: number } = {},
    ) {
      const deadline = Date.now() + withinMs;
      return new Promise<Response>((resolve, reject) => {
        pick(client).call(client, request, metadata, { deadline }, (error, response) =>
          error === null ? resolve(response) : reject(cliErrorOf(error, way)),
        );
      });
    },
    async *pages<Request, Page>(pick: (client: AdminClient) => StreamMethod<Request, Page>, request: Request) {
      const call = pick(client).call(client, request, metadata);
      try {
        for await (const page of call) yield page as Page;
      } catch (error) {
        throw cliErrorOf(error as ServiceError, way);
      } finally {
        call.cancel();
      }
    },
    close: () => client.close(),
  };
}

function wayOf({ socket, address, credentials: folder }: ConnectOptions): Way {
  if (address === undefined && folder === undefined) return socketWay(socket ?? SOCKET);
  if (folder === undefined) {
    throw new CliError("usage", `address ${address}: needs an operator's certificate`, {
      hint: "name its folder with --credentials; `fleetban certificates create NAME` at the coordinator makes one",
      exitCode: 2,
    });
  }
  if (address !== undefined) assertAddress(address);
  assertFolder(folder);
  const read = (file: string) => readCredential(join(folder, file));
  const target = address ?? read(CREDENTIAL_FILES.address).toString("utf8").trim();
  return {
    over: "network",
    name: target,
    target,
    credentials: credentialsOf(folder, read),
    options: CLIENT_CHANNEL_OPTIONS,
    hint: "is that address right, and may this machine reach the coordinator's port 7741?",
  };
}

function assertAddress(address: string): void {
  const port = Number(/^(?:[^:/]+|\[[^\]/]+\]|[0-9A-Fa-f:]+):(\d{1,5})$/.exec(address)?.[1] ?? Number.NaN);
  if (port >= 1 && port <= 65_535) return;
  if (!address.includes("/") && !address.includes(":"))
    throw usageError(`address ${address}: has no port`, `write it with its port: --address ${address}:7741`);
  throw usageError(`address ${address}: is no host:port`, "write it like fleet.example.org:7741 or [2001:db8::1]:7741");
}

function assertFolder(folder: string): void {
  try {
    if (statSync(folder).isDirectory()) return;
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const problem = code === "ENOENT" ? "there is no such folder" : `cannot be read: ${fileProblem(cause)}`;
    throw new CliError("no-credentials", `${folder}: ${problem}`, { hint: CREDENTIALS_HINT, cause });
  }
  throw new CliError("no-credentials", `${folder}: is no folder`, { hint: CREDENTIALS_HINT });
}

function credentialsOf(folder: string, read: (file: string) => Buffer): ChannelCredentials {
  const { ca, key, certificate } = CREDENTIAL_FILES;
  const pems = [read(ca), read(key), read(certificate)] as const;
  try {
    return credentials.createSsl(...pems);
  } catch (cause) {
    throw new CliError("no-credentials", `${folder}: holds no certificate with its key (PEM)`, {
      hint: "make new ones at the coordinator: fleetban certificates create NAME",
      cause,
    });
  }
}

function socketWay(path: string): Way {
  return {
    over: "socket",
    name: path,
    target: `unix:${path}`,
    credentials: credentials.createInsecure(), // the file's owner and mode are the protection
    options: {},
    hint: "is it running on this machine (`systemctl status fleetban-coordinator`, in a checkout `npm start`)? else use --socket or --address",
  };
}

function readCredential(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    const problem = `${path}: cannot be read: ${fileProblem(cause)}`;
    throw new CliError("no-credentials", problem, { hint: CREDENTIALS_HINT, cause });
  }
}

function cliErrorOf(error: ServiceError, way: Way): CliError {
  const [code] = error.metadata?.get(CODE_KEY) ?? [];
  const [hint] = error.metadata?.get(HINT_KEY) ?? [];
  if (typeof code === "string") {
    const remedy = Buffer.isBuffer(hint) ? { hint: hint.toString("utf8") } : {};
    const exitCode = MISTYPED_CODES.includes(code) ? 2 : 1;
    return new CliError(code, error.details, { ...remedy, exitCode, cause: error });
  }
  if (error.code === status.UNAVAILABLE) {
    const { why, hint: remedy = way.hint } = whyUnreachable(error.details, way.over);
    const problem = `the coordinator cannot be reached at ${way.name}${why === "" ? "" : `: ${why}`}`;
    return new CliError("unreachable", problem, { hint: remedy, cause: error });
  }
  if (error.code === status.UNIMPLEMENTED) {
    return new CliError("unreachable", `what answers at ${way.name} does not serve operators`, {
      hint: "name the port for agents and operators, 7741 unless configured otherwise; or is the coordinator older?",
      cause: error,
    });
  }
  if (error.code === status.DEADLINE_EXCEEDED) {
    return new CliError("no-answer", `the coordinator at ${way.name} did not answer in time`, {
      hint: "its log may say why; `fleetban status` shows whether its database answers",
      cause: error,
    });
  }
  return new CliError("failed", error.details === "" ? error.message : error.details, { cause: error });
}
