/**
 * AbuseIPDB's categories, and which of them a jail's sightings are reported under. Pure.
 *
 * A jail that is not known here is not reported until the policy maps it: a wrong category is worse than none. The longest
 * name that fits wins, the policy's own names before these.
 */

/** Number of each category, by the name that the policy may use for it. */
export const CATEGORIES = {
  "dns-compromise": 1,
  "dns-poisoning": 2,
  "fraud-orders": 3,
  ddos: 4,
  "ftp-brute-force": 5,
  "ping-of-death": 6,
  phishing: 7,
  "fraud-voip": 8,
  "open-proxy": 9,
  "web-spam": 10,
  "email-spam": 11,
  "blog-spam": 12,
  "vpn-ip": 13,
  "port-scan": 14,
  hacking: 15,
  "sql-injection": 16,
  spoofing: 17,
  "brute-force": 18,
  "bad-web-bot": 19,
  "exploited-host": 20,
  "web-app-attack": 21,
  ssh: 22,
  "iot-targeted": 23,
} as const satisfies Readonly<Record<string, number>>;

/** Jail, or its beginning up to a `-`, `_` or `.`; one that begins with * fits by its end. */
export type JailMap = Readonly<Record<string, readonly number[]>>;

const BRUTE_FORCE = [18];
const HTTP_LOGIN = [18, 21];
const MAIL_SPAM = [11];
const FTP_LOGIN = [5, 18];
const WEB_BOT = [19, 21];
const WEB_ATTACK = [21, 15];
const VOIP_FRAUD = [8, 18];

const KNOWN_JAILS: JailMap = {
  ...mapped(["sshd", "dropbear", "selinux-ssh"], [18, 22]),
  ...mapped(["postfix-sasl", "dovecot", "sieve", "cyrus-imap", "courier-auth", "exim", "sendmail-auth"], BRUTE_FORCE),
  ...mapped(["mysqld-auth", "mongodb-auth", "mssql-auth", "pam-generic"], BRUTE_FORCE),
  ...mapped(["postfix", "postfix-rbl", "exim-spam", "sendmail-reject"], MAIL_SPAM),
  ...mapped(["vsftpd", "proftpd", "pure-ftpd", "wuftpd"], FTP_LOGIN),
  ...mapped(["apache-badbots", "nginx-bad-request", "*-botsearch"], WEB_BOT),
  ...mapped(["apache-noscript", "apache-shellshock", "*-overflows", "php-url-fopen"], WEB_ATTACK),
  ...mapped(["modsecurity", "apache-modsecurity"], WEB_ATTACK),
  ...mapped(["wordpress", "roundcube-auth", "phpmyadmin", "nextcloud", "grafana"], HTTP_LOGIN),
  ...mapped(["apache-auth", "nginx-http-auth", "lighttpd-auth", "haproxy-http-auth", "traefik-auth"], HTTP_LOGIN),
  ...mapped(["asterisk", "freeswitch", "murmur"], VOIP_FRAUD),
  ...mapped(["nginx-limit-req", "apache-fakegooglebot"], [19]),
  portscan: [14],
  "named-refused": [], // DNS over UDP: the source is whoever the sender says it is
};

/** A jail over other jails: it says nothing of its own, and is reported under what the others saw. */
const SECOND_HAND = /^recidive(?:[-_.]|$)/;

export function isSecondHand(jail: string): boolean {
  return SECOND_HAND.test(jail);
}

/** Undefined = nobody has said; empty = never to be reported. */
export function categoriesOf(jail: string, own: JailMap): readonly number[] | undefined {
  return longestFit(jail, own) ?? longestFit(jail, KNOWN_JAILS);
}

/** One that a stranger may read: a name that an operator made up may tell of his customers. */
export function isWellKnown(jail: string): boolean {
  return Object.hasOwn(KNOWN_JAILS, jail);
}

export function categoryName(category: number): string {
  const found = Object.entries(CATEGORIES).find(([, number]) => number === category);
  return found === undefined ? String(category) : found[0];
}

/** From a name or a number as the policy has it; undefined where there is no such category. */
export function parseCategory(text: string): number | undefined {
  const number = Object.entries(CATEGORIES).find(([name]) => name === text)?.[1] ?? Number(text);
  return Object.values(CATEGORIES).some((known) => known === number) ? number : undefined;
}

function longestFit(jail: string, map: JailMap): readonly number[] | undefined {
  const fitting = Object.keys(map).filter((name) => fits(jail, name));
  const longest = fitting.sort((a, b) => b.length - a.length)[0];
  return longest === undefined ? undefined : map[longest];
}

function fits(jail: string, name: string): boolean {
  if (name.startsWith("*")) return jail.endsWith(name.slice(1));
  return jail === name || (jail.startsWith(name) && /[-_.]/.test(jail.charAt(name.length)));
}

function mapped(jails: readonly string[], categories: readonly number[]): JailMap {
  return Object.fromEntries(jails.map((jail) => [jail, categories]));
}
