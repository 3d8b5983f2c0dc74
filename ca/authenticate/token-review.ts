import { hash } from 'node:crypto';
import { parsed, refused } from '../identity/parsed.ts';
import { parseWorkloadSpiffeId } from '../identity/spiffe-id.ts';
import type { TrustDomain } from '../identity/trust-domain.ts';
import type { Caller, CallerPod, Checked } from './caller.ts';
import { SUBJECT } from './subject.ts';
import type { VerifyToken } from './token.ts';

/** The status of a Kubernetes TokenReview (authentication.k8s.io/v1), as far as it matters. */
export interface TokenReviewStatus {
  readonly authenticated?: boolean | undefined;
  readonly audiences?: readonly string[] | undefined;
  readonly user?:
    | {
        readonly username?: string | undefined;
        readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
      }
    | undefined;
}

/** Asks the API server. Rejects when it cannot be asked. */
export type ReviewToken = (token: string, audiences: readonly string[], signal: AbortSignal) => Promise<TokenReviewStatus>;

export interface TokenReviewRules {
  readonly review: ReviewToken;
  readonly audience: string;
  readonly trustDomain: TrustDomain;
  readonly clock: () => Date;
  readonly timeoutMs?: number;
}

/** How long an answer holds: the API server knows of deleted pods and accounts, so not for long. */
const HOLDS_MS = 10_000;
const MOST_REMEMBERED = 10_000;

const AWAY = { ok: false, reason: 'the Kubernetes API server cannot be asked about the token', unavailable: true } as const;

/** Has tokens verified by the API server, which knows more than a signature tells: whether pod and account still exist. */
export function tokenReviewVerifier({ review, audience, trustDomain, clock, timeoutMs = 10_000 }: TokenReviewRules): VerifyToken {
  const remembered = new Map<string, { readonly answer: Promise<Checked<Caller>>; readonly until: number }>();
  const ask = async (token: string): Promise<Checked<Caller>> => {
    const signal = AbortSignal.timeout(timeoutMs);
    const timedOut = new Promise<undefined>((resolve) =>
      signal.addEventListener('abort', () => resolve(undefined), { once: true }),
    );
    const status = await Promise.race([review(token, [audience], signal).catch(() => undefined), timedOut]);
    return status === undefined ? AWAY : callerOf(status, audience, trustDomain);
  };
  return async (token) => {
    const digest = hash('sha256', token, 'base64');
    const now = clock().getTime();
    const known = remembered.get(digest);
    if (known !== undefined && now < known.until && now >= known.until - HOLDS_MS) return known.answer;
    // Also while it is being asked: a caller that repeats itself costs the API server one question.
    const answer = ask(token);
    remembered.delete(digest);
    if (remembered.size >= MOST_REMEMBERED) remembered.delete(remembered.keys().next().value ?? '');
    const entry = { answer, until: now + HOLDS_MS };
    remembered.set(digest, entry);
    const caller = await answer;
    if (!caller.ok && remembered.get(digest) === entry) remembered.delete(digest);
    return caller;
  };
}

function callerOf(
  { authenticated, audiences, user }: TokenReviewStatus,
  audience: string,
  trustDomain: TrustDomain,
): Checked<Caller> {
  if (authenticated !== true) return refused('the Kubernetes API server does not accept the token');
  // A server that knows nothing of audiences names none, and accepts tokens that are for others.
  if (audiences?.includes(audience) !== true) return refused('the token is for another audience');
  const subject = user?.username ?? '';
  const [, namespace, serviceAccount] = SUBJECT.exec(subject) ?? [];
  if (namespace === undefined || serviceAccount === undefined) return refused("the token is no service account's");
  const id = parseWorkloadSpiffeId(trustDomain, namespace, serviceAccount);
  if (!id.ok) return id;
  const pod = podOf(namespace, user?.extra ?? {});
  return parsed({ id: id.value, evidence: { kind: 'token', subject }, ...(pod && { pod }) });
}

function podOf(namespace: string, extra: Readonly<Record<string, readonly string[]>>): CallerPod | undefined {
  const sole = (name: string) => {
    const values = Object.hasOwn(extra, name) ? extra[name] : undefined;
    return values?.length === 1 ? values[0] : undefined;
  };
  const [name, uid, node] = ['pod-name', 'pod-uid', 'node-name'].map((key) => sole(`authentication.kubernetes.io/${key}`));
  return name === undefined
    ? undefined
    : { namespace, name, ...(uid !== undefined && { uid }), ...(node !== undefined && { node }) };
}
