/**
 * Rules of ours that somebody saved with the own ones (`netfilter-persistent save`, `iptables-save >`): at boot they name
 * our sets, and iptables-restore loads nothing at all of a file that names a set which isn't there. While fleetban is
 * installed the boot load makes the sets first; whoever uninstalls must hear of it.
 */

/** Where Debian and Ubuntu, RHEL and Fedora, Arch, Alpine, and older guides keep them. */
export const SAVED_RULES: readonly string[] = [
  "/etc/iptables/rules.v4",
  "/etc/iptables/rules.v6",
  "/etc/sysconfig/iptables",
  "/etc/sysconfig/ip6tables",
  "/etc/iptables/iptables.rules",
  "/etc/iptables/ip6tables.rules",
  "/etc/iptables/rules-save",
  "/etc/iptables/rules6-save",
  "/etc/iptables.rules",
  "/etc/iptables.up.rules",
];

/** Their paths; undefined text = no such file. */
export function namingOurSets(
  files: readonly { readonly path: string; readonly text: string | undefined }[],
): string[] {
  return files.filter(({ text }) => /^[^#\n]*--match-set fleetban-/m.test(text ?? "")).map(({ path }) => path);
}

export function savedRulesWarning(paths: readonly string[]): string | undefined {
  if (paths.length === 0) return undefined;
  return `${paths.join(", ")}: saved rules name fleetban's sets, which are gone now: the next boot would load none of them; save them anew (netfilter-persistent save, or iptables-save > FILE), or delete the lines with fleetban- in them`;
}
