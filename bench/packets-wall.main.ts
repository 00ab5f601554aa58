/**
 * Runs on a host: brings that many listings and the agent's rules into its kernel, says so, and ends; both stay.
 *
 * `node packets-wall.main.ts LISTINGS HOOK BACKEND FOLDER NETWORK`: no listing is in NETWORK (a /16, such as `45.128`).
 */
import { openIpsetBackend } from "@fleetban/agent/firewall/ipset/ipset-backend";
import type { EntryHook } from "@fleetban/agent/firewall/ipset/rule-text";
import { openNftablesBackend } from "@fleetban/agent/firewall/nftables/nftables-backend";
import { ms } from "@fleetban/kit/clock";
import { FEEDS, heldFixture } from "../agent/src/mirror/mirror.fixture.ts";
import { eventually } from "../test/support/fleet/eventually.ts";
import { openKernelFirewall } from "./firewall-on-kernel.ts";
import { listingOf, madeUpPrefixes } from "./listings.ts";

const NO_PACING = { minEntries: 2_048, maxEntries: 2_048, stepEntries: 1, targetMs: ms(60_000), cpuShare: 1 };
const OPEN = { ipset: openIpsetBackend, nftables: openNftablesBackend };

const [listings = "", hookText, backend = "", folder = "", network = ""] = process.argv.slice(2);
const hook = hookText as EntryHook;
const open = OPEN[backend as keyof typeof OPEN];
const { firewall, enforce } = await openKernelFirewall(NO_PACING, folder, (parts) => open({ ...parts, hook }));
const prefixes = madeUpPrefixes(Number(listings), 1).filter((prefix) => !prefix.startsWith(`${network}.`));
await enforce(FEEDS, heldFixture(FEEDS.list, prefixes.map(listingOf)).blocklist);
await eventually("the rules are in force", () => firewall.state().rules.kind === "present");
process.exit(0);
