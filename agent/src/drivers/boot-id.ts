/** The kernel's boot id (16 bytes): tells a restart of the agent from a second machine with the same identity. */
import { readFileSync } from "node:fs";

export function readBootId(): Uint8Array {
  const text = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  return Buffer.from(text.replaceAll("-", ""), "hex");
}
