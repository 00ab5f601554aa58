/** Writes the shell script that starts a bundle with a fitting Node. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleFile, type ProgramBuild } from "./programs.ts";

export async function writeLauncher(program: ProgramBuild, dist: string): Promise<void> {
  await mkdir(join(dist, "bin"), { recursive: true });
  await writeFile(join(dist, "bin", program.name), launcherText(program), { mode: 0o755 });
}

/** In this order: what the environment says, the Node packed beside the program, the checkout's, the one in PATH. */
function launcherText(program: ProgramBuild): string {
  const { name, nodeFlags, environment } = program;
  const file = bundleFile(program);
  const flags = nodeFlags.map((flag) => ` ${flag}`).join("");
  const settings = Object.entries(environment)
    .map(([key, value]) => `export ${key}="\${${key}:-${value}}"\n`)
    .join("");
  return `#!/bin/sh
# Starts ${name} with Node 24 or newer.
set -eu
dist=$(dirname "$(dirname "$(readlink -f "$0")")")
${settings}case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
for node in "\${FLEETBAN_NODE:-}" "$dist/node/bin/node" "$dist/../tools/node_modules/node-linux-$arch/bin/node"; do
  [ -x "$node" ] && exec "$node"${flags} "$dist/${file}" "$@"
done
if node=$(command -v node); then
  major=$("$node" -p 'process.versions.node.split(".")[0]')
  [ "$major" -ge 24 ] && exec "$node"${flags} "$dist/${file}" "$@"
  echo "${name}: error: $node is Node $major, 24 or newer is needed" >&2
else
  echo "${name}: error: no node found" >&2
fi
echo "${name}: hint: set FLEETBAN_NODE to the path of a Node 24" >&2
exit 1
`;
}
