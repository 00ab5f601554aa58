/**
 * Who a client certificate speaks for. It stands in the certificate's only subject alternative name, a URI that the
 * coordinator wrote itself (a certificate request's own wishes are never read): `urn:fleetban:agent:UUID` or
 * `urn:fleetban:admin:NAME`. A certificate opens the service of its kind and no other (invariant 8).
 */

export type Identity =
  | { readonly kind: "agent"; readonly agentId: string }
  | { readonly kind: "admin"; readonly name: string };

const AGENT_URN = /^URI:urn:fleetban:agent:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;
const ADMIN_URN = /^URI:urn:fleetban:admin:([A-Za-z0-9._%-]{1,768})$/;

export function urnOf(identity: Identity): string {
  if (identity.kind === "agent") return `urn:fleetban:agent:${identity.agentId}`;
  return `urn:fleetban:admin:${escapeName(identity.name)}`;
}

/** From the text that TLS gives for the subject alternative names; `undefined` for whatever is not exactly one of ours. */
export function identityOf(subjectAltName: string | undefined): Identity | undefined {
  const agentId = AGENT_URN.exec(subjectAltName ?? "")?.[1];
  if (agentId !== undefined) return { kind: "agent", agentId };
  const name = ADMIN_URN.exec(subjectAltName ?? "")?.[1];
  return name === undefined ? undefined : adminOf(name);
}

function adminOf(encoded: string): Identity | undefined {
  try {
    return { kind: "admin", name: decodeURIComponent(encoded) };
  } catch {
    return undefined; // a broken escape: none of ours
  }
}

/** Leaves no character that the writer of a subject alternative name would quote. */
function escapeName(name: string): string {
  const hexOf = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(name).replaceAll(/[!'()*~]/g, hexOf);
}
