/** Why a test that needs programs of the system can't run here. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";

const FOLDERS = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const NETWORK = ["ip", "ipset", "iptables", "ip6tables"];

/** For `test(name, { skip }, …)`: false, or a reason. Root and the programs of a test network are always needed. */
export function needs(...programs: readonly string[]): false | string {
  if (process.getuid?.() !== 0) return "needs root";
  const missing = [...NETWORK, ...programs].filter(
    (program) => !FOLDERS.some((folder) => isThere(join(folder, program))),
  );
  return missing.length > 0 && `needs ${missing.join(", ")}`;
}

function isThere(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
