/** Lets a program of ours find a machine where programs of the system are missing: a /usr/sbin of its own, nobody else's. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** $1 = where the real folder is kept, $2 = names that are missing, $3 = a program to take ipset's place; then the command. */
const SCRIPT = `set -e
mount --bind /usr/sbin "$1"
mount -t tmpfs none /usr/sbin
for path in "$1"/*; do case \${path##*/} in $2) ;; *) ln -s "$path" /usr/sbin/ ;; esac; done
[ -z "$3" ] || ln -s "$3" /usr/sbin/ipset
shift 3
exec "$@"`;

/** Words before a command. `missing` is a pattern of names; `ipset` the text of a script in ipset's place. */
export async function withoutPrograms(dir: string, missing: string, ipset?: string): Promise<readonly string[]> {
  const real = join(dir, "real-sbin");
  await mkdir(real, { recursive: true });
  const standIn = ipset === undefined ? "" : join(dir, "stand-in-ipset");
  if (ipset !== undefined) await writeFile(standIn, ipset, { mode: 0o755 });
  return ["unshare", "--mount", "sh", "-c", SCRIPT, "sh", real, missing, standIn];
}
