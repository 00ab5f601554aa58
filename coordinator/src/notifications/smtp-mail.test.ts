import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { type FakeSmtp, type SmtpOptions, startFakeSmtp } from "../../../test/support/fake-smtp.ts";
import { sendMailOverSmtp } from "../drivers/smtp-mail.ts";
import type { MailChannel } from "./channel.ts";
import { mailOf } from "./mail.ts";

const MESSAGE = {
  subject: "fleetban: 1 hold waits for an operator\u2026",
  text: "hold 1, feed abuseipdb: grows by more than double \u2013 really\n.\nend\n",
  counts: {},
  news: [],
};
const SENDABLE = { message: MESSAGE, messageId: "0192-test", plannedAtMs: Date.UTC(2026, 10, 21) };

test("a mail arrives as it was written, under the name that it keeps at every attempt", async (t) => {
  const { smtp, channel } = await start(t);
  assert.deepEqual(await send(channel), { kind: "sent" });
  const [mail] = smtp.mails;
  assert.deepEqual(mail!.to, ["ops@example.org", "night@example.org"]);
  assert.equal(mail!.from, "fleetban@example.org");
  assert.equal(mail!.text.trimEnd(), MESSAGE.text.trimEnd());
  assert.equal(mail!.headers["message-id"], "<0192-test@example.org>");
  assert.equal(mail!.headers["auto-submitted"], "auto-generated");
  assert.equal(mail!.headers.date, "Sat, 21 Nov 2026 00:00:00 +0000");
});

test("a password is told over TLS only, to a server whose certificate is vouched for", async (t) => {
  const certificate = await selfSigned(t);
  const login = { user: "fleetban", password: "s3cret" };
  for (const tlsFromStart of [false, true]) {
    const { smtp, channel } = await start(t, { certificate, login, tlsFromStart });
    const secure = { ...channel, tls: tlsFromStart ? ("tls" as const) : ("starttls" as const), login };
    const doubted = await send(secure);
    assert.equal(doubted.kind, "again", "nobody vouches for it");
    assert.equal(smtp.mails.length, 0);
    assert.deepEqual(await send({ ...secure, ca: certificate.cert }), { kind: "sent" });
    assert.deepEqual([smtp.mails[0]!.isEncrypted, smtp.mails[0]!.user], [true, "fleetban"]);
    const wrong = await send({ ...secure, ca: certificate.cert, login: { ...login, password: "wrong" } });
    assert.equal(wrong.kind, "refused");
    assert.match("reason" in wrong ? wrong.reason : "", /535/);
    assert.doesNotMatch(JSON.stringify(wrong), /wrong"|s3cret/);
  }
});

test("where TLS is demanded a server without it gets nothing", async (t) => {
  const { smtp, channel } = await start(t);
  const delivery = await send({ ...channel, tls: "starttls" });
  assert.notEqual(delivery.kind, "sent");
  assert.equal(smtp.mails.length, 0);
});

test("a server that says later is asked again, one that says never is not", async (t) => {
  const { smtp, channel } = await start(t);
  for (const [verb, reply, kind] of [
    ["MAIL", "451 4.3.0 greylisted", "again"],
    ["DATA", "421 4.3.2 going down", "again"],
    [".", "452 4.3.1 no room", "again"],
    [".", "554 5.7.1 spam", "refused"],
  ] as const) {
    smtp.answer(verb, reply);
    const delivery = await send(channel);
    assert.equal(delivery.kind, kind, reply);
    assert.equal("mayHaveArrived" in delivery && delivery.mayHaveArrived, false, reply);
  }
  assert.equal(smtp.mails.length, 0);
});

test("one recipient of two that is refused is told, and the other has the mail", async (t) => {
  const { smtp, channel } = await start(t);
  smtp.answer("RCPT", "550 5.1.1 nobody");
  assert.deepEqual(await send(channel), { kind: "sent", note: "refused for ops@example.org" });
  assert.equal(smtp.mails.length, 1);
});

test("a server that hangs up after the text may have taken it, one that is not there has not", async (t) => {
  const { smtp, channel } = await start(t);
  smtp.hangUpAfterText();
  const unanswered = await send(channel);
  assert.deepEqual([unanswered.kind, "mayHaveArrived" in unanswered && unanswered.mayHaveArrived], ["again", true]);
  await smtp.close();
  const absent = await send(channel);
  assert.deepEqual([absent.kind, "mayHaveArrived" in absent && absent.mayHaveArrived], ["again", false]);
});

async function start(t: TestContext, options: SmtpOptions = {}): Promise<{ smtp: FakeSmtp; channel: MailChannel }> {
  const smtp = await startFakeSmtp(options);
  t.after(() => smtp.close().catch(() => undefined));
  const to = ["ops@example.org", "Night shift <night@example.org>"];
  const channel: MailChannel = {
    ...{ kind: "mail", name: "mail", host: "127.0.0.1", port: smtp.port, tls: "none", ca: undefined },
    ...{ login: undefined, from: "Fleet <fleetban@example.org>", to },
  };
  return { smtp, channel };
}

function send(channel: MailChannel) {
  return sendMailOverSmtp(channel, mailOf(channel, SENDABLE), new AbortController().signal);
}

async function selfSigned(t: TestContext): Promise<{ cert: string; key: string }> {
  const folder = await mkdtemp(join(tmpdir(), "fb-smtp-"));
  t.after(() => rm(folder, { recursive: true }));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const form = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const name = ["-subj", "/CN=mail.test", "-addext", "subjectAltName=IP:127.0.0.1"];
  await promisify(execFile)("openssl", ["req", "-x509", ...form, ...name, "-keyout", key, "-out", cert]);
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
}
