/**
 * A mail server that takes mail and keeps it: ESMTP with AUTH PLAIN, STARTTLS or TLS from the start, on loopback. What it
 * answers can be bent, and it can hang up where one least wants it.
 */

import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket, TLSSocket as TlsSocket } from "node:tls";

export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  /** By name in lower case, folded lines joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** As sent, transfer encoding undone. */
  readonly text: string;
  readonly isEncrypted: boolean;
  readonly user: string | undefined;
}

export interface FakeSmtp {
  readonly port: number;
  readonly mails: readonly ReceivedMail[];
  connections(): number;
  /** Of the next commands of that verb (`RCPT`, `DATA`, `.` = the end of the text). */
  answer(verb: string, reply: string, times?: number): void;
  /** Keeps the next mail, and hangs up without a word. */
  hangUpAfterText(): void;
  close(): Promise<void>;
}

export interface SmtpOptions {
  readonly host?: string;
  readonly port?: number;
  /** Certificate and key, PEM; without them it has no TLS. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  readonly tlsFromStart?: boolean;
  /** Nothing is taken from others. */
  readonly login?: { readonly user: string; readonly password: string };
}

interface Session {
  from: string;
  to: string[];
  user: string | undefined;
  isEncrypted: boolean;
  isText: boolean;
}

export async function startFakeSmtp(options: SmtpOptions = {}): Promise<FakeSmtp> {
  const { certificate, login } = options;
  const mails: ReceivedMail[] = [];
  const bent = new Map<string, string[]>();
  const sockets = new Set<Socket>();
  let connections = 0;
  let isHangingUp = false;

  function serve(socket: Socket | TLSSocket, isEncrypted: boolean, greets: boolean): void {
    const session: Session = { from: "", to: [], user: undefined, isEncrypted, isText: false };
    let buffer = "";
    const say = (line: string) => void socket.write(`${line}\r\n`);
    socket.setEncoding("latin1");
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      buffer += String(chunk);
      for (;;) {
        const end = session.isText ? buffer.indexOf("\r\n.\r\n") : buffer.indexOf("\r\n");
        if (end < 0) return;
        const piece = buffer.slice(0, end);
        buffer = buffer.slice(end + (session.isText ? 5 : 2));
        if (session.isText) takeText(session, piece, socket, say);
        else if (!takeCommand(session, piece, socket, say)) return;
      }
    });
    if (greets) say("220 mail.test ESMTP");
  }

  function takeText(session: Session, raw: string, socket: Socket, say: (line: string) => void): void {
    session.isText = false;
    const reply = bent.get(".")?.shift();
    if (reply === undefined) mails.push(mailOf(session, raw));
    if (reply === undefined && isHangingUp) {
      isHangingUp = false;
      socket.destroy();
    } else say(reply ?? "250 2.0.0 taken");
  }

  /** False where the connection is somebody else's from here on. */
  function takeCommand(session: Session, line: string, socket: Socket, say: (line: string) => void): boolean {
    const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? "").toUpperCase();
    const reply = bent.get(verb)?.shift();
    if (reply !== undefined) {
      say(reply);
      return true;
    }
    const isOpen = login === undefined || session.user !== undefined;
    switch (verb) {
      case "EHLO": {
        const canUpgrade = certificate !== undefined && !session.isEncrypted;
        const offers = [
          ...(canUpgrade ? ["STARTTLS"] : []),
          ...(login === undefined ? [] : ["AUTH PLAIN"]),
          "8BITMIME",
        ];
        say(["mail.test", ...offers].map((word, at) => `250${at === offers.length ? " " : "-"}${word}`).join("\r\n"));
        return true;
      }
      case "STARTTLS": {
        if (certificate === undefined) {
          say("454 no TLS");
          return true;
        }
        say("220 go ahead");
        socket.removeAllListeners("data");
        serve(new TlsSocket(socket, { isServer: true, ...certificate }), true, false);
        return false;
      }
      case "AUTH": {
        const [, user, password] = Buffer.from(line.split(" ")[2] ?? "", "base64")
          .toString()
          .split("\0");
        const isKnown = user === login?.user && password === login?.password;
        if (isKnown) session.user = user;
        say(isKnown ? "235 2.7.0 welcome" : "535 5.7.8 no");
        return true;
      }
      case "MAIL":
        session.from = addressIn(line);
        session.to = [];
        say(isOpen ? "250 2.1.0 ok" : "530 5.7.0 who are you");
        return true;
      case "RCPT":
        session.to.push(addressIn(line));
        say("250 2.1.5 ok");
        return true;
      case "DATA":
        session.isText = true;
        say("354 go on");
        return true;
      case "QUIT":
        say("221 bye");
        socket.end();
        return true;
      default:
        say(verb === "RSET" || verb === "NOOP" ? "250 ok" : "502 what");
        return true;
    }
  }

  const onConnection = (socket: Socket) => {
    connections += 1;
    serve(socket, options.tlsFromStart === true, true);
  };
  const server =
    options.tlsFromStart === true && certificate !== undefined
      ? createTlsServer(certificate, onConnection)
      : createServer(onConnection);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, options.host ?? "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    mails,
    connections: () => connections,
    answer(verb, reply, times = 1) {
      bent.set(verb, [...(bent.get(verb) ?? []), ...new Array<string>(times).fill(reply)]);
    },
    hangUpAfterText() {
      isHangingUp = true;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function mailOf(session: Session, raw: string): ReceivedMail {
  const at = raw.indexOf("\r\n\r\n");
  const headerLines = raw
    .slice(0, at)
    .replaceAll(/\r\n[ \t]+/g, " ")
    .split("\r\n");
  const headers = Object.fromEntries(
    headerLines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  const body = raw.slice(at + 4).replaceAll("\r\n..", "\r\n.");
  const { from, to, isEncrypted, user } = session;
  return { from, to, headers, text: decoded(body, headers["content-transfer-encoding"] ?? "7bit"), isEncrypted, user };
}

function decoded(body: string, encoding: string): string {
  if (encoding === "base64") return Buffer.from(body, "base64").toString("utf8");
  if (encoding !== "quoted-printable") return Buffer.from(body, "latin1").toString("utf8").replaceAll("\r\n", "\n");
  const joined = body.replaceAll("=\r\n", "").replaceAll("\r\n", "\n");
  const bytes = joined.replaceAll(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function addressIn(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? "";
}
