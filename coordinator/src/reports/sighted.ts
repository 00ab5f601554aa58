/** Sightings of one address by one agent in one jail. */
export interface SightedBy {
  readonly agentNo: number;
  readonly jail: string;
  /** By its action or its log; false = another tool told it all, by the socket. */
  readonly isFail2ban: boolean;
  readonly protocol: string;
  readonly ports: string;
  readonly bans: number;
  readonly failures: number;
  readonly firstAtMs: number;
  readonly lastAtMs: number;
  /** Of the newest that came with any. */
  readonly evidence: string;
}
