/** What a request's headers say of the answer: whether it may be packed, and whether the client has it already. */

/** RFC 9110, 12.5.3: a coding with weight 0 is not accepted. */
export function acceptsGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? "")
    .toLowerCase()
    .split(",")
    .map((coding) => coding.split(";").map((part) => part.trim()));
  const weightOf = (name: string) => {
    const found = codings.find(([coding]) => coding === name);
    if (found === undefined) return undefined;
    const weight = found.find((part) => part.startsWith("q="));
    return weight === undefined ? 1 : Number(weight.slice(2));
  };
  return (weightOf("gzip") ?? weightOf("*") ?? 0) > 0;
}

/** RFC 9110, 13.1.2: weak comparison, so that a proxy's packing does no harm. */
export function matchesTag(header: string | undefined, sha256: string): boolean {
  if (header === undefined) return false;
  const tags = header.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.some((tag) => tag === "*" || tag === tagOf(sha256, false) || tag === tagOf(sha256, true));
}

/** Packed and unpacked are two representations, each with its tag. */
export function tagOf(sha256: string, isPacked: boolean): string {
  return `"${sha256.slice(0, 32)}${isPacked ? "-gzip" : ""}"`;
}
