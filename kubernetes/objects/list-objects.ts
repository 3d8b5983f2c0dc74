import { ApiError } from '../api/api-error.ts';
import type { ApiClient } from '../api/client.ts';
import { isJson, type Json, listAt, textAt } from '../api/json.ts';
import { pathOfKind, type ServedKind } from './api-resources.ts';

export interface ListWish {
  /** Empty: of every namespace. */
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly query?: Readonly<Record<string, string>> | undefined;
}

const PAGE = 500;
const EXPIRED = 410;

/** All objects of a kind, page by page. Items of a list have neither kind nor version of their own: they are given them. */
export async function listObjects(client: ApiClient, kind: ServedKind, wish: ListWish): Promise<readonly Json[]> {
  const { namespace, labelSelector, query } = wish;
  const found: Json[] = [];
  let next = '';
  for (let whole = false; ;) {
    const parameters = new URLSearchParams(query);
    if (labelSelector !== undefined) parameters.set('labelSelector', labelSelector);
    if (!whole) parameters.set('limit', String(PAGE));
    if (next !== '') parameters.set('continue', next);
    let answer: unknown;
    try {
      answer = await client.request({ path: `${pathOfKind(kind, { namespace, name: '' })}?${parameters}` });
    } catch (error) {
      // What a page continues is kept for some minutes only: then all at once.
      if (!(error instanceof ApiError && error.status === EXPIRED) || whole) throw error;
      [whole, next] = [true, ''];
      found.length = 0;
      continue;
    }
    for (const item of listAt(answer, 'items'))
      if (isJson(item)) found.push({ apiVersion: kind.apiVersion, kind: kind.kind, ...item });
    next = textAt(answer, 'metadata', 'continue');
    if (next === '') return found;
  }
}
