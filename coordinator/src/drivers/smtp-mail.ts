/** Sends one mail over SMTP, on a connection of its own. */

import { createTransport } from "nodemailer";
import type { Delivery, MailChannel } from "../notifications/channel.ts";
import type { Mail } from "../notifications/mail.ts";

const CONNECT_MS = 10_000;
const SILENCE_MS = 20_000;
const DEADLINE_MS = 60_000;

export async function sendMailOverSmtp(channel: MailChannel, mail: Mail, signal: AbortSignal): Promise<Delivery> {
  const { host, port, tls, ca, login } = channel;
  let isTextSent = false;
  const watch = (entry: { readonly tnx?: string }, said: unknown) => {
    if (entry.tnx === "server" && String(said).startsWith("354")) isTextSent = true; // "go on, send it"
  };
  const ignore = () => undefined;
  const transport = createTransport({
    host,
    port,
    secure: tls === "tls",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password } }),
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    dnsTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
    transactionLog: true,
    logger: { trace: ignore, debug: watch, info: ignore, warn: ignore, error: ignore, fatal: ignore },
  });
  try {
    const { from, to, subject, text, date, messageId, headers } = mail;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
    const message = { from, to: [...to], subject, text, date, messageId, headers, signal: bounded };
    const { rejected } = await transport.sendMail(message);
    return rejected.length === 0 ? { kind: "sent" } : { kind: "sent", note: `refused for ${rejected.join(", ")}` };
  } catch (error) {
    return failureOf(error, `${host}:${port}`, isTextSent);
  } finally {
    transport.close();
  }
}

/** A 5xx of the server is its last word; without any word after the text was sent, it may have been taken. */
function failureOf(error: unknown, server: string, isTextSent: boolean): Delivery {
  const facts = error as { code?: string; responseCode?: number; message?: string };
  const reason = `${server}: ${facts.message ?? String(error)}`.slice(0, 300);
  if (facts.responseCode !== undefined && facts.responseCode >= 500) return { kind: "refused", reason };
  if (facts.code === "ECONFIG" || facts.code === "ENOAUTH") return { kind: "refused", reason };
  return { kind: "again", reason, mayHaveArrived: isTextSent && facts.responseCode === undefined };
}
