import type { ReviewToken, TokenReviewStatus } from '../../ca/authenticate/token-review.ts';
import type { ApiClient } from '../api/client.ts';
import { listAt, mapAt, textAt } from '../api/json.ts';

/** Asks the API server about a token. The token is in the body, so in no log of addresses. */
export function reviewTokens(client: ApiClient): ReviewToken {
  return async (token, audiences, signal) => {
    const answer = await client.request({
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
      signal,
    });
    return statusOf(answer);
  };
}

function statusOf(answer: unknown): TokenReviewStatus {
  const status = mapAt(answer, 'status');
  const extra = Object.entries(mapAt(status, 'user', 'extra')).map(([key, values]) => [key, texts(values)] as const);
  return {
    authenticated: status['authenticated'] === true,
    audiences: texts(listAt(status, 'audiences')),
    user: { username: textAt(status, 'user', 'username'), extra: Object.fromEntries(extra) },
  };
}

function texts(values: unknown): readonly string[] {
  return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
}
