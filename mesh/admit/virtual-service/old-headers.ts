import type { Headers } from '../../model/virtual-service.ts';
import type { Field } from '../field.ts';
import { oldForm } from '../unapplied.ts';
import { addedHeaders, removedHeaders } from './headers.ts';

/** How Istio 1.0 changed headers, before there was `headers`. */
export const OLD_HEADERS = [
  'appendHeaders',
  'appendRequestHeaders',
  'removeRequestHeaders',
  'appendResponseHeaders',
  'removeResponseHeaders',
] as const;

type Fields = Record<(typeof OLD_HEADERS)[number], Field>;

/** What `headers` says, and the old forms beside it. */
export function withOldHeaders(said: Headers | undefined, fields: Fields): Headers | undefined {
  if (!OLD_HEADERS.some((name) => fields[name].given)) return said;
  oldForm(fields.appendHeaders, 'headers: {request: {add: {…}}}');
  oldForm(fields.appendRequestHeaders, 'headers: {request: {add: {…}}}');
  oldForm(fields.removeRequestHeaders, 'headers: {request: {remove: […]}}');
  oldForm(fields.appendResponseHeaders, 'headers: {response: {add: {…}}}');
  oldForm(fields.removeResponseHeaders, 'headers: {response: {remove: […]}}');
  return {
    request: {
      set: said?.request.set ?? {},
      add: { ...addedHeaders(fields.appendHeaders), ...addedHeaders(fields.appendRequestHeaders), ...said?.request.add },
      remove: [...(said?.request.remove ?? []), ...removedHeaders(fields.removeRequestHeaders)],
    },
    response: {
      set: said?.response.set ?? {},
      add: { ...addedHeaders(fields.appendResponseHeaders), ...said?.response.add },
      remove: [...(said?.response.remove ?? []), ...removedHeaders(fields.removeResponseHeaders)],
    },
  };
}
