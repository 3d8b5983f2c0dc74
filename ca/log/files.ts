/** What belongs to one issuance log; all beside each other. */
export interface LogFiles {
  /** The records, one JSON object a line. */
  readonly records: string;
  /** Ends of the log that a crash tore off. */
  readonly torn: string;
  /** Signed checkpoints, one after the other, append-only. */
  readonly checkpoints: string;
  /** The Ed25519 key that signs them, mode 0600. */
  readonly key: string;
  /** The hash of each record, 32 bytes each: derived, made anew when lost; tells which record was tampered with. */
  readonly leaves: string;
  /** Where the last checkpoint ends, to go on from there at a start: derived, made anew when lost. */
  readonly state: string;
}

/** @param records path of the records, such as DIR/issuance.jsonl */
export function logFilesAt(records: string): LogFiles {
  const stem = records.replace(/\.jsonl$/, '');
  return {
    records,
    torn: `${records}.torn`,
    checkpoints: `${stem}.checkpoints`,
    key: `${stem}-key.pem`,
    leaves: `${stem}.leaves`,
    state: `${stem}.state`,
  };
}
