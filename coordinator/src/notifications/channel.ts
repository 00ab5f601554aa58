/** Where a message can go, and what can come of sending it. */

export type WebhookFormat = "json" | "slack" | "discord" | "text";

export interface WebhookChannel {
  readonly kind: "webhook";
  readonly name: string;
  /** Secret, often: whoever knows it may post. */
  readonly url: string;
  readonly format: WebhookFormat;
  /** Signs each message; undefined = unsigned. */
  readonly secret: string | undefined;
}

export interface MailChannel {
  readonly kind: "mail";
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly tls: "starttls" | "tls" | "none";
  /** Certificates that its certificate may rest on, PEM; undefined = those that the system knows. */
  readonly ca: string | undefined;
  readonly login: { readonly user: string; readonly password: string } | undefined;
  readonly from: string;
  readonly to: readonly string[];
}

export type Channel = WebhookChannel | MailChannel;

/** Its name among those of the policy's routes. */
export const MAIL_CHANNEL = "mail";

export type Delivery =
  | { readonly kind: "sent"; readonly note?: string }
  /** `mayHaveArrived`: the other side took it and did not answer. */
  | { readonly kind: "again"; readonly reason: string; readonly mayHaveArrived: boolean }
  /** It will not be taken, however often it is sent. */
  | { readonly kind: "refused"; readonly reason: string };

/** For people, without what is secret of it. */
export function targetOf(channel: Channel): string {
  if (channel.kind === "mail") return `${channel.to.join(", ")} by ${channel.host}:${channel.port}`;
  return `${channel.format} to ${new URL(channel.url).host}`;
}
