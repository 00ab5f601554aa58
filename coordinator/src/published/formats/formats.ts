/** Every format by the ending of its file's name. */
import type { Format } from "./format.ts";
import { IPSET } from "./ipset.ts";
import { MIKROTIK } from "./mikrotik.ts";
import { NFT } from "./nft.ts";
import { CIDR, PLAIN } from "./plain.ts";
import { CSV, JSON_FORMAT, XML } from "./tables.ts";

export const FORMATS: ReadonlyMap<string, Format> = new Map([
  ["txt", PLAIN],
  ["cidr", CIDR],
  ["json", JSON_FORMAT],
  ["csv", CSV],
  ["xml", XML],
  ["ipset", IPSET],
  ["nft", NFT],
  ["rsc", MIKROTIK],
]);
