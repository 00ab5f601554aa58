/**
 * Whether this machine's own firewall is nftables' native kind (nftables.service, firewalld), not iptables on nftables.
 *
 * There a rule of iptables does harm: `nft list ruleset` shows it in words that nft can't read, so that the ruleset which the
 * operator saves no longer loads at the next boot; and firewalld throws it away at each reload.
 */
import { ATTRIBUTES_AT, attributesIn, MESSAGE_HEADER_BYTES, type Message, textOf } from "../ipset/attributes.ts";
import type { OpenNetlink } from "../ipset/netlink-socket.ts";
import { createConversation } from "./conversation.ts";
import { MessageWriter } from "./message-writer.ts";
import { TABLE_NAME } from "./names.ts";
import { CHAIN, MESSAGE } from "./protocol.ts";

const ANY_FAMILY = 0;
const INET = 1;
const IP = 2;
const IP6 = 10;
/** iptables on nftables hooks chains of these names, in tables of its own. */
const CHAINS_OF_IPTABLES: ReadonlySet<string> = new Set(["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"]);
/** Bring tables along, and are no firewall that anybody saves. */
const TABLES_OF_HELPERS: ReadonlySet<string> = new Set([TABLE_NAME, "f2b-table", "crowdsec", "crowdsec6"]);

/** The table by which it shows, such as `firewalld`; undefined = none. */
export function findNativeFirewall(open: OpenNetlink): string | undefined {
  const socket = open(0);
  try {
    const kernel = createConversation(socket, new MessageWriter());
    let found: string | undefined;
    // Without nf_tables this is an error, and there is none.
    kernel.dump({ type: MESSAGE.getChain, family: ANY_FAMILY, write: () => undefined }, (message) => {
      found ??= nativeTable(message);
    });
    return found;
  } finally {
    socket.close();
  }
}

function nativeTable({ view }: Message): string | undefined {
  const texts = new Map<number, string>();
  let isHooked = false;
  for (const attribute of attributesIn(view, ATTRIBUTES_AT, view.byteLength)) {
    if (attribute.type === CHAIN.table || attribute.type === CHAIN.name) {
      texts.set(attribute.type, textOf(view, attribute));
    }
    isHooked ||= attribute.type === CHAIN.hook;
  }
  const table = texts.get(CHAIN.table) ?? "";
  if (!isHooked || TABLES_OF_HELPERS.has(table)) return undefined;
  const family = view.getUint8(MESSAGE_HEADER_BYTES);
  if (family === INET) return table;
  const isOfIptables = CHAINS_OF_IPTABLES.has(texts.get(CHAIN.name) ?? "");
  return (family === IP || family === IP6) && !isOfIptables ? table : undefined;
}
