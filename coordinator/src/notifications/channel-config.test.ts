import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../config.ts";
import { targetOf } from "./channel.ts";

const FILES: Readonly<Record<string, string>> = {
  "/secret/password": "p4ss\n",
  "/secret/url": "https://hooks.example/services/T0/B0/XYZ\n",
  "/secret/key": "hmac",
};
const MAIL = "host: mail.example.org, from: f@example.org, to: [ops@example.org]";

test("channels come with their secrets, which may stand in files, and show none of them", async () => {
  const { channels } = await load(`
    mail: { ${MAIL}, user: fleetban, password_file: /secret/password }
    webhooks:
      chat: { url_file: /secret/url, format: slack, secret_file: /secret/key }
      pager: { url: "http://pager.example/x" }`);
  const [mail, chat, pager] = channels;
  assert.deepEqual(mail, {
    ...{ kind: "mail", name: "mail", host: "mail.example.org", port: 587, tls: "starttls", ca: undefined },
    ...{ login: { user: "fleetban", password: "p4ss" }, from: "f@example.org", to: ["ops@example.org"] },
  });
  assert.deepEqual(chat, {
    ...{ kind: "webhook", name: "chat", url: "https://hooks.example/services/T0/B0/XYZ", format: "slack" },
    secret: "hmac",
  });
  assert.deepEqual(pager && [pager.name, pager.kind], ["pager", "webhook"]);
  assert.deepEqual(channels.map(targetOf), [
    "ops@example.org by mail.example.org:587",
    "slack to hooks.example",
    "json to pager.example",
  ]);
});

test("half a channel is told with its remedy", async () => {
  for (const [text, problem] of [
    ["mail: { host: h }", /notifications\.mail needs from and to beside host/],
    [`mail: { ${MAIL}, user: u }`, /needs user and password, or neither/],
    [`mail: { ${MAIL}, user: u, password: p, tls: none }`, /a password would go unencrypted/],
    [`mail: { ${MAIL}, password: p, password_file: /secret/password }`, /are both given/],
    ["webhooks: { chat: { format: slack } }", /webhooks\.chat\.url is missing/],
    ["webhooks: { mail: { url: http://h/ } }", /webhooks\.mail must have another name/],
    ["webhooks: { chat: { url_file: /secret/key } }", /webhooks\.chat\.url must begin with https:\/\//],
    ["webhooks: { chat: { url_file: /nowhere } }", /cannot be read: there is no such file/],
    ["mail: { host: h, from: nobody, to: [x@y] }", /must be an e-mail address/],
  ] as const) {
    await assert.rejects(load(text), { code: "bad-config", message: problem }, text);
  }
});

function load(notifications: string) {
  const text = notifications.startsWith("\n")
    ? `notifications:${notifications}`
    : `notifications: { ${notifications} }`;
  return loadConfig(text, "c.yaml", async (path) => {
    const secret = FILES[path];
    if (secret === undefined) throw Object.assign(new Error("absent"), { code: "ENOENT" });
    return secret;
  });
}
