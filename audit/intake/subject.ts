import type { JsonObject } from '@bufbuild/protobuf';
import type { Mark } from '../model/mark.ts';
import type { Directory } from './directory.ts';

/** Under the filter's name; policy/request-authentication has Envoy put the claims of verified tokens there. */
const PAYLOAD = 'payload';
const LONGEST = 256;

function claim(claims: unknown, name: 'iss' | 'sub'): string {
  const found =
    typeof claims === 'object' && claims !== null ? Object.entries(claims).find(([key]) => key === name)?.[1] : undefined;
  return typeof found === 'string' ? found : '';
}

/**
 * Whose token a request had, by the claims that Envoy has verified; never by a header. Nothing unless it is configured: a subject is about a
 * person more often than not.
 * @param tokens the dynamic metadata of Envoy's filter for JSON Web Tokens
 */
export function subjectMarks(tokens: JsonObject | undefined, directory: Directory): readonly Mark[] {
  if (directory.subjectOf === undefined || tokens === undefined) return [];
  const claims = Object.entries(tokens).find(([key]) => key === PAYLOAD)?.[1];
  const [issuer, subject] = [claim(claims, 'iss'), claim(claims, 'sub')];
  if (subject === '') return [];
  const told = directory.subjectOf(issuer, subject);
  return told === '' ? [] : [{ kind: 'subject', issuer: issuer.slice(0, LONGEST), subject: told.slice(0, LONGEST) }];
}
