/**
 * The mail server and the web server as a program of their own: `node test/support/receivers.main.ts HOST SMTP_PORT HTTP_PORT
 * FILE`. What they have taken stands in the file, as JSON.
 */
import { renameSync, writeFileSync } from "node:fs";
import { startFakeSmtp } from "./fake-smtp.ts";
import { startFakeWebhook } from "./fake-webhook.ts";

const WRITE_EVERY_MS = 50;
const [host = "127.0.0.1", smtpPort, httpPort, file = ""] = process.argv.slice(2);
const smtp = await startFakeSmtp({ host, port: Number(smtpPort) });
const webhook = await startFakeWebhook({ host, port: Number(httpPort) });
let written = "";
setInterval(() => {
  const text = JSON.stringify({ mails: smtp.mails, posted: webhook.taken });
  if (text === written) return;
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  written = text;
}, WRITE_EVERY_MS);
