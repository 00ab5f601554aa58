/** What a feed's terms let others do with its entries: kept with the feed, asked by whatever publishes lists. */

/** As in `feeds.licence`. */
export const LICENCE = {
  /** Anybody may publish it on. */
  free: 0,
  /** Not for commercial use, and published on under the same terms. */
  "non-commercial": 1,
  /** For one's own machines; publishing it on is not among the rights given. Also what nobody has looked up. */
  "own-use": 2,
  /** Published on with the publisher named, and its copyright line and date kept. */
  credit: 3,
} as const;

export type Licence = keyof typeof LICENCE;

export const LICENCES = Object.keys(LICENCE) as readonly Licence[];

export function licenceOf(code: number): Licence {
  return LICENCES.find((licence) => LICENCE[licence] === code) ?? "own-use";
}

/** Without an operator's word to the contrary. */
export function mayBePublished(licence: Licence): boolean {
  return licence === "free" || licence === "credit";
}
