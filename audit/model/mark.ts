import type { PolicyRule } from './record.ts';

/** What policies noted about a call beside the decision. */
export type Mark =
  /** A CUSTOM rule matched, and this provider was asked. */
  | { readonly kind: 'asked'; readonly by: PolicyRule; readonly provider: string }
  /** An AUDIT rule matched. */
  | { readonly kind: 'audited'; readonly by: PolicyRule }
  /** A dry run of a DENY rule matched a call that was let through. */
  | { readonly kind: 'would-deny'; readonly by: PolicyRule }
  /** Only dry runs of ALLOW policies apply, and no rule of theirs matches a call that was let through. */
  | { readonly kind: 'would-deny-no-rule' }
  /** A dry run of an ALLOW rule matches a call that no rule allowed. */
  | { readonly kind: 'would-allow'; readonly by: PolicyRule }
  /** A verified token: of whom, as far as that is to be kept. */
  | { readonly kind: 'subject'; readonly issuer: string; readonly subject: string };

const KINDS: readonly Mark['kind'][] = Object.freeze([
  'asked',
  'audited',
  'would-deny',
  'would-deny-no-rule',
  'would-allow',
  'subject',
]);

/** Proxies tell of a few; what is more is made up. */
const MOST = 16;

type Written = readonly [kind: string, policy: string, rule: number, provider: string];

function written(mark: Mark): Written {
  if (mark.kind === 'subject') return [mark.kind, mark.issuer, -1, mark.subject];
  const { policy, rule = -1 } = mark.kind === 'would-deny-no-rule' ? { policy: '' } : mark.by;
  return [mark.kind, policy, rule, mark.kind === 'asked' ? mark.provider : ''];
}

/** Marks as one text, for the key of an edge: the same marks give the same text. Empty for none. */
export function marksText(marks: readonly Mark[]): string {
  const texts = marks.map((mark) => JSON.stringify(written(mark)));
  return texts.length === 0 ? '' : `[${[...new Set(texts)].sort().slice(0, MOST).join(',')}]`;
}

function isWritten(value: unknown): value is Written {
  return (
    Array.isArray(value) &&
    value.length === 4 &&
    typeof value[0] === 'string' &&
    typeof value[1] === 'string' &&
    typeof value[2] === 'number' &&
    typeof value[3] === 'string'
  );
}

function read([text, policy, at, provider]: Written): readonly Mark[] {
  const kind = KINDS.find((one) => one === text);
  const by = { policy, rule: at < 0 ? undefined : at };
  switch (kind) {
    case undefined:
      return [];
    case 'asked':
      return [{ kind, by, provider }];
    case 'would-deny-no-rule':
      return [{ kind }];
    case 'subject':
      return [{ kind, issuer: policy, subject: provider }];
    case 'audited':
    case 'would-deny':
    case 'would-allow':
      return [{ kind, by }];
    default:
      return kind satisfies never;
  }
}

/** The marks of an edge; those that a newer version wrote are left out. */
export function marksOfText(text: string): readonly Mark[] {
  if (text === '') return [];
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list.filter(isWritten).flatMap(read) : [];
}
