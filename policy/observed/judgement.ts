/** What refuses a call. */
export type RefusalCause =
  /** Plain text where mutual TLS is required. */
  | 'plain-text'
  /** A DENY rule, or a CUSTOM rule whose provider nobody is. */
  | 'denied'
  /** ALLOW policies apply, and no rule of theirs matches. */
  | 'not-allowed'
  /** A token that no such request can have is required. */
  | 'token'
  /** The certificate does not name exactly one identity. */
  | 'peer';

/** What policies say of calls that were seen, as far as records tell of them. */
export type Judgement =
  /** `by`: the rule, as `NAMESPACE/NAME rule N`; empty where no ALLOW policy applies. */
  | { readonly kind: 'granted'; readonly by: string }
  /**
   * Some such calls may be granted, some not: it depends on what records do not have, such as headers and tokens. `basis`: a text for all
   * that it depends on; what was seen goes on as it was where that stays the same.
   */
  | { readonly kind: 'depends'; readonly on: readonly string[]; readonly basis: string }
  /** `by`: the rule or the PeerAuthentication that refuses it; empty where none does. */
  | { readonly kind: 'not-granted'; readonly cause: RefusalCause; readonly by: string; readonly why: string }
  /** Nothing can be said. */
  | { readonly kind: 'unknown'; readonly why: string };

export function judgementText(judgement: Judgement): string {
  switch (judgement.kind) {
    case 'granted':
      return judgement.by === '' ? 'granted: no ALLOW policy applies' : `granted by ${judgement.by}`;
    case 'depends':
      return `depends on ${judgement.on.join(', ')}`;
    case 'not-granted':
      return `not granted: ${judgement.why}`;
    case 'unknown':
      return `unknown: ${judgement.why}`;
    default:
      return judgement satisfies never;
  }
}

/** As it is printed. */
export function judgementJson(judgement: Judgement): Readonly<Record<string, unknown>> {
  const text = judgementText(judgement);
  switch (judgement.kind) {
    case 'depends':
      return { kind: judgement.kind, on: judgement.on, text };
    case 'granted':
    case 'not-granted':
    case 'unknown':
      return { ...judgement, text };
    default:
      return judgement satisfies never;
  }
}
