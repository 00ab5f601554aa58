/** A peer's text as Postgres can hold it, in text and in jsonb: no NUL, no half of a pair, bounded. */
export function plainText(text: string, maxLength: number): string {
  return text.replaceAll("\0", "\u{fffd}").slice(0, maxLength).toWellFormed();
}

export const JAIL_MAX = 64;
