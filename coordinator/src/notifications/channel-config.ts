/** The keys of coordinator.yaml by which notifications go out: places and secrets, nothing that judges. */
import type { ConfigOf, ConfigTable } from "@fleetban/kit/config";
import { FleetbanError } from "@fleetban/kit/errors";
import { type ReadFile, secretFrom } from "../secret.ts";
import { type Channel, MAIL_CHANNEL } from "./channel.ts";

const optional = { default: undefined } as const;

export const CHANNEL_TABLE = {
  "notifications.mail.host": {
    ...optional,
    kind: "text",
    description: "SMTP server that takes mail to operators; without one there is no channel mail",
  },
  "notifications.mail.port": { kind: "number", default: 587, min: 1, max: 65_535, description: "Its port" },
  "notifications.mail.tls": {
    kind: "choice",
    of: ["starttls", "tls", "none"],
    default: "starttls",
    description: "starttls = demanded before anything is said; tls = from the start (port 465); none = not encrypted",
  },
  "notifications.mail.ca_file": {
    ...optional,
    kind: "text",
    description: "File with the certificate (PEM) that vouches for the server's; default: those that Node knows",
  },
  "notifications.mail.user": { ...optional, kind: "text", description: "Account there; default: none" },
  "notifications.mail.password": { ...optional, kind: "text", description: "Its password" },
  "notifications.mail.password_file": { ...optional, kind: "text", description: "File that holds the password" },
  "notifications.mail.from": { ...optional, kind: "text", description: "Sender's address", check: addressProblem },
  "notifications.mail.to": {
    kind: "texts",
    default: [],
    description: "Addresses that get the mail",
    check: addressProblem,
  },
  "notifications.webhooks": {
    kind: "named",
    description: "URLs that get messages by POST, by the names that the policy's routes use",
    of: {
      url: { ...optional, kind: "text", description: "Where to; often a secret itself", check: urlProblem },
      url_file: { ...optional, kind: "text", description: "File that holds url" },
      format: {
        kind: "choice",
        of: ["json", "slack", "discord", "text"],
        default: "json",
        description:
          "json = everything, for programs; slack = {text}, which Mattermost and Rocket.Chat take too; discord = {content}; text = plain, as ntfy takes it",
      },
      secret: {
        ...optional,
        kind: "text",
        description: "Signs each message: X-Fleetban-Signature is sha256= and the body's HMAC-SHA-256, hexadecimal",
      },
      secret_file: { ...optional, kind: "text", description: "File that holds secret" },
    },
  },
} as const satisfies ConfigTable;

export type ChannelConfig = ConfigOf<typeof CHANNEL_TABLE>;

interface Source {
  readonly file: string;
  readonly readFile: ReadFile;
}

/** Throws a FleetbanError of code `bad-config` where one is half configured. */
export async function channelsOf(config: ChannelConfig, source: Source): Promise<readonly Channel[]> {
  const mail = await mailOf(config, source);
  const webhooks = Object.keys(config["notifications.webhooks"]).map((name) => webhookOf(config, name, source));
  return [...(mail === undefined ? [] : [mail]), ...(await Promise.all(webhooks))];
}

async function mailOf(config: ChannelConfig, source: Source): Promise<Channel | undefined> {
  const host = config["notifications.mail.host"];
  if (host === undefined) return undefined;
  const from = config["notifications.mail.from"];
  const to = config["notifications.mail.to"];
  if (from === undefined || to.length === 0) {
    throw bad(source, "notifications.mail", "needs from and to beside host; give both, or remove host");
  }
  const user = config["notifications.mail.user"];
  const password = await secretFrom(
    {
      key: "notifications.mail.password",
      value: config["notifications.mail.password"],
      fileKey: "notifications.mail.password_file",
      path: config["notifications.mail.password_file"],
    },
    source,
  );
  if ((user === undefined) !== (password === undefined)) {
    throw bad(source, "notifications.mail", "needs user and password, or neither");
  }
  const tls = config["notifications.mail.tls"];
  if (user !== undefined && tls === "none") {
    throw bad(source, "notifications.mail.tls", 'is "none": a password would go unencrypted; make it starttls or tls');
  }
  const ca = await secretFrom(
    {
      key: "notifications.mail.ca_file",
      value: undefined,
      fileKey: "notifications.mail.ca_file",
      path: config["notifications.mail.ca_file"],
    },
    source,
  );
  const login = user === undefined || password === undefined ? undefined : { user, password };
  return { kind: "mail", name: MAIL_CHANNEL, host, port: config["notifications.mail.port"], tls, ca, login, from, to };
}

async function webhookOf(config: ChannelConfig, name: string, source: Source): Promise<Channel> {
  const key = `notifications.webhooks.${name}`;
  const webhook = config["notifications.webhooks"][name];
  if (webhook === undefined) throw new Error(`internal error: no webhook ${name}`);
  if (name === MAIL_CHANNEL || !/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/.test(name)) {
    throw bad(source, key, "must have another name: up to 40 letters, digits, _ -, and not mail");
  }
  const place = (part: "url" | "secret") => ({
    ...{ key: `${key}.${part}`, value: webhook[part] },
    ...{ fileKey: `${key}.${part}_file`, path: webhook[`${part}_file`] },
  });
  const url = await secretFrom(place("url"), source);
  const problem = url === undefined ? "is missing: where the messages go" : urlProblem(url);
  if (url === undefined || problem !== undefined) throw bad(source, `${key}.url`, problem ?? "");
  const secret = await secretFrom(place("secret"), source);
  return { kind: "webhook", name, url, format: webhook.format, secret };
}

function bad({ file }: Source, key: string, problem: string): FleetbanError {
  return new FleetbanError("bad-config", `${file}: ${key} ${problem}`);
}

function urlProblem(text: string): string | undefined {
  return /^https?:\/\/[^\s/]/.test(text) && URL.canParse(text) ? undefined : "must begin with https:// or http://";
}

function addressProblem(text: string): string | undefined {
  const isAddress = /^(?:[^<>@\r\n]+<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/.test(text);
  return isAddress ? undefined : "must be an e-mail address, as name@example.org or Name <name@example.org>";
}
