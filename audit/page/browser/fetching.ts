import type { Access, CertificateList, EdgeDetails, ProxyList, Session, WorkloadDetails } from '../api/details.ts';
import type { Graph, Series } from '../api/graph.ts';
import type { RolloutDetails, RolloutList, RolloutPreview } from '../api/rollout.ts';

/** What each address answers: the server's handlers are written against the same types. */
export interface Answers {
  readonly '/api/session': Session;
  readonly '/api/graph': Graph;
  readonly '/api/series': Series;
  readonly '/api/edge': EdgeDetails;
  readonly '/api/workload': WorkloadDetails;
  readonly '/api/access': Access;
  readonly '/api/proxies': ProxyList;
  readonly '/api/certificates': CertificateList;
  readonly '/api/rollouts': RolloutList;
  readonly '/api/rollout': RolloutDetails;
  readonly '/api/rollout/plan': RolloutPreview;
}

export class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function reasonIn(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && 'error' in value && typeof value.error === 'string'
    ? value.error
    : undefined;
}

/** Browsers keep the last answer by its ETag, so that what did not change is not sent again. */
export async function ask<P extends keyof Answers>(
  path: P,
  query: Readonly<Record<string, string>> = {},
  signal?: AbortSignal,
): Promise<Answers[P]> {
  const text = new URLSearchParams(query).toString();
  const response = await fetch(text === '' ? path : `${path}?${text}`, {
    credentials: 'same-origin',
    redirect: 'error',
    ...(signal === undefined ? {} : { signal }),
  });
  const body: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw new Refused(response.status, reasonIn(body) ?? `the server answered ${response.status}`);
  // Both ends are of one build: a page of another version loads itself again (see main.ts).
  return body as Answers[P];
}
