/** What a stream's peer told, or did, that is worth a line in the log. Names and versions only, never a secret. */
export type Notice =
  | { readonly kind: 'ack'; readonly version: string }
  | { readonly kind: 'nack'; readonly reason: string }
  /** A request about an older response; answered by nothing (xDS protocol, "ACK, NACK and resource type version"). */
  | { readonly kind: 'stale' }
  | { readonly kind: 'unknown'; readonly names: readonly string[] };

/** What follows from an event: the next state, perhaps a response, and notices. `refuse` ends the stream. */
export type Outcome<State, Response> =
  | { readonly kind: 'next'; readonly state: State; readonly response?: Response; readonly notices: readonly Notice[] }
  | { readonly kind: 'refuse'; readonly reason: string };

const MOST_NAMES = 100;
const LONGEST_NAME = 512;

/** Bounds what one request can make us remember and echo. */
export function namesReason(names: readonly string[]): string | undefined {
  if (names.length > MOST_NAMES) return `more than ${MOST_NAMES} names`;
  if (names.some((name) => name.length > LONGEST_NAME)) return `a name is longer than ${LONGEST_NAME} characters`;
  return undefined;
}

/** A peer's own words, cut to what a log line can bear. */
export function peerText(text: string): string {
  return text.slice(0, 500);
}
